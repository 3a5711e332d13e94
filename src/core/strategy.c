/* SPDX-License-Identifier: MIT */
/* The registry of strategies and what they have in common: the cleaned view of the signal. A run above or
 * below a threshold is judged on a mean that slides over a quarter of its window (at least three samples), so
 * that one stray sample does not start the clock again, and one spike does not pass for load. */
#include "core/strategy.h"
#include <math.h>

/* A measured percentage from here on may hide more demand than it shows. */
#define SATURATED_PCT 99.5
/* How far, in standard errors, noise is trusted to lift the mean that the up threshold is held against. */
#define CREST_ERRORS 3.0

static const struct strategy_ops *const registry[] = {
    [CONFIG_STRATEGY_THRESHOLD] = &strategy_threshold,
    [CONFIG_STRATEGY_TRACKING] = &strategy_tracking,
};

const struct strategy_ops *strategy_at(int index)
{
    return index >= 0 && index < (int)(sizeof registry / sizeof *registry) ? registry[index] : NULL;
}

static usec_t smoothing(usec_t window, usec_t interval)
{
    usec_t smooth = window / 4 > 3 * interval ? window / 4 : 3 * interval;
    return smooth < window ? smooth : window;
}

static double crest(const struct config_scaling *c, double mean, double deviation)
{
    double samples = (double)c->stabilization / (double)c->polling_interval;
    return mean + CREST_ERRORS * deviation / sqrt(fmax(samples, 1));
}

void strategy_observe(struct situation *s, const struct config_scaling *c, const struct series *signal)
{
    usec_t up = c->stabilization, down = c->stabilization_down, at;
    series_last(signal, &at, &s->signal);
    s->mean = series_mean(signal, s->now, up);
    s->calm = series_mean(signal, s->now, down);
    if (isnan(s->mean))
        s->mean = s->signal;
    if (isnan(s->calm))
        s->calm = s->signal;
    s->crest = crest(c, s->calm, series_deviation(signal, s->now, down));
    s->above_for = series_above(signal, smoothing(up, c->polling_interval), c->scale_up_threshold);
    s->below_for = series_below(signal, smoothing(down, c->polling_interval), c->scale_down_threshold);
}

bool strategy_is_above(const struct situation *s, const struct config_scaling *c)
{
    return s->signal > c->scale_up_threshold && s->mean > c->scale_up_threshold;
}

bool strategy_is_below(const struct situation *s, const struct config_scaling *c)
{
    return s->signal < c->scale_down_threshold && s->calm < c->scale_down_threshold;
}

struct reason strategy_rest_reason(const struct situation *s, const struct config_scaling *c)
{
    double low = c->scale_down_threshold, high = c->scale_up_threshold;
    if (s->mean >= low && s->mean <= high)
        return (struct reason){.code = REASON_INSIDE_BAND, .value = s->mean, .limit = low, .other = high};
    if (s->signal >= low && s->signal <= high)
        return (struct reason){.code = REASON_INSIDE_BAND, .value = s->signal, .limit = low, .other = high};
    return (struct reason){.code = REASON_UNSETTLED, .value = s->signal, .other = s->mean};
}

bool strategy_saturated(const struct situation *s)
{
    return s->signal >= SATURATED_PCT;
}

void proposal_add(struct proposal *p, struct reason reason)
{
    if (p->reason_count < (int)(sizeof p->reasons / sizeof *p->reasons))
        p->reasons[p->reason_count++] = reason;
}
