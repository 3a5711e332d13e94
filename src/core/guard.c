/* SPDX-License-Identifier: MIT */
/* Judging a situation is a walk down a table of rules; the first that settles the matter ends it. The rules
 * above the strategy's are absolute, so a rule lower down never needs to think of them. State is only what
 * the operator asked for, when the count last changed, and whether the last scale-in proved a mistake. */
#include "core/guard.h"
#include <math.h>

/* A machine this busy has nothing left to give. */
#define HOST_FULL_PCT 97.0
/* How much longer a scale-in waits once one at about this load had to be undone. */
#define WARY_FACTOR    60
#define WARY_STEPS_MAX (SERIES_POINTS / 2) /* what a series can still tell of */

struct judging {
    const struct guard *guard;
    const struct config_scaling *scaling;
    const struct situation *situation;
    const struct proposal *proposal;
    int low, high; /* what bounds and operator allow */
    struct decision *out;
};

void guard_init(struct guard *g)
{
    *g = (struct guard){.hold.override_until = USEC_NEVER, .changed_at = USEC_NEVER, .down_to = -1};
}

static int clamp(int value, int low, int high)
{
    if (value < low)
        value = low;
    return value > high ? high : value;
}

usec_t guard_cooldown_left(const struct guard *g, usec_t cooldown, usec_t now)
{
    usec_t left = g->changed_at == USEC_NEVER ? 0 : g->changed_at + cooldown - now;
    return left > 0 ? left : 0;
}

/* The whole of a load of which `value` was measured; NaN where the signal is not in use. */
static double load_of(const struct situation *s, enum signal signal, bool calm)
{
    const struct reading *r = situation_reading(s, signal);
    double value = !r ? NAN : calm ? r->calm : r->mean;
    return signal_kind(signal)->pooling == POOL_SERVICE ? value : value * s->ready;
}

/* Of a load that is about the same still; one that fell by half is another. */
static bool is_wary(const struct guard *g, const struct situation *s)
{
    return g->undone && load_of(s, g->down_signal, true) >= g->down_load / 2;
}

usec_t guard_down_need(const struct guard *g, const struct config_scaling *c, const struct situation *s)
{
    usec_t base = c->stabilization_down, most = WARY_STEPS_MAX * c->polling_interval;
    if (!is_wary(g, s) || base >= most)
        return base;
    return WARY_FACTOR * base < most ? WARY_FACTOR * base : most;
}

void guard_advise(const struct guard *g, const struct config_scaling *c, struct situation *s)
{
    s->wary = is_wary(g, s);
    s->down_need = guard_down_need(g, c, s);
}

/* What a decision rested on: the signal of its first reason that has one. */
static enum signal signal_of(const struct decision *d, const struct situation *s)
{
    for (int i = 0; i < d->reason_count; i++)
        if (d->reasons[i].signal != SIGNAL_NONE)
            return d->reasons[i].signal;
    return s->reading_count ? s->readings[0].signal : SIGNAL_NONE;
}

/* Going up from where the last scale-in led, at less than twice the load of then: only noise led down. */
static void learn(struct guard *g, const struct situation *s, const struct decision *d)
{
    if (d->verdict == VERDICT_DOWN) {
        g->undone = is_wary(g, s);
        g->down_to = d->to;
        g->down_signal = signal_of(d, s);
        g->down_load = load_of(s, g->down_signal, true);
    } else if (d->verdict == VERDICT_UP && d->from == g->down_to &&
               load_of(s, g->down_signal, false) < 2 * g->down_load) {
        g->undone = true;
    }
}

void guard_changed(struct guard *g, const struct situation *s, const struct decision *d, usec_t now)
{
    g->changed_at = now;
    if (d->cause == CAUSE_STRATEGY)
        learn(g, s, d);
}

static void add(struct judging *j, struct reason reason)
{
    decision_add(j->out, reason);
}

static bool settle(struct judging *j, enum cause cause, int to)
{
    struct decision *d = j->out;
    d->to = to;
    d->cause = cause;
    d->verdict = to > d->from ? VERDICT_UP : to < d->from ? VERDICT_DOWN : VERDICT_HOLD;
    return true;
}

static bool hold(struct judging *j, enum cause cause, struct reason reason)
{
    add(j, reason);
    return settle(j, cause, j->out->from);
}

static void add_proposed(struct judging *j)
{
    for (int i = 0; i < j->proposal->reason_count; i++)
        add(j, j->proposal->reasons[i]);
}

/* A hold for `reason`; what the strategy had to say comes after it. */
static bool hold_back(struct judging *j, enum cause cause, struct reason reason)
{
    add(j, reason);
    add_proposed(j);
    return settle(j, cause, j->out->from);
}

static bool judge_gap(struct judging *j)
{
    if (j->situation->gap <= 0)
        return false;
    return hold(j, CAUSE_GAP, (struct reason){.code = REASON_GAP, .span = j->situation->gap});
}

