/* SPDX-License-Identifier: MIT */
/* Owns a request from its complete head to the last byte of the answer. What may have reached a backend is
 * never sent to another: only a connect that failed leads to the next one, and once, on a kept connection
 * that turned out to be closed, a request without a body and without harm in repeating is sent again. Every
 * function that may end the exchange says so, and its callers touch it no more. */
#include "balance/exchange.h"
#include "balance/compose.h"
#include "balance/session.h"
#include "balance/upstream.h"
#include <errno.h>

#define TURNS_MAX         16  /* buffers moved before others get their turn */
#define INFORMATIONAL_MAX 16  /* 1xx before an answer */
#define PROGRESS_MIN      512 /* bytes a client must move in body_timeout */

/* How far a direction came. */
enum flow { FLOW_WAITS, FLOW_OVER };

static struct worker *worker_of(const struct exchange *x)
{
    return x->session->worker;
}

static usec_t now_of(const struct exchange *x)
{
    return event_now(worker_of(x)->loop);
}

static const struct config_balancer *options_of(const struct exchange *x)
{
    return &worker_of(x)->view->settings.options;
}

static struct backend_counters *counters_of(const struct exchange *x)
{
    return &upstream_lane(worker_of(x), x->backend)->counters;
}

static uint64_t bytes_moved(const struct exchange *x)
{
    return x->up.body.total + x->up.sent + x->down.body.total + x->down.sent;
}

static void set_deadline(struct exchange *x, usec_t timeout)
{
    x->marked = bytes_moved(x);
    session_enter(x->session, SESSION_EXCHANGE, now_of(x) + timeout);
}

static void count_bytes(struct exchange *x)
{
    struct backend_counters *counters = counters_of(x);
    if (x->answering)
        counter_add(&counters->answering, (uint64_t)-1);
    x->answering = false;
    if (x->counted)
        counter_add(&counters->bytes_in, x->request.head.length + x->up.body.total);
    counter_add(&counters->bytes_out, x->down.sent);
}

/* False: there was no backend. */
static bool let_go(struct exchange *x, bool whole)
{
    struct worker *w = worker_of(x);
    struct backend *b = x->backend;
    if (b)
        count_bytes(x);
    if (x->upstream && whole)
        upstream_keep(x->upstream);
    else if (x->upstream)
        upstream_close(x->upstream);
    x->upstream = NULL;
    relay_drop_head(&x->up, &w->buffers);
    x->backend = NULL;
    if (b)
        upstream_leave(w, b);
    return b != NULL;
}

void exchange_release(struct exchange *x, bool whole)
{
    if (let_go(x, whole))
        worker_room(worker_of(x));
}

/* The backend did not do its part. */
static void blame_backend(struct exchange *x)
{
    if (!x->backend)
        return;
    counter_add(&counters_of(x)->errors, 1);
    upstream_failed(worker_of(x), x->backend, EJECT_FAILURES);
}

/* What the client gets cannot be completed: a cut answer must look cut. */
static enum flow cut(struct exchange *x)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct session *s = x->session;
    if (x->head_done)
        setsockopt(s->conn.source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    session_close(s);
    return FLOW_OVER;
}

/* The client went away, or takes or sends no more. */
static enum flow abandon(struct exchange *x)
{
    counter_add(&worker_of(x)->counters.aborted, 1);
    return cut(x);
}

/* An answer of ours in place of the backend's, as long as the client has seen nothing of that one. */
static enum flow refuse(struct exchange *x, unsigned code, const char *why)
{
    if (x->head_done && x->down.sent > x->answer_at) {
        if (code < 500)
            counter_add(&worker_of(x)->counters.rejected, 1);
        return cut(x);
    }
    if (x->head_done) {
        buffer_return(&worker_of(x)->buffers, x->down.head);
        x->down.head = NULL;
    }
    session_reply(x->session, code, why);
    return FLOW_OVER;
}

static enum flow fail(struct exchange *x, unsigned code, const char *why)
{
    blame_backend(x);
    return refuse(x, code, why);
}

