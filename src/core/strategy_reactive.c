/* SPDX-License-Identifier: MIT */
/* What reactive strategies have in common: each signal is asked about by itself and has its own patience; the
 * largest UP wins, DOWN only when all agree. What is not measured vetoes DOWN, and has no say about UP. */
#include "core/strategy.h"
#include <math.h>

/* So much of the top counts as all of it: measurements are not exact. */
#define FULL 0.995

bool reading_is_above(const struct reading *r)
{
    return r->now > r->limits.up && r->mean > r->limits.up;
}

bool reading_is_below(const struct reading *r)
{
    return r->now < r->limits.down && r->calm < r->limits.down;
}

struct reason reading_rest_reason(const struct reading *r)
{
    struct reason inside = {
        .code = REASON_INSIDE_BAND, .signal = r->signal, .limit = r->limits.down, .other = r->limits.up};
    inside.value = r->mean;
    if (r->mean >= r->limits.down && r->mean <= r->limits.up)
        return inside;
    inside.value = r->now;
    if (r->now >= r->limits.down && r->now <= r->limits.up)
        return inside;
    return (struct reason){.code = REASON_UNSETTLED, .signal = r->signal, .value = r->now, .other = r->mean};
}

struct reason reading_missing_reason(const struct reading *r, const struct config_scaling *c)
{
    bool stale = r->age != USEC_NEVER && r->age > situation_stale(c);
    return (struct reason){
        .code = stale ? REASON_STALE_DATA : REASON_NO_DATA, .signal = r->signal, .span = r->age};
}

bool reading_is_saturated(const struct reading *r)
{
    return r->now >= FULL * r->top;
}

int reading_count_for(const struct situation *s, const struct reading *r, double value, double limit)
{
    double count;
    if (signal_kind(r->signal)->pooling == POOL_SERVICE)
        return value > limit ? s->desired + 1 : s->desired - 1;
    count = ceil(s->ready * value / fmax(limit, 0.1) - 1e-9);
    return count < CONFIG_INSTANCES_MAX ? (int)count : CONFIG_INSTANCES_MAX;
}

/* Not before the signal has been past its threshold long enough. */
static void wait_for(struct proposal *p, const struct situation *s, const struct reading *r,
                     const struct config_scaling *c)
{
    bool up = p->want > s->desired;
    usec_t past = up ? r->above_for : r->below_for, need = up ? c->stabilization : s->down_need;
    if (p->want == s->desired || past + situation_slack(c) >= need)
        return;
    p->waits[p->wait_count++] = (struct reason){.code = REASON_NOT_LONG_ENOUGH,
                                                .signal = r->signal,
                                                .value = up ? r->mean : r->calm,
                                                .limit = up ? r->limits.up : r->limits.down,
                                                .other = (double)need,
                                                .span = past};
    if (!up && s->wary)
        p->waits[p->wait_count++] = (struct reason){.code = REASON_UNDONE};
}

/* Of two that want more: one that need not wait, else the one that wants most. */
static bool is_better_up(const struct proposal *p, const struct proposal *best)
{
    if (!p->wait_count != !best->wait_count)
        return !p->wait_count;
    return p->want > best->want;
}

/* Of two that do not: one that holds, else the one that waits, else the one that gives less away. */
static bool is_better_rest(const struct proposal *p, const struct proposal *best, int desired)
{
    bool holds = p->want == desired, held = best->want == desired;
    if (holds || held)
        return holds && !held;
    if (!p->wait_count != !best->wait_count)
        return p->wait_count;
    return p->want > best->want;
}

static void veto(struct proposal *p, const struct reading *r, const struct situation *s,
                 const struct config_scaling *c)
{
    *p = (struct proposal){.want = s->desired};
    proposal_add(p, reading_missing_reason(r, c));
}

/* Without a lower threshold it only asks for more: it neither agrees to DOWN nor stands in its way. */
static bool abstains(const struct reading *r)
{
    return r->signal != SIGNAL_CPU && r->limits.down <= 0 && r->now <= r->limits.up &&
           r->mean <= r->limits.up;
}

void strategy_react(const struct strategy_ops *ops, const struct situation *s, const struct config_scaling *c,
                    struct proposal *out)
{
    const struct reading *missing = NULL;
    bool any = false;
    for (int i = 0; i < s->reading_count; i++) {
        const struct reading *r = &s->readings[i];
        struct proposal p = {.want = s->desired};
        bool better;
        if (!reading_is_usable(r, c)) {
            missing = missing ? missing : r;
            continue;
        }
        if (abstains(r))
            continue;
        ops->react(s, r, c, &p);
        wait_for(&p, s, r, c);
        if (p.want > s->desired)
            better = out->want <= s->desired || is_better_up(&p, out);
        else
            better = out->want <= s->desired && is_better_rest(&p, out, s->desired);
        if (!any || better)
            *out = p;
        any = true;
    }
    if (missing && (!any || out->want < s->desired))
        veto(out, missing, s, c);
}