static bool hold_without_data(struct judging *j)
{
    const struct situation *s = j->situation;
    struct reason reason = {.code = REASON_NO_DATA, .signal = SIGNAL_CPU, .span = USEC_NEVER};
    if (s->reading_count)
        reason = reading_missing_reason(&s->readings[0], j->scaling);
    if (s->blind && reason.code == REASON_STALE_DATA)
        reason.code = REASON_TARGET_DOWN;
    return hold(j, CAUSE_DATA, reason);
}

static bool judge_blind(struct judging *j)
{
    return j->situation->blind && hold_without_data(j);
}

/* A count outside the bounds is put right at once, whatever the data say. */
static bool judge_bounds(struct judging *j)
{
    const struct config_scaling *c = j->scaling;
    int desired = j->situation->desired;
    if (desired > c->max_instances) {
        add(j, (struct reason){.code = REASON_CUT_TO_MAXIMUM, .value = desired, .limit = c->max_instances});
        return settle(j, CAUSE_BOUNDS, j->high);
    }
    if (desired < c->min_instances) {
        add(j,
            (struct reason){.code = REASON_RAISED_TO_MINIMUM, .value = desired, .limit = c->min_instances});
        return settle(j, CAUSE_BOUNDS, j->low);
    }
    return false;
}

static struct reason override_reason(const struct judging *j)
{
    const struct guard *g = j->guard;
    return (struct reason){.code = g->hold.override == OVERRIDE_FLOOR ? REASON_FLOOR : REASON_CEILING,
                           .limit = g->hold.override_count,
                           .span = g->hold.override_until == USEC_NEVER
                                       ? USEC_NEVER
                                       : g->hold.override_until - j->situation->now};
}

static bool judge_operator(struct judging *j)
{
    int desired = j->situation->desired;
    if (j->guard->hold.manual) {
        add(j, (struct reason){.code = REASON_MANUAL_MODE, .value = j->guard->hold.count});
        return settle(j, CAUSE_OPERATOR, j->low);
    }
    if (desired >= j->low && desired <= j->high)
        return false;
    add(j, override_reason(j));
    return settle(j, CAUSE_OPERATOR, clamp(desired, j->low, j->high));
}

static bool judge_waking(struct judging *j)
{
    const struct situation *s = j->situation;
    if (s->desired > 0)
        return false;
    if (j->high < 1)
        return hold(j, CAUSE_OPERATOR, override_reason(j));
    if (s->waiting <= 0)
        return hold(j, CAUSE_WAKE,
                    (struct reason){.code = REASON_AT_MINIMUM, .limit = j->scaling->min_instances});
    add(j, (struct reason){.code = REASON_WAKE, .value = s->waiting});
    return settle(j, CAUSE_WAKE, 1);
}

/* None is ready, but some are to be: what they do says whether to wait or to look after them. */
static bool judge_unready(struct judging *j)
{
    const struct situation *s = j->situation;
    if (s->ready || s->starting + s->sick <= 0)
        return false;
    if (s->starting)
        add(j, (struct reason){.code = REASON_STARTING, .value = s->starting});
    if (s->sick)
        add(j, (struct reason){.code = REASON_UNHEALTHY, .value = s->sick});
    return settle(j, CAUSE_HEALTH, s->desired);
}

/* Without a single signal that can be trusted nothing is changed, whatever the strategy. */
static bool judge_data(struct judging *j)
{
    const struct situation *s = j->situation;
    for (int i = 0; s->ready && i < s->reading_count; i++)
        if (reading_is_usable(&s->readings[i], j->scaling))
            return false;
    return hold_without_data(j);
}

/* Bounds and operator, as far as they stand in the way of the proposal. */
static bool judge_limits(struct judging *j, bool up)
{
    const struct config_scaling *c = j->scaling;
    int desired = j->situation->desired;
    if (up ? desired < j->high : desired > j->low)
        return false;
    if (up && j->high == c->max_instances)
        return hold_back(j, CAUSE_BOUNDS,
                         (struct reason){.code = REASON_AT_MAXIMUM, .limit = c->max_instances});
    if (!up && j->low == c->min_instances)
        return hold_back(j, CAUSE_BOUNDS,
                         (struct reason){.code = REASON_AT_MINIMUM, .limit = c->min_instances});
    return hold_back(j, CAUSE_OPERATOR, override_reason(j));
}

/* Those whose checks wait behind their requests need all that there are. */
static bool judge_busy(struct judging *j, bool up)
{
    int busy = j->situation->busy;
    return !up && busy && hold_back(j, CAUSE_HEALTH, (struct reason){.code = REASON_BUSY, .value = busy});
}

/* The strategy itself wants to wait. */
static bool judge_waits(struct judging *j, bool up)
{
    (void)up;
    for (int i = 0; i < j->proposal->wait_count; i++)
        add(j, j->proposal->waits[i]);
    return j->proposal->wait_count && settle(j, CAUSE_STRATEGY, j->out->from);
}

