/* SPDX-License-Identifier: MIT */
/* A thread that makes its share of the load, on our own HTTP/1.1 driver or, for https, on libcurl. The
 * functions below are for the thread that owns it; orders take effect at the thread's next turn. */
#ifndef LOAD_THREAD_H
#define LOAD_THREAD_H
#include "load/pacer.h"
#include "load/plan.h"
#include "load/stats.h"

struct load_thread;

/* What a thread shows of itself, a moment old. */
struct load_thread_view {
    usec_t at; /* when it was shown; 0: never yet */
    struct load_stats stats;
    int64_t in_flight;
    uint64_t late, held, missed;
    usec_t lag; /* of its pacer, as are the next three */
    usec_t stop_at;
    usec_t due_until;
    bool ran_out;
    usec_t last_answer_at;
    unsigned seconds, busy; /* whole seconds so far, and those of which it was on the CPU nearly all */
    bool done;              /* it will do no more */
};

/* A thread that sets itself up and waits for load_thread_start(); NULL with errno set. The pacer, not
 * started, is its share of the load, open_max that of the connections that may be open; its end is told to
 * the eventfd.
 */
struct load_thread *load_thread_new(const struct load_plan *plan, const struct pacer *pacer, int64_t open_max,
                                    uint64_t seed, int done_fd);

/* Waits until it is set up: 0, or -errno when that failed. */
int load_thread_wait_ready(struct load_thread *thread);

/* Begins the load at this time. To be called before load_thread_free(), whatever became of the thread. */
void load_thread_start(struct load_thread *thread, usec_t start);

void load_thread_look(struct load_thread *thread, struct load_thread_view *out);

void load_thread_set_users(struct load_thread *thread, int64_t users);
void load_thread_set_rate(struct load_thread *thread, double rate_rps);
/* Starts nothing more; what is in flight at drain_until is given up. */
void load_thread_stop(struct load_thread *thread, usec_t drain_until);

void load_thread_free(struct load_thread *thread); /* waits for its end: stop it first */

#endif
