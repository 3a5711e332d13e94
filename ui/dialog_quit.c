/* SPDX-License-Identifier: MIT */
/* Leaving while something runs. Ctrl-C a second time, which the room sees before any dialog, stops in order.
 */
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
    draw_text(area, 1, 2, ROLE_FOCUS, "s");
    draw_text(area, 6, 2, ROLE_NORMAL, "stop all in order: drain, TERM, then KILL; then quit");
    draw_text(area, 1, 3, ROLE_GREYED, "l");
    draw_text(area, 6, 3, ROLE_GREYED, "leave running [needs adoption, which is not there yet]");
    draw_text(area, 1, 4, ROLE_FOCUS, "Esc");
    draw_text(area, 6, 4, ROLE_NORMAL, "go on");
}

static void quit_key(struct room *room, int key)
{
    if (key == 's' || key == 'S')
        room_stop(room);
    else if (key == UI_KEY_ESC || key == 'n' || key == 'N')
        room_close(room);
    else if (key == 'l')
        room_say(room, ROLE_WARN,
                 "refused: instances cannot be left running: the next start could not adopt them");
}

static void quit_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Quit? s = stop all, Esc = no");
}

const struct dialog_ops dialog_quit = {"Quit", NULL, quit_size, quit_draw, quit_key, NULL, quit_brief};
