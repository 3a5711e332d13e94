/* SPDX-License-Identifier: MIT */
/* What a terminal sends, as keys and pastes. Pure: bytes and the time go in, one event at a time comes out.
 * Sequences of no key of ours (focus, late answers, mice that nobody asked for, Alt) are swallowed to their
 * end and tell nothing. */
#ifndef UI_INPUT_H
#define UI_INPUT_H
#include "core/units.h"
#include <stdbool.h>
#include <stddef.h>

#define INPUT_SEQUENCE_MAX 32
#define INPUT_LEARNED_MAX  32
#define INPUT_PASTE_MAX    1024 /* more than any field holds; the rest of a paste is dropped */

enum input_state {
    INPUT_GROUND,
    INPUT_UTF8,
    INPUT_ESCAPE,
    INPUT_ESCAPES, /* two: Alt with an arrow, where no key came between */
    INPUT_CSI,
    INPUT_FUNCTION, /* ESC [ [, of the Linux console */
    INPUT_SS3,
    INPUT_STRING, /* OSC, DCS, SOS, PM, APC */
    INPUT_STRING_ESCAPE,
    INPUT_MOUSE, /* the three bytes after ESC [ M */
    INPUT_PASTE,
};

enum input_kind {
    INPUT_NOTHING,
    INPUT_KEY,      /* key of ui/key.h; of a click, x and y count from 0 */
    INPUT_PASTED,   /* the text is in paste[] until more is taken */
    INPUT_PASTE_END /* without a beginning: what came before it was no typing */
};

struct input_event {
    enum input_kind kind;
    int key, x, y;
};

struct input {
    enum input_state state;
    usec_t escape_delay, due; /* due: see input_due() */
    char sequence[INPUT_SEQUENCE_MAX];
    size_t used;
    bool overlong, alt;
    bool alone;    /* the Esc that waits was the last byte of its read */
    bool mouse;    /* mice were asked for */
    bool brackets; /* the terminal has said that it marks pastes */
    unsigned code; /* of a UTF-8 character, and what is missing of it */
    int missing, lead;
    char paste[INPUT_PASTE_MAX];
    size_t paste_size, paste_matched;
    bool paste_cut; /* by INPUT_PASTE_MAX, or its end never came */
    struct {
        char sequence[INPUT_SEQUENCE_MAX];
        int key;
    } learned[INPUT_LEARNED_MAX];
    int learned_count;
};

/* escape_delay: how long a sequence may rest after its Esc. */
void input_init(struct input *in, usec_t escape_delay);
/* A sequence of this very terminal; it rules over what is usual. Too long or no sequence: not learned. */
void input_learn(struct input *in, const char *sequence, int key);
/* Takes bytes up to the first event; returns how many, 0 only with an event. Call it until all are taken. */
size_t input_take(struct input *in, const char *data, size_t size, usec_t now, struct input_event *out);
/* When input_expire() has something to do; USEC_NEVER = nothing is unfinished. */
usec_t input_due(const struct input *in);
/* False: nothing has expired. Call it until then. */
bool input_expire(struct input *in, usec_t now, struct input_event *out);
/* Forgets what is unfinished. */
void input_reset(struct input *in);

#endif