/* What is on its way counts as part of the step: no piling on before it has had its effect. */
static bool judge_pending(struct judging *j, bool up)
{
    int pending = j->situation->pending;
    if (!j->situation->awaiting && (!pending || (up && pending < j->scaling->max_step)))
        return false;
    return hold_back(j, CAUSE_PACE, (struct reason){.code = REASON_STARTING, .value = pending});
}

static bool judge_cooldown(struct judging *j, bool up)
{
    const struct config_scaling *c = j->scaling;
    usec_t left = guard_cooldown_left(j->guard, up ? c->cooldown_up : c->cooldown_down, j->situation->now);
    return left > situation_slack(c) &&
           hold_back(j, CAUSE_COOLDOWN, (struct reason){.code = REASON_COOLDOWN, .span = left});
}

/* A scale-in at a load that undid the last one is put off, whatever the strategy: a reactive one has waited
 * for as long of its own accord. */
static bool judge_undone(struct judging *j, bool up)
{
    const struct situation *s = j->situation;
    return !up && s->wary &&
           guard_cooldown_left(j->guard, s->down_need, s->now) > situation_slack(j->scaling) &&
           hold_back(j, CAUSE_COOLDOWN, (struct reason){.code = REASON_UNDONE});
}

static bool judge_change(struct judging *j)
{
    static bool (*const rules[])(struct judging *, bool) = {
        judge_limits, judge_busy, judge_waits, judge_pending, judge_cooldown, judge_undone,
    };
    const struct situation *s = j->situation;
    bool up = j->proposal->want > s->desired;
    int room = j->scaling->max_step - (up ? s->pending : 0);
    int to = clamp(j->proposal->want, s->desired - room, s->desired + room);
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i](j, up))
            return true;
    add_proposed(j);
    if (to != j->proposal->want)
        add(j, (struct reason){
                   .code = REASON_STEP_LIMIT, .value = j->proposal->want, .limit = j->scaling->max_step});
    return settle(j, CAUSE_STRATEGY, clamp(to, j->low, j->high));
}

static bool judge_strategy(struct judging *j)
{
    j->out->basis = j->proposal->basis;
    if (j->proposal->want != j->situation->desired)
        return judge_change(j);
    add_proposed(j);
    return settle(j, CAUSE_STRATEGY, j->situation->desired);
}

static bool anything_above(const struct situation *s)
{
    for (int i = 0; i < s->reading_count; i++)
        if (s->readings[i].above_for > 0)
            return true;
    return false;
}

/* What is worth saying whatever was decided. */
static void remark(struct judging *j)
{
    const struct situation *s = j->situation;
    if (s->lag > 0)
        add(j, (struct reason){
                   .code = REASON_TARGET_LAGS, .value = s->desired, .limit = s->lag_ordered, .span = s->lag});
    if (s->host >= HOST_FULL_PCT && anything_above(s))
        add(j, (struct reason){.code = REASON_HOST_FULL, .signal = SIGNAL_CPU, .value = s->host});
}

static void find_limits(struct judging *j)
{
    const struct config_scaling *c = j->scaling;
    const struct guard *g = j->guard;
    j->low = c->min_instances;
    j->high = c->max_instances;
    if (g->hold.manual)
        j->low = j->high = clamp(g->hold.count, c->min_instances, c->max_instances);
    else if (g->hold.override == OVERRIDE_FLOOR)
        j->low = clamp(g->hold.override_count, c->min_instances, c->max_instances);
    else if (g->hold.override == OVERRIDE_CEILING)
        j->high = clamp(g->hold.override_count, c->min_instances, c->max_instances);
}

void guard_judge(const struct guard *g, const struct config_scaling *c, const struct situation *s,
                 const struct proposal *proposal, struct decision *out)
{
    static bool (*const rules[])(struct judging *) = {
        judge_gap,    judge_blind,   judge_bounds, judge_operator,
        judge_waking, judge_unready, judge_data,   judge_strategy,
    };
    struct judging j = {.guard = g, .scaling = c, .situation = s, .proposal = proposal, .out = out};
    *out = (struct decision){
        .at = s->now, .last_at = s->now, .repeats = 1, .from = s->desired, .to = s->desired};
    find_limits(&j);
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i](&j))
            break;
    remark(&j);
}

void guard_take_over(struct guard *g, const struct config_scaling *c, int from, int to, usec_t now)
{
    if (g->hold.manual) {
        g->hold.count = to;
        return;
    }
    g->hold.override = to > from ? OVERRIDE_FLOOR : OVERRIDE_CEILING;
    g->hold.override_count = to;
    g->hold.override_until = c->manual_expiry > 0 ? now + c->manual_expiry : USEC_NEVER;
}

void guard_set_manual(struct guard *g, bool manual, int count)
{
    g->hold.manual = manual;
    g->hold.count = count;
    g->hold.override = OVERRIDE_NONE;
    g->hold.override_until = USEC_NEVER;
}

bool guard_expire(struct guard *g, usec_t now)
{
    if (g->hold.override == OVERRIDE_NONE || now < g->hold.override_until)
        return false;
    g->hold.override = OVERRIDE_NONE;
    g->hold.override_until = USEC_NEVER;
    return true;
}
