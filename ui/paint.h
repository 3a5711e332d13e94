/* SPDX-License-Identifier: MIT */
/* From one grid to the next in as few bytes as a terminal can be told it: what differs, and only the
 * attributes and moves that takes. Curses would do it too, but in more writes, and with scrolling and
 * repeating that many emulators lack. Pure but for the buffer's memory; what a terminal wants to hear comes
 * in as texts. */
#ifndef UI_PAINT_H
#define UI_PAINT_H
#include "ui/grid.h"

#define PAINT_TEXT_MAX 48
#define PAINT_ATTRS    4

/* How a cell of a role is told: on top of nothing, and each color alone ("" = the terminal's own). */
struct paint_style {
    struct style style;
    char fore[PAINT_TEXT_MAX], back[PAINT_TEXT_MAX];
};

struct paint_terminal {
    struct paint_style styles[ROLE_LIMIT][2]; /* by role and selection */
    char attrs[PAINT_ATTRS][PAINT_TEXT_MAX];  /* in the order of enum style_attr's bits */
    char reset[PAINT_TEXT_MAX];               /* no attribute, the terminal's own colors */
    char clear[PAINT_TEXT_MAX];               /* all of the screen */
    char clear_line[PAINT_TEXT_MAX];          /* to the end of the row; "" = cannot */
    bool last_cell;                           /* writing the last cell of the screen does not scroll */
    bool unicode;
    const char *(*move)(int x, int y);
    const char *(*move_column)(int x); /* within the row; NULL = cannot */
};

struct paint_buffer {
    char *data;
    size_t used, size;
    bool failed; /* out of memory: what is in it is not whole */
};

/* Adds to the buffer what turns `shown` into `now`, and makes shown equal to it. Nothing is added when
 * nothing differs. fresh, or another size: clears first and draws everything. False: out of memory, draw
 * fresh next time. */
bool paint(const struct paint_terminal *terminal, struct grid *shown, const struct grid *now, bool fresh,
           struct paint_buffer *out);

#endif
