/* SPDX-License-Identifier: MIT */
/* Saving and reading again the ini. Saving shows the difference and the path that control gives before it
 * asks. */
#include "ui/room.h"
#include <stdio.h>
#include <string.h>

static void save_open(struct room *room)
{
    room->state.save.command_id = room_post(room, &(struct command){.kind = CMD_SAVE_PREVIEW}, true);
}

static struct dialog_size save_size(const struct room *room)
{
    const struct save_state *save = &room->state.save;
    int rows = save->refusal[0] ? 3 : save->line_count > 0 ? save->line_count : 1;
    return (struct dialog_size){84, 5 + rows};
}

static void save_draw(struct room *room, struct area area)
{
    const struct save_state *save = &room->state.save;
    bool unicode = room->glyphs->unicode;
    const char *path = room->live->config_path;
    int x = draw_text(area, 0, 0, ROLE_NORMAL, "Write to ");
    draw_fit(area, x, area.width, 0, ROLE_STRONG, path[0] ? path : "a new ini", unicode);
    if (save->refusal[0])
        dialog_wrap(area, 2, ROLE_BAD, save->refusal);
    else if (!save->ready)
        draw_text(area, 0, 2, ROLE_DIM, "asking what differs ...");
    else if (!save->line_count)
        draw_text(area, 0, 2, ROLE_DIM, "Nothing differs from the file.");
    for (int i = 0; i < save->line_count && i + 3 < area.height; i++) {
        char sign = save->lines[i][0];
        enum role role = sign == '+' ? ROLE_GOOD : sign == '-' ? ROLE_WARN : ROLE_NORMAL;
        draw_fit(area, 0, area.width, i + 2, role, save->lines[i], unicode);
    }
    bool can = save->ready && save->line_count > 0;
    dialog_hint(area, can ? "Save? y = yes, n = no" : "Esc: close");
}

static void save_key(struct room *room, int key)
{
    const struct save_state *save = &room->state.save;
    if (dialog_no(key)) {
        room_close(room);
    } else if (dialog_yes(key) && save->ready && save->line_count > 0) {
        room_close(room);
        room_post(room, &(struct command){.kind = CMD_SAVE}, false);
    }
}

static void save_turn(struct room *room)
{
    struct save_state *save = &room->state.save;
    const struct detail *detail = &room->live->detail;
    const struct answer *answer = room_answer(room, save->command_id);
    if (save->ready || save->refusal[0] || !save->command_id)
        return;
    if (answer && !answer->accepted) {
        snprintf(save->refusal, sizeof save->refusal, "%s", answer->text);
        room->dirty = room->urgent = true;
    } else if (detail->command_id == save->command_id) {
        save->ready = true;
        for (int i = 0; i < detail->line_count && i < SAVE_LINES_MAX; i++)
            memcpy(save->lines[save->line_count++], detail->lines[i], sizeof save->lines[0]);
        room->dirty = room->urgent = true;
    }
}

static void save_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Save the ini? y = yes, n = no");
}

static struct dialog_size reload_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){72, 4};
}

static void reload_draw(struct room *room, struct area area)
{
    const char *path = room->live->config_path;
    int x = draw_text(area, 0, 0, ROLE_STRONG, path[0] ? "Read again " : "There is no ini to read again.");
    if (path[0])
        draw_fit(area, x, area.width, 0, ROLE_NORMAL, path, room->glyphs->unicode);
    draw_text(area, 0, 1, ROLE_DIM, "A bad file changes nothing; the answer says what changed.");
    draw_text(area, 0, 3, ROLE_DIM, path[0] ? "Reload? y = yes, n = no" : "Esc: close");
}

static void reload_key(struct room *room, int key)
{
    bool yes = dialog_yes(key) && room->live->config_path[0];
    if (!yes && !dialog_no(key))
        return;
    room_close(room);
    if (yes)
        room_post(room, &(struct command){.kind = CMD_RELOAD}, false);
}

static void reload_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Reload the ini? y = yes, n = no");
}

const struct dialog_ops dialog_save = {"Save settings", save_open, save_size, save_draw,
                                       save_key,        save_turn, save_brief};
const struct dialog_ops dialog_reload = {"Reload",   NULL, reload_size, reload_draw,
                                         reload_key, NULL, reload_brief};
