/* SPDX-License-Identifier: MIT */
/* What the threads of the balancer share. The control thread publishes views; workers take the newest at the
 * start of a turn and say so, and what only older views know is freed after all have. Nothing here is locked:
 * in the request path there are relaxed counters and, per request, one addition to a backend's in_flight. */
#ifndef BALANCE_HUB_H
#define BALANCE_HUB_H
#include "balance/counters.h"
#include "balance/settings.h"
#include <sys/socket.h>

#define BACKENDS_MAX         CONFIG_INSTANCES_MAX
#define BACKEND_ID_SIZE      64
#define BACKEND_ADDRESS_SIZE 64

struct upstream;
struct worker;

enum backend_state { BACKEND_READY, BACKEND_DRAIN, BACKEND_GONE };

enum eject_cause { EJECT_NONE, EJECT_CONNECT, EJECT_FAILURES, EJECT_SLOW };

/* A backend as one worker knows it. Cache lines of its own. */
struct lane {
    _Alignas(64) struct backend_counters counters;
    struct upstream *idle; /* kept alive for the next request, the latest first */
    _Atomic float mean_us; /* of the time to its first byte; the worker's, read for outliers */
    _Atomic int64_t measured_at;
    _Atomic int64_t waits_since; /* the first in the worker's queue bound to it; USEC_NEVER: none is */
};

struct backend {
    char id[BACKEND_ID_SIZE], address[BACKEND_ADDRESS_SIZE];
    struct sockaddr_storage peer;
    socklen_t peer_len;
    uint64_t key;               /* what a sticky cookie says */
    _Atomic int state;          /* enum backend_state */
    _Atomic bool spare;         /* chosen only while no other has room */
    _Atomic uint32_t in_flight; /* a worker's last access to a backend is the subtraction here */
    _Atomic uint32_t in_flight_max;
    _Atomic uint32_t waiting;  /* requests bound to it that wait for room */
    _Atomic uint32_t failures; /* in a row */
    _Atomic int ejected;       /* enum eject_cause: set by workers, cleared by control */
    _Atomic int64_t ready_since;
    /* The control thread's own: */
    usec_t ejected_until;
    usec_t admitted_at;
    usec_t slow_since;  /* slow beside the others without a break; 0 = it is not */
    unsigned ejections; /* in a row; the next time out is longer */
    bool ejection_told, drained_told;
    uint64_t leaving_since; /* the generation that every worker must know before it counts as drained */
    struct backend *gone_next;
    struct lane lanes[]; /* one a worker */
};

/* Never changed once published. */
struct view {
    uint64_t generation;
    struct view *older; /* control's: not freed yet */
    struct settings settings;
    unsigned count;
    struct backend *backends[];
};

enum news { NEWS_ADOPTED = 1, NEWS_EMPTIED = 2, NEWS_EJECTED = 4, NEWS_BURST = 8, NEWS_ENDED = 16 };

struct hub {
    _Atomic(struct view *) view;
    _Atomic bool stopping; /* take no connection, finish what is under way */
    _Atomic bool aborting; /* the drain deadline is over */
    _Atomic unsigned news; /* enum news, taken by the control thread */
    _Atomic uint32_t waiting, connections;
    _Atomic uint32_t places;      /* in the queue: of those that wait, or have waited and are not sent yet */
    _Atomic unsigned ended;       /* workers that have */
    _Atomic uint32_t burst_level; /* in-flight requests from which on control wants to hear */
    void (*notify)(struct hub *hub); /* wakes the control thread; any thread */
    void *notified;                  /* its argument */
    int listen_fd, access_fd;        /* -1: none */
    unsigned worker_count;
    struct worker **workers;
};

/* From a worker. */
static inline void hub_tell(struct hub *hub, unsigned news)
{
    if ((atomic_fetch_or(&hub->news, news) & news) != news)
        hub->notify(hub);
}

#endif
