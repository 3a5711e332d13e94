/* SPDX-License-Identifier: MIT */
/* The driver for http: our own parser over non-blocking connections on one edge-triggered loop, two system
 * calls a request. Invariants: a client is in exactly one place: idle list of its origin, cold list (closed),
 * resting list (closed in this turn, so that a late event of its old socket meets no new one), or busy; a
 * busy one counts in flight at the pacer. */
#include "load/driver.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "http/conn.h"
#include "load/answer.h"

enum { CLIENTS_A_BLOCK = 64, STARTS_AT_ONCE = 256, READS_AT_ONCE = 16 };

enum client_state {
    CLIENT_CLOSED,
    CLIENT_PAUSED, /* closed, and its user waits before trying again */
    CLIENT_CONNECTING,
    CLIENT_IDLE,
    CLIENT_BUSY /* sending, reading, or both: a server may answer before it has read all */
};

struct client {
    struct conn conn; /* first: its event source is what the loop knows */
    struct event_timer timer;
    struct plain *plain;
    struct client *next, **link; /* link: idle list only */
    const struct load_target *target;
    enum client_state state;
    uint8_t address, tries; /* connecting: to which address of the origin, and how many were tried */
    size_t sent;
    usec_t scheduled;
    struct answer answer;
};

struct client_block {
    struct client_block *next;
    struct client clients[CLIENTS_A_BLOCK];
};

struct plain {
    struct load_thread *thread;
    struct event_loop *loop;
    struct client *idle[LOAD_WORDS_MAX]; /* by origin */
    uint8_t address[LOAD_WORDS_MAX];     /* of each origin, the address to try first */
    struct client *cold, *resting;
    int64_t open; /* connections */
    struct client_block *blocks;
    struct answer_reader reader;
};

static void client_ready(struct event_source *source, uint32_t events);

static void put_idle(struct client *client)
{
    struct client **head = &client->plain->idle[client->target->origin];
    client->state = CLIENT_IDLE;
    client->next = *head;
    client->link = head;
    if (client->next)
        client->next->link = &client->next;
    *head = client;
}

static void leave_idle(struct client *client)
{
    *client->link = client->next;
    if (client->next)
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
    while (plain->resting) {
        struct client *client = plain->resting;
        plain->resting = client->next;
        client->next = plain->cold;
        plain->cold = client;
    }
}

static void close_connection(struct client *client)
{
    client->plain->open -= client->conn.source.fd >= 0;
    conn_close(&client->conn);
}

static void disconnect(struct client *client)
{
    if (client->link)
        leave_idle(client);
    answer_drop(&client->plain->reader, &client->answer);
    event_timer_clear(&client->timer);
    close_connection(client);
}

static bool closed_loop(const struct plain *plain)
{
    return plain->thread->pacer.rate_rps <= 0;
}

/* Ends a request that got no answer; error is an errno, or 0. In a closed loop the user rests before its next
 * try. */
static void fail(struct client *client, enum load_error kind, int error)
{
    struct plain *plain = client->plain;
    driver_failed(plain->thread, client->target, kind, error);
    disconnect(client);
    if (closed_loop(plain) && kind != LOAD_ERROR_TIMEOUT) {
        client->state = CLIENT_PAUSED;
        event_timer_set(plain->loop, &client->timer, event_now(plain->loop) + DRIVER_PAUSE);
        return;
    }
    pacer_give(&plain->thread->pacer);
    put_resting(client);
}

static const struct load_origin *origin_of(const struct client *client)
{
    return &client->plain->thread->plan->origins[client->target->origin];
}

static void client_expired(struct event_timer *timer)
{
    struct client *client = (struct client *)((char *)timer - offsetof(struct client, timer));
    struct plain *plain = client->plain;
    switch (client->state) {
    case CLIENT_PAUSED:
        pacer_give(&plain->thread->pacer);
        put_resting(client);
        break;
    case CLIENT_CONNECTING: /* to a void: let the next one try elsewhere */
        plain->address[client->target->origin] =
            (uint8_t)((client->address + 1u) % origin_of(client)->address_count);
        fail(client, LOAD_ERROR_TIMEOUT, 0);
        break;
    case CLIENT_BUSY:
        fail(client, LOAD_ERROR_TIMEOUT, 0);
        break;
    default:
        break;
    }
}

