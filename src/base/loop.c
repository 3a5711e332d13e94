/* SPDX-License-Identifier: MIT */
/* One epoll descriptor, an eventfd for wakes, a signalfd a call of loop_on_signals(), and the timers as a
 * pairing heap threaded through the callers' own structs. Invariants: a watch removed while its batch of
 * events is served is struck from the batch, so no callback sees a watch that is gone; a timer set by a timer
 * is not due in the same turn, so timers cannot keep descriptors waiting. One thread, loop_wake() apart. */
#include "base/loop.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define SIGNALS_MAX 4 /* calls of loop_on_signals() */

struct signal_watch {
    struct loop_watch watch;
    void (*received)(void *context, const struct signalfd_siginfo *info);
    void *context;
};

struct loop {
    int epoll_fd;
    int64_t now_us;
    struct loop_timer *timers; /* root of the heap: the earliest */
    bool serving_timers;
    struct epoll_event batch[BATCH];
    int batch_at, batch_count;
    struct loop_watch wake_watch;
    void (*woken)(void *context);
    void *woken_context;
    struct signal_watch *signals[SIGNALS_MAX];
    atomic_bool stopping;
};

/* In the heap child is the first child, next the younger sibling, previous the elder sibling or the parent.
 */
static struct loop_timer *heap_meld(struct loop_timer *a, struct loop_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->at_us < a->at_us) {
        struct loop_timer *swap = a;
        a = b;
        b = swap;
    }
    b->previous = a;
    b->next = a->child;
    if (a->child)
        a->child->previous = b;
    a->child = b;
    return a;
}

/* Melds a list of siblings into one heap: pairs from left to right, then the pairs from right to left. */
static struct loop_timer *heap_combine(struct loop_timer *first)
{
    struct loop_timer *pairs = NULL, *root = NULL;
    while (first) {
        struct loop_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->previous = NULL;
        if (b)
            b->next = b->previous = NULL;
        a = heap_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct loop_timer *rest = pairs->next;
        pairs->next = NULL;
        root = heap_meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void heap_remove(struct loop_timer **root, struct loop_timer *timer)
{
    struct loop_timer *children = heap_combine(timer->child);
    if (*root == timer) {
        *root = children;
    } else {
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next)
            timer->next->previous = timer->previous;
        *root = heap_meld(*root, children);
    }
    timer->child = timer->next = timer->previous = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_us)
{
    loop_timer_cancel(loop, timer);
    timer->at_us = loop->serving_timers && at_us <= loop->now_us ? loop->now_us + 1 : at_us;
    timer->armed = true;
    timer->child = timer->next = timer->previous = NULL;
    loop->timers = heap_meld(loop->timers, timer);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    if (!timer->armed)
        return;
    heap_remove(&loop->timers, timer);
    timer->armed = false;
}

static void serve_timers(struct loop *loop)
{
    loop->serving_timers = true;
    while (loop->timers && loop->timers->at_us <= loop->now_us) {
        struct loop_timer *timer = loop->timers;
        loop_timer_cancel(loop, timer);
        timer->due(timer, loop->now_us);
    }
    loop->serving_timers = false;
}

int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -errno;
    watch->fd = fd;
    return 0;
}

int loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0 ? 0 : -errno;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->batch_at; i < loop->batch_count; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
}

/* epoll_wait() that keeps microseconds; kernels before 5.11 get milliseconds, rounded up so as not to spin.
 */
static int wait_events(struct loop *loop, int64_t timeout_us)
{
    struct timespec timeout = {timeout_us / 1000000, timeout_us % 1000000 * 1000};
    bool endless = timeout_us == INT64_MAX;
    int count = epoll_pwait2(loop->epoll_fd, loop->batch, BATCH, endless ? NULL : &timeout, NULL);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM))
        return count;
    int64_t millis = timeout_us / 1000 + (timeout_us % 1000 != 0);
    return epoll_wait(loop->epoll_fd, loop->batch, BATCH,
                      endless            ? -1
                      : millis > INT_MAX ? INT_MAX
                                         : (int)millis);
}

static void serve_events(struct loop *loop)
{
    while (loop->batch_at < loop->batch_count) {
        const struct epoll_event *event = &loop->batch[loop->batch_at++];
        struct loop_watch *watch = event->data.ptr;
        if (watch)
            watch->ready(watch, event->events);
    }
}

int loop_turn(struct loop *loop, int64_t until_us)
{
    if (loop->timers && loop->timers->at_us < until_us)
        until_us = loop->timers->at_us;
    loop->now_us = clock_now_us();
    int64_t timeout_us = until_us == INT64_MAX     ? INT64_MAX
                         : until_us > loop->now_us ? until_us - loop->now_us
                                                   : 0;
    int count = wait_events(loop, timeout_us);
    if (count < 0 && errno != EINTR)
        return -errno;
    loop->now_us = clock_now_us();
    loop->batch_at = 0;
    loop->batch_count = count < 0 ? 0 : count;
    serve_events(loop);
    serve_timers(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    while (!atomic_exchange(&loop->stopping, false)) {
        int error = loop_turn(loop, INT64_MAX);
        if (error)
            return error;
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    loop_wake(loop);
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now_us;
}

static void wake_ready(struct loop_watch *watch, uint32_t events)
{
    struct loop *loop = watch->context;
    eventfd_t count;
    (void)events;
    eventfd_read(watch->fd, &count);
    if (loop->woken)
        loop->woken(loop->woken_context);
}

void loop_on_wake(struct loop *loop, void (*woken)(void *context), void *context)
{
    loop->woken = woken;
    loop->woken_context = context;
}

void loop_wake(struct loop *loop)
{
    eventfd_write(loop->wake_watch.fd, 1);
}

static void signal_ready(struct loop_watch *watch, uint32_t events)
{
    const struct signal_watch *signals = watch->context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(watch->fd, &info, sizeof info) == sizeof info)
        signals->received(signals->context, &info);
}

int loop_on_signals(struct loop *loop, const sigset_t *signals,
                    void (*received)(void *context, const struct signalfd_siginfo *info), void *context)
{
    int slot = 0;
    while (slot < SIGNALS_MAX && loop->signals[slot])
        slot++;
    struct signal_watch *watch = slot < SIGNALS_MAX ? calloc(1, sizeof *watch) : NULL;
    if (!watch)
        return -ENOMEM;
    *watch = (struct signal_watch){{.ready = signal_ready, .context = watch}, received, context};
    int fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    int error = fd < 0 ? -errno : loop_add(loop, &watch->watch, fd, EPOLLIN);
    if (!error)
        error = -pthread_sigmask(SIG_BLOCK, signals, NULL);
    if (error) {
        if (fd >= 0)
            close(fd);
        free(watch);
        return error;
    }
    loop->signals[slot] = watch;
    return 0;
}

int loop_new(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->now_us = clock_now_us();
    loop->wake_watch = (struct loop_watch){.ready = wake_ready, .context = loop, .fd = -1};
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int wake_fd = loop->epoll_fd < 0 ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = wake_fd < 0 ? -errno : loop_add(loop, &loop->wake_watch, wake_fd, EPOLLIN);
    if (error) {
        if (wake_fd >= 0)
            close(wake_fd);
        if (loop->epoll_fd >= 0)
            close(loop->epoll_fd);
        free(loop);
        return error;
    }
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (int i = 0; i < SIGNALS_MAX; i++) {
        if (!loop->signals[i])
            continue;
        close(loop->signals[i]->watch.fd);
        free(loop->signals[i]);
    }
    close(loop->wake_watch.fd);
    close(loop->epoll_fd);
    free(loop);
}
