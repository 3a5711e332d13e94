/* SPDX-License-Identifier: MIT */
/* What the keys of the table do. An action the focused view knows is its own; the rest is here. */
#include "core/command.h"
#include "core/config.h"
#include "ui/view.h"
#include <stdio.h>
#include <string.h>

#define WINDOWS 5

static void open_help(struct room *room)
{
    room_open(room, &dialog_help);
}

static void escape(struct room *room)
{
    line_set(&room->filter[room->focus], "");
}

static void panel_step(struct room *room, int step)
{
    do
        room->focus = (enum panel)((room->focus + PANEL_LIMIT + step) % PANEL_LIMIT);
    while ((int)room->focus >= room_charts(room) && room->focus < PANEL_CHARTS);
    room->chart_cursor = -1;
}

static void panel_next(struct room *room)
{
    panel_step(room, 1);
}

static void panel_previous(struct room *room)
{
    panel_step(room, -1);
}

static void scale(struct room *room, int step)
{
    const struct config_scaling *scaling = &room->live->config.scaling;
    int from = room_desired(room), to = from + step;
    int bound = step > 0 ? scaling->max_instances : scaling->min_instances;
    if (step > 0 ? to > bound : to < bound) {
        const char *name = step > 0 ? "maximum" : "minimum";
        room_say(room, ROLE_WARN, "refused: %d is the %s (scaling.%.3s_instances; t changes it)", bound, name,
                 name);
        return;
    }
    if (!room->look.confirm) {
        room_scale(room, to);
        return;
    }
    room_open(room, &dialog_scale);
    room->state.scale = (struct scale_state){from, to, room->now + 5 * USEC_PER_SEC};
}

static void scale_up(struct room *room)
{
    scale(room, 1);
}

static void scale_down(struct room *room)
{
    scale(room, -1);
}

static void mode(struct room *room)
{
    enum command_kind kind = room->live->manual ? CMD_AUTO : CMD_MANUAL;
    if (!room->look.confirm) {
        room_post(room, &(struct command){.kind = kind}, false);
        return;
    }
    room_open(room, &dialog_mode);
    room->state.ask.kind = kind;
}

static void open_load(struct room *room)
{
    room_open(room, &dialog_load);
}

static void open_thresholds(struct room *room)
{
    room_open(room, &dialog_thresholds);
}

static void open_strategy(struct room *room)
{
    room_open(room, &dialog_strategy);
}

static void open_options(struct room *room)
{
    room_open(room, &dialog_options);
}

static void open_save(struct room *room)
{
    room_open(room, &dialog_save);
}

static void open_reload(struct room *room)
{
    room_open(room, &dialog_reload);
}

static void open_actions(struct room *room)
{
    if (!room_instance(room, room->selected)) {
        room_say(room, ROLE_WARN, "refused: no instance is selected");
        return;
    }
    room_open(room, &dialog_actions);
    room->state.ask.id = room->selected;
}

static void zoom(struct room *room)
{
    room->zoomed = !room->zoomed;
    room->chart_cursor = -1;
}

static void window_shorter(struct room *room)
{
    room->window = view_window(room) - (view_window(room) > 0);
}

static void window_longer(struct room *room)
{
    room->window = view_window(room) + (view_window(room) < WINDOWS - 1);
}

static void filter(struct room *room)
{
    if (room->focus < PANEL_CHARTS)
        room->focus = PANEL_INSTANCES;
    room->filtering = true;
}

static void acknowledge(struct room *room)
{
    room_post(room, &(struct command){.kind = CMD_ALERT_ACK}, false);
}

static void freeze(struct room *room)
{
    room->frozen = !room->frozen;
    room->frozen_at = room->now;
    if (room->frozen)
        memcpy(room->kept, room->live, sizeof *room->kept);
    room->snap = room->frozen ? room->kept : room->live;
}

static void repaint(struct room *room)
{
    room->request = ROOM_REPAINT;
}

static void suspend(struct room *room)
{
    room->request = ROOM_SUSPEND;
}

static void (*const actions[ACT_COUNT])(struct room *room) = {
    [ACT_HELP] = open_help,
    [ACT_QUIT] = room_quit,
    [ACT_ESCAPE] = escape,
    [ACT_NEXT_PANEL] = panel_next,
    [ACT_PREVIOUS_PANEL] = panel_previous,
    [ACT_SCALE_UP] = scale_up,
    [ACT_SCALE_DOWN] = scale_down,
    [ACT_MODE] = mode,
    [ACT_LOAD] = open_load,
    [ACT_THRESHOLDS] = open_thresholds,
    [ACT_STRATEGY] = open_strategy,
    [ACT_ZOOM] = zoom,
    [ACT_WINDOW_SHORTER] = window_shorter,
    [ACT_WINDOW_LONGER] = window_longer,
    [ACT_FILTER] = filter,
    [ACT_INSTANCE] = open_actions,
    [ACT_ACKNOWLEDGE] = acknowledge,
    [ACT_RELOAD] = open_reload,
    [ACT_FREEZE] = freeze,
    [ACT_SAVE] = open_save,
    [ACT_OPTIONS] = open_options,
    [ACT_REPAINT] = repaint,
    [ACT_SUSPEND] = suspend,
};

const char *room_refusal(const struct room *room, const struct key_row *row)
{
    const char *refusal = keymap_refusal(row, room->live, room->read_only);
    return !refusal && row->action == ACT_OPEN ? view_of(room, room->focus)->no_detail : refusal;
}

void room_act(struct room *room, const struct key_row *row)
{
    const char *refusal = room_refusal(room, row);
    if (refusal) {
        room_say(room, ROLE_WARN, "refused: %s (%s)", refusal, row->name);
        return;
    }
    const struct view_ops *view = view_of(room, room->focus);
    if (view->act && view->act(room, row->action))
        return;
    if (actions[row->action])
        actions[row->action](room);
    else
        room_say(room, ROLE_BAR_DIM, "%s does nothing in this panel", row->name);
}