/* What there is of the request's body goes into the relay. False: it was refused. */
static bool take_body(struct exchange *x)
{
    const struct config_balancer *o = options_of(x);
    if (!relay_take(&x->up))
        refuse(x, 400, x->up.body.why);
    else if (o->max_body_size > 0 && x->up.body.total > (uint64_t)o->max_body_size)
        refuse(x, 413, "the body is larger than max_body_size");
    else
        return true;
    return false;
}

static void dispatch(struct exchange *x)
{
    relay_drop_head(&x->up, &worker_of(x)->buffers);
    if (!compose_request(x)) {
        session_reply(x->session, 431, "the head is too large to pass on");
        return;
    }
    x->upstream->connected = x->upstream->reused;
    set_deadline(x, x->upstream->reused ? options_of(x)->body_timeout : options_of(x)->connect_timeout);
}

static bool is_ours(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS ||
           error == -EADDRNOTAVAIL;
}

/* Nothing has reached this backend: it is left, and not tried again for this request. Its room is no news to
 * those that wait: they would come at once, be refused as well, and so on without a pause. */
static void leave_unconnected(struct exchange *x, int error)
{
    if (!is_ours(error)) {
        x->refused = true;
        counter_add(&counters_of(x)->connect_failures, 1);
        upstream_failed(worker_of(x), x->backend, EJECT_CONNECT);
    }
    upstream_note_tried(x);
    let_go(x, false);
    x->counted = false; /* there; a connection kept may have been closed before */
}

static void route_nowhere(struct exchange *x, bool empty)
{
    const struct config_balancer *o = options_of(x);
    if (!empty || o->hold_when_empty)
        session_enqueue(x->session, empty ? NULL : x->bound);
    else if (x->tried_count > 0)
        session_reply(x->session, 502, "no instance accepts connections");
    else
        session_reply(x->session, 503, "no instance is ready");
}

/* Sends the request to x->backend. False: that could not be begun, and the backend is left. */
static bool attempt(struct exchange *x)
{
    int error = upstream_get(x, false);
    if (error == 0) {
        dispatch(x);
        return true;
    }
    leave_unconnected(x, error);
    if (is_ours(error))
        session_enqueue(x->session, NULL); /* until others have ended */
    return is_ours(error);
}

static struct backend *choose(struct exchange *x, bool *empty)
{
    x->bound = options_of(x)->algorithm == CONFIG_STICKY ? compose_bound(x) : NULL;
    return upstream_choose(x, empty);
}

static void route(struct exchange *x)
{
    bool empty = true;
    if (x->tried_count == 0 && worker_others_wait(worker_of(x))) {
        session_enqueue(x->session, NULL);
        return;
    }
    while (upstream_may_try(x) && (x->backend = choose(x, &empty)))
        if (attempt(x))
            return;
    route_nowhere(x, empty || !upstream_may_try(x));
}

/* What came of the body along with the head is read before any backend hears of the request. Of the head,
 * from which that is composed later, a chunk's size line takes no more than the end. */
void exchange_begin(struct exchange *x)
{
    if (x->up.ended || x->in->start == x->in->end || take_body(x))
        route(x);
}

bool exchange_retry(struct exchange *x)
{
    bool empty;
    struct backend *b = choose(x, &empty);
    if (!b && (!empty || options_of(x)->hold_when_empty)) {
        session_await(x->session, empty ? NULL : x->bound);
        return false;
    }
    session_dequeue(x->session);
    x->backend = b;
    if (!b)
        route_nowhere(x, true);
    else if (!attempt(x))
        route(x);
    return true;
}

static enum flow connect_failed(struct exchange *x, int error)
{
    leave_unconnected(x, error);
    route(x);
    return FLOW_OVER;
}

/* A kept connection was closed under a request that nothing has answered, not even with a 1xx: sent again
 * when none of it was taken, or when it does no harm. */
static bool may_repeat(const struct exchange *x)
{
    bool harmless = x->request.head.framing == HTTP1_NO_BODY && http1_method_idempotent(x->request.method);
    bool answered = x->down.buffer || x->informational > 0 || x->head_done;
    return x->upstream->reused && !x->stale_retried && !answered && (x->up.sent == 0 || harmless);
}

