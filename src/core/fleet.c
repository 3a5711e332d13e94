/* SPDX-License-Identifier: MIT */
/* The instances: each goes through the life that fleet_life.c lays down, and there are as many as are wanted.
 * Invariants: instances[] is sorted by id and ids are never used again; one that is ready or starting has
 * fate STAY; a slot is freed only when REMOVE has been taken; todo holds what the caller has not yet taken,
 * so a flood of events can overflow nothing. Any thread, one at a time. */
#include "core/fleet.h"
#include "core/fleet_roll.h"
#include "core/fleet_turn.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One that fails this often in a row is FAILED; it is tried again at the longest wait. */
#define FAILURES_MAX 6
#define BACKOFF_BASE (USEC_PER_SEC / 2)
/* One that was ready this long did start well: its end is not a failed start. */
#define STEADY_AFTER (10 * USEC_PER_SEC)
/* How often a failure that goes on is logged. */
#define TELL_AGAIN (60 * USEC_PER_SEC)
/* One that is unready is looked at again after this. */
#define UNREADY_LOOK (10 * USEC_PER_SEC)
/* Where no balancer tells of requests, silence says less. */
#define UNSEEN_FACTOR 4
/* What a check takes to begin and to be told, beyond its timeout. */
#define CHECK_SLACK (1 * USEC_PER_SEC)

void fleet_init(struct fleet *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->random.state = seed;
    f->next_id = 1;
}

void fleet_configure(struct fleet *f, const struct config *config)
{
    const struct config_app *app = &config->app;
    f->limits = (struct fleet_limits){
        .start_timeout = app->start_timeout,
        .stop_timeout = app->stop_timeout,
        .drain_timeout = app->drain_timeout,
        .restart_delay_max = app->restart_delay_max,
        .check_patience = app->health_timeout + CHECK_SLACK,
        .unresponsive_timeout = app->unresponsive_timeout * (config->balancer.enabled ? 1 : UNSEEN_FACTOR),
        .panic_pct = config->balancer.panic_threshold,
        .max_instances = config->scaling.max_instances,
    };
}

