/* SPDX-License-Identifier: MIT */
/* The virtual world of world.h. Time goes from event to event: the answers that are due, the engine's
 * deadlines, its steps. An instance that is told to end answers once; nothing of its earlier life comes after
 * that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_state.h"
#include "world.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double nothing(const struct world *w)
{
    (void)w;
    return 0;
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    config_init(&w->config);
    w->boot = 300 * USEC_PER_MSEC;
    w->drain_time = 50 * USEC_PER_MSEC;
    w->stop_time = 20 * USEC_PER_MSEC;
    w->demand = nothing;
    w->top = 100;
    w->now = USEC_PER_HOUR;
    w->random.state = 42;
    w->lowest = INT32_MAX;
    return w;
}

void world_begin(struct world *w)
{
    void *memory = malloc(engine_size());
    w->snapshot = calloc(1, sizeof *w->snapshot);
    assert_non_null(memory);
    assert_non_null(w->snapshot);
    w->engine = engine_init(memory, &w->config, TARGET_INSTANCES | TARGET_BALANCED, 7, w->now);
    w->next_step = w->now;
}

void world_free(struct world *w)
{
    free(w->engine);
    free(w->snapshot);
    free(w);
}

static double uniform(struct world *w)
{
    return random_unit(&w->random);
}

double world_gauss(struct world *w)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform(w);
    return sum - 6;
}

void world_event(struct world *w, usec_t delay, enum event_kind kind, int id, const char *text)
{
    int i = w->event_count++;
    assert_true(i < WORLD_EVENTS);
    w->events[i].at = w->now + delay;
    w->events[i].event = (struct event){.kind = kind,
                                        .id = id,
                                        .pid = 4000 + id,
                                        .port = 5000 + id,
                                        .check = kind == EVENT_UNHEALTHY ? CHECK_BAD : CHECK_PASSED,
                                        .streak = CHECK_FALL};
    snprintf(w->events[i].event.text, sizeof w->events[i].event.text, "%s", text);
}

void world_silence(struct world *w, int id)
{
    w->agents[id].silent = true;
    world_event(w, 0, EVENT_UNHEALTHY, id, "timed out");
    w->events[w->event_count - 1].event.check = CHECK_SILENT;
}

int world_alive(const struct world *w)
{
    int alive = 0;
    for (int id = 1; id < WORLD_AGENTS; id++)
        alive += w->agents[id].alive;
    return alive;
}

static void forget_events(struct world *w, int id)
{
    int kept = 0;
    for (int i = 0; i < w->event_count; i++)
        if (w->events[i].event.id != id)
            w->events[kept++] = w->events[i];
    w->event_count = kept;
}

static void end_agent(struct world *w, int id, usec_t delay, const char *text)
{
    forget_events(w, id);
    w->agents[id].admitted = false;
    world_event(w, delay, EVENT_EXITED, id, text);
}

static void spawn(struct world *w, int id)
{
    struct agent *a = &w->agents[id];
    assert_false(a->alive);
    assert_false(a->removed); /* ids are never used again */
    *a = (struct agent){.spawned = true, .alive = true, .deaf = w->deaf, .pid = 4000 + id};
    if (world_alive(w) > w->most_alive)
        w->most_alive = world_alive(w);
    if (w->start_fails) {
        world_event(w, USEC_PER_MSEC, EVENT_SPAWN_FAILED, id, "cannot execute /no/such: ENOENT");
        return;
    }
    world_event(w, USEC_PER_MSEC, EVENT_SPAWNED, id, "");
    if (!w->never_ready)
        world_event(w, w->boot, EVENT_HEALTHY, id, "");
}

/* What must hold of every action, whatever happens. */
static void take_action(struct world *w, const struct action *action)
{
    struct agent *a = &w->agents[action->id];
    assert_in_range(action->id, 1, WORLD_AGENTS - 1);
    w->actions[action->kind]++;
    switch (action->kind) {
    case ACTION_SPAWN:
        spawn(w, action->id);
        break;
    case ACTION_ADMIT:
        assert_true(a->alive);
        a->admitted = true;
        break;
    case ACTION_SPARE:
        assert_true(a->alive);
        a->admitted = true;
        break;
    case ACTION_EJECT:
        a->admitted = false;
        a->taken_out = true;
        break;
    case ACTION_DRAIN:
        assert_true(a->alive);
        a->draining = true;
        a->admitted = false;
        a->drains++;
        world_event(w, w->drain_time, EVENT_DRAINED, action->id, "");
        break;
    case ACTION_TERM:
        assert_false(a->admitted); /* never stopped while users may be on it */
        a->term = true;
        if (!a->deaf)
            end_agent(w, action->id, w->stop_time, "exit status 0");
        break;
    case ACTION_KILL:
        a->admitted = false;
        end_agent(w, action->id, USEC_PER_MSEC, "killed by SIGKILL");
        break;
    case ACTION_REMOVE:
        assert_false(a->alive); /* none is forgotten that still runs */
        a->removed = true;
        break;
    default:
        fail_msg("an action that a process target cannot take");
    }
}

void world_take_actions(struct world *w)
{
    struct action action;
    while (engine_next_action(w->engine, &action))
        take_action(w, &action);
}

void world_crash(struct world *w, int id, const char *text)
{
    end_agent(w, id, 0, text);
}

