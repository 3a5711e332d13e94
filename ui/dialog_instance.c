/* SPDX-License-Identifier: MIT */
/* One instance: what it is now, and from control's detail slot its health history and the tail of its log;
 * and what can be done to it. Both go by the instance's id, so that a row that moved is never hit by mistake.
 */
#include "core/command.h"
#include "core/instance.h"
#include "core/journal.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/spans.h"
#include "ui/view.h"
#include <stdio.h>
#include <string.h>

enum { FACT_ROWS = 4, HISTORY_ROWS_MAX = 5, LOG_ROWS_MIN = 6 };

static void instance_open(struct room *room)
{
    struct detail_state *state = &room->state.instance;
    state->id = room->selected;
    state->scroll.follow = true;
    state->command_id =
        room_post(room, &(struct command){.kind = CMD_DETAIL_INSTANCE, .instance = state->id}, true);
}

static struct dialog_size instance_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){108, FACT_ROWS + HISTORY_ROWS_MAX + 22};
}

/* What happens when the state's time is over; NULL = nothing that anybody waits for. */
static const char *deadline_word(enum instance_state state)
{
    if (state == INSTANCE_FAILED || state == INSTANCE_BACKOFF)
        return "next try";
    return state == INSTANCE_UNREADY || state == INSTANCE_BUSY ? NULL : "times out";
}

static void facts_draw(const struct room *room, const struct instance_view *i, struct area area)
{
    char a[FORMAT_SIZE], b[FORMAT_SIZE], c[FORMAT_SIZE];
    struct spans spans = {0};
    spans_add(&spans, 0, ROLE_STRONG, "i%d  ", i->id);
    spans_add(&spans, 0, view_state_role(i->state), "%s", instance_state_name(i->state));
    spans_add(&spans, 0, ROLE_NORMAL, " for %s", format_span(a, room->now - i->state_since));
    const char *due = deadline_word(i->state);
    if (due && i->deadline > 0 && i->deadline != USEC_NEVER && i->deadline > room->now)
        spans_add(&spans, 1, ROLE_WARN, ", %s in %s", due, format_span(b, i->deadline - room->now));
    spans_add(&spans, 2, ROLE_DIM, "   port %d  pid %d  restarts %d", i->port, i->pid, i->restarts);
    spans_fit(&spans, area.width);
    spans_draw(&spans, area, 0, 0);
    draw_textf(area, 0, 1, ROLE_NORMAL, "cpu %s  memory %s MB  %s rpm  %d in flight",
               format_percent(format_number(a, i->cpu_pct)), format_megabytes(b, i->mem_bytes),
               format_number(c, i->rpm), i->in_flight > 0 ? i->in_flight : 0);
    int x = draw_textf(area, 0, 2, ROLE_NORMAL, "latency ms p50 %s  p95 %s  p99 %s", format_ms(a, i->p50_us),
                       format_ms(b, i->p95_us), format_ms(c, i->p99_us));
    draw_textf(area, x, 2, ROLE_NORMAL, "  errors %s", format_percent(format_rate(a, i->error_pct)));
    if (i->cause[0])
        draw_fit(area, 0, area.width, 3, ROLE_WARN, i->cause, room->glyphs->unicode);
}

static int rule_draw(const struct room *room, struct area area, int y, const char *title)
{
    draw_fill(area, 0, y, area.width, 1, ROLE_RULE, room->glyphs->rule);
    draw_text(area, 2, y, ROLE_TITLE, title);
    return y + 1;
}

/* What the journal knows of it, newest first; returns the row below. */
static int history_draw(const struct room *room, struct area area, int y)
{
    const struct snapshot *snap = room->live;
    int last = area.height - 2 - LOG_ROWS_MIN;
    last = last > y + 1 + HISTORY_ROWS_MAX ? y + 1 + HISTORY_ROWS_MAX : last;
    if (last < y + 2)
        return y;
    y = rule_draw(room, area, y, " History ");
    for (int i = snap->journal_count - 1; i >= 0 && y < last; i--) {
        const struct journal_entry *entry = &snap->journal[i];
        static const enum role roles[] = {ROLE_NORMAL, ROLE_WARN, ROLE_BAD};
        char clock[FORMAT_SIZE];
        if (entry->kind != JOURNAL_EVENT || entry->instance != room->state.instance.id)
            continue;
        draw_text(area, 0, y, ROLE_DIM, format_time(clock, entry->at + snap->wall_offset_us));
        draw_fit(area, 10, area.width, y++, roles[entry->level], entry->text, room->glyphs->unicode);
    }
    return y;
}

static bool detail_is_ours(const struct room *room)
{
    const struct detail_state *state = &room->state.instance;
    const struct detail *detail = &room->live->detail;
    return state->command_id &&
           (detail->command_id == state->command_id || (detail->command_id && detail->instance == state->id));
}

static void lines_draw(struct room *room, struct area area)
{
    const struct detail *detail = &room->live->detail;
    struct scroll_state *scroll = &room->state.instance.scroll;
    if (!detail_is_ours(room)) {
        draw_text(area, 0, 0, ROLE_DIM, "asking ...");
        return;
    }
    scroll->rows = detail->line_count;
    scroll->page = area.height;
    int last = scroll->rows > scroll->page ? scroll->rows - scroll->page : 0;
    if (scroll->follow || scroll->top > last)
        scroll->top = last;
    for (int y = 0; y < area.height && scroll->top + y < scroll->rows; y++)
        draw_fit(area, 0, area.width, y, ROLE_NORMAL, detail->lines[scroll->top + y], room->glyphs->unicode);
}

