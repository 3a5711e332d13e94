/* SPDX-License-Identifier: MIT */
/* The one table of keys: dispatch, the footer, the help dialog and the man page all follow from it. */
#ifndef UI_KEYMAP_H
#define UI_KEYMAP_H
#include "core/snapshot.h"
#include "ui/key.h"

enum ui_action {
    ACT_NONE,
    ACT_HELP,
    ACT_QUIT,
    ACT_ESCAPE,
    ACT_NEXT_PANEL,
    ACT_PREVIOUS_PANEL,
    ACT_UP,
    ACT_DOWN,
    ACT_LEFT,
    ACT_RIGHT,
    ACT_PAGE_UP,
    ACT_PAGE_DOWN,
    ACT_FIRST,
    ACT_LAST,
    ACT_OPEN,
    ACT_SCALE_UP,
    ACT_SCALE_DOWN,
    ACT_MODE,
    ACT_LOAD,
    ACT_THRESHOLDS,
    ACT_STRATEGY,
    ACT_ZOOM,
    ACT_WINDOW_SHORTER,
    ACT_WINDOW_LONGER,
    ACT_FILTER,
    ACT_FIND_NEXT,
    ACT_FIND_PREVIOUS,
    ACT_SORT_LEFT,
    ACT_SORT_RIGHT,
    ACT_SORT_REVERSE,
    ACT_INSTANCE,
    ACT_ACKNOWLEDGE,
    ACT_RELOAD,
    ACT_FREEZE,
    ACT_SAVE,
    ACT_OPTIONS,
    ACT_REPAINT,
    ACT_SUSPEND,
    ACT_COUNT
};

enum key_need {
    KEY_WRITES = 1 << 0,    /* changes something: not in read-only mode, not while stopping */
    KEY_INSTANCES = 1 << 1, /* makes sense only for a target with instances of ours */
    KEY_ALERT = 1 << 2,     /* there is an alert */
    KEY_LOADABLE = 1 << 3,  /* a load would reach what is scaled */
};

#define KEY_ROW_KEYS 4

struct key_row {
    int keys[KEY_ROW_KEYS]; /* 0 = none */
    const char *name;       /* as the man page writes them */
    const char *footer;     /* "a Auto/Man" without the key; NULL = not in the footer */
    const char *help;
    enum ui_action action;
    unsigned needs; /* enum key_need */
};

extern const struct key_row keymap[];
extern const size_t keymap_count;

/* NULL: nothing is bound to it. */
const struct key_row *keymap_find(int key);

/* Why the key cannot be used now; NULL = it can. */
const char *keymap_refusal(const struct key_row *row, const struct snapshot *snapshot, bool read_only);

#endif
