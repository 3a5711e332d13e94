/* SPDX-License-Identifier: MIT */
/* The turn of the brain: sample -> series -> strategy -> guard -> decision -> fleet or order. Commands are in
 * engine_command.c, what is shown in engine_view.c. Invariants: fewer than min_instances or more than
 * max_instances are wanted only while stopping; the signal's window starts anew whenever what it measures has
 * changed (count, source, a hole in time), so a decision never rests on another situation than the present.
 * One thread at a time. */
#include "core/engine_state.h"
#include <math.h>
#include <string.h>

/* Steps without a sample after which the next one starts a new window; see also guard.c. */
#define HOLE_STEPS 3
/* Time that has leapt by this many steps was lost: the machine slept or we were stopped. */
#define GAP_STEPS 5
#define GAP_MIN   (2 * USEC_PER_SEC)

/* So many orders in a row that the target did not follow are worth an alert. */
#define MISSED_ALERT 3

/* What a busy instance counts as, at least: one core. */
#define FULLY_USED 100.0

size_t engine_size(void)
{
    return sizeof(struct engine);
}

bool engine_counts(const struct engine *e)
{
    return !(e->flags & TARGET_INSTANCES);
}

/* How long an order may take to be followed. */
static usec_t patience_of(const struct engine *e)
{
    return HOLE_STEPS * e->config.scaling.polling_interval;
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
    series_reach(&e->signal,
                 c->stabilization > c->stabilization_down ? c->stabilization : c->stabilization_down);
}

struct engine *engine_init(void *mem, const struct config *config, unsigned target_flags, uint64_t seed,
                           usec_t now)
{
    struct engine *e = mem;
    memset(e, 0, sizeof *e);
    e->flags = target_flags;
    e->seen_at = now;
    e->sample_at = INT64_MIN;
    e->measured_at = USEC_NEVER;
    e->next_step_at = now;
    e->host_cpu_pct = NAN;
    e->total = (struct instance_sample){.in_flight = -1,
                                        .cpu_pct = NAN,
                                        .rpm = NAN,
                                        .error_pct = NAN,
                                        .p50_us = -1,
                                        .p95_us = -1,
                                        .p99_us = -1};
    e->situation = (struct situation){.now = now,
                                      .signal = NAN,
                                      .mean = NAN,
                                      .calm = NAN,
                                      .crest = NAN,
                                      .host = NAN,
                                      .rpm = NAN,
                                      .data_age = USEC_NEVER};
    e->last = (struct decision){.at = now, .last_at = now, .repeats = 1};
    guard_init(&e->guard);
    orders_init(&e->orders);
    fleet_init(&e->fleet, seed);
    series_init(&e->signal);
    set_config(e, config);
    return e;
}

void engine_configure(struct engine *e, const struct config *config, usec_t now)
{
    bool other_signal = config->scaling.cpu_source != e->config.scaling.cpu_source;
    engine_watch_time(e, now); /* by the old interval: the new one may be far shorter than the time since */
    set_config(e, config);
    if (other_signal)
        series_restart(&e->signal, now);
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

/* The mean of the ready instances, a busy one fully used whatever was measured; NaN when fewer than half of
 * them were. */
static double mean_of_ready(const struct fleet *f)
{
    int ready = 0, measured = 0;
    double sum = 0;
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        bool busy = in->state == INSTANCE_BUSY;
        if (in->state != INSTANCE_READY && !busy)
            continue;
        ready++;
        if (!busy && !(in->sample.cpu_pct >= 0))
            continue;
        measured++;
        sum += busy ? fmax(in->sample.cpu_pct, FULLY_USED) : in->sample.cpu_pct;
    }
    return measured && 2 * measured >= ready ? sum / measured : NAN;
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

/* Takes in a new sample; true when it brought the signal. */
static bool take_sample(struct engine *e, const struct sample *sample, usec_t now)
{
    double signal;
    e->sample_at = sample->at < now ? sample->at : now;
    take_totals(e, sample);
    take_instances(&e->fleet, sample);
    if (e->config.scaling.cpu_source == CONFIG_CPU_SYSTEM && !engine_counts(e))
        signal = e->host_cpu_pct;
    else
        signal = engine_counts(e) ? sample->cpu_pct : mean_of_ready(&e->fleet);
    e->total.cpu_pct = signal >= 0 && isfinite(signal) ? signal : NAN;
    return !isnan(e->total.cpu_pct);
}

/* After a hole in time (no data, or no steps) the window starts anew. */
static void add_signal(struct engine *e, usec_t now)
{
    bool hole = e->measured_at != USEC_NEVER && e->sample_at - e->measured_at > patience_of(e);
    if (hole)
        series_restart(&e->signal, now);
    series_add(&e->signal, e->sample_at, e->total.cpu_pct);
    e->measured_at = e->sample_at;
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

/* read: the target said its count in this step. */
static void describe(struct engine *e, bool fresh, bool read, usec_t now)
{
    struct situation *s = &e->situation;
    *s = (struct situation){.now = now,
                            .desired = engine_desired(e, now),
                            .fresh = fresh,
                            .gap = e->gap,
                            .host = e->host_cpu_pct,
                            .rpm = e->total.rpm};
    s->data_age = e->measured_at == USEC_NEVER ? USEC_NEVER : now - e->measured_at;
    if (engine_counts(e))
        describe_count_target(e, s, read, now);
    else
        describe_fleet(e, s);
    if (e->unsettled && !s->pending && !s->awaiting) {
        e->unsettled = false;
        series_restart(&e->signal, now);
        if (fresh)
            series_add(&e->signal, now, e->total.cpu_pct);
    }
    strategy_observe(s, &e->config.scaling, &e->signal);
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
    guard_judge(&e->guard, &e->config.scaling, &e->situation, d);
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

void engine_step(struct engine *e, const struct sample *sample, usec_t now)
{
    bool newer = sample && sample->at > e->sample_at, read = newer && sample->replicas >= 0;
    bool fresh;
    engine_tick(e, now);
    e->total.cpu_pct = NAN;
    fresh = newer && take_sample(e, sample, now);
    if (engine_counts(e) && read && orders_see(&e->orders, sample->replicas, now))
        series_restart(&e->signal, now);
    if (newer)
        fleet_watch(&e->fleet, &e->journal, now);
    if (fresh)
        add_signal(e, now);
    describe(e, fresh, read, now);
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
    struct engine *copy = memcpy(scratch, e, sizeof *e);
    set_config(copy, config);
    describe(copy, e->situation.fresh, !e->situation.blind, now);
    guard_judge(&copy->guard, &copy->config.scaling, &copy->situation, out);
}