/* Delivers the oldest event that is due; false when there is none. */
static bool deliver(struct world *w)
{
    int first = -1;
    struct event event;
    for (int i = 0; i < w->event_count; i++)
        if (w->events[i].at <= w->now && (first < 0 || w->events[i].at < w->events[first].at))
            first = i;
    if (first < 0)
        return false;
    event = w->events[first].event;
    memmove(&w->events[first], &w->events[first + 1], (size_t)(--w->event_count - first) * sizeof *w->events);
    if (event.kind == EVENT_EXITED || event.kind == EVENT_SPAWN_FAILED)
        w->agents[event.id].alive = false;
    engine_event(w->engine, &event, w->now);
    world_take_actions(w);
    return true;
}

static void measure(struct world *w)
{
    struct sample *s = &w->sample;
    int serving = 0, n = 0;
    double each;
    for (int id = 1; id < WORLD_AGENTS; id++)
        serving += w->agents[id].alive && w->agents[id].admitted;
    each = serving ? fmax(0, w->demand(w) * (1 + w->noise * world_gauss(w))) / serving : 0;
    *s = (struct sample){
        .at = w->now, .cpu_pct = NAN, .host_cpu_pct = 50, .rpm = each > 0 ? each * 60 : 0, .replicas = -1};
    for (int id = 1; id < WORLD_AGENTS && n < INSTANCES_MAX; id++)
        if (w->agents[id].alive)
            s->instances[n++] =
                (struct instance_sample){.id = id,
                                         .cpu_pct = w->agents[id].admitted ? fmin(each, w->top) : 1,
                                         .rpm = w->agents[id].admitted ? each * 60 : 0,
                                         .in_flight = !w->agents[id].silent,
                                         .alive_at = w->agents[id].silent ? 0 : w->now};
    s->instance_count = n;
}

static void watch_direction(struct world *w)
{
    int desired = engine_desired(w->engine, w->now);
    int direction = desired > w->last_desired ? 1 : desired < w->last_desired ? -1 : 0;
    assert_in_range(desired, 0, w->config.scaling.max_instances);
    if (direction && w->direction && direction != w->direction)
        w->reversals++;
    if (direction)
        w->direction = direction;
    w->last_desired = desired;
    if (desired < w->lowest)
        w->lowest = desired;
}

static void step(struct world *w)
{
    measure(w);
    engine_step(w->engine, w->blind ? NULL : &w->sample, w->now);
    world_take_actions(w);
    w->next_step += w->config.scaling.polling_interval;
    watch_direction(w);
}

static usec_t next_time(const struct world *w, usec_t end)
{
    usec_t next = w->next_step < end ? w->next_step : end, deadline = engine_deadline(w->engine);
    for (int i = 0; i < w->event_count; i++)
        if (w->events[i].at < next)
            next = w->events[i].at;
    if (deadline < next)
        next = deadline;
    return next > w->now ? next : w->now;
}

void world_run(struct world *w, usec_t span)
{
    usec_t end = w->now + span;
    world_take_actions(w);
    while (w->now < end) {
        w->now = next_time(w, end);
        while (deliver(w))
            ;
        if (engine_deadline(w->engine) <= w->now) {
            engine_tick(w->engine, w->now);
            world_take_actions(w);
        }
        if (w->next_step <= w->now)
            step(w);
    }
}

bool world_settle(struct world *w, int ready, usec_t span)
{
    for (usec_t end = w->now + span; w->now < end;) {
        const struct snapshot *s = world_look(w);
        if (s->ready == ready && s->instance_count == ready)
            return true;
        world_run(w, 100 * USEC_PER_MSEC);
    }
    return false;
}

struct answer world_command(struct world *w, enum command_kind kind, int number)
{
    struct command command = {.id = 1, .kind = kind, .count = number, .instance = number};
    struct answer answer = {0};
    assert_true(engine_command(w->engine, &command, &answer, w->now));
    world_take_actions(w);
    return answer;
}

const struct snapshot *world_look(struct world *w)
{
    engine_snapshot(w->engine, w->snapshot, w->now);
    return w->snapshot;
}

const struct decision *world_decision(struct world *w, enum verdict verdict)
{
    const struct snapshot *s = world_look(w);
    const struct decision *newest = NULL;
    for (int i = 0; i < s->journal_count; i++) {
        const struct decision *d = &s->journal[i].decision;
        if (s->journal[i].kind == JOURNAL_DECISION && d->verdict == verdict &&
            (!newest || d->last_at >= newest->last_at))
            newest = d;
    }
    if (!newest)
        fail_msg("no %s in the journal", verdict_name(verdict));
    return newest;
}

void world_dump(struct world *w)
{
    const struct snapshot *s = world_look(w);
    char text[256];
    for (int i = 0; i < s->journal_count; i++) {
        const struct journal_entry *j = &s->journal[i];
        const struct decision *d = &j->decision;
        decision_format(d, text, sizeof text);
        if (j->kind == JOURNAL_EVENT)
            printf("%8.1f %s\n", (double)(j->at - USEC_PER_HOUR) / 1e6, j->text);
        else
            printf("%8.1f %s %d>%d %s (x%d)\n", (double)(j->at - USEC_PER_HOUR) / 1e6,
                   verdict_name(d->verdict), d->from, d->to, text, d->repeats);
    }
}

bool world_noted(struct world *w, const char *words)
{
    const struct snapshot *s = world_look(w);
    for (int i = 0; i < s->journal_count; i++)
        if (strstr(s->journal[i].text, words))
            return true;
    return false;
}

bool world_has_reason(const struct decision *d, enum reason_code code)
{
    for (int i = 0; i < d->reason_count; i++)
        if (d->reasons[i].code == code)
            return true;
    return false;
}
