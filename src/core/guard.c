/* SPDX-License-Identifier: MIT */
/* Judging a situation is a walk down a table of rules; the first that settles the matter ends it. The rules
 * above the strategy's are absolute, so a rule lower down never needs to think of them. State is only what
 * the operator asked for, when the count last changed, and whether the last scale-in proved a mistake. */
#include "core/guard.h"
#include <math.h>

/* Older data than this many steps decides nothing. */
#define STALE_STEPS 3
/* A machine this busy has nothing left to give. */
#define HOST_FULL_PCT 97.0
/* How much longer a scale-in waits once one at about this load had to be undone. */
#define WARY_FACTOR 60

struct judging {
    const struct guard *guard;
    const struct config_scaling *scaling;
    const struct situation *situation;
    int low, high; /* what bounds and operator allow */
    struct proposal proposal;
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

/* Timers of the loop come a little early or late; that must not cost a whole step. */
static usec_t slack(const struct config_scaling *c)
{
    return c->polling_interval / 10;
}

usec_t guard_cooldown_left(const struct guard *g, usec_t cooldown, usec_t now)
{
    usec_t left = g->changed_at == USEC_NEVER ? 0 : g->changed_at + cooldown - now;
    return left > 0 ? left : 0;
}

/* Of a load that is about the same still; one that fell by half is another. */
static bool is_wary(const struct guard *g, const struct situation *s)
{
    return g->undone && s->calm * s->ready >= g->down_demand / 2;
}

usec_t guard_down_need(const struct guard *g, const struct config_scaling *c, const struct situation *s)
{
    usec_t base = c->stabilization_down, most = SERIES_POINTS / 2 * c->polling_interval;
    if (!is_wary(g, s) || base >= most)
        return base;
    return WARY_FACTOR * base < most ? WARY_FACTOR * base : most;
}

/* Going up from where the last scale-in led, at less than twice the load of then: only noise led down. */
static void learn(struct guard *g, const struct situation *s, const struct decision *d)
{
    if (d->verdict == VERDICT_DOWN) {
        g->undone = is_wary(g, s);
        g->down_to = d->to;
        g->down_demand = s->calm * s->ready;
    } else if (d->verdict == VERDICT_UP && d->from == g->down_to && s->mean * s->ready < 2 * g->down_demand) {
        g->undone = true;
    }
}

void guard_changed(struct guard *g, const struct situation *s, const struct decision *d, usec_t now)
{
    g->changed_at = now;
    if (decision_by_strategy(d))
        learn(g, s, d);
}

static void add(struct judging *j, struct reason reason)
{
    decision_add(j->out, reason);
}

static bool settle(struct judging *j, int to)
{
    struct decision *d = j->out;
    d->to = to;
    d->verdict = to > d->from ? VERDICT_UP : to < d->from ? VERDICT_DOWN : VERDICT_HOLD;
    return true;
}

/* A hold for `reason`; what the strategy had to say comes after it. */
static bool hold(struct judging *j, struct reason reason)
{
    add(j, reason);
    for (int i = 0; i < j->proposal.reason_count; i++)
        add(j, j->proposal.reasons[i]);
    return settle(j, j->out->from);
}

static bool judge_gap(struct judging *j)
{
    if (j->situation->gap <= 0)
        return false;
    return hold(j, (struct reason){.code = REASON_GAP, .span = j->situation->gap});
}

static bool is_stale(const struct judging *j)
{
    usec_t age = j->situation->data_age;
    return age != USEC_NEVER && age > STALE_STEPS * j->scaling->polling_interval;
}

static bool hold_without_data(struct judging *j)
{
    enum reason_code stale = j->situation->blind ? REASON_TARGET_DOWN : REASON_STALE_DATA;
    return hold(
        j, (struct reason){.code = is_stale(j) ? stale : REASON_NO_DATA, .span = j->situation->data_age});
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
        return settle(j, j->high);
    }
    if (desired < c->min_instances) {
        add(j,
            (struct reason){.code = REASON_RAISED_TO_MINIMUM, .value = desired, .limit = c->min_instances});
        return settle(j, j->low);
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
        return settle(j, j->low);
    }
    if (desired >= j->low && desired <= j->high)
        return false;
    add(j, override_reason(j));
    return settle(j, clamp(desired, j->low, j->high));
}

static bool judge_waking(struct judging *j)
{
    const struct situation *s = j->situation;
    if (s->desired > 0)
        return false;
    if (j->high < 1)
        return hold(j, override_reason(j));
    if (s->waiting <= 0)
        return hold(j, (struct reason){.code = REASON_AT_MINIMUM, .limit = j->scaling->min_instances});
    add(j, (struct reason){.code = REASON_WAKE, .value = s->waiting});
    return settle(j, 1);
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
    return settle(j, s->desired);
}

