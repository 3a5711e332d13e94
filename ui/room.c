/* SPDX-License-Identifier: MIT */
/* Owns the two snapshots (the newest, and the one kept while frozen), the list of commands whose answers are
 * awaited, and the message line. A turn reads; keys act; drawing only reads. */
#include "ui/room.h"
#include "core/action.h"
#include "core/command.h"
#include "core/config.h"
#include "core/snapshot.h"
#include "ui/view.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_STAYS (6 * USEC_PER_SEC)
#define DIALOG_TURN   (100 * USEC_PER_MSEC)

static void glyphs_choose(struct room *room)
{
    static const enum glyph_style styles[] = {[CONFIG_GLYPHS_BRAILLE] = GLYPH_BRAILLE,
                                              [CONFIG_GLYPHS_BLOCK] = GLYPH_BLOCK,
                                              [CONFIG_GLYPHS_ASCII] = GLYPH_ASCII};
    enum glyph_style style = room->console ? GLYPH_BLOCK : GLYPH_BRAILLE;
    if (room->look.glyphs != CONFIG_GLYPHS_AUTO)
        style = styles[room->look.glyphs];
    bool asked_for = room->look.glyphs != CONFIG_GLYPHS_AUTO;
    room->glyphs = glyphs_of(room->unicode || asked_for ? style : GLYPH_ASCII);
}

bool room_init(struct room *room, const struct port *port, bool read_only, bool unicode)
{
    *room = (struct room){.port = port,
                          .read_only = read_only,
                          .unicode = unicode,
                          .live = calloc(1, sizeof *room->live),
                          .kept = calloc(1, sizeof *room->kept),
                          .look = {.frame_interval = USEC_PER_SEC, .confirm = true},
                          .focus = PANEL_INSTANCES,
                          .window = -1,
                          .chart_cursor = -1,
                          .dirty = true};
    room->snap = room->live;
    glyphs_choose(room);
    if (room->live && room->kept)
        return true;
    room_fini(room);
    return false;
}

void room_fini(struct room *room)
{
    free(room->live);
    free(room->kept);
    room->live = room->kept = NULL;
}

void room_say(struct room *room, enum role role, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(room->message, sizeof room->message, format, arguments);
    va_end(arguments);
    room->message_role = role;
    room->message_until = room->now + MESSAGE_STAYS;
    room->dirty = room->urgent = true;
}

bool room_writable(const struct room *room)
{
    return !room->read_only && !room->live->read_only;
}

uint64_t room_post(struct room *room, const struct command *command, bool quiet)
{
    uint64_t id = room->port->post(room->port->ctx, command);
    if (!id) {
        room_say(room, ROLE_BAD, "refused: too many commands are waiting; nothing was changed, try again");
        return 0;
    }
    memmove(room->pending, room->pending + 1, sizeof room->pending - sizeof *room->pending);
    room->pending[ROOM_PENDING_MAX - 1] = (struct pending){id, quiet};
    return id;
}

const struct answer *room_answer(const struct room *room, uint64_t id)
{
    for (int i = 0; id && i < SNAPSHOT_ANSWERS_MAX; i++)
        if (room->live->answers[i].id == id)
            return &room->live->answers[i];
    return NULL;
}

int room_desired(const struct room *room)
{
    for (int i = 0; room->scale_id && i < ROOM_PENDING_MAX; i++)
        if (room->pending[i].id == room->scale_id)
            return room->scale_count;
    return room->live->desired;
}

void room_scale(struct room *room, int count)
{
    room->scale_count = count;
    room->scale_id = room_post(room, &(struct command){.kind = CMD_SCALE, .count = count}, false);
}

static void answers_note(struct room *room)
{
    for (int i = 0; i < ROOM_PENDING_MAX; i++) {
        struct pending *pending = &room->pending[i];
        const struct answer *answer = room_answer(room, pending->id);
        if (!answer)
            continue;
        if (!answer->accepted)
            room_say(room, ROLE_BAD, "refused: %s", answer->text);
        else if (!pending->quiet && answer->text[0])
            room_say(room, ROLE_GOOD, "done: %s", answer->text);
        *pending = (struct pending){0};
    }
}

/* Control's word about the look rules whenever it changes; until then the operator's own choice does. */
static void look_follow(struct room *room)
{
    const struct config_ui *said = &room->live->config.ui;
    if (said->frame_interval <= 0 || memcmp(said, &room->look_set, sizeof *said) == 0)
        return;
    room->look = room->look_set = *said;
}

void room_turn(struct room *room, usec_t now)
{
    bool first = !room->live->at;
    room->now = now;
    if (room->port->read(room->port->ctx, room->live)) {
        room->dirty = true;
        room->urgent |= first || room->dialog; /* it may hold what the dialog asked for */
        look_follow(room);
        answers_note(room);
    }
    glyphs_choose(room);
    if (room->message[0] && now >= room->message_until) {
        room->message[0] = '\0';
        room->dirty = room->urgent = true;
    }
    if (room->quit_wanted && !room->quitting)
        room_stop(room);
    if (room->dialog && room->dialog->turn)
        room->dialog->turn(room);
}

