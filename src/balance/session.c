/* SPDX-License-Identifier: MIT */
/* Owns the client connections of one worker. A session's deadline is absolute and there is one at a time, the
 * one of its state; whatever the client sends or withholds, the state ends by then. A session closed in the
 * middle of a turn stays in memory until its end, as events of the same turn may still name it. */
#include "balance/session.h"
#include "balance/access.h"
#include "balance/compose.h"
#include "balance/exchange.h"
#include "balance/upstream.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define LINGER_TIME  (2 * USEC_PER_SEC)
#define LAST_CALL    USEC_PER_SEC /* for the first request of a connection when the worker stops */
#define STEPS_MAX    64           /* of pipelined requests, before others get their turn */
#define LINGER_READS 16           /* buffers before others get their turn */

static const struct config_balancer *options_of(const struct session *s)
{
    return &s->worker->view->settings.options;
}

void session_enter(struct session *s, enum session_state state, usec_t deadline)
{
    s->state = state;
    event_timer_set(s->worker->loop, &s->timer, deadline);
}

static void exchange_init(struct exchange *x, struct session *s, struct buffer *in)
{
    memset(x, 0, offsetof(struct exchange, request));
    x->session = s;
    x->in = x->up.buffer = in;
    http1_request_init(&x->request);
    http1_response_init(&x->response);
}

static bool exchange_lend(struct session *s)
{
    struct worker *w = s->worker;
    struct exchange *x = slab_take_dirty(&w->exchanges_slab);
    if (!x)
        return false;
    struct buffer *in = buffer_lend(&w->buffers);
    if (!in) {
        slab_give(&w->exchanges_slab, x);
        return false;
    }
    exchange_init(x, s, in);
    s->exchange = x;
    return true;
}

/* All that was lent but the client's own bytes. */
static void exchange_strip(struct exchange *x)
{
    struct buffer_pool *pool = &x->session->worker->buffers;
    access_end(x);
    session_waited(x->session);
    exchange_release(x, false);
    buffer_return(pool, x->down.buffer);
    buffer_return(pool, x->down.head);
    x->down.buffer = x->down.head = NULL;
}

static void exchange_return(struct session *s)
{
    struct exchange *x = s->exchange;
    if (!x)
        return;
    exchange_strip(x);
    buffer_return(&s->worker->buffers, x->in);
    slab_give(&s->worker->exchanges_slab, x);
    s->exchange = NULL;
}

static void bury(struct event_task *task)
{
    struct session *s = (struct session *)((char *)task - offsetof(struct session, buried));
    s->dead = true;
    if (!s->again) /* else the worker still holds it, and gives it back */
        slab_give(&s->worker->sessions_slab, s);
}

void session_close(struct session *s)
{
    struct worker *w = s->worker;
    if (s->state == SESSION_CLOSED)
        return;
    session_dequeue(s);
    s->state = SESSION_CLOSED;
    exchange_return(s);
    event_timer_clear(&s->timer);
    conn_close(&s->conn);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    w->session_count--;
    atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&w->hub->connections, 1, memory_order_relaxed);
    s->buried.run = bury;
    event_later(w->loop, &s->buried);
}

static void session_ready(struct event_source *source, uint32_t events)
{
    struct session *s = (struct session *)source;
    conn_note(&s->conn, events);
    session_run(s);
}

/* No request came of it, but the log has a line all the same. */
static void refuse_head(struct session *s, unsigned code, const char *why)
{
    struct exchange *x = s->exchange;
    x->head_at = x->in->start;
    x->started = event_now(s->worker->loop);
    access_begin(x);
    session_reply(s, code, why);
}

/* Some clients send an empty line behind a body: it begins no request, and none is due because of it. */
static bool is_empty(const struct buffer *in)
{
    return in->start == in->end ||
           (in->end - in->start == 2 && memcmp(in->bytes + in->start, "\r\n", 2) == 0);
}

