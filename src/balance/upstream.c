/* SPDX-License-Identifier: MIT */
/* Owns the idle connections of this worker's lanes and the choice of a backend. An idle connection on which
 * anything happens (bytes nobody asked for, an end, an error) is closed, so that no answer can wait there for
 * the next request. */
#include "balance/upstream.h"
#include "balance/compose.h"
#include "balance/exchange.h"
#include "balance/session.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* Before a connection is used again on which a body may come that nobody asked for. */
#define SETTLING (5 * USEC_PER_MSEC)

/* So many connects without an answer are all that one request waits for. Refusals take no time: of those
 * there may be any number, but only so many of backends that are known not to answer. */
#define TIMEOUTS_MAX      8
#define EJECTED_TRIED_MAX 8

void upstream_note_tried(struct exchange *x)
{
    struct worker *w = x->session->worker;
    const struct view *view = w->view;
    if (x->tried_count == 0)
        x->try_until = event_now(w->loop) + (TIMEOUTS_MAX - 1) * view->settings.options.connect_timeout;
    if (x->tried_count == 0 || x->tried_of != view->generation)
        memset(x->tried, 0, sizeof x->tried);
    x->tried_of = view->generation;
    x->tried_count++;
    for (unsigned i = 0; i < view->count; i++)
        if (view->backends[i] == x->backend)
            x->tried[i / 64] |= UINT64_C(1) << i % 64;
}

bool upstream_may_try(const struct exchange *x)
{
    return x->tried_count == 0 || event_now(x->session->worker->loop) < x->try_until;
}

/* By its place in the view. In a new view all are new. */
static bool was_tried(const struct exchange *x, unsigned i)
{
    return x->tried_count > 0 && x->tried_of == x->session->worker->view->generation &&
           (x->tried[i / 64] >> i % 64 & 1) != 0;
}

static float latency_of(const struct lane *lane, usec_t now)
{
    float mean = atomic_load_explicit(&lane->mean_us, memory_order_relaxed);
    return pick_aged(mean, now - atomic_load_explicit(&lane->measured_at, memory_order_relaxed));
}

static bool waits_before(const _Atomic usec_t *since, usec_t than)
{
    return atomic_load_explicit(since, memory_order_relaxed) < than;
}

/* Where requests may be bound, does its room belong to another, who waits for it or for any and came first?
 * One that has only just come is behind all of them; the queue of one's own worker is in order. */
static bool is_claimed(const struct worker *w, const struct exchange *x, const struct backend *b)
{
    bool has_waited = x->queued_at > 0;
    usec_t than = has_waited ? x->queued_at - UNFAIR_AFTER : USEC_NEVER;
    if (atomic_load_explicit(&w->hub->waiting, memory_order_relaxed) == 0 ||
        (!has_waited && x->tried_count > 0))
        return false;
    for (unsigned i = 0; i < w->hub->worker_count; i++) {
        const struct worker *other = w->hub->workers[i];
        if ((other != w || !has_waited) &&
            (waits_before(&other->unbound_since, than) || waits_before(&b->lanes[i].waits_since, than)))
            return true;
    }
    return false;
}

static void fill_candidate(struct worker *w, const struct exchange *x, struct backend *b,
                           struct pick_candidate *c)
{
    const struct config_balancer *o = &w->view->settings.options;
    usec_t now = event_now(w->loop);
    c->in_flight = atomic_load(&b->in_flight); /* in one order with hub->waiting: upstream_leave */
    c->limit = (uint32_t)o->max_in_flight;
    c->share = pick_share(now - atomic_load_explicit(&b->ready_since, memory_order_relaxed), o->slow_start);
    if (o->algorithm == CONFIG_P2C_EWMA) /* nobody else asks: with many backends it is not for nothing */
        c->latency_us = latency_of(upstream_lane(w, b), now);
    if (o->algorithm == CONFIG_STICKY && is_claimed(w, x, b))
        c->in_flight = c->limit = UINT32_MAX; /* no room */
}