static enum flow upstream_gone(struct exchange *x, int error)
{
    if (!x->upstream->connected)
        return connect_failed(x, error);
    if (!may_repeat(x))
        return fail(x, 502, "the instance closed the connection");
    x->stale_retried = true;
    x->request_sent = false;
    counter_add(&counters_of(x)->retries, 1);
    upstream_close(x->upstream);
    x->upstream = NULL;
    error = upstream_get(x, true);
    if (error < 0)
        return connect_failed(x, error);
    dispatch(x);
    return FLOW_OVER;
}

static enum flow push_failed(struct exchange *x, int error)
{
    if (!x->upstream->connected || may_repeat(x))
        return upstream_gone(x, error);
    /* It may have answered before it stopped reading: that answer is taken, what is left of the request is
     * not. */
    x->push_broken = true;
    x->keep = false;
    return FLOW_WAITS;
}

static void note_sent(struct exchange *x)
{
    struct backend_counters *counters = counters_of(x);
    if (!x->upstream->connected)
        set_deadline(x, options_of(x)->body_timeout);
    x->upstream->connected = true;
    bool waited = session_waited(x->session);
    if (x->counted)
        return;
    x->counted = true;
    counter_add(&counters->requests, 1);
    if (waited)
        counter_add(&counters->queued, 1);
    if (x->refused)
        counter_add(&counters->retries, 1);
}

/* A neighbor that answers within microseconds is not worth going to sleep for. No longer than twice its
 * mean: what it wastes at most is about what it saves (competitive spinning: Karlin and others, 1991). */
static void await_answer(const struct exchange *x)
{
    const struct lane *lane = upstream_lane(worker_of(x), x->backend);
    float mean = atomic_load_explicit(&lane->mean_us, memory_order_relaxed);
    if (mean > 0 && mean < (float)options_of(x)->busy_poll)
        event_expect(worker_of(x)->loop, now_of(x) + (usec_t)(2 * mean));
}

static enum flow request_done(struct exchange *x)
{
    if (!x->request_sent) {
        x->request_sent = true;
        x->sent_at = now_of(x);
        if (!x->head_done)
            set_deadline(x, options_of(x)->response_timeout);
        await_answer(x);
    }
    return FLOW_WAITS;
}

/* More of the request's body; true: there is something to write or the body has ended. */
static bool refill_request(struct exchange *x, enum flow *flow)
{
    struct session *s = x->session;
    *flow = FLOW_WAITS;
    for (bool fresh = x->in->start < x->in->end;; fresh = true) {
        if (fresh && !take_body(x)) {
            *flow = FLOW_OVER;
            return false;
        }
        if (relay_pending(&x->up) || x->up.ended)
            return true;
        ssize_t n = s->conn.readable ? relay_read(&x->up, &s->conn) : -EAGAIN;
        if (n == -EAGAIN)
            return false;
        if (n <= 0) {
            *flow = n == 0 ? refuse(x, 400, "the body ends before its time") : abandon(x);
            return false;
        }
    }
}

/* The request, as far as the client has sent it and the backend takes it. */
static enum flow push(struct exchange *x, unsigned *turns)
{
    struct worker *w = worker_of(x);
    while (x->upstream && !x->push_broken && !x->request_sent && *turns > 0) {
        if (relay_pending(&x->up)) {
            uint64_t before = x->up.sent;
            int error = relay_flush(&x->up, &x->upstream->conn, &w->buffers);
            if (x->up.sent != before)
                note_sent(x);
            if (error == -EAGAIN)
                return FLOW_WAITS;
            if (error < 0)
                return push_failed(x, error);
            --*turns;
        }
        if (x->up.ended)
            return request_done(x);
        enum flow flow;
        if (!refill_request(x, &flow))
            return flow;
    }
    return FLOW_WAITS;
}

/* From the request's last byte on: neither the queue nor a client that is slow to send is the backend's
 * doing. */
