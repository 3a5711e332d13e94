/* SPDX-License-Identifier: MIT */
/* The control thread's view of the backends: it makes and publishes views, watches drains, ejections and
 * bursts, and frees what no worker knows any more. Control thread only. */
#ifndef BALANCE_REGISTRY_H
#define BALANCE_REGISTRY_H
#include "balance/hub.h"

struct backend_spec {
    const char *id, *address;
    bool drain;
    bool spare; /* gets requests only while no other has room */
};

struct registry {
    struct hub *hub;
    struct settings settings;
    uint64_t generation;
    struct backend *gone;      /* no more in the view; chained by gone_next */
    struct backend_sums *past; /* counters of those freed */
    usec_t burst_at;           /* the last one told */
    uint32_t burst_waiting;
    /* What is worth telling; cause is NULL for "admitted" and "drained". */
    void (*event)(void *context, const char *event, const char *backend, const char *cause);
    void (*burst)(void *context, uint32_t in_flight, uint32_t waiting);
    void *context;
};

/* Counters of one backend, or many, of all workers. */
struct backend_sums {
    uint64_t requests, responses[6], errors, connect_failures, retries, queued, bytes_in, bytes_out;
    uint64_t answering, unanswered, heard_at; /* the latest */
    uint64_t in_flight_us;                    /* in flight, summed over time until now */
    struct histogram latency;
};

/* False: out of memory. */
bool registry_init(struct registry *r, struct hub *hub, const struct settings *settings);
void registry_fini(struct registry *r); /* after the workers have ended */

/* The absolute set. 0, -EINVAL (err says why; nothing has changed) or -ENOMEM. */
int registry_set(struct registry *r, const struct backend_spec *specs, unsigned count, usec_t now, char *err,
                 size_t err_size);

/* Other settings from now on. 0 or -ENOMEM. */
int registry_configure(struct registry *r, const struct settings *settings);

/* Looks at what workers have told (hub->news) and at what time has brought; when to look again at the latest.
 */
usec_t registry_watch(struct registry *r, unsigned news, usec_t now);

const struct view *registry_view(const struct registry *r);

/* One that is gone: has its id come again since, with another address? Then that one is what the id means:
 * this one finishes what it has under way, unnamed. */
bool registry_is_replaced(const struct registry *r, const struct backend *gone);
void registry_sum(const struct registry *r, const struct backend *b, usec_t now,
                  struct backend_sums *sums); /* adds */
void registry_add_sums(struct backend_sums *to, const struct backend_sums *from);
uint32_t registry_in_flight(const struct registry *r);

#endif
