/* SPDX-License-Identifier: MIT */
/* A circuit breaker: after enough failures in a row nothing is sent for a while, then one probe decides
 * (M. Nygard, Release It!, 2007). A plain value; the caller passes the time. */
#ifndef CORE_BREAKER_H
#define CORE_BREAKER_H
#include "core/units.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    int threshold;    /* failures in a row that open it; > 0 */
    usec_t open_time; /* how long it stays open before the probe */
    int failures;
    enum breaker_state state;
    usec_t until; /* of BREAKER_OPEN: when a probe may go */
    bool probing; /* of BREAKER_HALF_OPEN: the probe is on its way */
};

void breaker_init(struct breaker *b, int threshold, usec_t open_time);

/* Whether a call may go now. True in BREAKER_HALF_OPEN is given once: that call is the probe and its result
 * must be told. */
bool breaker_allow(struct breaker *b, usec_t now);

/* The result of a call that was allowed. True when the state changed. */
bool breaker_succeeded(struct breaker *b);
bool breaker_failed(struct breaker *b, usec_t now);

#endif