/* Ejected ones are left out while there are others: with all of them out, all are in. */
static unsigned fill_candidates(struct worker *w, const struct exchange *x, bool ejected_too)
{
    const struct view *view = w->view;
    unsigned usable = 0, spares = 0;
    for (unsigned i = 0; i < view->count; i++) {
        struct backend *b = view->backends[i];
        struct pick_candidate *c = &w->candidates[i];
        c->usable = atomic_load_explicit(&b->state, memory_order_relaxed) == BACKEND_READY &&
                    !was_tried(x, i) &&
                    (ejected_too || atomic_load_explicit(&b->ejected, memory_order_relaxed) == EJECT_NONE);
        c->spare = atomic_load_explicit(&b->spare, memory_order_relaxed);
        if (c->usable) {
            fill_candidate(w, x, b, c);
            usable++;
        }
        spares += c->spare;
    }
    return spares > 0 ? pick_leave_spares(w->candidates, view->count) : usable;
}

/* The one its cookie names, if that one is still here. */
static int find_bound(const struct view *view, const struct exchange *x)
{
    for (unsigned i = 0; x->bound && i < view->count; i++)
        if (view->backends[i] == x->bound)
            return (int)i;
    return -1;
}

static void raise_maximum(_Atomic uint32_t *max, uint32_t value)
{
    uint32_t seen = atomic_load_explicit(max, memory_order_relaxed);
    while (value > seen && !atomic_compare_exchange_weak_explicit(max, &seen, value, memory_order_relaxed,
                                                                  memory_order_relaxed))
        ;
}

/* Counts the request in; false when other workers were faster and the backend is full. */
static bool enter(struct worker *w, struct backend *b)
{
    uint32_t limit = (uint32_t)w->view->settings.options.max_in_flight;
    uint32_t now = atomic_fetch_add_explicit(&b->in_flight, 1, memory_order_relaxed) + 1;
    presence_add(&upstream_lane(w, b)->counters.in_flight, 1, event_now(w->loop));
    if (limit > 0 && now > limit) {
        upstream_leave(w, b);
        worker_room(w);
        return false;
    }
    raise_maximum(&b->in_flight_max, now);
    if (now * w->view->count >= atomic_load_explicit(&w->hub->burst_level, memory_order_relaxed))
        hub_tell(w->hub, NEWS_BURST);
    return true;
}

struct backend *upstream_choose(struct exchange *x, bool *empty)
{
    struct worker *w = x->session->worker;
    const struct view *view = w->view;
    enum config_algorithm algorithm = (enum config_algorithm)view->settings.options.algorithm;
    unsigned usable = fill_candidates(w, x, false);
    if (usable == 0 && x->tried_count < EJECTED_TRIED_MAX)
        usable = fill_candidates(w, x, true);
    *empty = usable == 0;
    int bound = algorithm == CONFIG_STICKY ? find_bound(view, x) : -1;
    if (bound >= 0 && w->candidates[bound].usable) {
        const struct pick_candidate *c = &w->candidates[bound];
        bool room = c->limit == 0 || c->in_flight < c->limit;
        return room && enter(w, view->backends[bound]) ? view->backends[bound] : NULL;
    }
    x->bound = NULL; /* any will do */
    for (unsigned attempt = 0; attempt < usable; attempt++) {
        int chosen = pick_choose(&w->pick, algorithm, w->candidates, view->count);
        if (chosen < 0)
            return NULL;
        if (enter(w, view->backends[chosen]))
            return view->backends[chosen];
        w->candidates[chosen].usable = false;
    }
    return NULL;
}

static void unlink_idle(struct upstream *u)
{
    if (!u->link)
        return;
    *u->link = u->next;
    if (u->next)
        u->next->link = u->link;
    u->link = NULL;
}

static void bury(struct event_task *task)
{
    struct upstream *u = (struct upstream *)((char *)task - offsetof(struct upstream, buried));
    slab_give(&u->worker->upstreams_slab, u);
}

void upstream_close(struct upstream *u)
{
    unlink_idle(u);
    conn_close(&u->conn);
    u->exchange = NULL;
    u->buried.run = bury;
    event_later(u->worker->loop, &u->buried);
}

static void upstream_ready(struct event_source *source, uint32_t events)
{
    struct upstream *u = (struct upstream *)source;
    conn_note(&u->conn, events);
    if (u->exchange)
        session_run(u->exchange->session);
    else if (events & ~(uint32_t)EPOLLOUT)
        upstream_close(u);
}

static struct upstream *take_idle(struct lane *lane, usec_t now)
{
    struct upstream *u = lane->idle;
    while (u && u->idle_since > now)
        u = u->next;
    if (u)
        unlink_idle(u);
    return u;
}

