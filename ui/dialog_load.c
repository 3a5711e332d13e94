/* SPDX-License-Identifier: MIT */
/* The load generator: what it shall do, how it does, start and stop. While a load runs, left and right change
 * a number at once; the rest is applied by Enter. */
#include "core/command.h"
#include "core/config.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/room.h"
#include "ui/spans.h"
#include <stdio.h>
#include <string.h>

static const char *const keys[] = {
    "load.url", "load.threads", "load.connections", "load.rate", "load.shape", "load.duration", NULL};

/* What a load would be started with, or runs with: control sends an untouched URL to the balancer. */
static struct config load_config(const struct room *room)
{
    const struct snapshot *snap = room->live;
    const struct option *url = option_find("load", "url");
    struct config config = snap->config;
    if (snap->load.running) {
        snprintf(config.load.url, sizeof config.load.url, "%s", snap->load.url);
        config.load.threads = snap->load.threads;
        config.load.connections = snap->load.connections;
        config.load.shape = snap->load.shape;
        config.load.duration = snap->load.duration;
        config.load.rate_rps = snap->load.rate_rps;
    } else if (snap->balancer.url[0] && url && strcmp(config.load.url, url->preset) == 0) {
        snprintf(config.load.url, sizeof config.load.url, "%s/", snap->balancer.url);
    }
    return config;
}

static void load_open(struct room *room)
{
    struct form *form = &room->state.form.form;
    struct config config = load_config(room);
    form_open(form, keys, &config);
    form->button = room->live->load.running;
    if (form->button)
        form->at = form->count;
}

static struct dialog_size load_size(const struct room *room)
{
    return (struct dialog_size){88, room->state.form.form.count + 8};
}

static void progress_draw(const struct room *room, struct area area, int y)
{
    const struct load_view *load = &room->live->load;
    char left[FORMAT_SIZE], p50[FORMAT_SIZE], p95[FORMAT_SIZE], p99[FORMAT_SIZE];
    struct spans spans = {0};
    if (!load->running) {
        draw_text(area, 0, y, ROLE_DIM, load->last[0] ? load->last : "No load runs.");
        return;
    }
    spans_add(&spans, 0, ROLE_GOOD, "RUNNING");
    if (load->ends_at != USEC_NEVER)
        spans_add(&spans, 0, ROLE_NORMAL, ", %s left", format_span(left, load->ends_at - room->now));
    spans_add(&spans, 0, ROLE_NORMAL, "  %.0f/s  %lld requests  %lld errors", load->rps,
              (long long)load->requests, (long long)load->errors);
    spans_add(&spans, 1, ROLE_DIM, "  latency ms p50 %s  p95 %s  p99 %s", format_ms(p50, load->p50_us),
              format_ms(p95, load->p95_us), format_ms(p99, load->p99_us));
    spans_fit(&spans, area.width);
    spans_draw(&spans, area, 0, y);
}

static void load_draw(struct room *room, struct area area)
{
    const struct form *form = &room->state.form.form;
    bool running = room->live->load.running;
    int y = form_height(form, area.height, 5);
    form_draw(form, room->glyphs, area_part(area, 0, 0, area.width, y++));
    progress_draw(room, area, y);
    if (form->button) {
        bool here = form->at == form->count;
        draw_text(area, 0, y + 2, here ? ROLE_CURSOR : ROLE_NORMAL, " Stop the load ");
    }
    form_help_draw(form, room->glyphs, area, y + 3);
    dialog_hint(area, running
                          ? "Enter: apply, or stop on the button   Esc: close   Left, Right: change at once"
                          : "Enter: start   Esc: close; nothing is started   Up, Down: field");
}

static void load_apply(struct room *room, enum command_kind kind, bool all)
{
    struct command command = {.kind = kind};
    form_text(&room->state.form.form, all, command.text, sizeof command.text);
    room_post(room, &command, false);
}

static void load_enter(struct room *room)
{
    struct form *form = &room->state.form.form;
    bool running = room->live->load.running;
    if (form->button && form->at == form->count) {
        room_post(room, &(struct command){.kind = CMD_LOAD_STOP}, false);
    } else if (form->error[0]) {
        room_say(room, ROLE_BAD, "refused: %s", form->error);
        return;
    } else if (!running || form_changed(form)) {
        load_apply(room, running ? CMD_LOAD_SET : CMD_LOAD_START, false);
    }
    room_close(room);
}

static void load_key(struct room *room, int key)
{
    struct form *form = &room->state.form.form;
    const struct config *config = &room->live->config;
    bool running = room->live->load.running;
    if (key == UI_KEY_ESC) {
        room_close(room);
    } else if (key == UI_KEY_ENTER) {
        load_enter(room);
    } else if ((key == UI_KEY_LEFT || key == UI_KEY_RIGHT) &&
               form_nudge(form, key == UI_KEY_LEFT ? -1 : 1, config)) {
        if (running && !form->error[0])
            load_apply(room, CMD_LOAD_SET, false);
    } else {
        form_key(form, key, config);
    }
}

static void load_turn(struct room *room)
{
    struct form *form = &room->state.form.form;
    form->button = room->live->load.running;
    if (!form->button && form->at >= form->count)
        form->at = 0;
}

static void load_brief(const struct room *room, char *out, size_t size)
{
    snprintf(out, size,
             room->live->load.running ? "Load: Enter stops, Esc back" : "Load: Enter starts, Esc no");
}

const struct dialog_ops dialog_load = {"Load",   load_open, load_size,  load_draw,
                                       load_key, load_turn, load_brief, true};
