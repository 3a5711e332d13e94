/* SPDX-License-Identifier: MIT */
/* Reads the request counter that an application itself offers ([app] requests_path) and makes requests per
 * minute of it, for traffic that passes the balancer by. The control thread; nothing blocks. */
#ifndef TARGET_REQUESTS_H
#define TARGET_REQUESTS_H
#include "base/http_client.h"
#include "base/loop.h"
#include "core/config.h"

#define REQUESTS_WINDOW_MAX 64

/* The number in a bare "123" or in {"requests": 123}; false: it is neither, or not a count. */
bool requests_parse(const char *text, size_t size, double *out);

/* Zero it before the first requests_start(); it must not move while it runs. */
struct requests {
    struct loop *loop;
    struct http_client *client;
    const struct config *config; /* requests_path, read before each call */
    int port;
    struct http_client_call *call;
    bool running;
    int count; /* readings of the last minute, oldest first */
    struct requests_reading {
        int64_t at_us;
        double total;
    } readings[REQUESTS_WINDOW_MAX];
};

void requests_start(struct requests *requests, struct loop *loop, struct http_client *client,
                    const struct config *config, int port);
/* For the next reading, unless one is under way or there is nothing to ask: as often as it is to be read. */
void requests_ask(struct requests *requests);
void requests_stop(struct requests *requests);

/* Requests per minute over the last minute, or since the first reading; NaN: not measured lately. */
double requests_rpm(const struct requests *requests, int64_t now_us);

#endif