static void note_first_byte(struct exchange *x)
{
    if (!x->request_sent)
        return;
    event_expect(worker_of(x)->loop, 0);
    struct lane *lane = upstream_lane(worker_of(x), x->backend);
    usec_t now = now_of(x), age = now - atomic_load_explicit(&lane->measured_at, memory_order_relaxed);
    float mean = atomic_load_explicit(&lane->mean_us, memory_order_relaxed);
    mean = pick_latency(mean, age, now - x->sent_at);
    atomic_store_explicit(&lane->mean_us, mean, memory_order_relaxed);
    atomic_store_explicit(&lane->measured_at, now, memory_order_relaxed);
}

/* From now on nobody waits for a first byte. */
static void note_answering(struct exchange *x)
{
    x->answering = true;
    counter_add(&counters_of(x)->answering, 1);
}

/* A final answer's head is composed and its body's way set. */
static bool begin_answer(struct exchange *x)
{
    const struct http1_head *h = &x->response.head;
    bool unknown = h->framing == HTTP1_CHUNKED || h->framing == HTTP1_UNTIL_CLOSE;
    bool modern = x->request.head.minor == 1;
    if ((unknown && !modern) || !x->up.ended || worker_of(x)->stopping)
        x->keep = false;
    relay_begin(&x->down, h, unknown && modern);
    x->down.keep_trailers = modern && !h->fields_named;
    x->answer_at = relay_pending(&x->down) ? 0 : x->down.sent;
    if (!compose_response(x))
        return false;
    x->down.buffer->start += h->length;
    x->head_done = true;
    note_answering(x);
    note_first_byte(x);
    set_deadline(x, options_of(x)->body_timeout);
    return true;
}

static bool take_informational(struct exchange *x)
{
    counter_add(&counters_of(x)->responses[1], 1);
    if (++x->informational > INFORMATIONAL_MAX)
        return false;
    if (x->request.head.minor == 1 && !compose_response(x))
        return false;
    x->down.buffer->start += x->response.head.length;
    http1_response_init(&x->response);
    return true;
}

/* The request's head is still there, as one that may be granted an upgrade has no body. */
static bool may_switch(const struct exchange *x)
{
    const struct buffer *b = x->down.buffer;
    return http1_upgrade_granted(&x->request, x->in->bytes + x->head_at, &x->response, b->bytes + b->start);
}

/* The answer's head, 1xx before it included. DONE: it is there; OVER in *flow: the exchange has ended. */
static enum http1_result take_answer_head(struct exchange *x, enum flow *flow)
{
    struct buffer *b = x->down.buffer;
    struct http1_response *r = &x->response;
    const struct http1_limits *limits = &worker_of(x)->view->settings.limits;
    while (b->start < b->end) {
        enum http1_result result =
            http1_response_parse(r, b->bytes + b->start, b->end - b->start, x->request.method, limits);
        if (result == HTTP1_MORE)
            return HTTP1_MORE;
        x->code = r->code;
        bool good = result == HTTP1_DONE && (r->code != 101 || may_switch(x));
        if (good && r->code == 101) {
            note_answering(x);
            tunnel_begin(x);
            *flow = FLOW_OVER;
            return HTTP1_BAD;
        }
        if (good && r->code >= 200 && begin_answer(x))
            return HTTP1_DONE;
        if (!good || r->code >= 200 || !take_informational(x)) {
            *flow = fail(x, 502, "the instance's answer is malformed");
            return HTTP1_BAD;
        }
    }
    return HTTP1_MORE;
}

/* What has been read of the answer; WAITS: go on. */
static enum flow take_answer(struct exchange *x)
{
    enum flow flow = FLOW_WAITS;
    if (!x->head_done && take_answer_head(x, &flow) != HTTP1_DONE)
        return flow;
    if (!x->down.ended && !relay_take(&x->down))
        return fail(x, 502, "the instance's answer is malformed");
    return FLOW_WAITS;
}

static enum flow answer_ended(struct exchange *x, int error)
{
    if (!x->head_done)
        return upstream_gone(x, error);
    if (error == 0 && relay_take_end(&x->down))
        return FLOW_WAITS;
    return fail(x, 502, "the instance cut its answer");
}

static bool upstream_reusable(const struct exchange *x)
{
    const struct buffer *b = x->down.buffer;
    return x->request_sent && !x->push_broken && x->response.head.keep_alive && b->start == b->end;
}

