/* SPDX-License-Identifier: MIT */
/* Turns counters that only grow into what an operator reads: requests in the last minute, share of errors and
 * latencies of the last ten seconds. A source that starts again from zero is noticed and loses nothing.
 * About 50 KiB: keep it on the heap. A plain value, zeroed and then started; one thread at a time. */
#ifndef CONTROL_METER_H
#define CONTROL_METER_H
#include "core/histogram.h"

#define METER_MINUTE (60 * USEC_PER_SEC)
#define METER_RECENT (10 * USEC_PER_SEC)
#define METER_MARKS  128 /* half-second marks cover METER_MINUTE */
#define METER_SLOTS  5   /* of METER_RECENT / METER_SLOTS each */

struct meter_mark {
    usec_t at;
    uint64_t requests, errors; /* totals of ours at that instant */
};

struct meter {
    bool baseline_known;
    uint64_t seen_requests, seen_errors; /* the source's, as last read */
    struct meter_mark now;
    int first, count; /* of marks, oldest first */
    struct meter_mark marks[METER_MARKS];
    uint64_t slot; /* number of the newest slot since time zero */
    uint64_t seen_latency[HISTOGRAM_BUCKETS];
    struct histogram slots[METER_SLOTS];
};

/* The source begins at zero (a new process), so that its first reading counts in full. */
void meter_start(struct meter *m, usec_t now);

/* The source has been counting since before we looked: its first reading counts for nothing. */
void meter_start_unknown(struct meter *m, usec_t now);

/* One reading: first the counts, then a call for each bucket that is not empty. */
void meter_read(struct meter *m, usec_t now, uint64_t requests, uint64_t errors);
void meter_read_latency(struct meter *m, unsigned bucket, uint64_t count);
void meter_read_end(struct meter *m);

/* A reading that says what the last one said. */
void meter_read_same(struct meter *m, usec_t now);

/* Requests in the last minute; percent of errors in METER_RECENT, NaN when there were no requests. */
double meter_rpm(const struct meter *m, usec_t now);
double meter_error_pct(const struct meter *m, usec_t now);

/* Adds the latencies of the recent window to *out. */
void meter_latency(const struct meter *m, usec_t now, struct histogram *out);

#endif
