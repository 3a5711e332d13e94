/* SPDX-License-Identifier: MIT */
/* An upgraded connection: the relays carry bytes as they are, each direction ends by itself (half-close), and
 * the tunnel with the second one. */
#include "balance/compose.h"
#include "balance/exchange.h"
#include "balance/session.h"
#include "balance/upstream.h"
#include <errno.h>

#define TURNS_MAX 16 /* buffers a direction moves before others get their turn */
/* Applications on tunnels send keep-alives of their own far more often. */
#define TUNNEL_IDLE (60 * USEC_PER_MIN)

void tunnel_begin(struct exchange *x)
{
    static const struct http1_head raw = {.framing = HTTP1_UNTIL_CLOSE};
    struct session *s = x->session;
    relay_begin(&x->down, &raw, false);
    if (!compose_response(x)) {
        session_close(s);
        return;
    }
    struct backend *b = x->backend;
    counter_add(&upstream_lane(s->worker, b)->counters.responses[1], 1);
    upstream_succeeded(b);
    x->down.buffer->start += x->response.head.length;
    x->head_done = true;
    x->keep = false;
    relay_begin(&x->up, &raw, false);
    session_enter(s, SESSION_TUNNEL, event_now(s->worker->loop) + TUNNEL_IDLE);
}

/* 0: nothing more now; 1: this direction has ended; -errno. */
static int carry(struct relay *r, struct conn *from, struct conn *to, struct buffer_pool *pool,
                 unsigned *turns)
{
    for (; *turns > 0; --*turns) {
        if (r->buffer->start < r->buffer->end && !relay_pending_body(r))
            relay_take(r);
        int error = relay_pending(r) ? relay_flush(r, to, pool) : 0;
        if (error < 0)
            return error == -EAGAIN ? 0 : error;
        if (r->ended)
            return 1;
        ssize_t n = from->readable ? relay_read(r, from) : -EAGAIN;
        if (n < 0)
            return n == -EAGAIN ? 0 : (int)n;
        if (n == 0) {
            r->ended = true;
            shutdown(to->source.fd, SHUT_WR);
        }
    }
    return 0;
}

void tunnel_pump(struct exchange *x)
{
    struct session *s = x->session;
    struct worker *w = s->worker;
    struct conn *client = &s->conn, *server = &x->upstream->conn;
    unsigned up_turns = TURNS_MAX, down_turns = TURNS_MAX;
    int up = carry(&x->up, client, server, &w->buffers, &up_turns);
    int down = carry(&x->down, server, client, &w->buffers, &down_turns);
    /* A hang-up ends the direction to it, too, of which nothing might be written for long. */
    bool over = (up > 0 && client->failed) || (down > 0 && server->failed);
    if (up < 0 || down < 0 || (up > 0 && down > 0) || over) {
        session_close(s);
        return;
    }
    if (up_turns == 0 || down_turns == 0)
        session_give_way(s);
    session_enter(s, SESSION_TUNNEL, event_now(w->loop) + TUNNEL_IDLE);
}