/* Has the backend closed it meanwhile? Asked before what cannot be sent twice. */
static bool went_stale(struct upstream *u)
{
    char byte;
    return recv(u->conn.source.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static struct upstream *reuse(struct exchange *x)
{
    struct lane *lane = upstream_lane(x->session->worker, x->backend);
    bool ask = !http1_method_idempotent(x->request.method) || x->request.head.framing != HTTP1_NO_BODY;
    struct upstream *u;
    while ((u = take_idle(lane, event_now(x->session->worker->loop)))) {
        if (!ask || !went_stale(u))
            return u;
        upstream_close(u);
    }
    return NULL;
}

static struct upstream *connect_new(struct exchange *x, int *error)
{
    struct worker *w = x->session->worker;
    struct upstream *u = slab_take(&w->upstreams_slab);
    *error = -ENOMEM;
    if (!u)
        return NULL;
    u->worker = w;
    u->backend = x->backend;
    *error = conn_connect(&u->conn, w->loop, (struct sockaddr *)&x->backend->peer, x->backend->peer_len,
                          upstream_ready);
    if (*error < 0) {
        slab_give(&w->upstreams_slab, u);
        return NULL;
    }
    u->conn.writable = true; /* to a neighbor it often is already */
    return u;
}

static struct upstream *connect_anew(struct exchange *x, int *error)
{
    struct upstream *u = connect_new(x, error);
    bool none_left = !u && (*error == -EMFILE || *error == -ENFILE);
    return none_left && worker_spare(x->session->worker) ? connect_new(x, error) : u;
}

int upstream_get(struct exchange *x, bool fresh)
{
    int error = 0;
    struct upstream *u = fresh ? NULL : reuse(x);
    if (!u)
        u = connect_anew(x, &error);
    if (!u)
        return error;
    u->exchange = x;
    x->upstream = u;
    return 0;
}

/* It has announced a body that must not come (HEAD, 304); servers get that wrong. */
static bool is_doubtful(const struct http1_head *h)
{
    return h->framing == HTTP1_NO_BODY && (h->content_length > 0 || h->has_coding);
}

void upstream_keep(struct upstream *u)
{
    const struct http1_head *answer = &u->exchange->response.head;
    struct lane *lane = upstream_lane(u->worker, u->backend);
    /* What came behind the answer, while that waited for its client, is told of no more. */
    if (u->conn.peer_done || (u->conn.readable && went_stale(u)) ||
        atomic_load_explicit(&u->backend->state, memory_order_relaxed) != BACKEND_READY) {
        upstream_close(u);
        return;
    }
    u->reused = true;
    u->idle_since = event_now(u->worker->loop) + (is_doubtful(answer) ? SETTLING : 0);
    u->exchange = NULL;
    u->link = &lane->idle;
    u->next = lane->idle;
    if (u->next)
        u->next->link = &u->next;
    lane->idle = u;
}

bool upstream_sweep(struct worker *w, struct backend *b, usec_t than)
{
    for (struct upstream *u = upstream_lane(w, b)->idle, *next; u; u = next) {
        next = u->next;
        if (u->idle_since < than)
            upstream_close(u);
    }
    return upstream_lane(w, b)->idle != NULL;
}

void upstream_leave(struct worker *w, struct backend *b)
{
    struct hub *hub = w->hub;
    bool leaving = atomic_load_explicit(&b->state, memory_order_relaxed) != BACKEND_READY;
    presence_add(&upstream_lane(w, b)->counters.in_flight, -1, event_now(w->loop));
    /* In one order with hub->waiting: either who begins to wait sees this room, or we see who waits. */
    if (atomic_fetch_sub(&b->in_flight, 1) == 1 && leaving)
        hub_tell(hub, NEWS_EMPTIED);
}

void upstream_failed(struct worker *w, struct backend *b, enum eject_cause cause)
{
    uint32_t limit = (uint32_t)w->view->settings.options.eject_failures;
    uint32_t row = atomic_fetch_add_explicit(&b->failures, 1, memory_order_relaxed) + 1;
    if (limit == 0 || (cause != EJECT_CONNECT && row < limit))
        return;
    int none = EJECT_NONE;
    if (atomic_compare_exchange_strong(&b->ejected, &none, (int)cause))
        hub_tell(w->hub, NEWS_EJECTED);
}

void upstream_succeeded(struct backend *b)
{
    if (atomic_load_explicit(&b->failures, memory_order_relaxed) != 0)
        atomic_store_explicit(&b->failures, 0, memory_order_relaxed);
}
