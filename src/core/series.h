/* SPDX-License-Identifier: MIT */
/* The last samples of one signal, and what decisions ask of them over a window of time.
 * A plain value without pointers: copy it freely; the caller passes the time; one thread at a time.
 * A sample stands for the time since the one before it, so every mean is weighted by time.
 * NaN counts as "not measured": it neither adds to a mean nor breaks a run above or below a limit. */
#ifndef CORE_SERIES_H
#define CORE_SERIES_H
#include "core/units.h"

#define SERIES_POINTS 2048

/* One sample: value over (from, at]. */
struct series_point {
    usec_t from, at;
    double value;
};

struct series {
    usec_t grain;  /* samples nearer than this are merged */
    usec_t anchor; /* the next first sample stands for the time since; USEC_NEVER = unknown */
    int head, count;
    struct series_point points[SERIES_POINTS];
};

void series_init(struct series *s);

/* Forgets all samples; the next one stands for the time since `at`. */
void series_restart(struct series *s, usec_t at);

/* Makes the ring reach back at least `span`, at the price of merging samples that are near to each other. */
void series_reach(struct series *s, usec_t span);

/* Adds a sample. Time never goes back: one that is not newer is refused. */
bool series_add(struct series *s, usec_t at, double value);

/* The newest measured value and when it was measured; NaN and false when there is none. */
bool series_last(const struct series *s, usec_t *at, double *value);

/* Time-weighted mean over (now - window, now]; NaN when nothing was measured in it. */
double series_mean(const struct series *s, usec_t now, usec_t window);

/* Standard deviation of the samples in the window; 0 below two. */
double series_deviation(const struct series *s, usec_t now, usec_t window);

/* How long, up to the newest sample, the mean over a sliding `smooth` has stayed above (below) the limit. */
usec_t series_above(const struct series *s, usec_t smooth, double limit);
usec_t series_below(const struct series *s, usec_t smooth, double limit);

#endif
