/* SPDX-License-Identifier: MIT */
/* The strategies of the option table, each with what it would decide now. Control is asked for one after the
 * other, over and over, because there is one detail slot. */
#include "core/command.h"
#include "core/snapshot.h"
#include "ui/room.h"
#include <stdio.h>
#include <string.h>

enum { PITCH = 2 }; /* rows a strategy, where there is room */

static int strategies(const char *names[STRATEGY_MAX], int lengths[STRATEGY_MAX])
{
    const struct option *option = option_find("scaling", "strategy");
    int count = 0;
    for (const char *p = option ? option->choices : NULL; p && *p && count < STRATEGY_MAX; count++) {
        lengths[count] = (int)strcspn(p, "|");
        names[count] = p;
        p += lengths[count];
        p += *p == '|';
    }
    return count;
}

static void strategy_text(int index, char *out, size_t size)
{
    const char *names[STRATEGY_MAX];
    int lengths[STRATEGY_MAX], count = strategies(names, lengths);
    if (index < count)
        snprintf(out, size, "scaling.strategy=%.*s", lengths[index], names[index]);
    else
        out[0] = '\0';
}

static void preview_ask(struct room *room)
{
    struct strategy_state *state = &room->state.strategy;
    struct command command = {.kind = CMD_PREVIEW};
    strategy_text(state->asked, command.text, sizeof command.text);
    state->again_at = room->now + 2 * USEC_PER_SEC;
    state->preview_id = room_post(room, &command, true);
}

static void strategy_open(struct room *room)
{
    room->state.strategy.chosen = room->live->config.scaling.strategy;
    preview_ask(room);
}

static struct dialog_size strategy_size(const struct room *room)
{
    const char *names[STRATEGY_MAX];
    int lengths[STRATEGY_MAX];
    (void)room;
    return (struct dialog_size){92, PITCH * strategies(names, lengths) + 3};
}

static void strategy_draw(struct room *room, struct area area)
{
    const struct strategy_state *state = &room->state.strategy;
    const char *names[STRATEGY_MAX];
    int lengths[STRATEGY_MAX], count = strategies(names, lengths);
    int pitch = area.height >= PITCH * count + 2 ? PITCH : 1;
    draw_text(area, 1, 0, ROLE_DIM, "strategy");
    draw_text(area, 14, 0, ROLE_DIM, "would now");
    for (int i = 0; i < count; i++) {
        bool chosen = i == state->chosen, in_force = i == room->live->config.scaling.strategy;
        struct area row = area_part(area, 0, 1 + i * pitch, area.width, pitch);
        draw_textf(row, 1, 0, chosen ? ROLE_FOCUS : ROLE_NORMAL, "%.*s%s", lengths[i], names[i],
                   in_force ? " *" : "");
        dialog_wrap(area_part(row, 14, 0, row.width - 14, pitch), 0, ROLE_NORMAL,
                    state->preview[i][0] ? state->preview[i] : "...");
        for (int y = 0; chosen && y < pitch; y++)
            draw_select(row, y);
    }
    dialog_hint(area, "Enter: use it   Esc: close   Up, Down: choose   * in force");
}

static void strategy_enter(struct room *room)
{
    struct command command = {.kind = CMD_SET};
    int chosen = room->state.strategy.chosen;
    strategy_text(chosen, command.text, sizeof command.text);
    if (chosen != room->live->config.scaling.strategy)
        room_post(room, &command, false);
    room_close(room);
}

static void strategy_key(struct room *room, int key)
{
    struct strategy_state *state = &room->state.strategy;
    const char *names[STRATEGY_MAX];
    int lengths[STRATEGY_MAX], count = strategies(names, lengths);
    if (key == UI_KEY_ESC)
        room_close(room);
    else if (key == UI_KEY_ENTER)
        strategy_enter(room);
    else if ((key == UI_KEY_UP || key == 'k') && state->chosen > 0)
        state->chosen--;
    else if ((key == UI_KEY_DOWN || key == 'j') && state->chosen < count - 1)
        state->chosen++;
}

static void strategy_turn(struct room *room)
{
    struct strategy_state *state = &room->state.strategy;
    const struct detail *detail = &room->live->detail;
    const char *names[STRATEGY_MAX];
    int lengths[STRATEGY_MAX], count = strategies(names, lengths);
    bool answered = state->preview_id && detail->command_id == state->preview_id;
    if (answered) {
        const char *line = detail->line_count > 0 ? detail->lines[0] : "nothing";
        snprintf(state->preview[state->asked], sizeof state->preview[0], "%s", line);
        state->preview_id = 0;
        room->dirty = room->urgent = true;
    }
    bool more = answered && state->asked + 1 < count;
    if (!more && room->now < state->again_at)
        return;
    state->asked = count ? (state->asked + 1) % count : 0;
    preview_ask(room);
}

static void strategy_brief(const struct room *room, char *out, size_t size)
{
    const char *names[STRATEGY_MAX];
    int lengths[STRATEGY_MAX], count = strategies(names, lengths), chosen = room->state.strategy.chosen;
    if (chosen < count)
        snprintf(out, size, "Use %.*s? Enter, Esc = no", lengths[chosen], names[chosen]);
    else
        out[0] = '\0';
}

const struct dialog_ops dialog_strategy = {"Strategy",   strategy_open, strategy_size, strategy_draw,
                                           strategy_key, strategy_turn, strategy_brief};
