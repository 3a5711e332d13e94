/* SPDX-License-Identifier: MIT */
/* The engine for http: our own parser over non-blocking connections on one edge-triggered loop, two system
 * calls a request. Invariants: a client is in exactly one place: idle list of its origin, cold list (closed),
 * resting list (closed in this turn, so that a late event of its old socket meets no new one), or busy; a
 * busy one counts in flight at the pacer. Only a client whose head came in pieces owns a buffer. */
#include "load/engine.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "http/buffer.h"
#include "http/conn.h"

enum { CLIENTS_A_BLOCK = 64, BUFFERS_KEPT = 64, KNOWN_HEAD_MAX = 1024 };

enum client_state {
    CLIENT_CLOSED,
    CLIENT_PAUSED, /* closed, and its user waits before trying again */
    CLIENT_CONNECTING,
    CLIENT_IDLE,
    CLIENT_SENDING,
    CLIENT_HEAD,
    CLIENT_BODY,
    CLIENT_TRAILERS
};

struct client {
    struct conn conn; /* first: its event source is what the loop knows */
    struct event_timer timer;
    struct plain *plain;
    struct client *next, **link; /* link: idle list only */
    const struct load_target *target;
    enum client_state state;
    bool keep;              /* the connection may serve another request */
    uint8_t address, tries; /* connecting: to which address of the origin, and how many were tried */
    uint16_t code;
    size_t sent;
    usec_t scheduled;
    struct buffer *kept; /* the start of a head or trailer section that is not complete */
    struct http1_body body;
};

struct client_block {
    struct client_block *next;
    struct client clients[CLIENTS_A_BLOCK];
};

struct plain {
    struct worker *worker;
    struct event_loop *loop;
    struct buffer_pool pool;
    struct buffer *input;
    struct client *idle[LOAD_WORDS_MAX]; /* by origin */
    uint8_t address[LOAD_WORDS_MAX];     /* the address of each origin that worked last */
    struct client *cold, *resting;
    struct client_block *blocks;
    struct http1_head trailers;
    struct http1_response response; /* of the head parsed last */
    size_t known_size;              /* bytes of that head, when it was good and fits; else 0 */
    char known[KNOWN_HEAD_MAX];
};

static void client_ready(struct event_source *source, uint32_t events);

static void put_idle(struct client *client)
{
    struct client **head = &client->plain->idle[client->target->origin];
    client->state = CLIENT_IDLE;
    client->next = *head;
    client->link = head;
    if (client->next != NULL)
        client->next->link = &client->next;
    *head = client;
}

static void leave_idle(struct client *client)
{
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    client->link = NULL;
    client->next = NULL;
}

static void put_resting(struct client *client)
{
    client->state = CLIENT_CLOSED;
    client->next = client->plain->resting;
    client->plain->resting = client;
}

static void wake_resting(struct plain *plain)
{
    while (plain->resting != NULL) {
        struct client *client = plain->resting;
        plain->resting = client->next;
        client->next = plain->cold;
        plain->cold = client;
    }
}

static void release_kept(struct client *client)
{
    buffer_return(&client->plain->pool, client->kept);
    client->kept = NULL;
}

static void disconnect(struct client *client)
{
    if (client->link != NULL)
        leave_idle(client);
    release_kept(client);
    event_timer_clear(&client->timer);
    conn_close(&client->conn);
}

static bool closed_loop(const struct plain *plain)
{
    return plain->worker->pacer.rate_rps <= 0;
}

/* Ends a request that got no answer. In a closed loop the user rests before its next try. */
static void fail(struct client *client, enum load_error kind)
{
    struct plain *plain = client->plain;
    plain->worker->stats.errors[kind]++;
    disconnect(client);
    if (closed_loop(plain) && kind != LOAD_ERROR_TIMEOUT) {
        client->state = CLIENT_PAUSED;
        event_timer_set(plain->loop, &client->timer, event_now(plain->loop) + ENGINE_PAUSE);
        return;
    }
    pacer_give(&plain->worker->pacer);
    put_resting(client);
}

