/* SPDX-License-Identifier: MIT */
/* Waits that double up to a cap, each drawn uniformly from zero to its ceiling. Doubling stops at the cap, so
 * that no number of failures overflows. */
#include "core/backoff.h"

void backoff_init(struct backoff *b, usec_t base, usec_t cap, uint64_t seed)
{
    *b = (struct backoff){.base = base, .cap = cap, .random = {seed}};
}

static usec_t ceiling(const struct backoff *b)
{
    usec_t wait = b->base;
    for (int i = 0; i < b->failures && wait < b->cap; i++)
        wait = wait > b->cap / 2 ? b->cap : wait * 2;
    return wait < b->cap ? wait : b->cap;
}

usec_t backoff_failed(struct backoff *b)
{
    usec_t most = ceiling(b);
    if (b->failures < INT32_MAX)
        b->failures++;
    return 1 + (usec_t)random_below(&b->random, (uint64_t)most);
}

void backoff_succeeded(struct backoff *b)
{
    b->failures = 0;
}
