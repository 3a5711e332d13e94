/* SPDX-License-Identifier: MIT */
/* How this screen looks. It rules here at once; control is told as well, so that it can be saved, unless the
 * screen is read-only. */
#include "core/command.h"
#include "core/config.h"
#include "ui/room.h"
#include <stdio.h>

static const char *const keys[] = {"ui.palette", "ui.glyphs",  "ui.frame_interval",
                                   "ui.mouse",   "ui.confirm", NULL};

static struct config trial_config(const struct room *room)
{
    struct config config = room->live->config;
    config.ui = room->look;
    return config;
}

static void options_open(struct room *room)
{
    struct config config = trial_config(room);
    form_open(&room->state.form.form, keys, &config);
}

static struct dialog_size options_size(const struct room *room)
{
    return (struct dialog_size){76, room->state.form.form.count + 5};
}

static void options_draw(struct room *room, struct area area)
{
    const struct form *form = &room->state.form.form;
    int y = form_height(form, area.height, 3);
    form_draw(form, room->glyphs, area_part(area, 0, 0, area.width, y++));
    form_help_draw(form, room->glyphs, area, y);
    dialog_hint(area, "Enter: apply   Esc: close   Left, Right: choose   Up, Down: field");
}

static void options_enter(struct room *room)
{
    const struct form *form = &room->state.form.form;
    struct config config = trial_config(room);
    struct command command = {.kind = CMD_SET};
    char error[CONFIG_ERROR_SIZE];
    for (int i = 0; i < form->count; i++) {
        const struct form_row *row = &form->rows[i];
        if (!config_set(&config, row->option->section, row->option->key, row->line.text, error,
                        sizeof error)) {
            room_say(room, ROLE_BAD, "refused: %s", error);
            return;
        }
    }
    room->look = config.ui;
    if (form_text(form, false, command.text, sizeof command.text) > 0 && room_writable(room))
        room_post(room, &command, true);
    room_close(room);
    room->request = ROOM_REPAINT;
}

static void options_key(struct room *room, int key)
{
    struct config config = trial_config(room);
    if (key == UI_KEY_ESC)
        room_close(room);
    else if (key == UI_KEY_ENTER)
        options_enter(room);
    else
        form_key(&room->state.form.form, key, &config);
}

static void options_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Options: too small, Esc");
}

const struct dialog_ops dialog_options = {"Options",   options_open, options_size,  options_draw,
                                          options_key, NULL,         options_brief, true};