static void client_expired(struct event_timer *timer)
{
    struct client *client = (struct client *)((char *)timer - offsetof(struct client, timer));
    if (client->state == CLIENT_PAUSED) {
        pacer_give(&client->plain->worker->pacer);
        put_resting(client);
    } else if (client->state > CLIENT_PAUSED && client->state != CLIENT_IDLE) {
        fail(client, LOAD_ERROR_TIMEOUT);
    }
}

static void send_request(struct client *client)
{
    const struct load_target *target = client->target;
    client->state = CLIENT_SENDING;
    struct iovec part = {target->request + client->sent, target->request_size - client->sent};
    ssize_t written = conn_write(&client->conn, &part, 1);
    if (written == -EAGAIN)
        return;
    if (written < 0) {
        fail(client, LOAD_ERROR_CLOSED);
        return;
    }
    client->sent += (size_t)written;
    if (client->sent == target->request_size)
        client->state = CLIENT_HEAD;
}

/* Connects to the address that worked last, and from there on to each of the others once. */
static void connect_client(struct client *client)
{
    struct plain *plain = client->plain;
    const struct load_origin *origin = &plain->worker->plan->origins[client->target->origin];
    client->state = CLIENT_CONNECTING;
    for (; client->tries < origin->address_count; client->tries++) {
        client->address = (uint8_t)((client->address + (client->tries > 0)) % origin->address_count);
        plain->worker->stats.connects++;
        if (conn_connect(&client->conn, plain->loop,
                         (const struct sockaddr *)&origin->addresses[client->address],
                         origin->address_lengths[client->address], client_ready) == 0)
            return;
    }
    fail(client, LOAD_ERROR_CONNECT);
}

static void connect_failed(struct client *client)
{
    conn_close(&client->conn);
    client->tries++;
    connect_client(client);
}

static bool add_clients(struct plain *plain)
{
    struct client_block *block = calloc(1, sizeof *block);
    if (block == NULL)
        return false;
    block->next = plain->blocks;
    plain->blocks = block;
    for (size_t i = 0; i < CLIENTS_A_BLOCK; i++) {
        struct client *client = &block->clients[i];
        client->plain = plain;
        client->conn.source.fd = -1;
        client->timer.expired = client_expired;
        client->next = plain->cold;
        plain->cold = client;
    }
    return true;
}

/* An idle connection to the origin, else a client without one; NULL: out of memory. */
static struct client *take_client(struct plain *plain, size_t origin)
{
    struct client *client = plain->idle[origin];
    if (client != NULL) {
        leave_idle(client);
        return client;
    }
    if (plain->cold == NULL && !add_clients(plain))
        return NULL;
    client = plain->cold;
    plain->cold = client->next;
    client->next = NULL;
    return client;
}

static void begin_request(struct plain *plain, usec_t scheduled)
{
    const struct load_target *target = engine_pick(plain->worker);
    struct client *client = take_client(plain, target->origin);
    if (client == NULL) {
        plain->worker->stats.errors[LOAD_ERROR_CONNECT]++;
        pacer_give(&plain->worker->pacer);
        return;
    }
    client->target = target;
    client->scheduled = scheduled;
    client->sent = 0;
    client->keep = false;
    event_timer_set(plain->loop, &client->timer,
                    event_now(plain->loop) + plain->worker->plan->options->timeout);
    if (client->conn.source.fd >= 0) {
        send_request(client);
        return;
    }
    client->address = plain->address[target->origin];
    client->tries = 0;
    connect_client(client);
}

static void begin_due_requests(struct plain *plain)
{
    usec_t scheduled;
    while (pacer_take(&plain->worker->pacer, event_now(plain->loop), &scheduled))
        begin_request(plain, scheduled);
}

/* The answer is whole; `more` says that bytes came behind it, which nobody had asked for. */
static void complete(struct client *client, bool more)
{
    struct plain *plain = client->plain;
    engine_answered(plain->worker, client->code, client->scheduled, event_now(plain->loop));
    pacer_give(&plain->worker->pacer);
    release_kept(client);
    if (client->keep && !more && !client->conn.peer_done) {
        event_timer_set(plain->loop, &client->timer, USEC_NEVER);
        put_idle(client);
    } else {
        disconnect(client);
        put_resting(client);
    }
    begin_due_requests(plain);
}

