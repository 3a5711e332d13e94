/* SPDX-License-Identifier: MIT */
/* Leaving while something runs. Ctrl-C a second time, which the room sees before any dialog, stops in order.
 */
#include "core/snapshot.h"
#include "ui/room.h"
#include <stdio.h>

static struct dialog_size quit_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){64, 6};
}

static void quit_draw(struct room *room, struct area area)
{
    const struct snapshot *snap = room->live;
    draw_textf(area, 1, 0, ROLE_STRONG, "%d instance%s%s still running.", snap->instance_count,
               snap->instance_count == 1 ? "" : "s",
               snap->load.running          ? " and a load are"
               : snap->instance_count == 1 ? " is"
                                           : " are");
    static const char *const choices[][2] = {
        {"s", "stop all in order, then quit: drain, TERM, then KILL"},
        {"l", "leave them serving; the next start takes them over"},
        {"Esc", "go on"},
    };
    for (int i = 0; i < 3; i++) {
        draw_text(area, 1, 2 + i, ROLE_FOCUS, choices[i][0]);
        draw_fit(area, 6, area.width, 2 + i, ROLE_NORMAL, choices[i][1], room->glyphs->unicode);
    }
}

static void quit_key(struct room *room, int key)
{
    if (key == 's' || key == 'S')
        room_stop(room);
    else if (dialog_no(key))
        room_close(room);
    else if (key == 'l' || key == 'L')
        room_leave(room);
}

static void quit_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Quit? s stop, l leave, Esc no");
}

const struct dialog_ops dialog_quit = {"Quit", NULL, quit_size, quit_draw, quit_key, NULL, quit_brief};