struct fleet_instance *fleet_find(struct fleet *f, int id)
{
    int low = 0, high = f->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (f->instances[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->count && f->instances[low].id == id ? &f->instances[low] : NULL;
}

struct fleet_counts fleet_count(const struct fleet *f)
{
    struct fleet_counts n = {0};
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        bool starts = in->state == INSTANCE_STARTING || in->state == INSTANCE_BACKOFF;
        bool killed = in->state == INSTANCE_KILLING && in->fate == FATE_STAY;
        bool sick = in->state == INSTANCE_UNREADY || (killed && in->ready_at);
        n.ready += in->state == INSTANCE_READY || in->state == INSTANCE_BUSY;
        n.busy += in->state == INSTANCE_BUSY;
        n.unready += in->state == INSTANCE_UNREADY;
        n.starting += starts;
        n.failed += in->state == INSTANCE_FAILED || killed;
        n.draining += in->fate != FATE_STAY && in->state != INSTANCE_NONE;
        n.trying += starts || (killed && !in->ready_at);
        n.sick += sick;
        n.pending += starts && !in->was_ready && in->failures < 2;
    }
    n.trying -= f->stand_ins < n.trying ? f->stand_ins : n.trying;
    n.pending -= f->stand_ins < n.pending ? f->stand_ins : n.pending;
    /* The one that a roll starts adds nothing: nobody need wait for it. */
    n.trying -= f->one_more && n.trying > 0;
    n.pending -= f->one_more && n.pending > 0;
    return n;
}

static usec_t time_limit(const struct fleet *f, enum instance_state state)
{
    switch (state) {
    case INSTANCE_STARTING:
        return f->limits.start_timeout;
    case INSTANCE_UNREADY:
        return UNREADY_LOOK;
    case INSTANCE_DRAINING:
        return f->limits.drain_timeout;
    case INSTANCE_STOPPING:
        return f->limits.stop_timeout;
    case INSTANCE_KILLING:
        return f->limits.stop_timeout > USEC_PER_SEC ? f->limits.stop_timeout : USEC_PER_SEC;
    default:
        return USEC_NEVER;
    }
}

static void enter(const struct fleet_turn *t, enum instance_state state)
{
    struct fleet_instance *in = t->instance;
    usec_t limit = time_limit(t->fleet, state);
    in->state = state;
    in->state_since = t->now;
    in->deadline = limit == USEC_NEVER ? USEC_NEVER : t->now + limit;
}

/* An EJECT is never overtaken: the balancer must hear of it whatever comes after. */
void fleet_set_todo(const struct fleet_turn *t, unsigned actions)
{
    struct fleet_instance *in = t->instance;
    actions |= in->todo & LIFE_DO(ACTION_EJECT);
    t->fleet->todo_count += (actions != 0) - (in->todo != 0);
    in->todo = actions;
}

static void forget_sample(struct fleet_instance *in)
{
    in->sample = (struct instance_sample){.id = in->id,
                                          .in_flight = -1,
                                          .cpu_pct = NAN,
                                          .rpm = NAN,
                                          .error_pct = NAN,
                                          .mem_bytes = -1,
                                          .p50_us = -1,
                                          .p95_us = -1,
                                          .p99_us = -1};
}

/* The entry carries the id; a pid is worth naming beside it, because it is what the system's tools show. */
static void name_pid(const struct fleet_instance *in, char *out, size_t size)
{
    *out = '\0';
    if (in->pid > 0)
        snprintf(out, size, "(pid %d) ", in->pid);
}

/* It fails again and again, and that has been said. */
static bool is_told(const struct fleet_turn *t)
{
    return t->instance->failures > FAILURES_MAX && t->now - t->instance->failed_at < TELL_AGAIN;
}

static void note_row(const struct fleet_turn *t, const struct life_row *row)
{
    const struct fleet_instance *in = t->instance;
    char name[40], span[24], text[200] = "";
    size_t length = 0;
    if (!row->note || (in->state == INSTANCE_STARTING && is_told(t)))
        return;
    name_pid(in, name, sizeof name);
    span_format(t->now - in->state_since, span, sizeof span);
    for (const char *p = row->note; *p && length < sizeof text - 1; p++) {
        size_t room = sizeof text - length;
        if (p[0] == '$' && p[1] == 't')
            snprintf(text + length, room, "%s", span);
        else if (p[0] == '$' && p[1] == 'w')
            snprintf(text + length, room, "%s%s%s", in->cause[0] ? " (" : "", in->cause,
                     in->cause[0] ? ")" : "");
        else
            snprintf(text + length, room, "%c", *p);
        p += *p == '$';
        length += strlen(text + length);
    }
    journal_note(t->journal, t->now, row->level, in->id, "%s%s", name, text);
    if (row->event == LIFE_TIMEOUT)
        snprintf(t->instance->cause, sizeof t->instance->cause, "%.*s", (int)strcspn(text, ";"), text);
}

static void start(const struct fleet_turn *t)
{
    struct fleet_instance *in = t->instance;
    in->pid = in->port = 0;
    in->fate = FATE_STAY;
    in->old = false;
    in->started_at = t->now;
    in->ready_at = 0;
    in->silent = 0;
    in->answered = in->lifeless = in->lent = false;
    in->cause[0] = '\0';
    forget_sample(in);
    enter(t, INSTANCE_STARTING);
    fleet_set_todo(t, LIFE_DO(ACTION_SPAWN));
}

static void start_again(const struct fleet_turn *t)
{
    t->instance->restarts++;
    start(t);
}

static void remove_instance(const struct fleet_turn *t)
{
    enter(t, INSTANCE_NONE);
    fleet_set_todo(t, LIFE_DO(ACTION_REMOVE));
}

/* Doubles with every failure; half of it is chance, so that many that failed together do not come together.
 */
static usec_t next_try(struct fleet *f, int failures)
{
    usec_t wait = BACKOFF_BASE, cap = f->limits.restart_delay_max;
    for (int i = 1; i < failures && wait < cap; i++)
        wait *= 2;
    if (wait > cap || failures >= FAILURES_MAX)
        wait = cap;
    return wait / 2 + (usec_t)random_below(&f->random, (uint64_t)(wait / 2) + 1);
}

static void note_end(const struct fleet_turn *t, enum journal_level level, const char *outcome)
{
    const struct fleet_instance *in = t->instance;
    /* Why one was killed has been said when it was. */
    const char *how = in->state == INSTANCE_KILLING ? "killed" : in->cause[0] ? in->cause : "ended";
    char name[40], lived[24];
    name_pid(in, name, sizeof name);
    span_format(t->now - in->started_at, lived, sizeof lived);
    if (in->pid > 0 || in->state != INSTANCE_STARTING)
        journal_note(t->journal, t->now, level, in->id, "%s%s after %s; %s", name, how, lived, outcome);
    else
        journal_note(t->journal, t->now, level, in->id, "cannot start: %s; %s", how, outcome);
}

/* Every failure up to FAILED is logged; after that one a minute, as the rest say nothing new. */
static void note_failure(const struct fleet_turn *t, usec_t wait)
{
    struct fleet_instance *in = t->instance;
    char outcome[96], span[24];
    bool failed = in->failures >= FAILURES_MAX;
    if (is_told(t))
        return;
    span_format(wait, span, sizeof span);
    if (failed)
        snprintf(outcome, sizeof outcome, "%d failures in a row, next try in %s", in->failures, span);
    else
        snprintf(outcome, sizeof outcome, "next try in %s (%d of %d)", span, in->failures + 1, FAILURES_MAX);
    note_end(t, failed ? LEVEL_ERROR : LEVEL_WARNING, outcome);
    in->failed_at = t->now;
}

/* It ended though it was to stay. Nothing is given up for ever: FAILED is only the longest wait. */
static void fail(const struct fleet_turn *t)
{
    struct fleet_instance *in = t->instance;
    bool was_up = in->ready_at > 0, steady = was_up && t->now - in->ready_at >= STEADY_AFTER;
    in->failures = steady ? 0 : in->failures + 1;
    if (was_up && in->failures <= 1) {
        note_end(t, LEVEL_WARNING, "starting again");
        start_again(t);
        return;
    }
    usec_t wait = next_try(t->fleet, in->failures);
    note_failure(t, wait);
    enter(t, in->failures >= FAILURES_MAX ? INSTANCE_FAILED : INSTANCE_BACKOFF);
    in->deadline = t->now + wait;
    fleet_set_todo(t, 0);
    if (in->failures == FAILURES_MAX)
        fleet_roll_give_up(t->fleet, t->journal, in->id, t->now);
    in->pid = in->port = 0;
}

static void follow_fate(const struct fleet_turn *t)
{
    switch (t->instance->fate) {
    case FATE_STAY:
        fail(t);
        break;
    case FATE_RESTART:
        note_end(t, LEVEL_INFO, "starting again as asked");
        start_again(t);
        break;
    case FATE_LEAVE:
        note_end(t, LEVEL_INFO, "gone");
        remove_instance(t);
        break;
    }
}

static void become_ready(struct fleet_instance *in, usec_t now)
{
    in->was_ready = true;
    in->silent = 0;
    in->lent = false;
    in->alive_at = now;
    in->cause[0] = '\0';
    if (!in->ready_at)
        in->ready_at = now;
}

/* One turn of the table; false when the event means nothing in this state. */
bool fleet_turn(const struct fleet_turn *t, enum life_event event)
{
    struct fleet_instance *in = t->instance;
    const struct life_row *row = life_find(in->state, event);
    if (!row)
        return false;
    note_row(t, row);
    switch (row->next) {
    case NEXT_SAME:
        if (row->actions)
            fleet_set_todo(t, row->actions);
        break;
    case NEXT_BY_FATE:
        fleet_set_todo(t, row->actions);
        follow_fate(t);
        break;
    case NEXT_START:
        start_again(t);
        break;
    case NEXT_GONE:
        remove_instance(t);
        break;
    default:
        enter(t, (enum instance_state)row->next);
        fleet_set_todo(t, row->actions);
    }
    if (in->state == INSTANCE_READY)
        become_ready(in, t->now);
    return true;
}

static struct fleet_instance *add_instance(struct fleet *f, int id)
{
    int at = f->count;
    if (f->count == INSTANCES_MAX)
        return NULL;
    while (at > 0 && f->instances[at - 1].id > id)
        at--;
    memmove(&f->instances[at + 1], &f->instances[at], (size_t)(f->count - at) * sizeof *f->instances);
    f->count++;
    memset(&f->instances[at], 0, sizeof f->instances[at]);
    f->instances[at].id = id;
    forget_sample(&f->instances[at]);
    if (f->next_id <= id)
        f->next_id = id + 1;
    return &f->instances[at];
}

/* Who is missed least: the lower the rank, the sooner it goes; none below 0. */
static int leaving_rank(const struct fleet_instance *in)
{
    if (in->fate == FATE_LEAVE)
        return -1;
    switch (in->state) {
    case INSTANCE_FAILED:
        return 0;
    case INSTANCE_BACKOFF:
        return 1;
    case INSTANCE_KILLING:
    case INSTANCE_STOPPING:
    case INSTANCE_DRAINING:
        return 2;
    case INSTANCE_UNREADY:
        return 3;
    case INSTANCE_STARTING:
        return 4;
    case INSTANCE_READY:
        return 5;
    case INSTANCE_BUSY:
        return 6;
    default:
        return -1;
    }
}

/* Of two of the same rank one that is to be replaced goes, then the less busy, then the younger. */
static bool goes_before(const struct fleet_instance *a, const struct fleet_instance *b)
{
    int rank_a = leaving_rank(a), rank_b = leaving_rank(b);
    if (rank_a != rank_b)
        return rank_a < rank_b;
    if (a->old != b->old)
        return a->old;
    if (a->state == INSTANCE_READY && a->sample.in_flight != b->sample.in_flight)
        return a->sample.in_flight < b->sample.in_flight;
    return a->id > b->id;
}

static struct fleet_instance *pick_leaving(struct fleet *f)
{
    struct fleet_instance *best = NULL;
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        if (leaving_rank(in) >= 0 && (!best || goes_before(in, best)))
            best = in;
    }
    return best;
}

