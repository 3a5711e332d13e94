/* SPDX-License-Identifier: MIT */
/* Counters with one writer, the worker they belong to, and any number of readers: plain loads and stores,
 * whole but, save for a presence, in no order among one another. */
#ifndef BALANCE_COUNTERS_H
#define BALANCE_COUNTERS_H
#include "core/histogram.h"
#include <stdatomic.h>

struct counter {
    _Atomic uint64_t value;
};

static inline uint64_t counter_read(const struct counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

static inline void counter_set(struct counter *c, uint64_t value)
{
    atomic_store_explicit(&c->value, value, memory_order_relaxed);
}

static inline void counter_add(struct counter *c, uint64_t n)
{
    atomic_store_explicit(&c->value, counter_read(c) + n, memory_order_relaxed);
}

/* How many there are at a time, and the sum of that over time: its growth by the time it took is the mean.
 * The three belong together: the version is odd while they change (a seqlock without fences). */
struct presence {
    struct counter version, count, changed_at, sum_us;
};

static inline uint64_t presence_sum(const struct presence *p, usec_t now)
{
    uint64_t version, count, then, sum;
    do {
        version = atomic_load_explicit(&p->version.value, memory_order_acquire);
        count = atomic_load_explicit(&p->count.value, memory_order_acquire);
        then = atomic_load_explicit(&p->changed_at.value, memory_order_acquire);
        sum = atomic_load_explicit(&p->sum_us.value, memory_order_acquire);
    } while ((version & 1) != 0 || counter_read(&p->version) != version);
    return sum + count * ((uint64_t)now > then ? (uint64_t)now - then : 0);
}

static inline void presence_add(struct presence *p, int n, usec_t now)
{
    uint64_t sum = presence_sum(p, now), count = counter_read(&p->count) + (uint64_t)(int64_t)n;
    counter_add(&p->version, 1);
    atomic_store_explicit(&p->sum_us.value, sum, memory_order_release);
    atomic_store_explicit(&p->changed_at.value, (uint64_t)now, memory_order_release);
    atomic_store_explicit(&p->count.value, count, memory_order_release);
    atomic_store_explicit(&p->version.value, counter_read(&p->version) + 1, memory_order_release);
}

/* A histogram that grows under its readers. */
struct latencies {
    struct counter sum_us;
    struct counter buckets[HISTOGRAM_BUCKETS];
};

static inline void latencies_record(struct latencies *l, usec_t value)
{
    counter_add(&l->sum_us, value > 0 ? (uint64_t)value : 0);
    counter_add(&l->buckets[histogram_bucket(value)], 1);
}

/* What one worker counts of one backend. */
struct backend_counters {
    struct counter requests;     /* sent to it */
    struct counter responses[6]; /* by the first digit of the code; [0] is not used */
    struct counter errors;       /* given up: no answer, a bad or a cut one */
    struct counter connect_failures;
    struct counter retries; /* sent here after a connect that failed, or again after a stale connection */
    struct counter queued;  /* of the requests, those that had waited in the queue */
    struct counter bytes_in, bytes_out; /* from and to clients */
    struct counter answering;           /* in flight, and their answer has begun: it goes up and down */
    struct counter unanswered;          /* given up at response_timeout */
    struct counter heard_at;            /* the last byte of an answer, usec_t; 0: none yet */
    struct presence in_flight;
    struct latencies latency; /* from the request's head to the last byte of the answer */
};

/* What one worker counts by itself. */
struct worker_counters {
    struct counter connections; /* accepted */
    struct counter rejected;    /* refused by us as malformed or too large */
    struct counter unavailable; /* 503 by us, or 502 as no backend accepted a connection */
    struct counter aborted;     /* the client went away before its answer was out */
    struct latencies wait;      /* time in the queue */
};

#endif