static void session_expired(struct event_timer *timer)
{
    struct session *s = (struct session *)((char *)timer - offsetof(struct session, timer));
    switch (s->state) {
    case SESSION_HEAD:
        if (is_empty(s->exchange->in)) {
            session_close(s);
            return;
        }
        refuse_head(s, 408, "the head of the request took too long");
        break;
    case SESSION_QUEUED:
        session_dequeue(s);
        session_reply(s, 503, "no instance had room in time");
        break;
    case SESSION_EXCHANGE:
        exchange_expired(s->exchange);
        break;
    default:
        session_close(s);
        return;
    }
    session_run(s);
}

void session_open(struct worker *w, int fd, const struct sockaddr_storage *peer)
{
    struct session *s = slab_take(&w->sessions_slab);
    if (!s || conn_adopt(&s->conn, w->loop, fd, session_ready) < 0) {
        close(fd);
        atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
        if (s)
            slab_give(&w->sessions_slab, s);
        return;
    }
    s->conn.readable = false; /* the first edge tells */
    s->worker = w;
    s->timer.expired = session_expired;
    memcpy(&s->peer, peer, sizeof s->peer);
    conn_format_address(&s->peer.any, false, s->peer_text, sizeof s->peer_text);
    s->peer_length = (uint8_t)strlen(s->peer_text);
    s->next = w->sessions;
    s->link = &w->sessions;
    if (s->next)
        s->next->link = &s->next;
    w->sessions = s;
    w->session_count++;
    atomic_fetch_add_explicit(&w->hub->connections, 1, memory_order_relaxed);
    counter_add(&w->counters.connections, 1);
    worker_mind(w);
    usec_t patience = w->stopping ? LAST_CALL : options_of(s)->header_timeout;
    session_enter(s, SESSION_IDLE, event_now(w->loop) + patience);
}

