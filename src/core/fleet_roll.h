/* SPDX-License-Identifier: MIT */
/* The roll: every instance that runs is replaced by a new one, one at a time, each ready before an old one
 * goes. For fleet.c, which carries it out; fleet_roll() in fleet.h begins it. */
#ifndef CORE_FLEET_ROLL_H
#define CORE_FLEET_ROLL_H
#include "core/fleet.h"

/* Marks what runs as old. False: why says what is against it, and nothing has changed. */
bool fleet_roll_begin(struct fleet *f, char *why, size_t why_size);

/* How many more than wanted are to stay now, 0 or 1. Ask whenever something has changed. */
int fleet_roll_extra(struct fleet *f, struct journal *j, usec_t now);

/* Ends it when instance id has failed for good: what would replace the old ones does not start. */
void fleet_roll_give_up(struct fleet *f, struct journal *j, int id, usec_t now);

#endif