static void leave(const struct fleet_turn *t)
{
    struct fleet_instance *in = t->instance;
    in->fate = FATE_LEAVE;
    if (in->todo & LIFE_DO(ACTION_SPAWN))
        remove_instance(t); /* nobody has begun to start it */
    else
        fleet_turn(t, LIFE_LEAVE);
}

/* Starts and dismisses until as many stay as are wanted. */
static void reconcile(struct fleet *f, struct journal *j, usec_t now)
{
    int staying = 0, extra = fleet_roll_extra(f, j, now), stand_ins = fleet_stand_ins(f, j, now);
    int wanted = f->wanted + (extra > stand_ins ? extra : stand_ins);
    for (int i = 0; i < f->count; i++)
        staying += f->instances[i].fate != FATE_LEAVE;
    for (; staying < wanted; staying++) {
        struct fleet_instance *in = add_instance(f, f->next_id);
        if (!in)
            break;
        start(&(struct fleet_turn){f, j, in, now});
    }
    for (; staying > wanted; staying--)
        leave(&(struct fleet_turn){f, j, pick_leaving(f), now});
    fleet_lend(f, j, now);
}

void fleet_scale(struct fleet *f, struct journal *j, int wanted, usec_t now)
{
    f->wanted = wanted;
    reconcile(f, j, now);
}