bool session_has_request(const struct session *s)
{
    char byte;
    return recv(s->conn.source.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void session_wind_up(struct session *s)
{
    if (s->state != SESSION_IDLE || session_has_request(s))
        return;
    if (s->served)
        session_close(s);
    else
        session_enter(s, SESSION_IDLE, event_now(s->worker->loop) + LAST_CALL);
}

/* Only an answer that blames the backend or the time leaves the client's connection in a state to go on with.
 */
static bool may_keep_after(const struct exchange *x, unsigned code)
{
    return x->keep && x->up.ended && !x->session->worker->stopping &&
           (code == 502 || code == 503 || code == 504);
}

void session_reply(struct session *s, unsigned code, const char *why)
{
    struct exchange *x = s->exchange;
    struct worker_counters *counters = &s->worker->counters;
    if (code == 503 || (code == 502 && !x->backend)) /* no backend counts it */
        counter_add(&counters->unavailable, 1);
    else if (code != 502 && code != 504)
        counter_add(&counters->rejected, 1);
    x->keep = may_keep_after(x, code);
    x->code = (uint16_t)code;
    x->replied = true;
    exchange_release(x, false);
    x->down.out = x->down.out_end = 0;
    x->down.ended = true;
    if (!compose_reply(x, code, why))
        session_close(s);
    else
        session_enter(s, SESSION_EXCHANGE, event_now(s->worker->loop) + options_of(s)->body_timeout);
}

/* The head is complete: what it asks for is looked at, and the exchange begins. */
static void begin_request(struct session *s)
{
    struct exchange *x = s->exchange;
    struct http1_head *h = &x->request.head;
    const struct config_balancer *o = options_of(s);
    x->head_at = x->in->start;
    x->in->start += h->length;
    x->started = event_now(s->worker->loop);
    relay_begin(&x->up, h, h->framing == HTTP1_CHUNKED);
    x->up.keep_trailers = !h->fields_named;
    x->keep = h->keep_alive && !s->worker->stopping;
    access_begin(x);
    if (o->max_body_size > 0 && h->framing == HTTP1_LENGTH && h->content_length > (uint64_t)o->max_body_size)
        session_reply(s, 413, "the body is larger than max_body_size");
    else
        exchange_begin(x);
}

/* Parses what there is of a head; false: more is needed. */
static bool take_head(struct session *s)
{
    struct exchange *x = s->exchange;
    const struct http1_limits *limits = &s->worker->view->settings.limits;
    struct buffer *in = x->in;
    if (in->start == in->end)
        return false;
    switch (http1_request_parse(&x->request, in->bytes + in->start, in->end - in->start, limits)) {
    case HTTP1_DONE:
        begin_request(s);
        return true;
    case HTTP1_BAD:
        refuse_head(s, x->request.head.status, x->request.head.why);
        return true;
    default:
        return false;
    }
}

/* Nothing more comes now: an exchange without a byte is given back, one with some has a deadline. */
static void wait_for_head(struct session *s)
{
    usec_t now = event_now(s->worker->loop);
    if (s->state == SESSION_IDLE && is_empty(s->exchange->in))
        exchange_return(s);
    else if (s->state == SESSION_IDLE)
        session_enter(s, SESSION_HEAD, now + options_of(s)->header_timeout);
}

static bool read_head(struct session *s)
{
    if (!s->exchange && (!s->conn.readable || !exchange_lend(s))) {
        if (s->conn.readable)
            session_close(s);
        return false;
    }
    for (;;) {
        if (take_head(s))
            return true;
        ssize_t n = s->conn.readable ? relay_read(&s->exchange->up, &s->conn) : -EAGAIN;
        if (n == -EAGAIN) {
            wait_for_head(s);
            return false;
        }
        if (n == 0 && !is_empty(s->exchange->in)) {
            refuse_head(s, 400, "the head ends before its time");
            return true;
        }
        if (n <= 0) {
            session_close(s);
            return false;
        }
    }
}

void session_give_way(struct session *s)
{
    struct worker *w = s->worker;
    if (s->again)
        return;
    s->again = true;
    s->again_next = w->again;
    w->again = s;
}

static bool linger(struct session *s)
{
    struct buffer_pool *pool = &s->worker->buffers;
    struct buffer *b = buffer_lend(pool);
    ssize_t n = !b ? 0 : -EAGAIN;
    for (unsigned turn = 0; b && s->conn.readable && turn < LINGER_READS; turn++)
        if ((n = conn_read(&s->conn, b->bytes, BUFFER_SIZE)) <= 0)
            break;
    buffer_return(pool, b);
    if (n <= 0 && n != -EAGAIN)
        session_close(s);
    else if (s->conn.readable)
        session_give_way(s);
    return false;
}

/* One step of its state; false: nothing more can be done now. */
static bool step(struct session *s)
{
    switch (s->state) {
    case SESSION_IDLE:
    case SESSION_HEAD:
        return read_head(s);
    case SESSION_QUEUED:
        if (s->conn.failed) {
            counter_add(&s->worker->counters.aborted, 1);
            session_close(s);
        }
        return false;
    case SESSION_EXCHANGE:
        return exchange_pump(s->exchange);
    case SESSION_TUNNEL:
        tunnel_pump(s->exchange);
        return false;
    case SESSION_LINGER:
        return linger(s);
    default:
        return false;
    }
}

void session_run(struct session *s)
{
    unsigned steps = STEPS_MAX;
    while (steps > 0 && step(s))
        steps--;
    if (steps == 0 && s->state != SESSION_CLOSED)
        session_give_way(s);
}

/* The next request may be in the buffer already. */
static void next_request(struct session *s)
{
    struct exchange *x = s->exchange;
    usec_t now = event_now(s->worker->loop);
    if (!is_empty(x->in)) {
        exchange_strip(x);
        exchange_init(x, s, x->in);
        session_enter(s, SESSION_HEAD, now + options_of(s)->header_timeout);
    } else {
        exchange_return(s);
        session_enter(s, SESSION_IDLE, now + options_of(s)->idle_timeout);
    }
}

void session_answered(struct session *s)
{
    struct exchange *x = s->exchange;
    bool whole = x->up.ended;
    s->served = true;
    if (x->keep && whole && !s->worker->stopping) {
        next_request(s);
    } else if (whole && !s->conn.readable) {
        session_close(s);
    } else {
        /* Closing on unread bytes would reset the connection and could take the answer with it. */
        exchange_return(s);
        shutdown(s->conn.source.fd, SHUT_WR);
        session_enter(s, SESSION_LINGER, event_now(s->worker->loop) + LINGER_TIME);
    }
}

static usec_t since_of(const struct session *s)
{
    return s ? s->exchange->queued_at : USEC_NEVER;
}

/* What other workers go by to know whose turn it is: of all that wait, and of those that wait for this one.
 */
static void note_queue(struct worker *w, struct backend *awaited)
{
    _Atomic usec_t *of_those = awaited ? &upstream_lane(w, awaited)->waits_since : &w->unbound_since;
    const struct session *first = w->queue;
    atomic_store_explicit(&w->waits_since, since_of(first), memory_order_relaxed);
    while (first && first->exchange->awaited != awaited)
        first = first->queue_next;
    atomic_store_explicit(of_those, since_of(first), memory_order_relaxed);
}

static void count_awaited(struct exchange *x, struct backend *b)
{
    if (x->awaited)
        atomic_fetch_sub_explicit(&x->awaited->waiting, 1, memory_order_relaxed);
    if (b)
        atomic_fetch_add_explicit(&b->waiting, 1, memory_order_relaxed);
    x->awaited = b;
}

void session_await(struct session *s, struct backend *b)
{
    struct backend *before = s->exchange->awaited;
    if (b == before)
        return;
    count_awaited(s->exchange, b);
    note_queue(s->worker, before);
    note_queue(s->worker, b);
}

void session_forget_awaited(struct worker *w, const struct view *old)
{
    for (struct session *s = w->queue; s; s = s->queue_next)
        count_awaited(s->exchange, NULL);
    for (unsigned i = 0; i < old->count; i++)
        atomic_store_explicit(&upstream_lane(w, old->backends[i])->waits_since, USEC_NEVER,
                              memory_order_relaxed);
    note_queue(w, NULL);
}

void session_enqueue(struct session *s, struct backend *awaited)
{
    struct worker *w = s->worker;
    struct exchange *x = s->exchange;
    const struct config_balancer *o = options_of(s);
    usec_t now = event_now(w->loop);
    usec_t since = x->queued_at > 0 ? x->queued_at : now, deadline = since + o->queue_timeout;
    /* One that leaves the queue to try a backend keeps its place there. */
    bool has_place = x->queued_at > 0;
    if (deadline <= now || (!has_place && atomic_load_explicit(&w->hub->places, memory_order_relaxed) >=
                                              (uint32_t)o->queue_limit)) {
        session_reply(s, 503, "no instance has room");
        return;
    }
    /* Room may have come meanwhile. One that was refused tries again at the tick only. */
    w->room = w->room || x->tried_count == 0;
    x->tried_count = 0;
    x->queued_at = since;
    if (!has_place)
        atomic_fetch_add_explicit(&w->hub->places, 1, memory_order_relaxed);
    s->queue_link = w->queue_end;
    s->queue_next = NULL;
    *w->queue_end = s;
    w->queue_end = &s->queue_next;
    w->queue_count++;
    count_awaited(x, awaited);
    note_queue(w, awaited);
    atomic_fetch_add(&w->hub->waiting, 1); /* see upstream_leave: room is looked for again after this */
    hub_tell(w->hub, NEWS_BURST);
    worker_hurry(w);
    session_enter(s, SESSION_QUEUED, deadline);
}

void session_dequeue(struct session *s)
{
    struct worker *w = s->worker;
    struct exchange *x = s->exchange;
    if (!s->queue_link)
        return;
    *s->queue_link = s->queue_next;
    if (s->queue_next)
        s->queue_next->queue_link = s->queue_link;
    else
        w->queue_end = s->queue_link;
    s->queue_link = NULL;
    w->queue_count--;
    struct backend *awaited = x->awaited;
    count_awaited(x, NULL);
    note_queue(w, awaited);
    atomic_fetch_sub_explicit(&w->hub->waiting, 1, memory_order_relaxed);
}

bool session_waited(struct session *s)
{
    struct worker *w = s->worker;
    struct exchange *x = s->exchange;
    if (x->queued_at == 0)
        return false;
    latencies_record(&w->counters.wait, event_now(w->loop) - x->queued_at);
    x->queued_at = 0;
    atomic_fetch_sub_explicit(&w->hub->places, 1, memory_order_relaxed);
    return true;
}
