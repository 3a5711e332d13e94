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

#define LOAD_CODES 600

struct load_stats {
    uint64_t answered; /* whole answers, whatever their status */
    uint64_t errors[LOAD_ERROR_KINDS];
    uint64_t codes[LOAD_CODES];
    uint64_t bytes;           /* read, heads included */
    uint64_t unfinished;      /* given up at the end of the run: neither answered nor failed */
    uint64_t connects;        /* established */
    usec_t max_us;            /* of all so far */
    struct histogram latency; /* of the answered */
};

const char *load_error_name(enum load_error kind);

void load_stats_answer(struct load_stats *stats, unsigned code, usec_t latency, bool as_expected);
void load_stats_merge(struct load_stats *into, const struct load_stats *from);
uint64_t load_stats_errors(const struct load_stats *stats);

/* Requests that ended, answered or not. */
uint64_t load_stats_tried(const struct load_stats *stats);

/* Whether so many are more than 1% of those tried, and more than chance makes of a short run. */
bool load_stats_many(const struct load_stats *stats, uint64_t count);

/* What came after `before`, an earlier copy, in place. max_us stays that of the whole. */
void load_stats_subtract(struct load_stats *from, const struct load_stats *before);

#endif
