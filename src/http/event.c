/* SPDX-License-Identifier: MIT */
/* Owns the epoll descriptor, the timer wheel and the wake-up eventfd of one thread. Invariants: a timer is in
 * the wheel exactly when its link is set, in the slot of looked_at, and looked_at <= deadline; a slot's bit
 * is set whenever the slot is not empty. */
#include "http/event.h"
#include "base/clock.h"
#include <errno.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS        4096
#define SLOT_WORDS   (SLOTS / 64)
#define TURN_EVENTS  256
#define LONGEST_WAIT (10 * USEC_PER_SEC)
#define GAP          (100 * USEC_PER_MSEC) /* between turns */
#define CATCH_UP     USEC_PER_SEC          /* for so long events go before deadlines after a gap */

struct event_loop {
    int epoll_fd;
    struct event_source wake;
    void (*woken)(void *context);
    void *context;
    usec_t now;
    usec_t expected;    /* until then it does not sleep */
    bool alone;         /* the machine has one CPU */
    bool coarse;        /* the kernel has no epoll_pwait2 */
    int64_t tick;       /* slots up to and with this tick are served */
    usec_t catching_up; /* until then, or until a turn finds all there is; 0: it is not */
    struct event_task *tasks;
    uint64_t occupied[SLOT_WORDS];
    struct event_timer *slots[SLOTS];
    struct epoll_event events[TURN_EVENTS];
};

static void wake_ready(struct event_source *source, uint32_t events)
{
    (void)events;
    struct event_loop *loop = (struct event_loop *)((char *)source - offsetof(struct event_loop, wake));
    uint64_t count;
    if (read(source->fd, &count, sizeof count) > 0 && loop->woken)
        loop->woken(loop->context);
}

struct event_loop *event_loop_new(void (*woken)(void *context), void *context)
{
    struct event_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = (struct event_source){eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), wake_ready};
    loop->woken = woken;
    loop->context = context;
    loop->alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
    loop->now = clock_now_us();
    loop->tick = loop->now / EVENT_TICK_US;
    if (loop->epoll_fd < 0 || loop->wake.fd < 0 || event_add_as(loop, &loop->wake, EPOLLIN) < 0) {
        event_loop_free(loop);
        return NULL;
    }
    return loop;
}

void event_loop_free(struct event_loop *loop)
{
    int error = errno;
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    free(loop);
    errno = error;
}

usec_t event_now(const struct event_loop *loop)
{
    return loop->now;
}

static int control(struct event_loop *loop, int operation, struct event_source *source, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, operation, source->fd, &e) < 0 ? -errno : 0;
}

int event_add_as(struct event_loop *loop, struct event_source *source, uint32_t events)
{
    return control(loop, EPOLL_CTL_ADD, source, events);
}

int event_change(struct event_loop *loop, struct event_source *source, uint32_t events)
{
    return control(loop, EPOLL_CTL_MOD, source, events);
}