void fleet_revive(struct fleet *f, struct journal *j, usec_t now)
{
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        if (in->state != INSTANCE_FAILED && in->state != INSTANCE_BACKOFF)
            continue;
        in->failures = 0;
        fleet_turn(&(struct fleet_turn){f, j, in, now}, LIFE_RESTART);
    }
}

bool fleet_adopt(struct fleet *f, int id, int pid, int port, bool ready, usec_t started_at, usec_t now)
{
    struct fleet_instance *in = id > 0 && !fleet_find(f, id) ? add_instance(f, id) : NULL;
    struct fleet_turn t = {.fleet = f, .instance = in, .now = now};
    if (!in)
        return false;
    in->pid = pid;
    in->port = port;
    in->started_at = started_at;
    enter(&t, ready ? INSTANCE_READY : INSTANCE_STARTING);
    if (ready) {
        become_ready(in, now);
        fleet_set_todo(&t, LIFE_DO(ACTION_ADMIT));
    }
    return true;
}

static void take_event(const struct fleet_turn *t, const struct event *event)
{
    static const enum life_event kinds[EVENT_KIND_COUNT] = {
        [EVENT_SPAWNED] = LIFE_SPAWNED,     [EVENT_SPAWN_FAILED] = LIFE_SPAWN_FAILED,
        [EVENT_SUSPENDED] = LIFE_SUSPENDED, [EVENT_DRAINED] = LIFE_DRAINED,
        [EVENT_EXITED] = LIFE_EXITED,
    };
    struct fleet_instance *in = t->instance;
    bool ended = event->kind == EVENT_EXITED || event->kind == EVENT_SPAWN_FAILED;
    if (event->kind == EVENT_HEALTHY || event->kind == EVENT_UNHEALTHY || event->kind == EVENT_LIVENESS) {
        fleet_take_check(t, event);
        return;
    }
    if (event->kind == EVENT_SPAWNED) {
        in->pid = event->pid;
        in->port = event->port;
    }
    /* One that we kill has its cause already: why we did. */
    if (event->text[0] && !(ended && in->state == INSTANCE_KILLING && in->cause[0]))
        snprintf(in->cause, sizeof in->cause, "%s", event->text);
    fleet_turn(t, kinds[event->kind]);
}

