/* SPDX-License-Identifier: MIT */
/* Closed, calls pass and failures in a row are counted; open, none passes until the time is over; half-open,
 * exactly one passes and its result closes or opens it again. */
#include "core/breaker.h"

void breaker_init(struct breaker *b, int threshold, usec_t open_time)
{
    *b = (struct breaker){.threshold = threshold, .open_time = open_time, .state = BREAKER_CLOSED};
}

bool breaker_allow(struct breaker *b, usec_t now)
{
    if (b->state == BREAKER_CLOSED)
        return true;
    if (b->state == BREAKER_OPEN && now >= b->until) {
        b->state = BREAKER_HALF_OPEN;
        b->probing = false;
    }
    if (b->state == BREAKER_OPEN || b->probing)
        return false;
    b->probing = true;
    return true;
}

bool breaker_succeeded(struct breaker *b)
{
    bool changed = b->state != BREAKER_CLOSED;
    b->state = BREAKER_CLOSED;
    b->failures = 0;
    b->probing = false;
    return changed;
}

bool breaker_failed(struct breaker *b, usec_t now)
{
    b->probing = false;
    if (b->state == BREAKER_OPEN)
        return false; /* a late answer to a call from before it opened */
    b->failures++;
    if (b->state == BREAKER_CLOSED && b->failures < b->threshold)
        return false;
    b->state = BREAKER_OPEN;
    b->until = now + b->open_time;
    return true;
}