/* What has come and is not used yet; it shrinks from the front. */
struct span {
    const char *data;
    size_t size;
    bool kept; /* the rest of it went into the client's buffer */
};

/* Keeps the piece of a head or trailer section until the rest comes. */
static void keep_span(struct client *client, struct span *span)
{
    if (client->kept == NULL)
        client->kept = buffer_lend(&client->plain->pool);
    if (client->kept == NULL || span->size > BUFFER_SIZE) {
        fail(client, LOAD_ERROR_PROTOCOL);
        return;
    }
    memmove(client->kept->bytes + BUFFER_BASE, span->data, span->size);
    client->kept->end = BUFFER_BASE + (uint32_t)span->size;
    span->kept = true;
}

static bool settle_head(struct client *client, struct span *span)
{
    const struct http1_response *response = &client->plain->response;
    span->data += response->head.length;
    span->size -= response->head.length;
    if (response->code == 101)
        return false; /* nobody asked for it */
    if (response->code < 200)
        return true; /* the final answer is still to come */
    const struct load_options *options = client->plain->worker->plan->options;
    client->code = response->code;
    client->keep = response->head.keep_alive && !options->no_keepalive && client->state != CLIENT_SENDING;
    http1_body_init(&client->body, &response->head);
    client->state = CLIENT_BODY;
    return true;
}

/* Parses the head at the front of the span. A server's heads mostly repeat to the byte: such a one is what
 * the last one was, and parsing it again would be the largest part of our own work. */
static enum http1_result parse_head(struct plain *plain, const struct span *span)
{
    if (plain->known_size > 0 && span->size >= plain->known_size &&
        memcmp(span->data, plain->known, plain->known_size) == 0)
        return HTTP1_DONE;
    plain->known_size = 0;
    http1_response_init(&plain->response);
    enum http1_result result = http1_response_parse(&plain->response, span->data, span->size,
                                                    plain->worker->plan->method, &http1_limits_default);
    if (result == HTTP1_DONE && plain->response.head.length <= KNOWN_HEAD_MAX) {
        plain->known_size = plain->response.head.length;
        memcpy(plain->known, span->data, plain->known_size);
    }
    return result;
}

/* Each step returns whether another one can follow at once. */
static bool step_head(struct client *client, struct span *span)
{
    switch (parse_head(client->plain, span)) {
    case HTTP1_DONE:
        if (settle_head(client, span))
            return client->state == CLIENT_BODY || span->size > 0;
        break;
    case HTTP1_MORE:
        keep_span(client, span);
        return false;
    default:
        break;
    }
    fail(client, LOAD_ERROR_PROTOCOL);
    return false;
}

static bool step_body(struct client *client, struct span *span)
{
    size_t used, data_at, data_size;
    enum http1_result result =
        http1_body_next(&client->body, span->data, span->size, &used, &data_at, &data_size);
    span->data += used;
    span->size -= used;
    switch (result) {
    case HTTP1_DATA:
        return true;
    case HTTP1_TRAILERS:
        client->state = CLIENT_TRAILERS;
        return span->size > 0;
    case HTTP1_DONE:
        complete(client, span->size > 0);
        return false;
    case HTTP1_MORE:
        return false;
    default:
        fail(client, LOAD_ERROR_PROTOCOL);
        return false;
    }
}

static bool step_trailers(struct client *client, struct span *span)
{
    struct http1_head *trailers = &client->plain->trailers;
    http1_trailers_init(trailers);
    switch (http1_trailers_parse(trailers, span->data, span->size, &http1_limits_default)) {
    case HTTP1_DONE:
        complete(client, span->size > trailers->length);
        return false;
    case HTTP1_MORE:
        keep_span(client, span);
        return false;
    default:
        fail(client, LOAD_ERROR_PROTOCOL);
        return false;
    }
}

