/* SPDX-License-Identifier: MIT */
/* When the next request of an open-loop load is due. A shape scales a base rate over time; a stream walks it
 * and hands out due times, evenly spaced or as a Poisson process. Pure: the stream is a value, the caller
 * passes every time; the points of a trace stay the caller's. */
#ifndef CORE_ARRIVALS_H
#define CORE_ARRIVALS_H
#include "core/random.h"
#include "core/units.h"

/* Of a shape, and of whatever else a load is told: sums of some of them and an instant fit a usec_t. */
#define ARRIVALS_DURATION_MAX (INT64_C(1000000000) * USEC_PER_SEC)

enum arrivals_shape_kind {
    ARRIVALS_CONSTANT,
    ARRIVALS_RAMP,  /* from low to 1 over period, then 1 */
    ARRIVALS_SINE,  /* between low and 1, a wave a period, lowest at the start */
    ARRIVALS_STEP,  /* low, then 1 from at on */
    ARRIVALS_SPIKE, /* low, but 1 for length from at on; again every period (0: once) */
    ARRIVALS_TRACE, /* through the points, again and again */
};

struct arrivals_point {
    usec_t at;     /* since the start; the first is 0, each later than the one before */
    double factor; /* of the base rate; >= 0 */
};

struct arrivals_shape {
    enum arrivals_shape_kind kind;
    double low;                /* 0..1 of the base rate */
    usec_t period, at, length; /* as the kind says; a ramp's period is > 0, a wave's >= 1 ms */
    const struct arrivals_point *points;
    size_t count; /* a trace has >= 2 */
};

enum arrivals_timing { ARRIVALS_EVEN, ARRIVALS_POISSON };

/* Several even streams interleave to an even whole: of every `cycle` of its requests this one has first,
 * first + step and so on, counted from 0. Zeroed: all. */
struct arrivals_turns {
    int64_t cycle, step, first; /* first < step <= cycle */
};

struct arrivals_plan {
    double rate_rps; /* base rate of this stream, its turns' part of the whole; 0: nothing is due */
    enum arrivals_timing timing;
    uint64_t seed;
    struct arrivals_turns turns; /* of an even stream */
    struct arrivals_shape shape;
};

struct arrivals {
    struct arrivals_plan plan;
    usec_t start;
    double at_us; /* of the last one, since start */
    struct random random;
    double whole; /* requests of the whole to one of this stream */
    int64_t turn; /* of an even stream, the last one in its cycle; -1: none yet */
    double left;  /* of the gap that a new rate met, in requests; 0: none */
};

/* "constant", "ramp,low=10%,over=60s", "sine,low=20%,period=2m", "step,low=50%,at=30s",
 * "spike,low=10%,at=10s,for=5s,every=60s"; "trace" has its points filled in by the caller. Keys left out have
 * the defaults shown (of a spike, every is 0: once). On false *out is undefined and error says why. */
bool arrivals_parse_shape(const char *text, struct arrivals_shape *out, char *error, size_t error_size);

/* Factor of the base rate at a time since the start. */
double arrivals_factor(const struct arrivals_shape *shape, usec_t at);

/* Its mean between two times since the start; from < to. */
double arrivals_mean(const struct arrivals_shape *shape, usec_t from, usec_t to);

/* From when on, since the start, it is 0 for good; USEC_NEVER: from no time on. */
usec_t arrivals_end(const struct arrivals_shape *shape);

void arrivals_init(struct arrivals *stream, const struct arrivals_plan *plan, usec_t start);

/* How many of the first `count` requests of the whole are the stream's; not of zeroed turns. */
int64_t arrivals_turns_below(const struct arrivals_turns *turns, int64_t count);

/* The due time of the next request; each call moves on. USEC_NEVER: none will ever come. */
usec_t arrivals_next(struct arrivals *stream);

/* How many more than were handed out are due before a time, without moving on; of a Poisson process the
 * number to expect. */
int64_t arrivals_count(const struct arrivals *stream, usec_t until);

/* Another base rate from now on. Of the gap to a request that is handed out already but due later, what is
 * left goes by at the new rate: the next one handed out stands for it. Where none is, the turns begin anew,
 * and what was due before now and not yet asked for is forgotten. */
void arrivals_set_rate(struct arrivals *stream, double rate_rps, usec_t now);

#endif
