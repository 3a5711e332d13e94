/* SPDX-License-Identifier: MIT */
/* An event loop on epoll: descriptors, signals, absolute deadlines, and a wake from other threads.
 * One thread a loop; only loop_wake() may be called from another. Watches and timers belong to the caller,
 * must stay where they are while in use, and may be removed or changed from any callback, their own included.
 * Adding a timer allocates nothing and cannot fail. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>

struct loop;

/* Zero it, then fill in ready and context. */
struct loop_watch {
    void (*ready)(struct loop_watch *watch, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, ... */
    void *context;
    int fd; /* set by loop_add() */
};

/* Zero it, then fill in due and context. It fires once; set it again for a period. */
struct loop_timer {
    void (*due)(struct loop_timer *timer, int64_t now_us);
    void *context;
    int64_t at_us; /* monotonic, set by loop_timer_set() */
    bool armed;
    struct loop_timer *child, *next, *previous; /* the loop's own */
};

/* 0 or -errno. Descriptors are close-on-exec. */
int loop_new(struct loop **out);
void loop_free(struct loop *loop);

/* 0 or -errno. Level-triggered unless events holds EPOLLET. The descriptor stays the caller's: remove, then
 * close. */
int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
int loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_remove(struct loop *loop, struct loop_watch *watch);

/* Arms the timer, or moves it when it is armed. A time in the past fires at once, but never twice in a turn.
 */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_us);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* Blocks these signals in the calling thread and hands them to the callback. Call it before starting threads,
 * once a loop. 0 or -errno. */
int loop_on_signals(struct loop *loop, const sigset_t *signals,
                    void (*received)(void *context, const struct signalfd_siginfo *info), void *context);

/* Many calls of loop_wake() between two turns are one callback. */
void loop_on_wake(struct loop *loop, void (*woken)(void *context), void *context);
void loop_wake(struct loop *loop);

/* The time of this turn; the clock is read once a turn. */
int64_t loop_now(const struct loop *loop);

/* Runs until loop_stop(). 0 or -errno when epoll fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn: waits for an event, a timer, or until_us, and serves what is there. 0 or -errno. */
int loop_turn(struct loop *loop, int64_t until_us);

#endif
