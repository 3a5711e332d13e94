/* SPDX-License-Identifier: MIT */
/* A ring of samples, each with the span of time it stands for. Points are kept in order of time and never
 * overlap; point 0 is the newest. Queries walk back from there and stop where their window ends, so that
 * their price follows the window, not the ring. Any thread, one at a time. */
#include "core/series.h"
#include <math.h>

static const struct series_point *point(const struct series *s, int back)
{
    return &s->points[(s->head - 1 - back + 2 * SERIES_POINTS) % SERIES_POINTS];
}

static bool measured(const struct series_point *p)
{
    return !isnan(p->value);
}

static double seconds(usec_t span)
{
    return (double)span / (double)USEC_PER_SEC;
}

void series_init(struct series *s)
{
    *s = (struct series){.anchor = USEC_NEVER};
}

void series_restart(struct series *s, usec_t at)
{
    s->head = s->count = 0;
    s->anchor = at;
}

void series_reach(struct series *s, usec_t span)
{
    s->grain = 2 * span / SERIES_POINTS;
}

static bool merge(struct series *s, usec_t at, double value)
{
    struct series_point *last = &s->points[(s->head - 1 + SERIES_POINTS) % SERIES_POINTS];
    double had = seconds(last->at - last->from), adds = seconds(at - last->at);
    if (at - last->from > s->grain || isnan(value) != isnan(last->value))
        return false;
    if (measured(last))
        last->value = (last->value * had + value * adds) / (had + adds);
    last->at = at;
    return true;
}

bool series_add(struct series *s, usec_t at, double value)
{
    usec_t from = s->count ? point(s, 0)->at : s->anchor < at ? s->anchor : at;
    if (s->count && at <= from)
        return false;
    if (s->count && merge(s, at, value))
        return true;
    s->points[s->head] = (struct series_point){from, at, value};
    s->head = (s->head + 1) % SERIES_POINTS;
    if (s->count < SERIES_POINTS)
        s->count++;
    return true;
}

bool series_last(const struct series *s, usec_t *at, double *value)
{
    *value = NAN;
    for (int i = 0; i < s->count; i++)
        if (measured(point(s, i))) {
            *at = point(s, i)->at;
            *value = point(s, i)->value;
            return true;
        }
    return false;
}

/* Is the point inside the window at all? Older ones are not either. */
static bool reaches(const struct series_point *p, usec_t now, usec_t window)
{
    return p->at > now - window;
}

double series_mean(const struct series *s, usec_t now, usec_t window)
{
    double sum = 0, weight = 0, newest = NAN;
    for (int i = 0; i < s->count && reaches(point(s, i), now, window); i++) {
        const struct series_point *p = point(s, i);
        usec_t from = p->from > now - window ? p->from : now - window;
        if (!measured(p) || p->at > now)
            continue;
        if (isnan(newest))
            newest = p->value;
        sum += p->value * seconds(p->at - from);
        weight += seconds(p->at - from);
    }
    return weight > 0 ? sum / weight : newest;
}

double series_deviation(const struct series *s, usec_t now, usec_t window)
{
    double n = 0, mean = 0, squares = 0;
    for (int i = 0; i < s->count && reaches(point(s, i), now, window); i++) {
        double off = point(s, i)->value - mean;
        if (!measured(point(s, i)) || point(s, i)->at > now)
            continue;
        mean += off / ++n;
        squares += off * (point(s, i)->value - mean);
    }
    return n > 1 ? sqrt(squares / (n - 1)) : 0;
}

/* The sums over whole points, the newest of which slides back one at a time. */
struct slide {
    int end; /* one past the oldest point within */
    double sum, weight;
};

static void slide_add(struct slide *w, const struct series_point *p, usec_t span)
{
    if (!measured(p))
        return;
    w->sum += p->value * seconds(span);
    w->weight += seconds(span);
}

/* The mean over (at - smooth, at] where point `newest` ends at `at`; NaN when nothing was measured in it. */
static double slide_mean(struct slide *w, const struct series *s, int newest, usec_t smooth)
{
    usec_t begin = point(s, newest)->at - smooth;
    const struct series_point *oldest;
    struct slide inside;
    for (; w->end < s->count && point(s, w->end)->at > begin; w->end++)
        slide_add(w, point(s, w->end), point(s, w->end)->at - point(s, w->end)->from);
    oldest = point(s, w->end - 1);
    inside = *w;
    if (oldest->from < begin)
        slide_add(&inside, oldest, oldest->from - begin);
    return inside.weight > 1e-9 ? inside.sum / inside.weight : NAN;
}

/* sign 1: above; -1: below. */
static usec_t beyond(const struct series *s, usec_t smooth, double limit, double sign)
{
    struct slide w = {0};
    usec_t span = 0;
    if (smooth < USEC_PER_MSEC)
        smooth = USEC_PER_MSEC;
    for (int i = 0; i < s->count; i++) {
        const struct series_point *p = point(s, i);
        if (sign * slide_mean(&w, s, i, smooth) <= sign * limit)
            break;
        if (measured(p))
            span += p->at - p->from;
        slide_add(&w, p, p->from - p->at);
    }
    return span;
}

usec_t series_above(const struct series *s, usec_t smooth, double limit)
{
    return beyond(s, smooth, limit, 1);
}

usec_t series_below(const struct series *s, usec_t smooth, double limit)
{
    return beyond(s, smooth, limit, -1);
}
