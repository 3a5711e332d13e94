/* SPDX-License-Identifier: MIT */
/* One thread of the data path and what lives on it: client sessions, the exchanges they have under way,
 * backend connections. Everything here belongs to that thread; others reach it through the hub only. */
#ifndef BALANCE_WORKER_H
#define BALANCE_WORKER_H
#include "balance/hub.h"
#include "balance/inbox.h"
#include "core/pick.h"
#include "http/relay.h"
#include "http/slab.h"
#include <pthread.h>
#include <time.h>

#define TRIED_WORDS  ((BACKENDS_MAX + 63) / 64)
#define UNFAIR_AFTER (5 * USEC_PER_MSEC) /* one that has waited so much longer elsewhere goes first */

enum session_state {
    SESSION_IDLE,     /* between requests, owns no buffer */
    SESSION_HEAD,     /* a head is coming in */
    SESSION_QUEUED,   /* waits for a backend with room */
    SESSION_EXCHANGE, /* a request or its answer is under way */
    SESSION_TUNNEL,   /* upgraded: bytes both ways */
    SESSION_LINGER, /* answered and shut; reads what still comes so that the answer is not lost to a reset */
    SESSION_CLOSED
};

/* A client connection. */
struct session {
    struct conn conn; /* first: the event's source leads here */
    struct event_timer timer;
    struct event_task buried;
    struct worker *worker;
    struct exchange *exchange;                /* lent: NULL when idle */
    struct session *next, **link;             /* of all */
    struct session *queue_next, **queue_link; /* of those waiting for a backend */
    struct session *again_next;               /* of those that gave way to others in the middle of a body */
    bool again;
    bool dead;   /* closed, and the turn of that is over: only `again` holds it */
    bool served; /* a request; an idle one that is not may be about to send its first */
    enum session_state state;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    uint8_t peer_length;
    char peer_text[INET6_ADDRSTRLEN]; /* as the backends and the access log are told, without the port */
};

/* A backend connection: in use by an exchange, or idle in its lane. */
struct upstream {
    struct conn conn; /* first */
    struct event_task buried;
    struct worker *worker;
    struct backend *backend;
    struct exchange *exchange;     /* NULL: idle */
    struct upstream *next, **link; /* of the lane's idle ones */
    usec_t idle_since;
    bool connected;
    bool reused; /* has served a request before this one */
};

/* One request and its answer. What stands before `request` is zeroed for each one. */
struct exchange {
    struct session *session;
    struct upstream *upstream; /* NULL: none yet, or the answer is our own */
    struct backend *backend;   /* counted in its in_flight; NULL: none */
    struct backend *bound;     /* named by its cookie; valid while routing, later only compared */
    struct backend *awaited;   /* bound to and full: counted in its waiting */
    struct buffer *in;         /* of the client's bytes, from the head's first one on */
    uint32_t head_at;          /* where in it, until the body is read on */
    struct relay up, down;     /* to the backend, to the client */
    uint64_t answer_at;        /* of down.sent: before it are 1xx only */
    unsigned tried_count;      /* connects that failed since it last began to look for a backend */
    usec_t try_until;          /* it looks for another; set by the first of them */
    usec_t started;
    usec_t queued_at;       /* first; 0: it does not wait */
    usec_t sent_at;         /* the whole request to the backend */
    uint64_t marked;        /* bytes moved when the deadline was set */
    unsigned informational; /* 1xx seen */
    uint16_t code;
    bool keep;    /* the client's connection serves another request */
    bool counted; /* among the backend's requests */
    bool request_sent, push_broken;
    bool head_done; /* of the answer */
    bool answering; /* counted among those of the backend */
    bool replied;   /* the answer is our own */
    bool stale_retried;
    bool refused;       /* by a backend, at its connect, before another or a later try */
    struct buffer *log; /* what the access log will say, copied while the head was there; NULL: no log */
    struct http1_request request;
    struct http1_response response;
    uint64_t tried_of;           /* a view's generation: */
    uint64_t tried[TRIED_WORDS]; /* a bit for each of its backends; both are set by the first failure */
};

struct worker {
    struct hub *hub;
    unsigned index; /* of its lanes */
    pthread_t thread;
    struct event_loop *loop;
    const struct view *view;
    struct event_source listener;
    bool listening;
    struct event_timer tick;
    struct buffer_pool buffers;
    struct slab sessions_slab, exchanges_slab, upstreams_slab;
    struct session *sessions;
    struct session *queue, **queue_end;
    struct session *again;
    unsigned session_count, queue_count;
    bool room; /* has come for one that waits: look at the queue before the turn ends */
    bool stopping;
    struct pick pick;
    struct pick_candidate candidates[BACKENDS_MAX];
    time_t date_at;        /* what date says */
    char date[40];         /* a field line for answers without one */
    struct buffer *access; /* lines not yet written */
    bool access_lost;      /* the last ones could not be */
    bool short_of;         /* descriptors or memory: accepting pauses */
    struct worker_counters counters;
    _Atomic uint64_t adopted; /* generation of the view it uses */
    _Atomic uint32_t load;    /* connections it has or will find in its inbox */
    _Atomic usec_t tick_at; /* when it is due: a hub that looks knows by it who hangs; USEC_NEVER: none is */
    _Atomic usec_t waits_since;   /* the first in its queue; USEC_NEVER: nobody waits */
    _Atomic usec_t unbound_since; /* the first there that any backend would serve */
    struct inbox inbox;
};

/* NULL with errno set. Starts nothing. */
struct worker *worker_new(struct hub *hub, unsigned index);
void worker_free(struct worker *w);

/* The thread: until the hub stops and the last session ends. */
void *worker_run(void *worker);

/* From any thread: look at the hub again. */
void worker_wake(struct worker *w);

/* A backend has room: serve the queue at the end of this turn, here or in another worker. */
void worker_room(struct worker *w);

/* Does a request that has only just come have to wait behind others, whichever worker's they are? */
bool worker_others_wait(const struct worker *w);

/* There are connections to look after: the tick comes at its long period. Without any it rests. */
void worker_mind(struct worker *w);

/* There is no descriptor left: closes connections that are only kept, to backends or else to clients. False:
 * there are none. */
bool worker_spare(struct worker *w);

/* Waits need looking after soon: the tick comes at its short period. */
void worker_hurry(struct worker *w);

#endif
