/* SPDX-License-Identifier: MIT */
/* The turn of the brain: sample -> series -> strategy -> guard -> decision -> fleet or order. Commands are in
 * engine_command.c, what is shown in engine_view.c. Invariants: fewer than min_instances or more than
 * max_instances are wanted only while stopping; the signal's window starts anew whenever what it measures has
 * changed (count, source, a hole in time), so a decision never rests on another situation than the present.
 * One thread at a time. */
#include "core/engine_state.h"
#include <math.h>
#include <string.h>

/* Time that has leapt by this many steps was lost: the machine slept or we were stopped. */
#define GAP_STEPS 5
#define GAP_MIN   (2 * USEC_PER_SEC)

/* So many orders in a row that the target did not follow are worth an alert. */
#define MISSED_ALERT 3

size_t engine_size(void)
{
    return sizeof(struct engine) + strategy_memory_size();
}

bool engine_counts(const struct engine *e)
{
    return !(e->flags & TARGET_INSTANCES);
}

/* How long an order may take to be followed. */
static usec_t patience_of(const struct engine *e)
{
    return situation_stale(&e->config.scaling);
}

int engine_desired(const struct engine *e, usec_t now)
{
    return engine_counts(e) ? orders_count(&e->orders, now, patience_of(e)) : e->desired;
}

static void set_config(struct engine *e, const struct config *config)
{
    struct config_scaling *c = &e->config.scaling;
    e->config = *config;
    if (!engine_counts(e)) {
        c->max_instances = c->max_instances < INSTANCES_MAX ? c->max_instances : INSTANCES_MAX;
        c->min_instances = c->min_instances < c->max_instances ? c->min_instances : c->max_instances;
    }
    fleet_configure(&e->fleet, config);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        series_reach(&e->measured[i].series,
                     c->stabilization > c->stabilization_down ? c->stabilization : c->stabilization_down);
}

struct engine *engine_init(void *mem, const struct config *config, unsigned target_flags, uint64_t seed,
                           usec_t now)
{
    struct engine *e = mem;
    memset(e, 0, engine_size());
    e->flags = target_flags;
    e->seen_at = now;
    e->sample_at = INT64_MIN;
    e->next_step_at = now;
    e->host_cpu_pct = NAN;
    e->total = (struct instance_sample){.in_flight = -1,
                                        .cpu_pct = NAN,
                                        .rpm = NAN,
                                        .error_pct = NAN,
                                        .p50_us = -1,
                                        .p95_us = -1,
                                        .p99_us = -1};
    e->situation = (struct situation){.now = now, .host = NAN, .rpm = NAN};
    e->last = (struct decision){.at = now, .last_at = now, .repeats = 1};
    guard_init(&e->guard);
    orders_init(&e->orders);
    fleet_init(&e->fleet, seed);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        series_init(&e->measured[i].series);
        e->measured[i].at = USEC_NEVER;
    }
    set_config(e, config);
    strategy_memory_init(e->memory, &e->config.scaling, now);
    return e;
}

static void restart_signals(struct engine *e, usec_t at)
{
    for (int i = 0; i < SIGNAL_COUNT; i++)
        series_restart(&e->measured[i].series, at);
}

void engine_configure(struct engine *e, const struct config *config, usec_t now)
{
    bool other_signal = config->scaling.cpu_source != e->config.scaling.cpu_source;
    engine_watch_time(e, now); /* by the old interval: the new one may be far shorter than the time since */
    set_config(e, config);
    if (other_signal)
        series_restart(&e->measured[SIGNAL_CPU].series, now);
    fleet_revive(&e->fleet, &e->journal, now);
}

void engine_set_dry_run(struct engine *e, bool dry_run)
{
    e->dry_run = dry_run;
}

bool engine_adopt(struct engine *e, int id, int pid, int port, bool ready, usec_t started_at, usec_t now)
{
    if (!fleet_adopt(&e->fleet, id, pid, port, ready, started_at, now))
        return false;
    e->desired = ++e->fleet.wanted;
    return true;
}

