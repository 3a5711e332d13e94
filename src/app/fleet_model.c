/* SPDX-License-Identifier: MIT */
/* The arithmetic of the simulated fleet. Demand is a cosine over its day with a few per cent of noise that is
 * a function of seed and time, so that two looks at the same moment agree. */
#include "app/fleet_model.h"

#include <math.h>

#include "core/random.h"

#define DAY         (24 * USEC_PER_HOUR)
#define NOISE_SHARE 0.03 /* at most, either way */

static usec_t fleet_time(const struct fleet_model *fleet, usec_t now)
{
    return fleet->settings.clock + (usec_t)((double)(now - fleet->start) * fleet->settings.speed);
}

void fleet_model_init(struct fleet_model *fleet, const struct fleet_settings *settings, int64_t replicas,
                      usec_t now)
{
    *fleet = (struct fleet_model){.settings = *settings, .start = now, .ready = replicas};
}

int64_t fleet_model_replicas(const struct fleet_model *fleet)
{
    int64_t sum = fleet->ready;
    for (int i = 0; i < fleet->batches; i++)
        sum += fleet->starting[i].count;
    return sum;
}

/* -1..1, one value a minute of its time. */
static double noise_of(const struct fleet_model *fleet, int64_t minute)
{
    struct random random = {fleet->settings.seed * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)minute};
    return 2 * random_unit(&random) - 1;
}

double fleet_model_demand(const struct fleet_model *fleet, usec_t now)
{
    const struct fleet_settings *settings = &fleet->settings;
    usec_t at = fleet_time(fleet, now);
    double wave = (1 - cos(2 * M_PI * (double)at / (double)DAY)) / 2;
    double smooth = settings->min_demand + (settings->max_demand - settings->min_demand) * wave;
    double minutes = (double)at / (double)USEC_PER_MIN, whole = floor(minutes), part = minutes - whole;
    double noise = noise_of(fleet, (int64_t)whole) * (1 - part) + noise_of(fleet, (int64_t)whole + 1) * part;
    return fmin(settings->max_demand, fmax(settings->min_demand, smooth * (1 + NOISE_SHARE * noise)));
}

static void admit_booted(struct fleet_model *fleet, usec_t now)
{
    usec_t at = fleet_time(fleet, now);
    int booted = 0;
    while (booted < fleet->batches && fleet->starting[booted].ready_at <= at)
        fleet->ready += fleet->starting[booted++].count;
    fleet->batches -= booted;
    for (int i = 0; i < fleet->batches; i++)
        fleet->starting[i] = fleet->starting[i + booted];
}

double fleet_model_cpu(struct fleet_model *fleet, usec_t now)
{
    admit_booted(fleet, now);
    return fmin(1, FLEET_TARGET_CPU * fleet_model_demand(fleet, now) / (double)fleet->ready);
}

static void add_replicas(struct fleet_model *fleet, int64_t count, usec_t now)
{
    usec_t ready_at = fleet_time(fleet, now) + fleet->settings.boot;
    if (fleet->batches < FLEET_BATCHES_MAX)
        fleet->starting[fleet->batches++] = (struct fleet_batch){count, ready_at};
    else
        fleet->starting[FLEET_BATCHES_MAX - 1].count += count;
}

static void remove_replicas(struct fleet_model *fleet, int64_t count)
{
    while (count > 0 && fleet->batches > 0) {
        struct fleet_batch *youngest = &fleet->starting[fleet->batches - 1];
        int64_t taken = youngest->count < count ? youngest->count : count;
        youngest->count -= taken;
        count -= taken;
        if (youngest->count == 0)
            fleet->batches--;
    }
    fleet->ready -= count;
}

bool fleet_model_scale(struct fleet_model *fleet, int64_t replicas, usec_t now)
{
    if (replicas < 1 || replicas > fleet->settings.max_replicas)
        return false;
    admit_booted(fleet, now);
    int64_t change = replicas - fleet_model_replicas(fleet);
    if (change > 0)
        add_replicas(fleet, change, now);
    else
        remove_replicas(fleet, -change);
    return true;
}
