/* SPDX-License-Identifier: MIT */
/* When a worker may start its next request: closed loop (a set number of users, each waiting for its answer)
 * or open loop (at due times, whatever the answers), under a limit of requests in flight, a number of
 * requests and an end. A plain value that never reads a clock; one thread. */
#ifndef LOAD_PACER_H
#define LOAD_PACER_H
#include "core/arrivals.h"

#define PACER_ENDLESS INT64_MAX

struct pacer {
    struct arrivals stream;
    double rate_rps;       /* of this worker; 0: closed loop */
    usec_t due;            /* of the next request in open loop */
    int64_t users;         /* closed loop: requests in flight, before the shape */
    int64_t in_flight_max; /* open loop */
    int64_t in_flight;
    int64_t left;    /* requests that may still start */
    usec_t stop_at;  /* USEC_NEVER: no end */
    bool stopped;    /* by an order: nothing starts any more */
    bool full;       /* all connections were busy when a request was due: lateness is the server's */
    uint64_t late;   /* started long after they were due though a connection was free */
    uint64_t held;   /* started long after they were due for want of one */
    usec_t lag;      /* open loop: how long after it was due the last one started */
    uint64_t missed; /* were due before the end, and never started */
    /* Of open loop, once it has stopped. */
    usec_t due_until; /* until when requests were due: to the end, or the last of their number */
    bool ran_out;     /* their number was due before the end */
};

/* The plan's rate and the users are this worker's share. Time counts from 0 until it is known when it starts.
 */
void pacer_init(struct pacer *pacer, const struct arrivals_plan *plan);
void pacer_start(struct pacer *pacer, usec_t start);

/* May a request start? Then it counts as in flight, and *scheduled is when it should have. */
bool pacer_take(struct pacer *pacer, usec_t now, usec_t *scheduled);

/* A request has ended, one way or the other. */
void pacer_give(struct pacer *pacer);

/* When pacer_take() may say yes without a pacer_give() before; USEC_NEVER: not before one. */
usec_t pacer_wake(const struct pacer *pacer, usec_t now);

/* A rate of 0 makes it a closed loop, any other an open one. */
void pacer_set_rate(struct pacer *pacer, double rate_rps, usec_t now);

/* Nothing starts from now on; what was due by then and did not start is counted as missed. */
void pacer_stop(struct pacer *pacer, usec_t now);

/* Nothing more will start: stopped, at its end, or out of requests. */
bool pacer_over(const struct pacer *pacer, usec_t now);

#endif
