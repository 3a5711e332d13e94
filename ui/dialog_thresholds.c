/* SPDX-License-Identifier: MIT */
/* Thresholds and limits: checked as they are typed, and control is asked what it would decide with them. */
#include "core/command.h"
#include "core/config.h"
#include "core/snapshot.h"
#include "ui/room.h"
#include <stdio.h>
#include <string.h>

#define PREVIEW_DELAY (150 * USEC_PER_MSEC)

static const char *const keys[] = {"scaling.scale_up_threshold",
                                   "scaling.scale_down_threshold",
                                   "scaling.target_cpu",
                                   "scaling.min_instances",
                                   "scaling.max_instances",
                                   "scaling.cooldown_up",
                                   "scaling.cooldown_down",
                                   "scaling.stabilization",
                                   "scaling.stabilization_down",
                                   "scaling.max_step",
                                   NULL};

static void preview_ask(struct room *room)
{
    struct form_state *state = &room->state.form;
    struct command command = {.kind = CMD_PREVIEW};
    form_text(&state->form, false, command.text, sizeof command.text);
    state->preview_at = 0;
    state->preview_id = room_post(room, &command, true);
}

static void thresholds_open(struct room *room)
{
    form_open(&room->state.form.form, keys, &room->live->config);
    preview_ask(room);
}

static struct dialog_size thresholds_size(const struct room *room)
{
    return (struct dialog_size){86, room->state.form.form.count + 9};
}

/* What is allowed but likely to disappoint. */
static bool advice(const struct room *room, char *out, size_t size)
{
    const struct form *form = &room->state.form.form;
    struct config trial = room->live->config;
    char error[CONFIG_ERROR_SIZE];
    for (int i = 0; i < form->count; i++) {
        const struct form_row *row = &form->rows[i];
        config_set(&trial, row->option->section, row->option->key, row->line.text, error, sizeof error);
    }
    return config_advise(&trial, out, size);
}

static void thresholds_draw(struct room *room, struct area area)
{
    const struct form_state *state = &room->state.form;
    char text[256];
    int y = form_height(&state->form, area.height, 5);
    form_draw(&state->form, room->glyphs, area_part(area, 0, 0, area.width, y));
    if (state->form.error[0]) {
        dialog_wrap(area, y, ROLE_BAD, state->form.error);
    } else {
        form_help_draw(&state->form, room->glyphs, area, y);
        y += 2;
        draw_text(area, 0, y++, ROLE_STRONG, "With these, the scaler would now:");
        y += dialog_wrap(area, y, ROLE_NORMAL, state->preview[0] ? state->preview : "...");
        if (advice(room, text, sizeof text))
            dialog_wrap(area, y, ROLE_WARN, text);
    }
    dialog_hint(area, "Enter: apply   Esc: close; nothing is changed   Up, Down: field   (w saves it later)");
}

static void thresholds_enter(struct room *room)
{
    const struct form *form = &room->state.form.form;
    struct command command = {.kind = CMD_SET};
    if (form->error[0]) {
        room_say(room, ROLE_BAD, "refused: %s", form->error);
        return;
    }
    if (form_text(form, false, command.text, sizeof command.text) > 0)
        room_post(room, &command, false);
    else
        room_say(room, ROLE_DIM, "nothing changed");
    room_close(room);
}

static void thresholds_key(struct room *room, int key)
{
    struct form_state *state = &room->state.form;
    if (key == UI_KEY_ESC)
        room_close(room);
    else if (key == UI_KEY_ENTER)
        thresholds_enter(room);
    else if (form_key(&state->form, key, &room->live->config) && !state->form.error[0])
        state->preview_at = room->now + PREVIEW_DELAY;
}

static void thresholds_turn(struct room *room)
{
    struct form_state *state = &room->state.form;
    const struct detail *detail = &room->live->detail;
    if (state->preview_at && room->now >= state->preview_at && !state->form.error[0])
        preview_ask(room);
    if (!state->preview_id || detail->command_id != state->preview_id)
        return;
    snprintf(state->preview, sizeof state->preview, "%s", detail->line_count > 0 ? detail->lines[0] : "");
    state->preview_id = 0;
    state->preview_at = state->preview_at ? state->preview_at : room->now + 2 * USEC_PER_SEC;
    room->dirty = room->urgent = true;
}

static void thresholds_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Thresholds: too small, Esc");
}

const struct dialog_ops dialog_thresholds = {
    "Thresholds",   thresholds_open, thresholds_size,  thresholds_draw,
    thresholds_key, thresholds_turn, thresholds_brief, true};
