/* SPDX-License-Identifier: MIT */
/* AUTO or MANUAL: y does it, n or Esc does not, whatever else is pressed does nothing. */
#include "core/command.h"
#include "ui/room.h"
#include <stdio.h>

static struct dialog_size mode_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){52, 3};
}

static void mode_text(const struct room *room, char *out, size_t size)
{
    if (room->state.ask.kind == CMD_AUTO)
        snprintf(out, size, "Let the strategy decide? y = yes, n = no");
    else
        snprintf(out, size, "Hold the count at %d? y = yes, n = no", room_desired(room));
}

static void mode_draw(struct room *room, struct area area)
{
    char text[80];
    mode_text(room, text, sizeof text);
    draw_text(area, 1, 0, ROLE_STRONG, text);
    draw_text(area, 1, 2, ROLE_DIM,
              room->state.ask.kind == CMD_AUTO ? "MANUAL -> AUTO" : "AUTO -> MANUAL: it holds until changed");
}

static void mode_key(struct room *room, int key)
{
    enum command_kind kind = room->state.ask.kind;
    if (!dialog_yes(key) && !dialog_no(key))
        return;
    room_close(room);
    if (dialog_yes(key))
        room_post(room, &(struct command){.kind = kind}, false);
}

const struct dialog_ops dialog_mode = {"Mode", NULL, mode_size, mode_draw, mode_key, NULL, mode_text, false};
