/* SPDX-License-Identifier: MIT */
/* The [balancer] options as the data path uses them: a plain value, part of a view. */
#ifndef BALANCE_SETTINGS_H
#define BALANCE_SETTINGS_H
#include "base/networks.h"
#include "core/config.h"
#include "core/http1.h"

struct settings {
    struct config_balancer options;
    struct http1_limits limits;
    struct networks trusted; /* peers whose forwarding headers are believed */
};

/* False: err says what is wrong with trusted_proxies, the one option a table cannot check. */
bool settings_from(struct settings *s, const struct config_balancer *options, char *err, size_t err_size);

#endif