int event_add(struct event_loop *loop, struct event_source *source)
{
    return event_add_as(loop, source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

void event_remove(struct event_loop *loop, struct event_source *source)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

static int64_t tick_of(usec_t at)
{
    return (at + EVENT_TICK_US - 1) / EVENT_TICK_US;
}

static void timer_insert(struct event_loop *loop, struct event_timer *t, usec_t look_at)
{
    int64_t tick = tick_of(look_at);
    if (tick <= loop->tick)
        tick = loop->tick + 1;
    unsigned slot = (unsigned)(tick % SLOTS);
    t->looked_at = look_at;
    t->link = &loop->slots[slot];
    t->next = loop->slots[slot];
    if (t->next)
        t->next->link = &t->next;
    loop->slots[slot] = t;
    loop->occupied[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void timer_unlink(struct event_timer *t)
{
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    t->link = NULL;
    t->next = NULL;
}

void event_timer_set(struct event_loop *loop, struct event_timer *timer, usec_t deadline)
{
    timer->deadline = deadline;
    if (timer->link) {
        if (deadline >= timer->looked_at)
            return;
        timer_unlink(timer);
    }
    if (deadline != USEC_NEVER)
        timer_insert(loop, timer, deadline);
}

void event_timer_clear(struct event_timer *timer)
{
    timer->deadline = USEC_NEVER;
    if (timer->link)
        timer_unlink(timer);
}

void event_expect(struct event_loop *loop, usec_t by)
{
    loop->expected = loop->alone ? 0 : by;
}

void event_later(struct event_loop *loop, struct event_task *task)
{
    task->next = loop->tasks;
    loop->tasks = task;
}

static void serve_timer(struct event_loop *loop, struct event_timer *t)
{
    timer_unlink(t);
    if (t->deadline > loop->now) {
        if (t->deadline != USEC_NEVER)
            timer_insert(loop, t, t->deadline);
    } else {
        t->deadline = USEC_NEVER;
        t->expired(t);
    }
}

static void serve_slot(struct event_loop *loop, unsigned slot)
{
    loop->occupied[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    struct event_timer *due = loop->slots[slot];
    loop->slots[slot] = NULL;
    if (due)
        due->link = &due;
    while (due)
        serve_timer(loop, due);
}

static void serve_timers(struct event_loop *loop)
{
    int64_t until = loop->now / EVENT_TICK_US;
    if (until - loop->tick > SLOTS)
        loop->tick = until - SLOTS;
    while (loop->tick < until) {
        loop->tick++;
        unsigned slot = (unsigned)(loop->tick % SLOTS);
        if (loop->occupied[slot / 64] & (UINT64_C(1) << (slot % 64)))
            serve_slot(loop, slot);
    }
}

/* The tick of the next slot in use, or a far one. */
static int64_t next_tick(const struct event_loop *loop)
{
    int64_t tick = loop->tick + 1;
    for (int64_t end = tick + SLOTS; tick < end;) {
        unsigned slot = (unsigned)(tick % SLOTS);
        uint64_t word = loop->occupied[slot / 64] >> (slot % 64);
        if (word != 0)
            return tick + __builtin_ctzll(word);
        tick += 64 - slot % 64;
    }
    return INT64_MAX / EVENT_TICK_US;
}

static struct __kernel_timespec wait_time(usec_t until)
{
    usec_t wait = until - clock_now_us();
    if (wait < 0)
        wait = 0;
    if (wait > LONGEST_WAIT)
        wait = LONGEST_WAIT;
    return (struct __kernel_timespec){wait / USEC_PER_SEC, wait % USEC_PER_SEC * 1000};
}

/* Straight to the kernel: the C library makes each wait a point of cancellation, at a price (conn.c). */
static int plain_wait(struct event_loop *loop, const struct __kernel_timespec *wait)
{
    return (int)syscall(SYS_epoll_pwait2, loop->epoll_fd, loop->events, TURN_EVENTS, wait, NULL, 0);
}

static int wait_awake(struct event_loop *loop, usec_t until)
{
    static const struct __kernel_timespec no_time;
    int n;
    do
        n = plain_wait(loop, &no_time);
    while (n == 0 && clock_now_us() < until);
    return n;
}

/* To the microsecond where the kernel can (5.11), else to the next millisecond. */
static int wait_events(struct event_loop *loop, usec_t until)
{
    if (loop->expected > loop->now && !loop->coarse) {
        int n = wait_awake(loop, until < loop->expected ? until : loop->expected);
        if (n > 0)
            return n;
    }
    struct __kernel_timespec wait = wait_time(until);
    if (!loop->coarse) {
        int n = plain_wait(loop, &wait);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM)) /* EPERM: a container's filter is older than it */
            return n;
        loop->coarse = true;
    }
    int wait_ms = (int)(wait.tv_sec * 1000 + (wait.tv_nsec + 999999) / 1000000);
    return epoll_wait(loop->epoll_fd, loop->events, TURN_EVENTS, wait_ms);
}

static void run_tasks(struct event_loop *loop)
{
    while (loop->tasks) {
        struct event_task *task = loop->tasks;
        loop->tasks = task->next;
        task->run(task);
    }
}

int event_turn(struct event_loop *loop, usec_t until)
{
    usec_t tick_at = next_tick(loop) * EVENT_TICK_US;
    int n = wait_events(loop, until < tick_at ? until : tick_at);
    if (n < 0 && errno != EINTR)
        return -errno;
    usec_t before = loop->now;
    loop->now = clock_now_us();
    for (int i = 0; i < n; i++) {
        struct event_source *source = loop->events[i].data.ptr;
        if (source->fd >= 0)
            source->ready(source, loop->events[i].events);
    }
    /* Who was stopped for a while must not hold that against what came in time. */
    if (n < TURN_EVENTS)
        loop->catching_up = 0;
    else if (loop->now - before > GAP)
        loop->catching_up = loop->now + CATCH_UP;
    if (loop->now >= loop->catching_up)
        serve_timers(loop);
    run_tasks(loop);
    return 0;
}

void event_wake(struct event_loop *loop)
{
    uint64_t one = 1;
    while (write(loop->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}
