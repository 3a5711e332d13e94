/* SPDX-License-Identifier: MIT */
/* One instance more or fewer: y does it, n, Esc or five seconds do not, Enter does nothing. */
#include "ui/format.h"
#include "ui/room.h"
#include <stdio.h>

static struct dialog_size scale_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){46, 3};
}

static void scale_text(const struct room *room, char *out, size_t size)
{
    const struct scale_state *scale = &room->state.scale;
    snprintf(out, size, "Scale %d -> %d? y = yes, n = no", scale->from, scale->to);
}

static void scale_draw(struct room *room, struct area area)
{
    char text[80], left[FORMAT_SIZE];
    scale_text(room, text, sizeof text);
    draw_text(area, 1, 0, ROLE_STRONG, text);
    usec_t rest = room->state.scale.until - room->now;
    snprintf(left, sizeof left, "%ds", (int)((rest + USEC_PER_SEC - 1) / USEC_PER_SEC));
    draw_right(area, area.width - 1, 0, ROLE_DIM, left);
    usec_t expiry = room->live->config.scaling.manual_expiry;
    const char *kind = room->state.scale.to > room->state.scale.from ? "floor" : "ceiling";
    if (room->live->manual)
        draw_text(area, 1, 2, ROLE_DIM, "MANUAL: it holds until changed");
    else if (expiry <= 0)
        draw_textf(area, 1, 2, ROLE_DIM, "AUTO: a %s until changed", kind);
    else if (units_format_duration(left, sizeof left, expiry) > 0)
        draw_textf(area, 1, 2, ROLE_DIM, "AUTO: a %s for the next %s", kind, left);
}

static void scale_key(struct room *room, int key)
{
    int to = room->state.scale.to;
    if (!dialog_yes(key) && !dialog_no(key))
        return;
    room_close(room);
    if (dialog_yes(key))
        room_scale(room, to);
}

static void scale_turn(struct room *room)
{
    if (room->now < room->state.scale.until)
        return;
    room_close(room);
    room_say(room, ROLE_DIM, "not scaled: nobody said yes within 5 s");
}

const struct dialog_ops dialog_scale = {"Scale",   NULL,       scale_size, scale_draw,
                                        scale_key, scale_turn, scale_text};
