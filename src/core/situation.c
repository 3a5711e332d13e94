/* SPDX-License-Identifier: MIT */
/* The cleaned view of a signal. A run above or below a threshold is judged on a mean that slides over a
 * quarter of its window (at least three samples), so that one stray sample does not start the clock again,
 * and one spike does not pass for load. */
#include "core/situation.h"
#include <math.h>

/* How far, in standard errors, noise is trusted to lift the mean that the up threshold is held against. */
#define CREST_ERRORS 3.0
#define STALE_STEPS  3

usec_t situation_stale(const struct config_scaling *c)
{
    return STALE_STEPS * c->polling_interval;
}

usec_t situation_slack(const struct config_scaling *c)
{
    return c->polling_interval / 10;
}

bool reading_begin(struct reading *r, const struct config_scaling *c, enum signal signal)
{
    *r = (struct reading){.signal = signal,
                          .top = INFINITY,
                          .now = NAN,
                          .mean = NAN,
                          .calm = NAN,
                          .crest = NAN,
                          .age = USEC_NEVER};
    return config_limits(c, signal, &r->limits);
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

void reading_take(struct reading *r, const struct config_scaling *c, const struct series *series, usec_t now)
{
    usec_t up = c->stabilization, down = c->stabilization_down, at;
    series_last(series, &at, &r->now);
    r->mean = series_mean(series, now, up);
    r->calm = series_mean(series, now, down);
    if (isnan(r->mean))
        r->mean = r->now;
    if (isnan(r->calm))
        r->calm = r->now;
    r->crest = crest(c, r->calm, series_deviation(series, now, down));
    r->above_for = series_above(series, smoothing(up, c->polling_interval), r->limits.up);
    r->below_for = series_below(series, smoothing(down, c->polling_interval), r->limits.down);
}

bool reading_is_usable(const struct reading *r, const struct config_scaling *c)
{
    bool stale = r->age != USEC_NEVER && r->age > situation_stale(c);
    return r->fresh && !isnan(r->now) && !stale;
}

const struct reading *situation_reading(const struct situation *s, enum signal signal)
{
    for (int i = 0; i < s->reading_count; i++)
        if (s->readings[i].signal == signal)
            return &s->readings[i];
    return NULL;
}