void fleet_event(struct fleet *f, struct journal *j, const struct event *event, usec_t now)
{
    struct fleet_instance *in = fleet_find(f, event->id);
    if (!in || (unsigned)event->kind >= EVENT_KIND_COUNT)
        return;
    take_event(&(struct fleet_turn){f, j, in, now}, event);
    reconcile(f, j, now);
}

bool fleet_order(struct fleet *f, struct journal *j, int id, enum fleet_order order, int wanted, usec_t now,
                 char *why, size_t why_size)
{
    static const enum life_event events[] = {LIFE_LEAVE, LIFE_RESTART, LIFE_KILL};
    static const enum fleet_fate fates[] = {FATE_LEAVE, FATE_RESTART, FATE_RESTART};
    struct fleet_instance *in = fleet_find(f, id);
    if (!in || in->state == INSTANCE_NONE) {
        snprintf(why, why_size, "there is no i%d", id);
        return false;
    }
    if (!life_find(in->state, events[order]) || (in->fate == FATE_LEAVE && order != ORDER_KILL) ||
        in->todo & LIFE_DO(ACTION_SPAWN)) {
        snprintf(why, why_size, "i%d is %s", id, instance_state_name(in->state));
        return false;
    }
    if (in->fate != FATE_LEAVE)
        in->fate = fates[order];
    if (order == ORDER_RESTART)
        in->failures = 0;
    fleet_turn(&(struct fleet_turn){f, j, in, now}, events[order]);
    fleet_scale(f, j, wanted, now);
    return true;
}

bool fleet_roll(struct fleet *f, struct journal *j, usec_t now, char *why, size_t why_size)
{
    if (!fleet_roll_begin(f, why, why_size))
        return false;
    reconcile(f, j, now);
    return true;
}

void fleet_tick(struct fleet *f, struct journal *j, usec_t now)
{
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        if (in->deadline > now)
            continue;
        in->deadline = USEC_NEVER;
        fleet_turn(&(struct fleet_turn){f, j, in, now}, LIFE_TIMEOUT);
    }
    reconcile(f, j, now);
}

usec_t fleet_deadline(const struct fleet *f)
{
    usec_t next = USEC_NEVER;
    for (int i = 0; i < f->count; i++)
        if (f->instances[i].deadline < next)
            next = f->instances[i].deadline;
    return next;
}

void fleet_postpone(struct fleet *f, usec_t span)
{
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        in->alive_at += span;
        if (in->deadline != USEC_NEVER)
            in->deadline += span;
    }
}

static void drop_slot(struct fleet *f, int at)
{
    f->count--;
    memmove(&f->instances[at], &f->instances[at + 1], (size_t)(f->count - at) * sizeof *f->instances);
}

bool fleet_next_action(struct fleet *f, struct action *out)
{
    static const enum action_kind order[] = {ACTION_EJECT,  ACTION_DRAIN, ACTION_TERM,  ACTION_KILL,
                                             ACTION_REMOVE, ACTION_SPAWN, ACTION_ADMIT, ACTION_SPARE};
    int i = 0;
    unsigned k = 0;
    struct fleet_instance *in;
    if (!f->todo_count)
        return false;
    while (!f->instances[i].todo)
        i++;
    in = &f->instances[i];
    while (!(in->todo & LIFE_DO(order[k])))
        k++;
    *out = (struct action){.kind = order[k], .id = in->id};
    in->todo &= ~LIFE_DO(order[k]);
    f->todo_count -= !in->todo;
    if (!in->todo && in->state == INSTANCE_NONE)
        drop_slot(f, i);
    return true;
}