/* What it could not send is no failure yet: the server may have answered before it closed. Reading tells. */
static void send_request(struct client *client)
{
    const struct load_target *target = client->target;
    struct iovec part = {target->request + client->sent, target->request_size - client->sent};
    ssize_t written = conn_write(&client->conn, &part, 1);
    if (written >= 0)
        client->sent += (size_t)written;
    else if (written != -EAGAIN)
        client->conn.failed = true;
}

/* Where no more may be open, an idle connection to another host gives way. */
static void make_way(struct plain *plain)
{
    if (plain->open < plain->thread->open_max)
        return;
    for (size_t i = 0; i < plain->thread->plan->origin_count; i++) {
        struct client *client = plain->idle[i];
        if (!client)
            continue;
        disconnect(client);
        put_resting(client);
        return;
    }
}

/* Connects to the address to try first, and from there on to each of the others once; error is what the one
 * before ended with. */
static void connect_client(struct client *client, int error)
{
    struct plain *plain = client->plain;
    const struct load_origin *origin = origin_of(client);
    client->state = CLIENT_CONNECTING;
    make_way(plain);
    for (; client->tries < origin->address_count; client->tries++) {
        client->address = (uint8_t)((client->address + (client->tries > 0)) % origin->address_count);
        error = -conn_connect(&client->conn, plain->loop,
                              (const struct sockaddr *)&origin->addresses[client->address],
                              origin->address_lengths[client->address], client_ready);
        if (error == 0) {
            plain->open++;
            return;
        }
    }
    fail(client, LOAD_ERROR_CONNECT, error);
}

static void connect_failed(struct client *client)
{
    int error = -conn_error(&client->conn);
    close_connection(client);
    client->tries++;
    connect_client(client, error);
}

static bool add_clients(struct plain *plain)
{
    struct client_block *block = calloc(1, sizeof *block);
    if (!block)
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
    if (client) {
        leave_idle(client);
        return client;
    }
    if (!plain->cold && !add_clients(plain))
        return NULL;
    client = plain->cold;
    plain->cold = client->next;
    client->next = NULL;
    return client;
}

static void begin_request(struct plain *plain, usec_t scheduled)
{
    const struct load_target *target = driver_pick(plain->thread);
    struct client *client = take_client(plain, target->origin);
    if (!client) {
        driver_failed(plain->thread, target, LOAD_ERROR_CONNECT, ENOMEM);
        pacer_give(&plain->thread->pacer);
        return;
    }
    client->target = target;
    client->scheduled = scheduled;
    client->sent = 0;
    answer_begin(&client->answer);
    event_timer_set(plain->loop, &client->timer,
                    event_now(plain->loop) + plain->thread->plan->options->timeout);
    if (client->conn.source.fd >= 0) {
        client->state = CLIENT_BUSY;
        send_request(client);
        return;
    }
    client->address = plain->address[target->origin];
    client->tries = 0;
    connect_client(client, 0);
}

/* Not without a bound: where each fails at once, a turn would grow with the backlog of the one before. True:
 * more may be due now. */
static bool begin_due_requests(struct plain *plain)
{
    usec_t scheduled;
    for (int i = 0; i < STARTS_AT_ONCE; i++) {
        if (!pacer_take(&plain->thread->pacer, event_now(plain->loop), &scheduled))
            return false;
        begin_request(plain, scheduled);
    }
    return true;
}

/* The answer is whole; if it came in time, that is: the timer is not exact. */
static void complete(struct client *client, bool reusable)
{
    struct plain *plain = client->plain;
    if (event_now(plain->loop) > client->timer.deadline) {
        fail(client, LOAD_ERROR_TIMEOUT, 0);
        return;
    }
    driver_answered(plain->thread, client->answer.code, client->scheduled, event_now(plain->loop));
    pacer_give(&plain->thread->pacer);
    if (reusable) {
        event_timer_set(plain->loop, &client->timer, USEC_NEVER);
        put_idle(client);
    } else {
        disconnect(client);
        put_resting(client);
    }
    begin_due_requests(plain);
}

