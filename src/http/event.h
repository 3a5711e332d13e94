/* SPDX-License-Identifier: MIT */
/* One thread's loop: edge-triggered epoll, descriptors registered once, absolute deadlines in a wheel, the
 * clock read once a turn. All of it belongs to the thread that turns it, but for event_wake. */
#ifndef HTTP_EVENT_H
#define HTTP_EVENT_H
#include "core/units.h"

struct event_loop;

/* Embedded in whatever has a descriptor. fd < 0: closed, no more calls. An object with a source or timer may
 * be freed only after the turn in which it was closed (event_later). */
struct event_source {
    int fd;
    void (*ready)(struct event_source *source,
                  uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR */
};

/* Embedded; zeroed is unset. A later deadline costs nothing: the wheel looks again when the earlier one
 * comes. Precise to EVENT_TICK_US, never early. */
struct event_timer {
    struct event_timer *next, **link;
    usec_t deadline;  /* USEC_NEVER or 0: unset */
    usec_t looked_at; /* when the wheel will look */
    void (*expired)(struct event_timer *timer);
};

/* Called once after the events of this turn. */
struct event_task {
    struct event_task *next;
    void (*run)(struct event_task *task);
};

#define EVENT_TICK_US (4 * USEC_PER_MSEC)

/* NULL with errno set. woken(context) is called in the loop's thread after event_wake; may be NULL. */
struct event_loop *event_loop_new(void (*woken)(void *context), void *context);
void event_loop_free(struct event_loop *loop);

/* Monotonic, of this turn. */
usec_t event_now(const struct event_loop *loop);

/* Registers source->fd for good with EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET; 0 or -errno. Closing the
 * descriptor takes it out. */
int event_add(struct event_loop *loop, struct event_source *source);

/* The same with other flags (a listener: EPOLLIN | EPOLLEXCLUSIVE); to others, which tells anew of what is
 * ready; and out again. */
int event_add_as(struct event_loop *loop, struct event_source *source, uint32_t events);
int event_change(struct event_loop *loop, struct event_source *source, uint32_t events);
void event_remove(struct event_loop *loop, struct event_source *source);

void event_timer_set(struct event_loop *loop, struct event_timer *timer, usec_t deadline);
void event_timer_clear(struct event_timer *timer);

/* What comes by `by` is waited for without a sleep, whose end alone takes some microseconds; 0: nothing is.
 * Without effect on a machine with one CPU, which whoever is to answer needs as well. */
void event_expect(struct event_loop *loop, usec_t by);

void event_later(struct event_loop *loop, struct event_task *task);

/* Waits for events at most until `until` and serves them; 0 or -errno. */
int event_turn(struct event_loop *loop, usec_t until);

/* From any thread or signal handler: the loop's turn ends soon and woken is called, once for many wakes. */
void event_wake(struct event_loop *loop);

#endif
