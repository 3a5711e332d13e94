/* SPDX-License-Identifier: MIT */
/* A remote application that does not exist: a demand that rises and falls over a day, replicas that take time
 * to boot, and the CPU that follows from both. Pure: the caller passes the time. A plain value. */
#ifndef APP_FLEET_MODEL_H
#define APP_FLEET_MODEL_H
#include "core/units.h"

#define FLEET_TARGET_CPU  0.80 /* demands are replicas that would run at this */
#define FLEET_BATCHES_MAX 32

struct fleet_settings {
    double min_demand, max_demand; /* at midnight, at noon */
    double speed;                  /* seconds of its day in one of ours */
    usec_t boot;                   /* in its time: until a new replica serves */
    usec_t clock;                  /* its time of day at the start; 0: midnight */
    int64_t max_replicas;
    uint64_t seed;
};

struct fleet_batch {
    int64_t count;
    usec_t ready_at; /* in its time */
};

struct fleet_model {
    struct fleet_settings settings;
    usec_t start;                                   /* in our time */
    int64_t ready;                                  /* >= 1 */
    struct fleet_batch starting[FLEET_BATCHES_MAX]; /* oldest first */
    int batches;
};

void fleet_model_init(struct fleet_model *fleet, const struct fleet_settings *settings, int64_t replicas,
                      usec_t now);

/* Replicas ordered: those that serve and those that boot. */
int64_t fleet_model_replicas(const struct fleet_model *fleet);

/* Replicas needed at FLEET_TARGET_CPU: within min_demand..max_demand. */
double fleet_model_demand(const struct fleet_model *fleet, usec_t now);

/* Mean CPU of those that serve, 0..1; what has booted by now serves. */
double fleet_model_cpu(struct fleet_model *fleet, usec_t now);

/* Orders a new count; false when it is not 1..max_replicas. The youngest go first. */
bool fleet_model_scale(struct fleet_model *fleet, int64_t replicas, usec_t now);

#endif
