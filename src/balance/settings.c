/* SPDX-License-Identifier: MIT */
/* Turns options into what can be used per request without parsing. */
#include "balance/settings.h"
#include <stdio.h>
#include <string.h>

bool settings_from(struct settings *s, const struct config_balancer *options, char *err, size_t err_size)
{
    memset(s, 0, sizeof *s);
    s->options = *options;
    uint32_t head =
        (uint32_t)options->max_header_size; /* its range leaves room for what is added to a head */
    s->limits = http1_limits_default;
    s->limits.head = head;
    s->limits.field = head < s->limits.field ? head : s->limits.field;
    s->limits.line = head < s->limits.line ? head : s->limits.line;
    char why[CONFIG_ERROR_SIZE];
    if (networks_parse(&s->trusted, options->trusted_proxies, why, sizeof why))
        return true;
    snprintf(err, err_size, "trusted_proxies: %s", why);
    return false;
}