static bool judge_data(struct judging *j)
{
    const struct situation *s = j->situation;
    if (!s->fresh || !s->ready || isnan(s->signal) || is_stale(j))
        return hold_without_data(j);
    return false;
}

/* Whether the signal has been past its threshold long enough. */
static bool judge_stabilization(struct judging *j, bool up)
{
    const struct situation *s = j->situation;
    const struct config_scaling *c = j->scaling;
    usec_t past = up ? s->above_for : s->below_for;
    usec_t need = up ? c->stabilization : guard_down_need(j->guard, c, s);
    if (past + slack(c) >= need)
        return false;
    j->proposal.reason_count = 0;
    if (!up && is_wary(j->guard, s))
        proposal_add(&j->proposal, (struct reason){.code = REASON_UNDONE});
    return hold(j, (struct reason){.code = REASON_NOT_LONG_ENOUGH,
                                   .value = up ? s->mean : s->calm,
                                   .limit = up ? c->scale_up_threshold : c->scale_down_threshold,
                                   .other = (double)need,
                                   .span = past});
}

/* Bounds and operator, as far as they stand in the way of the proposal. */
static bool judge_limits(struct judging *j, bool up)
{
    const struct config_scaling *c = j->scaling;
    int desired = j->situation->desired;
    if (up ? desired < j->high : desired > j->low)
        return false;
    if (up && j->high == c->max_instances)
        return hold(j, (struct reason){.code = REASON_AT_MAXIMUM, .limit = c->max_instances});
    if (!up && j->low == c->min_instances)
        return hold(j, (struct reason){.code = REASON_AT_MINIMUM, .limit = c->min_instances});
    return hold(j, override_reason(j));
}

static bool judge_cooldown(struct judging *j, bool up)
{
    const struct config_scaling *c = j->scaling;
    usec_t left = guard_cooldown_left(j->guard, up ? c->cooldown_up : c->cooldown_down, j->situation->now);
    return left > slack(c) && hold(j, (struct reason){.code = REASON_COOLDOWN, .span = left});
}

/* Those whose checks wait behind their requests need all that there are. */
static bool judge_busy(struct judging *j, bool up)
{
    int busy = j->situation->busy;
    return !up && busy && hold(j, (struct reason){.code = REASON_BUSY, .value = busy});
}

/* What is on its way counts as part of the step: no piling on before it has had its effect. */
static bool judge_pending(struct judging *j, bool up)
{
    int pending = j->situation->pending;
    if (!j->situation->awaiting && (!pending || (up && pending < j->scaling->max_step)))
        return false;
    return hold(j, (struct reason){.code = REASON_STARTING, .value = pending});
}

static bool judge_change(struct judging *j)
{
    static bool (*const rules[])(struct judging *, bool) = {
        judge_limits, judge_busy, judge_stabilization, judge_pending, judge_cooldown,
    };
    const struct situation *s = j->situation;
    bool up = j->proposal.want > s->desired;
    int room = j->scaling->max_step - (up ? s->pending : 0);
    int to = clamp(j->proposal.want, s->desired - room, s->desired + room);
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i](j, up))
            return true;
    for (int i = 0; i < j->proposal.reason_count; i++)
        add(j, j->proposal.reasons[i]);
    if (to != j->proposal.want)
        add(j, (struct reason){
                   .code = REASON_STEP_LIMIT, .value = j->proposal.want, .limit = j->scaling->max_step});
    return settle(j, clamp(to, j->low, j->high));
}

static bool judge_strategy(struct judging *j)
{
    const struct strategy_ops *strategy = strategy_at(j->scaling->strategy);
    strategy->propose(j->situation, j->scaling, &j->proposal);
    if (j->proposal.want != j->situation->desired)
        return judge_change(j);
    for (int i = 0; i < j->proposal.reason_count; i++)
        add(j, j->proposal.reasons[i]);
    return settle(j, j->situation->desired);
}

/* What is worth saying whatever was decided. */
static void remark(struct judging *j)
{
    const struct situation *s = j->situation;
    if (s->lag > 0)
        add(j, (struct reason){
                   .code = REASON_TARGET_LAGS, .value = s->desired, .limit = s->lag_ordered, .span = s->lag});
    if (s->host >= HOST_FULL_PCT && s->above_for > 0)
        add(j, (struct reason){.code = REASON_HOST_FULL, .value = s->host});
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
                 struct decision *out)
{
    static bool (*const rules[])(struct judging *) = {
        judge_gap,    judge_blind,   judge_bounds, judge_operator,
        judge_waking, judge_unready, judge_data,   judge_strategy,
    };
    struct judging j = {.guard = g, .scaling = c, .situation = s, .out = out};
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
