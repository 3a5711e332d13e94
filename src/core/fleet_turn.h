/* SPDX-License-Identifier: MIT */
/* One turn of one instance, for the files of the fleet: fleet.c has the table turned and keeps the count,
 * fleet_health.c says what the checks and samples mean. */
#ifndef CORE_FLEET_TURN_H
#define CORE_FLEET_TURN_H
#include "core/fleet.h"
#include "core/fleet_life.h"

struct fleet_turn {
    struct fleet *fleet;
    struct journal *journal;
    struct fleet_instance *instance;
    usec_t now;
};

/* Turns the table; false when the event means nothing in the state. */
bool fleet_turn(const struct fleet_turn *t, enum life_event event);

/* Adds actions to those not yet taken. */
void fleet_set_todo(const struct fleet_turn *t, unsigned actions);

/* Its processes serve: READY, BUSY or UNREADY. */
bool fleet_is_up(const struct fleet_instance *in);

/* A check of EVENT_HEALTHY, EVENT_UNHEALTHY or EVENT_LIVENESS. */
void fleet_take_check(const struct fleet_turn *t, const struct event *event);

/* How many more than wanted there are to be in the place of those that are unready. */
int fleet_stand_ins(struct fleet *f, struct journal *j, usec_t now);

/* Gives the unready requests when too few are ready, and takes them away again. */
void fleet_lend(struct fleet *f, struct journal *j, usec_t now);

#endif