static bool step(struct client *client, struct span *span)
{
    switch (client->state) {
    case CLIENT_SENDING: /* an early answer; the connection is not used again */
    case CLIENT_HEAD:
        return step_head(client, span);
    case CLIENT_BODY:
        return step_body(client, span);
    case CLIENT_TRAILERS:
        return step_trailers(client, span);
    case CLIENT_IDLE:
        disconnect(client); /* it spoke without being asked */
        put_resting(client);
        return false;
    default:
        return false;
    }
}

/* Takes what has come: into the shared input buffer, or behind the piece that the client kept. */
static void take_input(struct client *client, const char *data, size_t size)
{
    struct buffer *kept = client->kept;
    struct span span = {data, size, false};
    client->plain->worker->stats.bytes += size;
    if (kept != NULL) {
        kept->end += (uint32_t)size;
        span.data = kept->bytes + BUFFER_BASE;
        span.size = kept->end - BUFFER_BASE;
    }
    while (step(client, &span)) {
    }
    if (!span.kept)
        release_kept(client);
}

static void take_end(struct client *client, bool clean)
{
    if (client->state == CLIENT_IDLE) {
        disconnect(client);
        put_resting(client);
    } else if (client->state == CLIENT_BODY && clean && client->body.framing == HTTP1_UNTIL_CLOSE) {
        client->keep = false;
        complete(client, false);
    } else {
        fail(client, LOAD_ERROR_CLOSED);
    }
}

static void read_answers(struct client *client)
{
    while (client->conn.source.fd >= 0 && client->conn.readable) {
        struct buffer *into = client->kept != NULL ? client->kept : client->plain->input;
        ssize_t size = conn_read(&client->conn, into->bytes + into->end, BUFFER_LIMIT - into->end);
        if (size > 0)
            take_input(client, into->bytes + into->end, (size_t)size);
        else if (size != -EAGAIN)
            take_end(client, size == 0);
    }
}

static void client_ready(struct event_source *source, uint32_t events)
{
    struct client *client = (struct client *)source;
    conn_note(&client->conn, events);
    if (client->state == CLIENT_CONNECTING) {
        if (client->conn.failed) {
            connect_failed(client);
            return;
        }
        if (!client->conn.writable)
            return;
        client->plain->address[client->target->origin] = client->address;
        client->state = CLIENT_SENDING;
    }
    if (client->state == CLIENT_SENDING && client->conn.writable)
        send_request(client);
    read_answers(client);
}

/* What is still busy at the end got neither an answer nor an error. */
static void give_up(struct plain *plain)
{
    for (struct client_block *block = plain->blocks, *next; block != NULL; block = next) {
        next = block->next;
        for (size_t i = 0; i < CLIENTS_A_BLOCK; i++) {
            struct client *client = &block->clients[i];
            if (client->state > CLIENT_PAUSED && client->state != CLIENT_IDLE)
                plain->worker->stats.unfinished++;
            disconnect(client);
        }
        free(block);
    }
}

static void wake_loop(void *context)
{
    event_wake(context);
}

bool engine_plain_run(struct worker *worker)
{
    struct plain *plain = calloc(1, sizeof *plain);
    if (plain == NULL)
        return false;
    plain->worker = worker;
    buffer_pool_init(&plain->pool, BUFFERS_KEPT);
    plain->input = buffer_lend(&plain->pool);
    plain->loop = event_loop_new(NULL, NULL);
    bool ran = plain->input != NULL && plain->loop != NULL;
    if (ran) {
        engine_on_wake(worker, wake_loop, plain->loop);
        prctl(PR_SET_TIMERSLACK, 1000UL); /* due times are meant to the microsecond */
        while (engine_turn(worker, event_now(plain->loop))) {
            begin_due_requests(plain);
            if (event_turn(plain->loop, engine_wake_at(worker, event_now(plain->loop))) < 0)
                break;
            wake_resting(plain);
        }
        give_up(plain);
        engine_on_wake(worker, NULL, NULL);
    }
    if (plain->loop != NULL)
        event_loop_free(plain->loop);
    buffer_return(&plain->pool, plain->input);
    buffer_pool_fini(&plain->pool);
    free(plain);
    return ran;
}
