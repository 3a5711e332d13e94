/* SPDX-License-Identifier: MIT */
/* Latencies in log-linear buckets: exact below 64 us, then 32 buckets an octave (a bucket is at most 3.1%
 * wide), up to 19 hours; what is longer counts in the last one. A plain value, zeroed is empty; no
 * allocation, one thread at a time. Who keeps counts elsewhere (atomics, JSON) uses the bucket helpers. */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H
#include "core/units.h"

#define HISTOGRAM_BUCKETS 1024

struct histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of a value; a negative one counts as 0. */
unsigned histogram_bucket(usec_t value);

/* The lowest and the highest value of a bucket; bucket < HISTOGRAM_BUCKETS. */
usec_t histogram_bucket_low(unsigned bucket);
usec_t histogram_bucket_high(unsigned bucket);

void histogram_clear(struct histogram *h);
void histogram_record(struct histogram *h, usec_t value);

/* count values that fell in this bucket, each taken as its middle; a bucket out of range is ignored. */
void histogram_add_bucket(struct histogram *h, unsigned bucket, uint64_t count);

void histogram_merge(struct histogram *into, const struct histogram *from);

/* What was recorded since `before`, an earlier copy of the same histogram: in place, never below zero. */
void histogram_subtract(struct histogram *from, const struct histogram *before);

/* The value that the share q (0..1) is not above: the upper edge of its bucket, so never too low and at most
 * 3.2% too high; -1 when empty. */
usec_t histogram_quantile(const struct histogram *h, double q);

/* Mean of what was recorded; -1 when empty. */
double histogram_mean(const struct histogram *h);

#endif
