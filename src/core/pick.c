/* SPDX-License-Identifier: MIT */
/* Every algorithm walks the candidates once, beginning behind the last choice, so that equals take turns. */
#include "core/pick.h"

#define SHARE_LEAST   0.1f
#define LATENCY_FLOOR 1000.0f
#define OUTLIER_FLOOR 10000.0f
#define OUTLIER_PEERS 3
#define AGE_MAX       (30 * USEC_PER_SEC) /* nothing is left to speak of */

static bool has_room(const struct pick_candidate *c)
{
    return c->usable && (c->limit == 0 || c->in_flight < c->limit);
}

static float load(const struct pick_candidate *c)
{
    return (float)c->in_flight / (c->share > 0 ? c->share : SHARE_LEAST) + 1.0f;
}

static float largest_share(const struct pick_candidate *candidates, unsigned count)
{
    float largest = 0;
    for (unsigned i = 0; i < count; i++)
        if (has_room(&candidates[i]) && candidates[i].share > largest)
            largest = candidates[i].share;
    return largest;
}

/* One that starts slowly is passed over by the part of its turns that is not yet its share: what is in flight
 * tells nobody apart where little is. One with the largest share never is. */
static bool is_passed_over(struct pick *p, const struct pick_candidate *c, float largest)
{
    return c->share < largest && random_unit(&p->random) * (double)largest >= (double)c->share;
}

static bool is_better(const struct pick_candidate *candidates, unsigned i, int best)
{
    return best < 0 || load(&candidates[i]) < load(&candidates[best]);
}

static int least_in_flight(struct pick *p, const struct pick_candidate *candidates, unsigned count)
{
    float largest = largest_share(candidates, count);
    int best = -1;
    for (unsigned step = 0; step < count; step++) {
        unsigned i = (p->turn + 1 + step) % count;
        const struct pick_candidate *c = &candidates[i];
        if (has_room(c) && is_better(candidates, i, best) && !is_passed_over(p, c, largest))
            best = (int)i;
    }
    return best;
}

static int round_robin(struct pick *p, const struct pick_candidate *candidates, unsigned count)
{
    float largest = largest_share(candidates, count);
    for (unsigned step = 0; step < count; step++) {
        unsigned i = (p->turn + 1 + step) % count;
        if (has_room(&candidates[i]) && !is_passed_over(p, &candidates[i], largest))
            return (int)i;
    }
    return -1;
}

static int nth_with_room(const struct pick_candidate *candidates, unsigned count, uint64_t n)
{
    for (unsigned i = 0; i < count; i++)
        if (has_room(&candidates[i]) && n-- == 0)
            return (int)i;
    return -1;
}

/* One never measured counts as fast, so that it is measured; differences below a millisecond are noise. */
static float cost(const struct pick_candidate *c)
{
    return load(c) * (c->latency_us > LATENCY_FLOOR ? c->latency_us : LATENCY_FLOOR);
}

static int two_choices(struct pick *p, const struct pick_candidate *candidates, unsigned count)
{
    uint64_t open = 0;
    for (unsigned i = 0; i < count; i++)
        open += has_room(&candidates[i]);
    if (open < 2)
        return nth_with_room(candidates, count, 0);
    uint64_t first = random_below(&p->random, open), second = random_below(&p->random, open - 1);
    second += second >= first;
    int a = nth_with_room(candidates, count, first), b = nth_with_room(candidates, count, second);
    if (is_passed_over(p, &candidates[a], candidates[b].share))
        return b;
    if (is_passed_over(p, &candidates[b], candidates[a].share))
        return a;
    return cost(&candidates[a]) <= cost(&candidates[b]) ? a : b;
}

int pick_choose(struct pick *p, enum config_algorithm algorithm, const struct pick_candidate *candidates,
                unsigned count)
{
    int chosen = -1;
    if (count == 0)
        return -1;
    if (algorithm == CONFIG_ROUND_ROBIN)
        chosen = round_robin(p, candidates, count);
    else if (algorithm == CONFIG_P2C_EWMA)
        chosen = two_choices(p, candidates, count);
    else
        chosen = least_in_flight(p, candidates, count);
    if (chosen >= 0)
        p->turn = (unsigned)chosen;
    return chosen;
}

unsigned pick_leave_spares(struct pick_candidate *candidates, unsigned count)
{
    bool room = false;
    unsigned usable = 0;
    for (unsigned i = 0; i < count; i++)
        room |= has_room(&candidates[i]) && !candidates[i].spare;
    for (unsigned i = 0; i < count; i++) {
        candidates[i].usable &= !room || !candidates[i].spare;
        usable += candidates[i].usable;
    }
    return usable;
}

float pick_share(usec_t since, usec_t ramp)
{
    if (since >= ramp)
        return 1.0f;
    float done = since > 0 ? (float)since / (float)ramp : 0.0f;
    return SHARE_LEAST + (1.0f - SHARE_LEAST) * done;
}

float pick_aged(float mean_us, usec_t age)
{
    if (age <= 0)
        return mean_us;
    age = age < AGE_MAX ? age : AGE_MAX;
    float halved = (float)(UINT64_C(1) << (age / USEC_PER_SEC));
    return mean_us / (halved * (1.0f + (float)(age % USEC_PER_SEC) / (float)USEC_PER_SEC));
}

float pick_latency(float mean_us, usec_t age, usec_t measured)
{
    float value = measured > 1 ? (float)measured : 1.0f;
    if (mean_us <= 0)
        return value;
    float kept = pick_aged(value > mean_us ? 2.0f / 3.0f : 7.0f / 8.0f, age);
    return mean_us * kept + value * (1.0f - kept);
}

/* How many of the measured ones lie below, and how many there are. */
static unsigned count_below(const struct pick_candidate *candidates, unsigned count, float latency,
                            unsigned *measured)
{
    unsigned below = 0;
    *measured = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!candidates[i].usable || candidates[i].latency_us <= 0)
            continue;
        ++*measured;
        below += candidates[i].latency_us < latency;
    }
    return below;
}

bool pick_outlier(const struct pick_candidate *candidates, unsigned count, float own_us, float factor)
{
    unsigned measured;
    if (own_us < OUTLIER_FLOOR)
        return false;
    /* The median is below own_us / factor exactly when more than half of them are. */
    unsigned below = count_below(candidates, count, own_us / factor, &measured);
    return measured >= OUTLIER_PEERS && below * 2 > measured;
}