static void instance_draw(struct room *room, struct area area)
{
    const struct instance_view *instance = room_instance(room, room->state.instance.id);
    if (instance)
        facts_draw(room, instance, area);
    else
        draw_textf(area, 0, 0, ROLE_DIM, "i%d is gone.", room->state.instance.id);
    int y = rule_draw(room, area, history_draw(room, area, FACT_ROWS), " Log ");
    lines_draw(room, area_part(area, 0, y, area.width, area.height - y - 1));
    dialog_hint(area, "Esc: close   x: act on it   j, k, PgUp, PgDn: scroll   G: follow the newest");
}

static void instance_key(struct room *room, int key)
{
    struct detail_state *state = &room->state.instance;
    if (dialog_scroll(&state->scroll, key)) {
        return;
    } else if (key == 'x' || key == UI_KEY_F9) {
        room->selected = state->id;
        room_post(room, &(struct command){.kind = CMD_DETAIL_NONE}, true);
        room_close(room);
        room_act(room, keymap_find('x'));
    } else if (key == UI_KEY_ESC || key == 'q' || key == UI_KEY_ENTER) {
        room_post(room, &(struct command){.kind = CMD_DETAIL_NONE}, true);
        room_close(room);
    }
}

static void instance_brief(const struct room *room, char *out, size_t size)
{
    const struct instance_view *instance = room_instance(room, room->state.instance.id);
    snprintf(out, size, "i%d %s Esc back", room->state.instance.id,
             instance ? instance_state_name(instance->state) : "gone");
}

struct deed {
    int key;
    enum command_kind kind;
    const char *word, *help;
};

static const struct deed deeds[] = {
    {'d', CMD_INSTANCE_DRAIN, "drain", "no new requests; those in flight finish; then it stops"},
    {'r', CMD_INSTANCE_RESTART, "restart", "drain and stop it, then start it anew"},
    {'s', CMD_INSTANCE_STOP, "stop", "TERM now, KILL after the stop timeout"},
    {'k', CMD_INSTANCE_KILL, "kill", "KILL all of its processes now"},
    {'a', CMD_ROLL, "roll all", "replace all one by one: a new one is ready before an old one goes"},
};

#define DEEDS (int)(sizeof deeds / sizeof *deeds)

/* "kill i3": a roll is of all of them. */
static const char *deed_text(const struct ask_state *ask, char out[FORMAT_SIZE])
{
    for (int i = 0; i < DEEDS; i++)
        if (deeds[i].kind == ask->kind)
            snprintf(out, FORMAT_SIZE, ask->kind == CMD_ROLL ? "%s" : "%s i%d", deeds[i].word, ask->id);
    return out;
}

static struct dialog_size actions_size(const struct room *room)
{
    (void)room;
    return (struct dialog_size){82, DEEDS + 4};
}

static void actions_draw(struct room *room, struct area area)
{
    const struct ask_state *ask = &room->state.ask;
    const struct instance_view *instance = room_instance(room, ask->id);
    char deed[FORMAT_SIZE];
    draw_textf(area, 0, 0, ROLE_STRONG, "i%d  %s  pid %d", ask->id,
               instance ? instance_state_name(instance->state) : "gone", instance ? instance->pid : 0);
    for (int i = 0; i < DEEDS; i++) {
        bool other = ask->kind != CMD_NONE && ask->kind != deeds[i].kind;
        draw_textf(area, 1, i + 2, other ? ROLE_GREYED : ROLE_FOCUS, "%c", deeds[i].key);
        draw_text(area, 4, i + 2, other ? ROLE_GREYED : ROLE_STRONG, deeds[i].word);
        draw_fit(area, 14, area.width, i + 2, other ? ROLE_GREYED : ROLE_NORMAL, deeds[i].help,
                 room->glyphs->unicode);
    }
    if (ask->kind != CMD_NONE)
        draw_textf(area, 0, area.height - 1, ROLE_WARN, "Really %s? y = yes, n = no", deed_text(ask, deed));
    else
        dialog_hint(area, "Esc: close; nothing is done");
}

static void actions_key(struct room *room, int key)
{
    struct ask_state *ask = &room->state.ask;
    if (dialog_no(key)) {
        room_close(room);
    } else if (ask->kind != CMD_NONE && dialog_yes(key)) {
        struct command command = {.kind = ask->kind, .instance = ask->id};
        room_close(room);
        room_post(room, &command, false);
    } else {
        for (int i = 0; i < DEEDS && ask->kind == CMD_NONE; i++)
            if (deeds[i].key == key) {
                ask->kind = deeds[i].kind;
                room->asked = true;
            }
    }
}

static void actions_brief(const struct room *room, char *out, size_t size)
{
    const struct ask_state *ask = &room->state.ask;
    char deed[FORMAT_SIZE];
    if (ask->kind != CMD_NONE)
        snprintf(out, size, "%s? y = yes, n = no", deed_text(ask, deed));
    else
        snprintf(out, size, "i%d: d r s k a, Esc back", ask->id);
}

const struct dialog_ops dialog_instance = {"Instance",   instance_open, instance_size, instance_draw,
                                           instance_key, NULL,          instance_brief};
const struct dialog_ops dialog_actions = {"Act on an instance", NULL, actions_size, actions_draw,
                                          actions_key,          NULL, actions_brief};
