/* SPDX-License-Identifier: MIT */
/* Help: the key table as it is, keys that cannot be used now greyed with the reason. */
#include "ui/room.h"
#include <stdio.h>

enum { NAME_WIDTH = 15, WIDTH = 92 };

static struct dialog_size help_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){WIDTH, (int)keymap_count + 2};
}

static void help_draw(struct room *room, struct area area)
{
    struct scroll_state *scroll = &room->state.scroll;
    scroll->rows = (int)keymap_count;
    scroll->page = area.height - 1;
    for (int y = 0; y < scroll->page && scroll->top + y < scroll->rows; y++) {
        const struct key_row *row = &keymap[scroll->top + y];
        const char *refusal = keymap_refusal(row, room->live, room->read_only);
        draw_text(area, 1, y, refusal ? ROLE_GREYED : ROLE_FOCUS, row->name);
        int x = draw_fit(area, NAME_WIDTH, area.width, y, refusal ? ROLE_GREYED : ROLE_NORMAL, row->help,
                         room->glyphs->unicode);
        if (refusal)
            draw_textf(area, x + 1, y, ROLE_GREYED, "[%s]", refusal);
    }
    dialog_hint(area, scroll->rows > scroll->page ? "Esc: close   Up, Down: scroll" : "Esc: close");
}

static void help_key(struct room *room, int key)
{
    if (!dialog_scroll(&room->state.scroll, key) &&
        (key == UI_KEY_ESC || key == 'q' || key == '?' || key == UI_KEY_F1 || key == UI_KEY_ENTER))
        room_close(room);
}

static void help_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "q quit + more - fewer Esc back");
}

const struct dialog_ops dialog_help = {"Keys", NULL, help_size, help_draw, help_key, NULL, help_brief};
