/* SPDX-License-Identifier: MIT */
/* Which backend takes the next request. Pure: the caller brings the numbers, the state and its seed; the same
 * calls give the same choices. One thread a struct pick. */
#ifndef CORE_PICK_H
#define CORE_PICK_H
#include "core/config.h"
#include "core/random.h"

/* Zero but for a seed of one's own. */
struct pick {
    struct random random;
    unsigned turn; /* where the last choice was, so that equals take turns */
};

/* What a choice looks at, a row a backend. */
struct pick_candidate {
    bool usable; /* false: never chosen */
    bool spare;  /* the last choice, see pick_leave_spares() */
    uint32_t in_flight;
    uint32_t limit;   /* of in_flight; 0: none */
    float share;      /* (0, 1] of what it may take, below 1 while it starts slowly */
    float latency_us; /* moving mean, pick_latency(); 0: not measured yet */
};

/* The index chosen, or -1: none is usable with room under its limit. CONFIG_STICKY chooses as least in flight
 * does, for a client that is bound to none yet. */
int pick_choose(struct pick *p, enum config_algorithm algorithm, const struct pick_candidate *candidates,
                unsigned count);

/* Makes the spare ones unusable when another has room; returns how many are usable. */
unsigned pick_leave_spares(struct pick_candidate *candidates, unsigned count);

/* The share of a backend that became ready `since` ago and starts over `ramp` (0: at once): from a tenth to
 * all. */
float pick_share(usec_t since, usec_t ramp);

/* The mean as it counts when the last measurement is `age` ago: half of it after each second, so that one
 * that was slow once is tried again before long, however slow it was. */
float pick_aged(float mean_us, usec_t age);

/* The moving mean, last measured `age` ago, with one more measurement: a rise counts at once by a third, a
 * fall by an eighth, and both the more, the older the mean is. */
float pick_latency(float mean_us, usec_t age, usec_t measured);

/* Is one that takes so long so slow beside these that it harms: more than factor times the median of those
 * measured, at least three of them, and over 10 ms? */
bool pick_outlier(const struct pick_candidate *candidates, unsigned count, float own_us, float factor);

#endif