usec_t room_deadline(const struct room *room)
{
    usec_t deadline = room->message[0] ? room->message_until : USEC_NEVER;
    usec_t turn = room->dialog && room->dialog->turn ? room->now + DIALOG_TURN : USEC_NEVER;
    return turn < deadline ? turn : deadline;
}

bool room_over(const struct room *room)
{
    return room->live->stopping && room->live->instance_count == 0 && !room->live->load.running;
}

void room_open(struct room *room, const struct dialog_ops *dialog)
{
    memset(&room->state, 0, sizeof room->state);
    room->dialog = dialog;
    room->dirty = room->asked = true;
    if (dialog->open)
        dialog->open(room);
}

void room_close(struct room *room)
{
    room->dialog = NULL;
    room->dirty = room->urgent = true;
}

void room_quit(struct room *room)
{
    bool runs = room->live->instance_count > 0 || room->live->load.running;
    if (runs && !room->live->stopping)
        room_open(room, &dialog_quit);
    else
        room_stop(room);
}

void room_stop(struct room *room)
{
    room->quit_wanted = true;
    room->leaving = room->leaving && room->live->stopping;
    room_close(room);
    if (!room->quitting)
        room->quitting = room_post(room, &(struct command){.kind = CMD_QUIT}, true) != 0;
}

void room_leave(struct room *room)
{
    room_close(room);
    room->leaving = room_post(room, &(struct command){.kind = CMD_LEAVE}, true) != 0;
}

static void filter_key(struct room *room, int key)
{
    struct line *filter = &room->filter[room->focus];
    if (key == UI_KEY_ESC || key == UI_CTRL('c'))
        line_set(filter, "");
    if (key == UI_KEY_ESC || key == UI_CTRL('c') || key == UI_KEY_ENTER)
        room->filtering = false;
    else
        line_key(filter, key);
}

void room_act_key(struct room *room, int key)
{
    room->dirty = room->urgent = true;
    room->message[0] = '\0'; /* it was about the key before */
    if (key == UI_CTRL('z') || key == UI_CTRL('l')) {
        room->request = key == UI_CTRL('z') ? ROOM_SUSPEND : ROOM_REPAINT;
    } else if (room->filtering) {
        filter_key(room, key);
    } else if (key == UI_CTRL('c')) {
        if (room->dialog == &dialog_quit)
            room_stop(room);
        else
            room_quit(room);
    } else if (room->dialog) {
        room->dialog->key(room, key);
    } else {
        const struct key_row *row = keymap_find(key);
        if (row)
            room_act(room, row);
        else if (key > ' ' && key < 127)
            room_say(room, ROLE_BAR_DIM, "nothing is bound to %c; ? shows the keys", key);
    }
}

struct area room_area(struct grid *grid, struct box box)
{
    return area_part(grid_area(grid), box.x, box.y, box.width, box.height);
}

/* A target that only counts tells nothing of requests. */
int room_charts(const struct room *room)
{
    unsigned flags = room->snap->target_flags;
    return flags & TARGET_COUNT && !(flags & TARGET_BALANCED) ? 2 : PANEL_CHARTS;
}

static struct layout room_layout(const struct room *room, const struct grid *grid)
{
    bool ours = view_of(room, PANEL_INSTANCES) == &view_instances;
    struct layout_wish wish = {.width = grid->width,
                               .height = grid->height,
                               .banners = view_banners_wish(room),
                               .charts = room_charts(room),
                               .instances = ours ? view_instances_wish(room) : view_remote_wish(room),
                               .zoomed = room->zoomed,
                               .focus = room->focus};
    struct layout layout;
    layout_fit(&wish, &layout);
    return layout;
}

void room_draw(struct room *room, struct grid *grid)
{
    room->dirty = room->urgent = false;
    grid_clear(grid);
    if (!room->live->at) {
        draw_text(grid_area(grid), 0, 0, ROLE_DIM, " ascale: starting");
        return;
    }
    struct layout layout = room_layout(room, grid);
    if (layout.kind == LAYOUT_LINE) {
        view_line_draw(room, room_area(grid, layout.header));
        return;
    }
    view_header_draw(room, room_area(grid, layout.header));
    view_banners_draw(room, room_area(grid, layout.banners));
    for (int panel = 0; panel < PANEL_LIMIT; panel++)
        if (layout.panels[panel].height > 0)
            view_of(room, (enum panel)panel)->draw(room, room_area(grid, layout.panels[panel]));
    view_outlook_draw(room, room_area(grid, layout.outlook));
    view_footer_draw(room, room_area(grid, layout.footer));
    if (room->dialog)
        dialog_draw(room, grid);
}

void room_click(struct room *room, const struct grid *grid, int x, int y)
{
    struct layout layout = room_layout(room, grid);
    for (int panel = 0; panel < PANEL_LIMIT && !room->dialog && layout.kind != LAYOUT_LINE; panel++) {
        const struct box *box = &layout.panels[panel];
        if (x < box->x || y < box->y || x >= box->x + box->width || y >= box->y + box->height)
            continue;
        room->focus = (enum panel)panel;
        room->dirty = room->urgent = true;
        const struct view_ops *view = view_of(room, room->focus);
        if (view->click)
            view->click(room, y - box->y);
    }
}