void engine_watch_time(struct engine *e, usec_t now)
{
    usec_t limit = GAP_STEPS * e->config.scaling.polling_interval, span = now - e->seen_at;
    if (limit < GAP_MIN)
        limit = GAP_MIN;
    if (e->stepped && span > limit) {
        e->gap = span;
        fleet_postpone(&e->fleet, span);
    }
    if (span > 0)
        e->seen_at = now;
}

void engine_event(struct engine *e, const struct event *event, usec_t now)
{
    engine_watch_time(e, now);
    fleet_event(&e->fleet, &e->journal, event, now);
}

static void expire_override(struct engine *e, usec_t now)
{
    int count = e->guard.hold.override_count;
    const char *kind = e->guard.hold.override == OVERRIDE_FLOOR ? "floor" : "ceiling";
    if (guard_expire(&e->guard, now))
        journal_note(&e->journal, now, LEVEL_INFO, 0, "the operator's %s of %d has expired", kind, count);
}

void engine_tick(struct engine *e, usec_t now)
{
    engine_watch_time(e, now);
    fleet_tick(&e->fleet, &e->journal, now);
    expire_override(e, now);
}

usec_t engine_deadline(const struct engine *e)
{
    usec_t fleet = fleet_deadline(&e->fleet);
    usec_t override = e->guard.hold.override == OVERRIDE_NONE ? USEC_NEVER : e->guard.hold.override_until;
    return fleet < override ? fleet : override;
}

void engine_carry_out(struct engine *e, int count, usec_t now)
{
    e->unsettled = true;
    if (engine_counts(e)) {
        orders_give(&e->orders, count, now);
        return;
    }
    e->desired = count;
    fleet_scale(&e->fleet, &e->journal, count, now);
}

/* A value and its top. */
struct pooled {
    double value, top;
};

/* The mean of the ready instances, a busy one fully used whatever was measured; NaN when fewer than half of
 * them were. */
static struct pooled mean_of_ready(const struct fleet *f, const struct sample *sample,
                                   const struct signal_kind *kind)
{
    int ready = 0, measured = 0;
    double sum = 0, tops = 0;
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        double value = kind->of(sample, &in->sample), top = kind->top(&in->sample);
        bool busy = in->state == INSTANCE_BUSY;
        if (in->state != INSTANCE_READY && !busy)
            continue;
        ready++;
        if (busy && isfinite(top))
            value = fmax(value, top);
        if (isnan(value))
            continue;
        measured++;
        sum += value;
        tops += top;
    }
    if (!measured || 2 * measured < ready)
        return (struct pooled){NAN, INFINITY};
    return (struct pooled){sum / measured, tops / measured};
}

static struct pooled pool(const struct engine *e, const struct sample *sample, enum signal signal)
{
    const struct signal_kind *kind = signal_kind(signal);
    if (engine_counts(e) || kind->pooling == POOL_SERVICE)
        return (struct pooled){kind->of(sample, NULL), kind->top(NULL)};
    if (signal == SIGNAL_CPU && e->config.scaling.cpu_source == CONFIG_CPU_SYSTEM)
        return (struct pooled){e->host_cpu_pct, kind->top(NULL)};
    return mean_of_ready(&e->fleet, sample, kind);
}

/* Both lists are sorted by id as a rule, so the next one is mostly where we look first. */
static void take_instances(struct fleet *f, const struct sample *sample)
{
    int next = 0;
    for (int i = 0; i < sample->instance_count && i < INSTANCES_MAX; i++) {
        const struct instance_sample *is = &sample->instances[i];
        struct fleet_instance *in =
            next < f->count && f->instances[next].id == is->id ? &f->instances[next] : fleet_find(f, is->id);
        if (!in)
            continue;
        in->sample = *is;
        next = (int)(in - f->instances) + 1;
    }
}

