/* SPDX-License-Identifier: MIT */
/* A worker's loop: accepts, adopts the newest view, serves its queue, ticks. It writes nothing that others
 * read but counters, its lanes' means and `adopted`; after it has said a view is adopted it knows no older
 * one. */
#include "balance/worker.h"
#include "balance/access.h"
#include "balance/exchange.h"
#include "balance/session.h"
#include "balance/upstream.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPTS_A_TURN 32
#define IDLE_CLOSED    32 /* at once, and no more than one in */
#define IDLE_SHARE     8
#define FRESH_FOR      (200 * USEC_PER_MSEC)
#define TICK_LONG      USEC_PER_SEC
#define TICK_SHORT     (50 * USEC_PER_MSEC)
#define UPSTREAM_IDLE  (5 * USEC_PER_SEC) /* many servers close after little more than that */
#define BUFFERS_KEPT   256

static void pause_accepting(struct worker *w)
{
    if (!w->listening)
        return;
    event_remove(w->loop, &w->listener);
    w->listening = false;
    worker_hurry(w);
}

static bool too_many(const struct worker *w, uint32_t more)
{
    uint32_t most = (uint32_t)w->view->settings.options.max_connections;
    return atomic_load_explicit(&w->hub->connections, memory_order_relaxed) + more > most;
}

/* One that has only just come is about to send its request, or has sent it and nobody has looked. */
static bool gives_way(const struct session *s)
{
    const struct worker *w = s->worker;
    usec_t until = event_now(w->loop) + w->view->settings.options.header_timeout;
    bool fresh = !s->served && s->timer.deadline > until - FRESH_FOR;
    return !fresh && !session_has_request(s);
}

/* Who waits without a request gives way to who comes with one: of the idle sessions, some that came first.
 * False: there is none. */
static bool close_some_idle(struct worker *w)
{
    struct session *oldest[IDLE_CLOSED];
    unsigned found = 0, closed = 0;
    for (struct session *s = w->sessions; s; s = s->next)
        if (s->state == SESSION_IDLE && !s->exchange)
            oldest[found++ % IDLE_CLOSED] = s;
    for (unsigned i = 0; i < found && i < IDLE_CLOSED && closed * IDLE_SHARE <= found; i++) {
        struct session *s = oldest[(found - 1 - i) % IDLE_CLOSED];
        if (!gives_way(s))
            continue;
        session_close(s);
        closed++;
    }
    return closed > 0;
}

bool worker_spare(struct worker *w)
{
    bool any = false;
    for (unsigned i = 0; i < w->view->count; i++) {
        struct backend *b = w->view->backends[i];
        any |= upstream_lane(w, b)->idle != NULL;
        upstream_sweep(w, b, USEC_NEVER);
    }
    return any || close_some_idle(w);
}

/* Those that were busy when there were too many may be idle by now. */
static void resume_accepting(struct worker *w)
{
    if (w->listening || w->stopping || (too_many(w, 1) && !close_some_idle(w)))
        return;
    w->listening = event_add_as(w->loop, &w->listener, EPOLLIN | EPOLLEXCLUSIVE) == 0;
}

static struct worker *least_loaded(struct worker *w)
{
    struct worker *least = w;
    for (unsigned i = 0; i < w->hub->worker_count; i++) {
        struct worker *other = w->hub->workers[i];
        if (atomic_load_explicit(&other->load, memory_order_relaxed) <
            atomic_load_explicit(&least->load, memory_order_relaxed))
            least = other;
    }
    return least;
}

