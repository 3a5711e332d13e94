/* SPDX-License-Identifier: MIT */
/* Repeatable random numbers for jitter, arrivals and choices: the same seed gives the same sequence
 * everywhere. SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
 * Not for secrets. */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H
#include <stdint.h>

struct random {
    uint64_t state; /* any value is a seed */
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in [0, 1). */
static inline double random_unit(struct random *r)
{
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

/* Uniform in [0, n); n > 0. The bias of 2^-64 * n is accepted. */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_next(r) * n) >> 64);
}

#endif