static void take_totals(struct engine *e, const struct sample *sample)
{
    e->host_cpu_pct = sample->host_cpu_pct >= 0 ? sample->host_cpu_pct : NAN;
    e->total.rpm = sample->rpm >= 0 ? sample->rpm : NAN;
    e->total.error_pct = sample->error_pct >= 0 ? sample->error_pct : NAN;
    e->total.p50_us = sample->p50_us;
    e->total.p95_us = sample->p95_us;
    e->total.p99_us = sample->p99_us;
    e->total.in_flight =
        (sample->in_flight > 0 ? sample->in_flight : 0) + (sample->queue > 0 ? sample->queue : 0);
}

/* After a hole in time (no data, or no steps) the window starts anew. */
static void add_value(struct engine *e, struct measured *m, double value, usec_t now)
{
    if (m->at != USEC_NEVER && e->sample_at - m->at > patience_of(e))
        series_restart(&m->series, now);
    series_add(&m->series, e->sample_at, value);
    m->at = e->sample_at;
    m->fresh = true;
}

static void add_values(struct engine *e, usec_t now)
{
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (!isnan(e->measured[i].value))
            add_value(e, &e->measured[i], e->measured[i].value, now);
}

static void describe_count_target(struct engine *e, struct situation *s, bool read, usec_t now)
{
    usec_t patience = patience_of(e);
    const struct orders *o = &e->orders;
    s->blind = !read;
    s->ready = o->seen > 0 ? o->seen : 0;
    s->awaiting = orders_awaiting(o, now, patience);
    s->pending = s->awaiting ? (o->ordered > s->ready ? o->ordered - s->ready : s->ready - o->ordered) : 0;
    s->lag = orders_lag(o, now, patience);
    s->lag_ordered = o->ordered;
}

static void describe_fleet(const struct engine *e, struct situation *s)
{
    struct fleet_counts n = fleet_count(&e->fleet);
    s->ready = n.ready;
    s->starting = n.trying;
    s->sick = n.sick;
    s->busy = n.busy;
    s->pending = n.pending;
    s->waiting = e->total.in_flight > 0 ? e->total.in_flight : 0;
    if (!s->waiting && e->total.rpm > 0)
        s->waiting = (int)ceil(fmin(e->total.rpm, 1e6));
}

/* A change that is complete: what was measured before tells of another situation. */
static void settle(struct engine *e, usec_t now)
{
    e->unsettled = false;
    restart_signals(e, now);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (e->measured[i].fresh)
            series_add(&e->measured[i].series, now, e->measured[i].value);
}

static void describe_signals(const struct engine *e, struct situation *s, usec_t now)
{
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        const struct measured *m = &e->measured[i];
        struct reading *r = &s->readings[s->reading_count];
        if (!reading_begin(r, &e->config.scaling, (enum signal)i))
            continue;
        reading_take(r, &e->config.scaling, &m->series, now);
        r->top = m->top;
        r->fresh = m->fresh;
        r->age = m->at == USEC_NEVER ? USEC_NEVER : now - m->at;
        s->reading_count++;
    }
}

/* read: the target said its count in this step. */
static void describe(struct engine *e, bool read, usec_t now)
{
    struct situation *s = &e->situation;
    *s = (struct situation){.now = now,
                            .desired = engine_desired(e, now),
                            .gap = e->gap,
                            .host = e->host_cpu_pct,
                            .rpm = e->total.rpm};
    if (engine_counts(e))
        describe_count_target(e, s, read, now);
    else
        describe_fleet(e, s);
    if (e->unsettled && !s->pending && !s->awaiting)
        settle(e, now);
    describe_signals(e, s, now);
    guard_advise(&e->guard, &e->config.scaling, s);
}

/* What strategy and guard make of the situation. */
static void judge(const struct engine *e, struct decision *out)
{
    struct proposal proposal;
    strategy_propose(e->memory, &e->situation, &e->config.scaling, &proposal);
    guard_judge(&e->guard, &e->config.scaling, &e->situation, &proposal, out);
}

static bool is_only_said(const struct engine *e, const struct decision *d)
{
    return e->dry_run && (engine_counts(e) || d->reasons[0].code != REASON_RAISED_TO_MINIMUM);
}

