/* SPDX-License-Identifier: MIT */
/* The inside of a worker, for the two engines that can drive it: what both share is the pacer, the statistics
 * and the exchange with the owner. All of it belongs to the worker's thread but what the lock guards. */
#ifndef LOAD_ENGINE_H
#define LOAD_ENGINE_H
#include "core/random.h"
#include "load/worker.h"
#include <pthread.h>
#include <stdatomic.h>

/* A user whose request failed below HTTP waits this long, so that a refused connection is no busy loop. */
#define ENGINE_PAUSE (50 * USEC_PER_MSEC)

enum worker_stage { WORKER_STARTING, WORKER_READY, WORKER_FAILED };

struct worker {
    const struct load_plan *plan;
    struct pacer pacer;
    struct random random;
    int64_t open_max; /* connections, idle ones included */
    struct load_stats stats;
    usec_t last_answer_at;
    usec_t drain_until; /* USEC_NEVER until the pacer is over */

    usec_t shown_at, second_at, second_cpu;
    unsigned seconds, busy;

    pthread_t thread;
    int done_fd;
    pthread_mutex_t lock;
    struct worker_view view; /* guarded */
    struct {                 /* guarded; changed tells of every change */
        enum worker_stage stage;
        int error;    /* why it failed */
        usec_t start; /* 0: not said yet */
    } setup;
    pthread_cond_t changed;
    struct { /* guarded; pending says that there is something */
        bool users_set, rate_set, stop;
        int64_t users;
        double rate_rps;
        usec_t drain_until;
    } orders;
    void (*wake)(void *context); /* guarded; ends the engine's wait, from any thread */
    void *wake_context;
    atomic_bool pending;
};

/* Set themselves up, wait for the start and run the load to its end; false when they could not be set up,
 * with errno set. */
bool engine_plain_run(struct worker *worker);
bool engine_curl_run(struct worker *worker);

/* To be called once the engine is set up; returns when all workers are. */
void engine_await_start(struct worker *worker);

/* Once a turn: takes orders, shows the statistics. False: the load is over, give up what is in flight. */
bool engine_turn(struct worker *worker, usec_t now);

/* The latest time of the next turn. */
usec_t engine_wake_at(const struct worker *worker, usec_t now);

/* How to end the engine's wait; NULL when it is about to go. */
void engine_on_wake(struct worker *worker, void (*wake)(void *context), void *context);

const struct load_target *engine_pick(struct worker *worker);

/* A whole answer to a request that was due at scheduled; its code is below LOAD_CODES. */
void engine_answered(struct worker *worker, unsigned code, usec_t scheduled, usec_t now);

#endif
