/* SPDX-License-Identifier: MIT */
/* How long to wait before trying again: exponential, capped, with full jitter, so that many who failed
 * together do not come back together (M. Brooker, Exponential Backoff And Jitter, 2015). A plain value. */
#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H
#include "core/random.h"
#include "core/units.h"

struct backoff {
    usec_t base, cap; /* the first wait is below base, none is above cap; both > 0 */
    int failures;     /* in a row */
    struct random random;
};

void backoff_init(struct backoff *b, usec_t base, usec_t cap, uint64_t seed);

/* One more failure: how long to wait, uniform in (0, min(cap, base * 2^failures before this one)]. */
usec_t backoff_failed(struct backoff *b);

/* A success: the next wait is a first one again. */
void backoff_succeeded(struct backoff *b);

#endif
