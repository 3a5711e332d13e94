/* SPDX-License-Identifier: MIT */
/* A bucket's number is the value itself below 64; above, the octave of the value and the five bits that
 * follow its leading one. So the numbers are monotonic in the value and both ways are a shift. */
#include "core/histogram.h"
#include <string.h>

#define SUB_BITS      5
#define SUB_COUNT     (1u << SUB_BITS)
#define LINEAR_VALUES (2 * SUB_COUNT)

unsigned histogram_bucket(usec_t value)
{
    if (value < LINEAR_VALUES)
        return value < 0 ? 0 : (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll((unsigned long long)value) - SUB_BITS;
    unsigned bucket = shift * SUB_COUNT + (unsigned)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static unsigned bucket_shift(unsigned bucket)
{
    return bucket < LINEAR_VALUES ? 0 : bucket / SUB_COUNT - 1;
}

usec_t histogram_bucket_low(unsigned bucket)
{
    unsigned shift = bucket_shift(bucket);
    return (usec_t)(bucket - shift * SUB_COUNT) << shift;
}

usec_t histogram_bucket_high(unsigned bucket)
{
    return histogram_bucket_low(bucket) + ((usec_t)1 << bucket_shift(bucket)) - 1;
}

static usec_t bucket_middle(unsigned bucket)
{
    usec_t low = histogram_bucket_low(bucket);
    return low + (histogram_bucket_high(bucket) - low) / 2;
}

void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_record(struct histogram *h, usec_t value)
{
    h->buckets[histogram_bucket(value)]++;
    h->count++;
    h->sum_us += value > 0 ? (uint64_t)value : 0;
}

void histogram_add_bucket(struct histogram *h, unsigned bucket, uint64_t count)
{
    if (bucket >= HISTOGRAM_BUCKETS)
        return;
    h->buckets[bucket] += count;
    h->count += count;
    h->sum_us += count * (uint64_t)bucket_middle(bucket);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    into->sum_us += from->sum_us;
}

static uint64_t difference(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

void histogram_subtract(struct histogram *from, const struct histogram *before)
{
    from->count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        from->buckets[i] = difference(from->buckets[i], before->buckets[i]);
        from->count += from->buckets[i];
    }
    from->sum_us = difference(from->sum_us, before->sum_us);
}

usec_t histogram_quantile(const struct histogram *h, double q)
{
    if (h->count == 0)
        return -1;
    double rank = (q < 0 ? 0 : q > 1 ? 1 : q) * (double)h->count;
    uint64_t seen = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->buckets[i] == 0)
            continue;
        seen += h->buckets[i];
        last = i;
        if ((double)seen >= rank)
            break;
    }
    return histogram_bucket_high(last);
}

double histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? -1 : (double)h->sum_us / (double)h->count;
}
