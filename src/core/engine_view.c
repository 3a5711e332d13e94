/* SPDX-License-Identifier: MIT */
/* What the engine shows: history, journal lines from outside, and its part of the snapshot. Reads only, but
 * for the two rings. */
#include "core/engine_state.h"
#include "core/snapshot.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void engine_note(struct engine *e, enum journal_level level, int instance, const char *text, usec_t now)
{
    journal_note(&e->journal, now, level, instance, "%s", text);
}

/* The counts as everybody sees them, whatever the target. */
static struct fleet_counts count(const struct engine *e)
{
    const struct orders *o = &e->orders;
    int seen = o->seen > 0 ? o->seen : 0;
    if (!engine_counts(e))
        return fleet_count(&e->fleet);
    return (struct fleet_counts){
        .ready = seen,
        .starting = o->ordered > seen ? o->ordered - seen : 0,
        .draining = o->ordered >= 0 && o->ordered < seen ? seen - o->ordered : 0,
    };
}

static float milliseconds(int64_t us)
{
    return us < 0 ? NAN : (float)us / 1000;
}

void engine_remember(struct engine *e, usec_t now)
{
    const struct instance_sample *t = &e->total;
    struct fleet_counts n = count(e);
    e->history[e->history_head] = (struct history_point){
        .at = now,
        .cpu_pct = (float)t->cpu_pct,
        .rpm = (float)t->rpm,
        .p50_ms = milliseconds(t->p50_us),
        .p95_ms = milliseconds(t->p95_us),
        .p99_ms = milliseconds(t->p99_us),
        .error_pct = (float)t->error_pct,
        .ready = (short)n.ready,
        .starting = (short)n.starting,
        .desired = (short)engine_desired(e, now),
        .mark = (unsigned char)e->mark,
    };
    e->history_head = (e->history_head + 1) % HISTORY_MAX;
    if (e->history_count < HISTORY_MAX)
        e->history_count++;
    e->mark = VERDICT_HOLD;
}

static void show_instances(const struct fleet *f, struct snapshot *out)
{
    out->instance_count = 0;
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        const struct instance_sample *m = &in->sample;
        struct instance_view *v = &out->instances[out->instance_count];
        if (in->state == INSTANCE_NONE)
            continue;
        *v = (struct instance_view){
            .id = in->id,
            .port = in->port,
            .pid = in->pid,
            .state = in->state,
            .restarts = in->restarts,
            .in_flight = m->in_flight,
            .cpu_pct = m->cpu_pct,
            .rpm = m->rpm,
            .error_pct = m->error_pct,
            .mem_bytes = m->mem_bytes,
            .p50_us = m->p50_us,
            .p95_us = m->p95_us,
            .p99_us = m->p99_us,
            .started_at = in->started_at,
            .state_since = in->state_since,
            .deadline = in->deadline,
        };
        memcpy(v->cause, in->cause, sizeof v->cause);
        if (in->state == INSTANCE_READY && m->ejected)
            snprintf(v->cause, sizeof v->cause, "healthy, but the balancer gives it no requests");
        if (in->lent)
            snprintf(v->cause, sizeof v->cause, "gets requests all the same, too few are ready; %.60s",
                     in->cause);
        out->instance_count++;
    }
}

static void show_history(const struct engine *e, struct snapshot *out)
{
    int first = (e->history_head - e->history_count + HISTORY_MAX) % HISTORY_MAX;
    int run = HISTORY_MAX - first;
    if (run > e->history_count)
        run = e->history_count;
    memcpy(out->history, e->history + first, (size_t)run * sizeof *e->history);
    memcpy(out->history + run, e->history, (size_t)(e->history_count - run) * sizeof *e->history);
    out->history_count = e->history_count;
}

/* The signal that the newest decision rested on, else the first. */
static const struct reading *leading(const struct engine *e)
{
    const struct situation *s = &e->situation;
    const struct reading *r = NULL;
    for (int i = 0; i < e->last.reason_count && !r; i++)
        r = situation_reading(s, e->last.reasons[i].signal);
    return r ? r : s->reading_count ? &s->readings[0] : NULL;
}

static void show_outlook(const struct engine *e, struct outlook *o, usec_t now)
{
    const struct config_scaling *c = &e->config.scaling;
    const struct situation *s = &e->situation;
    const struct reading *r = leading(e);
    *o = (struct outlook){
        .signal = r ? r->signal : SIGNAL_CPU,
        .value = r ? r->now : NAN,
        .mean = r ? r->mean : NAN,
        .up = r ? r->limits.up : c->scale_up_threshold,
        .down = r ? r->limits.down : c->scale_down_threshold,
        .mean_window = c->stabilization,
        .above_for = r ? r->above_for : 0,
        .above_need = c->stabilization,
        .below_for = r ? r->below_for : 0,
        .below_need = guard_down_need(&e->guard, c, s),
        .cooldown_up_left = guard_cooldown_left(&e->guard, c->cooldown_up, now),
        .cooldown_down_left = guard_cooldown_left(&e->guard, c->cooldown_down, now),
        .next_step_at = e->next_step_at,
    };
}

static void show_totals(const struct engine *e, struct snapshot *out)
{
    out->host_cpu_pct = e->host_cpu_pct;
    out->cpu_pct = e->total.cpu_pct;
    out->rpm = e->total.rpm;
    out->error_pct = e->total.error_pct;
    out->p50_us = e->total.p50_us;
    out->p95_us = e->total.p95_us;
    out->p99_us = e->total.p99_us;
}

void engine_snapshot(const struct engine *e, struct snapshot *out, usec_t now)
{
    struct fleet_counts n = count(e);
    out->at = now;
    out->target_flags = e->flags;
    out->dry_run = e->dry_run;
    out->stopping = e->stopping;
    out->manual = e->guard.hold.manual;
    out->override = e->guard.hold.override;
    out->override_count = e->guard.hold.override_count;
    out->override_until = e->guard.hold.override_until;
    out->desired = engine_desired(e, now);
    out->ready = n.ready - n.busy;
    out->busy = n.busy;
    out->unready = n.unready;
    out->panic = e->fleet.panic;
    out->starting = n.starting;
    out->draining = n.draining;
    out->failed = n.failed;
    out->rolling = fleet_roll_left(&e->fleet);
    out->last = e->last;
    show_outlook(e, &out->outlook, now);
    show_totals(e, out);
    show_instances(&e->fleet, out);
    show_history(e, out);
    out->journal_count = journal_copy(&e->journal, out->journal);
}
