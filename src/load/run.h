/* SPDX-License-Identifier: MIT */
/* One run of the load from its start to its summary: the workers, the clock of the progress, the orders. The
 * main thread only. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H
#include "load/plan.h"

/* Runs to the end, to SIGINT, SIGTERM or SIGHUP, or to the order to stop. Returns the exit status. */
int run_load(const struct load_plan *plan);

#endif