static void place(struct worker *w, const struct arrival *arrival)
{
    struct worker *to = least_loaded(w);
    atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
    if (to != w && inbox_put(&to->inbox, arrival)) {
        worker_wake(to);
        return;
    }
    if (to != w) {
        atomic_fetch_sub_explicit(&to->load, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
    }
    session_open(w, arrival->fd, &arrival->peer);
}

static void take_inbox(struct worker *w)
{
    struct arrival arrivals[INBOX_MAX];
    unsigned count = inbox_take(&w->inbox, arrivals);
    for (unsigned i = 0; i < count; i++)
        session_open(w, arrivals[i].fd, &arrivals[i].peer);
}

/* False: no more now. */
static bool accept_one(struct worker *w)
{
    struct arrival arrival = {0};
    socklen_t len = sizeof arrival.peer;
    arrival.fd =
        accept4(w->listener.fd, (struct sockaddr *)&arrival.peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (arrival.fd >= 0) {
        w->short_of = false;
        place(w, &arrival);
        if (!too_many(w, 0) || close_some_idle(w))
            return true;
        pause_accepting(w);
        return false;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (!w->short_of)
            log_warning("accept: %s; idle connections are closed for new ones", strerror(errno));
        w->short_of = true;
        if (!worker_spare(w))
            pause_accepting(w);
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void listener_ready(struct event_source *source, uint32_t events)
{
    (void)events;
    struct worker *w = (struct worker *)((char *)source - offsetof(struct worker, listener));
    for (unsigned i = 0; i < ACCEPTS_A_TURN && accept_one(w); i++)
        ;
}

static void set_tick(struct worker *w, usec_t at)
{
    event_timer_set(w->loop, &w->tick, at);
    atomic_store_explicit(&w->tick_at, at, memory_order_relaxed);
}

void worker_mind(struct worker *w)
{
    if (w->tick.deadline == USEC_NEVER)
        set_tick(w, event_now(w->loop) + TICK_LONG);
}

void worker_hurry(struct worker *w)
{
    usec_t soon = event_now(w->loop) + TICK_SHORT;
    if (w->tick.deadline > soon) /* asked for again and again, it must still come */
        set_tick(w, soon);
}

static bool is_bound(const struct worker *w)
{
    return w->view->settings.options.algorithm == CONFIG_STICKY;
}

static usec_t waits_since(const struct worker *w)
{
    return atomic_load_explicit(&w->waits_since, memory_order_relaxed);
}

/* Those of the others in which one waits since before `than`; false: there are none. */
static bool wake_waiting(const struct worker *w, usec_t than)
{
    bool any = false;
    for (unsigned i = 0; i < w->hub->worker_count; i++) {
        struct worker *other = w->hub->workers[i];
        if (other == w || waits_since(other) >= than)
            continue;
        worker_wake(other);
        any = true;
    }
    return any;
}

/* In order, here and roughly among workers: room is found by the one whose request has ended, and would stay
 * with it for ever while it is busy. Where requests may be bound to different backends, one that must wait
 * does not hold up the others, and whose turn it is among workers is seen backend by backend (upstream.c). */
static void serve_queue(struct worker *w)
{
    bool bound = is_bound(w), served = false;
    struct session *next = w->queue;
    w->room = false;
    /* What comes back to the queue meanwhile is not tried twice. */
    for (unsigned left = w->queue_count; left > 0 && next; left--) {
        struct session *s = next;
        if (!bound && wake_waiting(w, waits_since(w) - UNFAIR_AFTER))
            return;
        next = s->queue_next;
        bool waits = !exchange_retry(s->exchange);
        served |= !waits;
        if (!waits)
            session_run(s);
        if ((waits || s->queue_link) && !bound)
            return; /* the others would fare no better */
    }
    if (!w->queue || (bound && served))
        wake_waiting(w, USEC_NEVER);
}

void worker_room(struct worker *w)
{
    w->room |= w->queue != NULL;
    if ((!w->queue || is_bound(w)) && atomic_load(&w->hub->waiting) > 0)
        wake_waiting(w, USEC_NEVER);
}

bool worker_others_wait(const struct worker *w)
{
    return atomic_load_explicit(&w->hub->waiting, memory_order_relaxed) > 0 && !is_bound(w);
}

static void tick(struct event_timer *timer)
{
    struct worker *w = (struct worker *)((char *)timer - offsetof(struct worker, tick));
    usec_t now = event_now(w->loop), idle = w->view->settings.options.idle_timeout;
    usec_t than = now - (idle < UPSTREAM_IDLE ? idle : UPSTREAM_IDLE);
    bool kept = w->session_count > 0;
    for (unsigned i = 0; i < w->view->count; i++)
        kept |= upstream_sweep(w, w->view->backends[i], than);
    access_flush(w);
    resume_accepting(w);
    if (w->queue)
        w->room = true;
    if (w->queue || !w->listening)
        set_tick(w, now + TICK_SHORT);
    else if (kept)
        set_tick(w, now + TICK_LONG);
    else
        atomic_store_explicit(&w->tick_at, USEC_NEVER, memory_order_relaxed);
}

/* Backends that get no more requests lose their idle connections; nothing of the old view is known
 * afterwards. */
static void forget(struct worker *w, const struct view *old)
{
    for (unsigned i = 0; i < old->count; i++)
        if (atomic_load_explicit(&old->backends[i]->state, memory_order_relaxed) != BACKEND_READY)
            upstream_sweep(w, old->backends[i], USEC_NEVER);
    session_forget_awaited(w, old);
}

static void adopt(struct worker *w)
{
    const struct view *view = atomic_load_explicit(&w->hub->view, memory_order_acquire);
    if (view == w->view)
        return;
    if (w->view)
        forget(w, w->view);
    w->view = view;
    w->room = w->queue != NULL;
    atomic_store_explicit(&w->adopted, view->generation, memory_order_release);
    hub_tell(w->hub, NEWS_ADOPTED);
}

static void each_session(struct worker *w, void (*end)(struct session *))
{
    for (struct session *s = w->sessions, *next; s; s = next) {
        next = s->next;
        end(s);
    }
}

static void look_at_hub(struct worker *w)
{
    adopt(w);
    if (!w->stopping && atomic_load(&w->hub->stopping)) {
        w->stopping = true;
        pause_accepting(w);
        each_session(w, session_wind_up);
    }
    if (w->stopping && atomic_load(&w->hub->aborting))
        each_session(w, session_close);
    if (w->queue)
        w->room = true;
}

static void woken(void *context)
{
    take_inbox(context);
    look_at_hub(context);
}

void worker_wake(struct worker *w)
{
    event_wake(w->loop);
}

/* Those that gave way in the last turn. */
static void run_again(struct worker *w)
{
    struct session *s = w->again;
    w->again = NULL;
    while (s) {
        struct session *next = s->again_next;
        s->again = false;
        if (s->dead)
            slab_give(&w->sessions_slab, s);
        else
            session_run(s);
        s = next;
    }
}

struct worker *worker_new(struct hub *hub, unsigned index)
{
    struct worker *w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
    if (!w)
        return NULL;
    memset(w, 0, sizeof *w);
    w->hub = hub;
    w->index = index;
    w->loop = event_loop_new(woken, w);
    if (!w->loop) {
        free(w);
        return NULL;
    }
    w->listener = (struct event_source){hub->listen_fd, listener_ready};
    w->tick = (struct event_timer){.expired = tick, .deadline = USEC_NEVER};
    w->queue_end = &w->queue;
    atomic_init(&w->tick_at, USEC_NEVER);
    atomic_init(&w->waits_since, USEC_NEVER);
    atomic_init(&w->unbound_since, USEC_NEVER);
    inbox_init(&w->inbox);
    w->pick.random.state = index + 1;
    buffer_pool_init(&w->buffers, BUFFERS_KEPT);
    slab_init(&w->sessions_slab, sizeof(struct session));
    slab_init(&w->exchanges_slab, sizeof(struct exchange));
    slab_init(&w->upstreams_slab, sizeof(struct upstream));
    return w;
}

void worker_free(struct worker *w)
{
    buffer_pool_fini(&w->buffers);
    slab_fini(&w->sessions_slab);
    slab_fini(&w->exchanges_slab);
    slab_fini(&w->upstreams_slab);
    event_loop_free(w->loop);
    free(w);
}

static void end(struct worker *w)
{
    for (unsigned i = 0; i < w->view->count; i++)
        upstream_sweep(w, w->view->backends[i], USEC_NEVER);
    access_flush(w);
    buffer_return(&w->buffers, w->access);
    w->access = NULL;
    event_turn(w->loop, 0); /* buries what was closed */
    atomic_store_explicit(&w->tick_at, USEC_NEVER, memory_order_relaxed);
    run_again(w);
    atomic_fetch_add(&w->hub->ended, 1);
    hub_tell(w->hub, NEWS_ENDED);
}

/* Nothing is left, nor will come: what others have accepted for this worker is served, too. */
static bool is_over(struct worker *w)
{
    if (!w->stopping)
        return false;
    take_inbox(w);
    return w->session_count == 0 && inbox_close(&w->inbox);
}

void *worker_run(void *worker)
{
    struct worker *w = worker;
    look_at_hub(w);
    resume_accepting(w);
    worker_mind(w);
    while (!is_over(w)) {
        int error = event_turn(w->loop, w->again || w->room ? 0 : USEC_NEVER);
        if (error < 0) {
            log_error("event loop: %s; this worker stops", strerror(-error));
            break;
        }
        run_again(w);
        if (w->room)
            serve_queue(w);
    }
    while (!inbox_close(&w->inbox))
        take_inbox(w);
    each_session(w, session_close);
    end(w);
    return NULL;
}
