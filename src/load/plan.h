/* SPDX-License-Identifier: MIT */
/* What is sent and where to, worked out once before anything starts: addresses, request bytes, weights,
 * trace. Read-only afterwards, so all workers share it. */
#ifndef LOAD_PLAN_H
#define LOAD_PLAN_H
#include "core/http1.h"
#include "load/cli.h"
#include "load/trace.h"
#include <sys/socket.h>

#define LOAD_ADDRESSES_MAX 8

/* Scheme, host and port: what connections are kept by. */
struct load_origin {
    bool tls;
    char host[256]; /* without brackets */
    char port[8];
    struct sockaddr_storage addresses[LOAD_ADDRESSES_MAX];
    socklen_t address_lengths[LOAD_ADDRESSES_MAX];
    size_t address_count;
    bool no_way; /* this machine has no address to reach any of them from */
};

struct load_target {
    char *url; /* without its weight */
    size_t origin;
    char *request; /* head and body */
    size_t request_size;
    double upto; /* share of all weights up to and with this one; the last has 1 */
};

struct load_plan {
    const struct load_options *options;
    enum http1_method method;
    struct load_origin origins[LOAD_WORDS_MAX];
    size_t origin_count;
    struct load_target targets[LOAD_WORDS_MAX];
    size_t target_count;
    char *body;
    size_t body_size;
    bool sends_length; /* there is a body, or the method is one that has one: then even none is said */
    struct trace trace;
    struct arrivals_plan arrivals; /* of all workers together */
    bool tls;                      /* some target is https: all go through libcurl */
    bool close;                    /* a new connection for every request */
};

/* NULL after an error on stderr; *status is then the exit status. The options must outlive it. */
struct load_plan *load_plan_new(const struct load_options *options, int *status);
void load_plan_free(struct load_plan *plan);

/* Which target takes a request, for unit in [0, 1). */
size_t load_plan_pick(const struct load_plan *plan, double unit);

#endif
