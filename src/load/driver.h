/* SPDX-License-Identifier: MIT */
/* The inside of a load thread, for the two drivers it can have: what both share is the pacer, the statistics
 * and the exchange with the owner. All of it belongs to that thread but what the lock guards. */
#ifndef LOAD_DRIVER_H
#define LOAD_DRIVER_H
#include "core/random.h"
#include "load/thread.h"
#include <pthread.h>
#include <stdatomic.h>

/* A user whose request failed below HTTP waits this long, so that a refused connection is no busy loop. */
#define DRIVER_PAUSE (50 * USEC_PER_MSEC)

enum thread_stage { THREAD_STARTING, THREAD_READY, THREAD_FAILED };

struct load_thread {
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
    struct load_thread_view view; /* guarded */
    struct {                      /* guarded; changed tells of every change */
        enum thread_stage stage;
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
    void (*wake)(void *context); /* guarded; ends the driver's wait, from any thread */
    void *wake_context;
    atomic_bool pending;
};

/* Set themselves up, wait for the start and run the load to its end; false when they could not be set up,
 * with errno set. */
bool driver_plain_run(struct load_thread *thread);
bool driver_curl_run(struct load_thread *thread);

/* To be called once the driver is set up; returns when all threads are. */
void driver_await_start(struct load_thread *thread);

/* Once a turn: takes orders, shows the statistics. False: the load is over, give up what is in flight. */
bool driver_turn(struct load_thread *thread, usec_t now);

/* The latest time of the next turn. */
usec_t driver_wake_at(const struct load_thread *thread, usec_t now);

/* How to end the driver's wait; NULL when it is about to go. */
void driver_on_wake(struct load_thread *thread, void (*wake)(void *context), void *context);

const struct load_target *driver_pick(struct load_thread *thread);

/* A request that got no answer; error is an errno, or 0. */
void driver_failed(struct load_thread *thread, const struct load_target *target, enum load_error kind,
                   int error);

/* A whole answer to a request that was due at scheduled; its code is below LOAD_CODES. */
void driver_answered(struct load_thread *thread, unsigned code, usec_t scheduled, usec_t now);

#endif
