/* SPDX-License-Identifier: MIT */
/* What a worker has seen so far. A plain value that is only added to, so the difference of two copies is what
 * happened in between; one thread at a time. */
#ifndef LOAD_STATS_H
#define LOAD_STATS_H
#include "core/histogram.h"

/* Why a request failed. */
enum load_error {
    LOAD_ERROR_CONNECT,  /* refused, unreachable, no descriptor */
    LOAD_ERROR_TLS,      /* certificate or handshake */
    LOAD_ERROR_TIMEOUT,  /* no whole answer in time */
    LOAD_ERROR_CLOSED,   /* closed or reset before the whole answer */
    LOAD_ERROR_PROTOCOL, /* not HTTP */
    LOAD_ERROR_STATUS,   /* answered, but not as expected */
    LOAD_ERROR_KINDS
};

#define LOAD_CODES  600
#define LOAD_CAUSES 134 /* values of errno; 0: none is known */

struct load_stats {
    uint64_t answered; /* whole answers, whatever their status */
    uint64_t errors[LOAD_ERROR_KINDS];
    uint64_t causes[LOAD_ERROR_KINDS][LOAD_CAUSES]; /* of those that load_stats_failed() was told */
    uint64_t codes[LOAD_CODES];
    uint64_t bytes;           /* read, heads included */
    uint64_t unfinished;      /* given up at the end of the run: neither answered nor failed */
    uint64_t connects;        /* established */
    usec_t max_us;            /* of all so far */
    struct histogram latency; /* of the answered */
};

/* Something of this machine that the load ran out of: no error of the server's. */
struct load_limit {
    int error;        /* the errno that says so of a connection that could not be made */
    const char *name; /* "ports" */
    const char *text; /* "no local port was free (see net.ipv4.ip_local_port_range)" */
};

const char *load_error_name(enum load_error kind);

/* In the words of the C library; of 0, what an end without an errno means. */
const char *load_cause_text(enum load_error kind, int error);

/* The i-th of all limits; NULL behind the last. */
const struct load_limit *load_limit_at(size_t i);

void load_stats_answer(struct load_stats *stats, unsigned code, usec_t latency, bool as_expected);
/* A request that got no answer; error is an errno, or 0. */
void load_stats_failed(struct load_stats *stats, enum load_error kind, int error);
void load_stats_merge(struct load_stats *into, const struct load_stats *from);
uint64_t load_stats_errors(const struct load_stats *stats);

/* Requests that ended, answered or not. */
uint64_t load_stats_tried(const struct load_stats *stats);

/* Requests that failed because this machine had run out of that; of anything. */
uint64_t load_stats_limited(const struct load_stats *stats, const struct load_limit *limit);
uint64_t load_stats_limited_by_any(const struct load_stats *stats);

/* Whether so many are more than 1% of those tried, and more than chance makes of a short run. */
bool load_stats_many(const struct load_stats *stats, uint64_t count);

/* What came after `before`, an earlier copy, in place. max_us stays that of the whole. */
void load_stats_subtract(struct load_stats *from, const struct load_stats *before);

#endif
