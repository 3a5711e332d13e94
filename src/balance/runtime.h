/* SPDX-License-Identifier: MIT */
/* The balancer at work: hub, workers, registry, control socket and signals, and the order of their beginning
 * and end. Main thread. */
#ifndef BALANCE_RUNTIME_H
#define BALANCE_RUNTIME_H
#include "balance/clients.h"
#include "balance/registry.h"
#include "base/loop.h"

struct runtime {
    struct config config;
    struct hub hub;
    struct registry registry;
    struct loop *loop;
    struct loop_timer watch_timer, stats_timer, drain_timer;
    struct clients clients;
    usec_t looked_at, late_us; /* at the workers; for how long one has been late */
    int priority;              /* the nice value we got */
    bool supervised, stopping;
    bool listener_shared; /* others have it, too: connections may wait there for the next balancer */
    unsigned started;     /* workers whose threads run */
    char listen[80];      /* what was bound */
};

/* Everything but the threads; listen_fd becomes its own. control NULL: no control socket. False: said on
 * stderr. */
bool runtime_open(struct runtime *rt, const struct config *config, int listen_fd, bool listener_shared,
                  const char *control);

/* Starts the workers and serves until the end. The exit status. */
int runtime_run(struct runtime *rt);
void runtime_close(struct runtime *rt);

/* Stops accepting, lets requests finish until the drain deadline, then ends. */
void runtime_stop(struct runtime *rt);

/* One line of a client: a command. */
void commands_take(struct runtime *rt, struct client *client, char *line);

/* A number that is another when the counters are, so that what has been told already need not be told again.
 */
uint64_t report_mark(const struct runtime *rt, usec_t now);

/* The stats as a line of text, a JSON object that begins with `prefix` ("\"event\":\"stats\""); to be freed;
 * NULL: no memory. */
char *report_stats(const struct runtime *rt, const char *prefix, usec_t now);

/* Sends an event line to every client. */
void runtime_tell(struct runtime *rt, const char *text);

#endif
