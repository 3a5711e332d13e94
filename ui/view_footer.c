/* SPDX-License-Identifier: MIT */
/* The last row: the filter being typed, else the newest message, else the keys of the table, those that
 * cannot be used now greyed. */
#include "core/text.h"
#include "ui/view.h"
#include <stdio.h>

/* The first name of a key is enough here. */
static void key_name(const struct key_row *row, char *out, size_t size)
{
    size_t used = 0;
    while (row->name[used] && row->name[used] != ' ' && used + 1 < size) {
        out[used] = row->name[used];
        used++;
    }
    out[used] = '\0';
}

static void keys_draw(struct room *room, struct area area)
{
    int x = 1;
    for (size_t i = 0; i < keymap_count; i++) {
        const struct key_row *row = &keymap[i];
        char name[16];
        if (!row->footer)
            continue;
        key_name(row, name, sizeof name);
        int width = text_width(name) + 1 + text_width(row->footer);
        bool last = row->action == ACT_QUIT;
        if (!last && x + width > area.width - 8)
            continue;
        bool usable = !room_refusal(room, row);
        x = draw_text(area, x, 0, usable ? ROLE_BAR_KEY : ROLE_BAR_DIM, name);
        x = draw_text(area, x + 1, 0, usable ? ROLE_BAR : ROLE_BAR_DIM, row->footer) + 2;
    }
}

static void filter_draw(struct room *room, struct area area)
{
    const struct line *filter = &room->filter[room->focus];
    char before[LINE_MAX_BYTES];
    int x = draw_textf(area, 1, 0, ROLE_BAR_KEY, "Filter the %s: ", view_of(room, room->focus)->name);
    int end = draw_textf(area, x, 0, ROLE_FIELD, "%s ", filter->text);
    snprintf(before, sizeof before, "%.*s", (int)filter->cursor, filter->text);
    draw_role(area, x + text_width(before), 0, ROLE_CURSOR);
    draw_text(area, end + 2, 0, ROLE_BAR_DIM, "Enter keeps it, Esc clears it");
}

void view_footer_draw(struct room *room, struct area area)
{
    draw_fill(area, 0, 0, area.width, 1, ROLE_BAR, ' ');
    if (room->filtering)
        filter_draw(room, area);
    else if (room->message[0])
        draw_fit(area, 1, area.width, 0, room->message_role, room->message, room->glyphs->unicode);
    else
        keys_draw(room, area);
}
