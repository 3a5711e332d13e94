/* SPDX-License-Identifier: MIT */
/* Saving the settings to the ini and reading it again. Both show first what control says would change, and
 * only a yes to that does it. */
#include "core/command.h"
#include "core/snapshot.h"
#include "ui/room.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 84, HEAD_ROWS = 2, FOOT_ROWS = 2 };

struct question {
    enum command_kind preview, act;
    const char *verb, *path_missing, *nothing, *ask;
    bool useful_anyway; /* worth a yes though nothing differs */
};

static const struct question save_question = {
    CMD_SAVE_PREVIEW, CMD_SAVE, "Write to ", "a new ini", "Nothing differs from the file.", "Save?", false};
static const struct question reload_question = {
    CMD_RELOAD_PREVIEW,
    CMD_RELOAD,
    "Read again ",
    "the defaults: there is no ini",
    "Nothing differs; it would only try at once what waits after failures.",
    "Reload?",
    true};

static void question_open(struct room *room, const struct question *question)
{
    room->state.save.command_id = room_post(room, &(struct command){.kind = question->preview}, true);
}

static struct dialog_size question_size(const struct room *room)
{
    const struct save_state *save = &room->state.save;
    int wrapped = 2 + (int)strlen(save->refusal) / WIDTH; /* a row more than it takes with long words */
    int rows = save->refusal[0] ? wrapped : save->line_count > 0 ? save->line_count : 1;
    return (struct dialog_size){WIDTH, HEAD_ROWS + rows + FOOT_ROWS};
}

static bool may_act(const struct save_state *save, const struct question *question)
{
    return save->ready && !save->act_id && !save->refusal[0] &&
           (save->line_count > 0 || question->useful_anyway);
}

static enum role line_role(const char *line)
{
    static const char signs[] = "+-@ ";
    static const enum role roles[] = {ROLE_GOOD, ROLE_WARN, ROLE_DIM, ROLE_NORMAL};
    const char *sign = line[0] ? strchr(signs, line[0]) : NULL;
    return sign ? roles[sign - signs] : ROLE_STRONG;
}

static void lines_draw(struct room *room, struct area area)
{
    struct save_state *save = &room->state.save;
    struct scroll_state *scroll = &save->scroll;
    scroll->rows = save->line_count;
    scroll->page = area.height;
    for (int y = 0; y < area.height && scroll->top + y < scroll->rows; y++) {
        const char *line = save->lines[scroll->top + y];
        draw_fit(area, 0, area.width, y, line_role(line), line, room->glyphs->unicode);
    }
}

static void question_draw(struct room *room, struct area area, const struct question *question)
{
    const struct save_state *save = &room->state.save;
    const char *path = room->live->config_path[0] ? room->live->config_path : question->path_missing;
    char hint[80];
    int x = draw_text(area, 0, 0, ROLE_NORMAL, question->verb);
    draw_fit(area, x, area.width, 0, ROLE_STRONG, path, room->glyphs->unicode);
    if (save->refusal[0])
        dialog_wrap(area, HEAD_ROWS, ROLE_BAD, save->refusal);
    else if (save->act_id)
        draw_text(area, 0, HEAD_ROWS, ROLE_DIM, "on its way ...");
    else if (!save->ready)
        draw_text(area, 0, HEAD_ROWS, ROLE_DIM, "asking what differs ...");
    else if (!save->line_count)
        dialog_wrap(area, HEAD_ROWS, ROLE_DIM, question->nothing);
    lines_draw(room, area_part(area, 0, HEAD_ROWS, area.width, area.height - HEAD_ROWS - FOOT_ROWS));
    snprintf(hint, sizeof hint, "%s y = yes, n = no%s", question->ask,
             save->line_count > save->scroll.page ? "   j, k: scroll" : "");
    dialog_hint(area, may_act(save, question) ? hint : "Esc: close");
}

/* It stays open until it is done: why it could not be is read here, not in a line that goes. */
static void act(struct room *room, const struct question *question)
{
    struct save_state *save = &room->state.save;
    struct command command = {.kind = question->act, .count = 1}; /* it has been shown */
    snprintf(command.text, sizeof command.text, "%" PRIu64, save->command_id);
    save->act_id = room_post(room, &command, false);
    save->line_count = 0;
    if (!save->act_id)
        room_close(room);
}

static void question_key(struct room *room, int key, const struct question *question)
{
    struct save_state *save = &room->state.save;
    if (dialog_no(key)) {
        room_close(room);
    } else if (dialog_yes(key) && may_act(save, question)) {
        act(room, question);
    } else {
        dialog_scroll(&save->scroll, key);
    }
}

static void refuse(struct room *room, const struct answer *answer)
{
    struct save_state *save = &room->state.save;
    snprintf(save->refusal, sizeof save->refusal, "%s", answer->text);
    save->line_count = 0;
    room->dirty = room->urgent = true;
}

static void question_turn(struct room *room)
{
    struct save_state *save = &room->state.save;
    const struct detail *detail = &room->live->detail;
    const struct answer *answer = room_answer(room, save->act_id ? save->act_id : save->command_id);
    if (save->refusal[0] || !save->command_id)
        return;
    if (answer && !answer->accepted) {
        refuse(room, answer);
    } else if (answer && save->act_id) {
        room_close(room);
    } else if (!save->ready && detail->command_id == save->command_id) {
        save->ready = true;
        save->line_count = detail->line_count;
        memcpy(save->lines, detail->lines, sizeof save->lines);
        room->dirty = room->urgent = true;
    }
}

static void save_open(struct room *room)
{
    question_open(room, &save_question);
}

static void save_draw(struct room *room, struct area area)
{
    question_draw(room, area, &save_question);
}

static void save_key(struct room *room, int key)
{
    question_key(room, key, &save_question);
}

static void save_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Save the ini? y = yes, n = no");
}

static void reload_open(struct room *room)
{
    question_open(room, &reload_question);
}

static void reload_draw(struct room *room, struct area area)
{
    question_draw(room, area, &reload_question);
}

static void reload_key(struct room *room, int key)
{
    question_key(room, key, &reload_question);
}

static void reload_brief(const struct room *room, char *out, size_t size)
{
    (void)room;
    snprintf(out, size, "Reload the ini? y = yes, n = no");
}

const struct dialog_ops dialog_save = {"Save settings", save_open,     question_size, save_draw,
                                       save_key,        question_turn, save_brief};
const struct dialog_ops dialog_reload = {"Reload",   reload_open,   question_size, reload_draw,
                                         reload_key, question_turn, reload_brief};
