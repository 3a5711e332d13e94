/* SPDX-License-Identifier: MIT */
/* The [balancer] options as the data path uses them: a plain value, part of a view. */
#ifndef BALANCE_SETTINGS_H
#define BALANCE_SETTINGS_H
#include "core/config.h"
#include "core/http1.h"
#include <netinet/in.h>

#define SETTINGS_NETWORKS_MAX 32

/* IPv4 as v4-mapped IPv6. */
struct network {
    struct in6_addr address;
    unsigned bits;
};

struct settings {
    struct config_balancer options;
    struct http1_limits limits;
    struct network trusted[SETTINGS_NETWORKS_MAX];
    unsigned trusted_count;
};

/* False: err says what is wrong with trusted_proxies, the one option a table cannot check. */
bool settings_from(struct settings *s, const struct config_balancer *options, char *err, size_t err_size);

/* Are forwarding headers from this peer believed? */
bool settings_trust(const struct settings *s, const struct sockaddr *peer);

#endif
