/* SPDX-License-Identifier: MIT */
/* The access log: a line a request, combined or JSON, gathered a buffer at a time and written by the worker
 * whose requests they are. Does nothing when there is no log. */
#ifndef BALANCE_ACCESS_H
#define BALANCE_ACCESS_H
#include "balance/worker.h"

/* Copies what the line will need of the head. */
void access_begin(struct exchange *x);

/* The exchange ends, answered or not: writes its line and gives what was kept of it back. */
void access_end(struct exchange *x);

/* Writes what has gathered; now and then, and before the worker ends. */
void access_flush(struct worker *w);

#endif
