/* SPDX-License-Identifier: MIT */
/* The rows, in the order of the help dialog, and what stands against using one. */
#include "ui/keymap.h"
#include "core/action.h"
#include "core/options.h"
#include <string.h>

#define W KEY_WRITES
#define I KEY_INSTANCES
#define L KEY_LOADABLE

const struct key_row keymap[] = {
    {{'?', UI_KEY_F1}, "? F1", "Help", "this help", ACT_HELP, 0},
    {{'+', '='}, "+ =", "Up", "ask for one instance more; y confirms, gone after 5 s", ACT_SCALE_UP, W},
    {{'-'}, "-", "Down", "ask for one instance fewer; y confirms, gone after 5 s", ACT_SCALE_DOWN, W},
    {{'a'},
     "a",
     "Auto/Man",
     "decide by the strategy (AUTO), or hold the count (MANUAL); y confirms",
     ACT_MODE,
     W},
    {{'l'}, "l", "Load", "load: start, stop, rate, threads, shape, duration", ACT_LOAD, W | L},
    {{'t'}, "t", "Thresholds", "thresholds and limits, with a preview before they apply", ACT_THRESHOLDS, W},
    {{UI_KEY_TAB}, "Tab", "Pane", "next panel", ACT_NEXT_PANEL, 0},
    {{UI_KEY_BACK_TAB}, "S-Tab", NULL, "previous panel", ACT_PREVIOUS_PANEL, 0},
    {{'z'}, "z", "Zoom", "the focused panel on the full screen, and back", ACT_ZOOM, 0},
    {{UI_KEY_ENTER},
     "Enter",
     "Detail",
     "instance: health, history, log tail; decision: explain it",
     ACT_OPEN,
     0},
    {{'/'}, "/", "Filter", "filter the focused list; Esc and Ctrl-C leave it", ACT_FILTER, 0},
    {{'n'}, "n", NULL, "next row that matches the filter", ACT_FIND_NEXT, 0},
    {{'N'}, "N", NULL, "previous row that matches the filter", ACT_FIND_PREVIOUS, 0},
    {{' '}, "Space", "Freeze", "freeze the view; the scaler still runs", ACT_FREEZE, 0},
    {{'s'}, "s", NULL, "strategy, each with what it would decide now", ACT_STRATEGY, W},
    {{'x', UI_KEY_F9},
     "x F9",
     NULL,
     "selected instance: drain, restart, stop, kill; or roll all; asks first",
     ACT_INSTANCE,
     W | I},
    {{'!'}, "!", NULL, "acknowledge the alert in the banner", ACT_ACKNOWLEDGE, W | KEY_ALERT},
    {{'R'},
     "R",
     NULL,
     "read the ini again, showing first what changes and when it takes effect",
     ACT_RELOAD,
     W},
    {{'w'}, "w", NULL, "save changed settings to the ini, showing the difference first", ACT_SAVE, W},
    {{'o', UI_KEY_F2},
     "o F2",
     NULL,
     "options: palette, glyphs, frame rate, mouse, confirmations",
     ACT_OPTIONS,
     0},
    {{'k', UI_KEY_UP}, "k Up", NULL, "a row up", ACT_UP, 0},
    {{'j', UI_KEY_DOWN}, "j Down", NULL, "a row down", ACT_DOWN, 0},
    {{UI_KEY_LEFT}, "Left", NULL, "chart cursor to the past", ACT_LEFT, 0},
    {{UI_KEY_RIGHT}, "Right", NULL, "chart cursor to the present", ACT_RIGHT, 0},
    {{UI_KEY_PAGE_UP}, "PgUp", NULL, "a page up", ACT_PAGE_UP, 0},
    {{UI_KEY_PAGE_DOWN}, "PgDn", NULL, "a page down", ACT_PAGE_DOWN, 0},
    {{'g', UI_KEY_HOME}, "g Home", NULL, "first row; the decisions follow the newest", ACT_FIRST, 0},
    {{'G', UI_KEY_END}, "G End", NULL, "last row; a log tail follows the newest", ACT_LAST, 0},
    {{'['}, "[", NULL, "shorter chart window: 1 m, 5 m, 15 m, 1 h, all", ACT_WINDOW_SHORTER, 0},
    {{']'}, "]", NULL, "longer chart window", ACT_WINDOW_LONGER, 0},
    {{'<'}, "<", NULL, "sort the instances by the column to the left", ACT_SORT_LEFT, I},
    {{'>'}, ">", NULL, "sort the instances by the column to the right", ACT_SORT_RIGHT, I},
    {{'r'}, "r", NULL, "reverse the order of the instances", ACT_SORT_REVERSE, I},
    {{UI_KEY_ESC}, "Esc", NULL, "close the dialog, or clear the filter", ACT_ESCAPE, 0},
    {{UI_CTRL('l')}, "Ctrl-L", NULL, "repaint the screen", ACT_REPAINT, 0},
    {{UI_CTRL('z')},
     "Ctrl-Z",
     NULL,
     "suspend; the scaler stands still, balancer and instances serve on",
     ACT_SUSPEND,
     0},
    {{'q', UI_KEY_F10, UI_CTRL('c')},
     "q F10 Ctrl-C",
     "Quit",
     "quit; asks while instances or load run",
     ACT_QUIT,
     0},
};

const size_t keymap_count = sizeof keymap / sizeof *keymap;

const struct key_row *keymap_find(int key)
{
    for (size_t i = 0; i < keymap_count; i++)
        for (int k = 0; k < KEY_ROW_KEYS && keymap[i].keys[k]; k++)
            if (keymap[i].keys[k] == key)
                return &keymap[i];
    return NULL;
}

/* Where our balancer has no part in it, only an address somebody has chosen can be meant. */
static bool is_loadable(const struct snapshot *snapshot)
{
    const struct option *url = option_find("load", "url");
    return !(snapshot->target_flags & TARGET_COUNT) || snapshot->target_flags & TARGET_BALANCED ||
           strcmp(snapshot->config.load.url, url->preset) != 0;
}

const char *keymap_refusal(const struct key_row *row, const struct snapshot *snapshot, bool read_only)
{
    if (row->needs & KEY_WRITES && (read_only || snapshot->read_only))
        return "this screen is read-only";
    if (row->needs & KEY_WRITES && snapshot->stopping)
        return "the scaler is stopping";
    if (row->needs & KEY_INSTANCES && !(snapshot->target_flags & TARGET_INSTANCES))
        return "this target takes a count; its instances are not ours";
    if (row->needs & KEY_LOADABLE && !is_loadable(snapshot))
        return "nothing of ours serves this target; set load.url to load it";
    if (row->needs & KEY_ALERT && !snapshot->alert[0])
        return "there is no alert";
    return NULL;
}
