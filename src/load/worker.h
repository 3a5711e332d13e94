/* SPDX-License-Identifier: MIT */
/* A thread that makes its share of the load, on our own HTTP/1.1 engine or, for https, on libcurl. The
 * functions below are for the thread that owns it; orders take effect at the worker's next turn. */
#ifndef LOAD_WORKER_H
#define LOAD_WORKER_H
#include "load/pacer.h"
#include "load/plan.h"
#include "load/stats.h"

struct worker;

/* What a worker shows of itself, a moment old. */
struct worker_view {
    usec_t at; /* when it was shown; 0: never yet */
    struct load_stats stats;
    int64_t in_flight;
    uint64_t late, held, missed;
    usec_t stop_at; /* of its pacer, as are the next two */
    usec_t due_until;
    bool ran_out;
    usec_t last_answer_at;
    unsigned seconds, busy; /* whole seconds so far, and those of which it was on the CPU nearly all */
    bool done;              /* it will do no more */
};

/* A thread that sets itself up and waits for worker_start(); NULL with errno set. The pacer, not started, is
 * its share of the load, open_max that of the connections that may be open; its end is told to the eventfd.
 */
struct worker *worker_new(const struct load_plan *plan, const struct pacer *pacer, int64_t open_max,
                          uint64_t seed, int done_fd);

/* Waits until it is set up: 0, or -errno when that failed. */
int worker_wait_ready(struct worker *worker);

/* Begins the load at this time. To be called before worker_free(), whatever became of the worker. */
void worker_start(struct worker *worker, usec_t start);

void worker_look(struct worker *worker, struct worker_view *out);

void worker_set_users(struct worker *worker, int64_t users);
void worker_set_rate(struct worker *worker, double rate_rps);
/* Starts nothing more; what is in flight at drain_until is given up. */
void worker_stop(struct worker *worker, usec_t drain_until);

void worker_free(struct worker *worker); /* waits for its end: stop it first */

#endif
