/* SPDX-License-Identifier: MIT */
/* A dialog lies over the panels and swallows every key but Ctrl-C. Its state is a plain value in the room,
 * zero when opened. The default answer of every question is No: only the key it names does something. */
#ifndef UI_DIALOG_H
#define UI_DIALOG_H
#include "core/command.h"
#include "core/snapshot.h"
#include "ui/form.h"
#include "ui/grid.h"

struct room;

struct dialog_size {
    int width, height; /* inside the frame */
};

struct dialog_ops {
    const char *title;
    void (*open)(struct room *room);
    struct dialog_size (*size)(const struct room *room);
    void (*draw)(struct room *room, struct area inside);
    void (*key)(struct room *room, int key);
    /* Every turn: expiry, previews; may close the dialog. NULL = none. */
    void (*turn)(struct room *room);
    /* The question in one line, for windows too small for a box. */
    void (*brief)(const struct room *room, char *out, size_t size);
    bool form; /* its state is form_state, and letters go into its fields */
};

struct scale_state {
    int from, to;
    usec_t until;
};

struct scroll_state {
    int top, rows, page; /* rows there are, rows that fit */
    bool follow;
};

struct form_state {
    struct form form;
    uint64_t preview_id; /* CMD_PREVIEW on its way */
    usec_t preview_at;   /* ask again then; 0 = asked */
    char preview[200];
};

struct detail_state {
    int id;
    uint64_t command_id;
    struct scroll_state scroll;
};

struct ask_state {
    int id;
    enum command_kind kind; /* chosen; CMD_NONE = still choosing */
};

struct entry_state { /* an entry of the journal */
    uint64_t seq;
};

/* What control says would change, kept while the question about it stands. */
struct save_state {
    uint64_t command_id;
    uint64_t act_id; /* of what a yes asked for; 0 = nothing yet */
    bool ready;
    int line_count;
    char lines[SNAPSHOT_DETAIL_LINES][sizeof((struct detail *)0)->lines[0]];
    char refusal[ANSWER_TEXT_MAX];
    struct scroll_state scroll;
};

#define STRATEGY_MAX 8

struct strategy_state {
    int chosen, asked;   /* index; asked: whose preview is on its way */
    uint64_t preview_id; /* 0 = none on its way */
    usec_t again_at;
    char preview[STRATEGY_MAX][200];
};

union dialog_state {
    struct scale_state scale;
    struct scroll_state scroll;
    struct form_state form;
    struct detail_state instance;
    struct ask_state ask;
    struct entry_state entry;
    struct save_state save;
    struct strategy_state strategy;
};

extern const struct dialog_ops dialog_help, dialog_scale, dialog_mode, dialog_quit, dialog_load,
    dialog_thresholds;
extern const struct dialog_ops dialog_options, dialog_strategy, dialog_save, dialog_reload;
extern const struct dialog_ops dialog_instance, dialog_actions, dialog_decision;

/* Draws the open dialog over the grid. */
void dialog_draw(struct room *room, struct grid *grid);
/* Scrolls by a key; false: not a scrolling key. */
bool dialog_scroll(struct scroll_state *scroll, int key);
/* The answers to a question; whatever is neither changes nothing. */
bool dialog_yes(int key);
bool dialog_no(int key);
/* Which keys do what, in the last row: pieces apart by three blanks, the later ones left out where room is
 * short. */
void dialog_hint(struct area area, const char *hint);
/* Draws a text over as many rows as it takes, broken at blanks; returns how many that were. */
int dialog_wrap(struct area area, int y, enum role role, const char *text);

#endif