/* 501 and 505 say that the client asked for too much: it could else have every instance ejected. */
static bool is_failure(unsigned code)
{
    return code >= 500 && code != 501 && code != 505;
}

static enum flow finish(struct exchange *x)
{
    if (x->backend) {
        struct backend_counters *counters = counters_of(x);
        counter_add(&counters->responses[x->code / 100], 1);
        latencies_record(&counters->latency, now_of(x) - x->started);
        if (is_failure(x->code))
            upstream_failed(worker_of(x), x->backend, EJECT_FAILURES);
        else
            upstream_succeeded(x->backend);
        exchange_release(x, upstream_reusable(x));
    }
    session_answered(x->session);
    return FLOW_OVER;
}

/* The answer, as far as the backend has sent it and the client takes it. */
static enum flow pull(struct exchange *x, unsigned *turns)
{
    struct worker *w = worker_of(x);
    for (; *turns > 0; --*turns) {
        int error = relay_pending(&x->down) ? relay_flush(&x->down, &x->session->conn, &w->buffers) : 0;
        if (error == -EAGAIN)
            return FLOW_WAITS;
        if (error < 0)
            return abandon(x);
        if (x->down.ended)
            return finish(x);
        if (!x->upstream || !x->upstream->conn.readable)
            return FLOW_WAITS;
        if (!x->down.buffer && !(x->down.buffer = buffer_lend(&w->buffers)))
            return abandon(x);
        ssize_t n = relay_read(&x->down, &x->upstream->conn);
        if (n == -EAGAIN)
            return FLOW_WAITS;
        if (n <= 0 && x->down.buffer->start == x->down.buffer->end && !x->head_done) {
            buffer_return(&w->buffers, x->down.buffer);
            x->down.buffer = NULL;
        }
        if (n > 0)
            counter_set(&counters_of(x)->heard_at, (uint64_t)now_of(x));
        enum flow flow = n > 0 ? take_answer(x) : answer_ended(x, (int)n);
        if (flow == FLOW_OVER)
            return flow;
    }
    return FLOW_WAITS;
}

bool exchange_pump(struct exchange *x)
{
    unsigned turns = TURNS_MAX;
    if (x->session->conn.failed && !x->replied) {
        abandon(x);
        return true;
    }
    if (push(x, &turns) == FLOW_OVER || pull(x, &turns) == FLOW_OVER)
        return true;
    if (turns == 0)
        session_give_way(x->session);
    return false;
}

/* Something has moved since the deadline was set: a body gets another period. */
static bool progressed(struct exchange *x)
{
    uint64_t moved = bytes_moved(x) - x->marked;
    bool waits_for_client = relay_pending(&x->down) || !x->up.ended;
    if (moved < (waits_for_client ? PROGRESS_MIN : 1))
        return false;
    set_deadline(x, options_of(x)->body_timeout);
    return true;
}

/* For the body that the client holds back until then. It might have sent it: nobody is ejected for that. */
static bool was_not_asked(const struct exchange *x)
{
    return x->request.expect_continue && x->informational == 0 && !x->head_done && x->up.body.total == 0;
}

void exchange_expired(struct exchange *x)
{
    bool client_owes = !x->up.ended && !relay_pending(&x->up); /* the rest of its body */
    if (x->replied) {
        abandon(x);
    } else if (!x->upstream->connected) {
        connect_failed(x, -ETIMEDOUT);
    } else if (x->request_sent && !x->head_done) {
        counter_add(&counters_of(x)->unanswered, 1);
        fail(x, 504, "the instance did not answer in time");
    } else if (progressed(x)) {
        return;
    } else if (was_not_asked(x)) {
        counter_add(&counters_of(x)->errors, 1);
        refuse(x, 504, "the instance did not ask for the body in time");
    } else if (client_owes && !x->head_done) {
        session_reply(x->session, 408, "the body of the request took too long");
    } else if (client_owes || relay_pending(&x->down)) {
        abandon(x);
    } else {
        fail(x, 504, "the instance did not go on in time");
    }
}