static bool reusable(const struct client *client)
{
    return client->answer.keep_alive && client->sent == client->target->request_size &&
           !client->conn.peer_done && !client->conn.failed && !client->plain->thread->plan->close;
}

static void take_input(struct client *client, size_t size)
{
    struct plain *plain = client->plain;
    plain->thread->stats.bytes += size;
    if (client->state == CLIENT_IDLE) { /* it spoke without being asked */
        disconnect(client);
        put_resting(client);
        return;
    }
    bool surplus;
    switch (answer_take(&plain->reader, &client->answer, size, &surplus)) {
    case ANSWER_DONE:
        complete(client, !surplus && reusable(client));
        break;
    case ANSWER_BAD:
        fail(client, LOAD_ERROR_PROTOCOL, 0);
        break;
    case ANSWER_MORE:
        break;
    }
}

/* The connection is over: in order (0), or by an error. */
static void take_end(struct client *client, int error)
{
    if (client->state == CLIENT_IDLE) {
        disconnect(client);
        put_resting(client);
    } else if (error == 0 && answer_ends_by_close(&client->answer)) {
        complete(client, false);
    } else {
        fail(client, LOAD_ERROR_CLOSED, error);
    }
}

/* What is there to read is told anew in the next turn. */
static bool read_later(struct client *client)
{
    return event_change(client->plain->loop, &client->conn.source,
                        EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0;
}

/* Not without a bound: who sends faster than we read would have the loop for itself, against its timeout and
 * all orders. */
static void read_answers(struct client *client)
{
    for (int i = 0; client->conn.source.fd >= 0 && client->conn.readable; i++) {
        if (i >= READS_AT_ONCE && read_later(client))
            return;
        size_t room;
        char *into = answer_room(&client->plain->reader, &client->answer, &room);
        ssize_t size = conn_read(&client->conn, into, room);
        if (size > 0)
            take_input(client, (size_t)size);
        else if (size != -EAGAIN)
            take_end(client, (int)-size);
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
        client->plain->thread->stats.connects++;
        client->state = CLIENT_BUSY;
    }
    if (client->state == CLIENT_BUSY && client->conn.writable && !client->conn.failed &&
        client->sent < client->target->request_size)
        send_request(client);
    read_answers(client);
}

/* What is still busy at the end got neither an answer nor an error. */
static void give_up(struct plain *plain)
{
    for (struct client_block *block = plain->blocks, *next; block; block = next) {
        next = block->next;
        for (size_t i = 0; i < CLIENTS_A_BLOCK; i++) {
            struct client *client = &block->clients[i];
            if (client->state == CLIENT_CONNECTING || client->state == CLIENT_BUSY)
                plain->thread->stats.unfinished++;
            disconnect(client);
        }
        free(block);
    }
}

static void wake_loop(void *context)
{
    event_wake(context);
}

static void turn_to_end(struct plain *plain)
{
    struct load_thread *thread = plain->thread;
    driver_on_wake(thread, wake_loop, plain->loop);
    prctl(PR_SET_TIMERSLACK, 1000UL); /* due times are meant to the microsecond */
    driver_await_start(thread);
    while (driver_turn(thread, event_now(plain->loop))) {
        usec_t now = event_now(plain->loop);
        if (event_turn(plain->loop, begin_due_requests(plain) ? now : driver_wake_at(thread, now)) < 0)
            break;
        wake_resting(plain);
    }
    give_up(plain);
    driver_on_wake(thread, NULL, NULL);
}

bool driver_plain_run(struct load_thread *thread)
{
    struct plain *plain = calloc(1, sizeof *plain);
    if (!plain)
        return false;
    plain->thread = thread;
    plain->loop = event_loop_new(NULL, NULL);
    bool ready = answer_reader_init(&plain->reader, thread->plan->method) && plain->loop;
    int error = errno;
    if (ready)
        turn_to_end(plain);
    answer_reader_fini(&plain->reader);
    if (plain->loop)
        event_loop_free(plain->loop);
    free(plain);
    errno = error;
    return ready;
}