static void change(struct engine *e, const struct decision *d, usec_t now)
{
    guard_changed(&e->guard, &e->situation, d, now);
    engine_carry_out(e, d->to, now);
}

/* What it shows is believed, not what it was told; but that it does not listen must be known. */
static void watch_order(struct engine *e, usec_t now)
{
    struct orders *o = &e->orders;
    if (!engine_counts(e) || e->situation.blind || e->situation.awaiting || o->ordered < 0)
        return;
    if (orders_miss(o) == MISSED_ALERT)
        journal_note(
            &e->journal, now, LEVEL_ERROR, 0,
            "the target has not followed %d orders in a row: %d ordered, %d there; it is asked again",
            o->missed, o->ordered, o->seen);
}

static void decide(struct engine *e, usec_t now)
{
    struct decision *d = &e->last;
    watch_order(e, now);
    judge(e, d);
    if (d->to != d->from && is_only_said(e, d))
        decision_add(d, (struct reason){.code = REASON_DRY_RUN});
    else if (d->to != d->from)
        change(e, d, now);
    else if (engine_counts(e) && !e->situation.blind && !e->situation.awaiting)
        orders_drop(&e->orders);
    journal_decide(&e->journal, d);
    if (d->verdict != VERDICT_HOLD)
        e->mark = d->verdict;
}

static void begin_step(struct engine *e)
{
    e->total.cpu_pct = NAN;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        e->measured[i].value = NAN;
        e->measured[i].fresh = false;
    }
}

static void take_sample(struct engine *e, const struct sample *sample, usec_t now)
{
    struct config_limits limits;
    e->sample_at = sample->at < now ? sample->at : now;
    take_totals(e, sample);
    take_instances(&e->fleet, sample);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        struct pooled pooled;
        if (!config_limits(&e->config.scaling, (enum signal)i, &limits))
            continue;
        pooled = pool(e, sample, (enum signal)i);
        e->measured[i].value = pooled.value;
        e->measured[i].top = pooled.top;
    }
    e->total.cpu_pct = e->measured[SIGNAL_CPU].value;
}

void engine_step(struct engine *e, const struct sample *sample, usec_t now)
{
    bool newer = sample && sample->at > e->sample_at, read = newer && sample->replicas >= 0;
    engine_tick(e, now);
    begin_step(e);
    if (newer)
        take_sample(e, sample, now);
    if (engine_counts(e) && read && orders_see(&e->orders, sample->replicas, now))
        restart_signals(e, now);
    if (newer)
        fleet_watch(&e->fleet, &e->journal, now);
    add_values(e, now);
    describe(e, read, now);
    strategy_observe(e->memory, &e->situation, &e->config.scaling);
    if (!e->stopping)
        decide(e, now);
    engine_remember(e, now);
    e->stepped = true;
    e->gap = 0;
    e->next_step_at = now + e->config.scaling.polling_interval;
}

bool engine_next_action(struct engine *e, struct action *out)
{
    int count;
    if (fleet_next_action(&e->fleet, out))
        return true;
    if (!orders_take(&e->orders, &count))
        return false;
    *out = (struct action){.kind = ACTION_COUNT, .count = count};
    return true;
}

void engine_stop(struct engine *e, usec_t now)
{
    engine_watch_time(e, now);
    e->stopping = true;
    e->desired = 0;
    if (e->fleet.count)
        journal_note(&e->journal, now, LEVEL_INFO, 0, "stopping: all instances drain and end");
    fleet_scale(&e->fleet, &e->journal, 0, now);
}

bool engine_stopped(const struct engine *e)
{
    return e->fleet.count == 0;
}

void engine_preview(const struct engine *e, void *scratch, const struct config *config, usec_t now,
                    struct decision *out)
{
    struct engine *copy = memcpy(scratch, e, engine_size());
    set_config(copy, config);
    describe(copy, !e->situation.blind, now);
    judge(copy, out);
}
