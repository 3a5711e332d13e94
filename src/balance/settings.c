/* SPDX-License-Identifier: MIT */
/* Turns options into what can be used per request without parsing. */
#include "balance/settings.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void map_v4(const struct in_addr *v4, struct in6_addr *out)
{
    memset(out, 0, sizeof(*out));
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(&out->s6_addr[12], v4, 4);
}

static bool parse_bits(const char *text, unsigned most, unsigned *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0')
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= most;
}

static bool parse_network(char *text, struct network *out)
{
    struct in_addr v4;
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash++ = '\0';
    bool is_v4 = inet_pton(AF_INET, text, &v4) == 1;
    unsigned width = is_v4 ? 32 : 128;
    if (is_v4)
        map_v4(&v4, &out->address);
    else if (inet_pton(AF_INET6, text, &out->address) != 1)
        return false;
    out->bits = width;
    if (slash != NULL && !parse_bits(slash, width, &out->bits))
        return false;
    out->bits += 128 - width;
    return true;
}

static bool parse_trusted(struct settings *s, char *err, size_t err_size)
{
    char list[sizeof(s->options.trusted_proxies)];
    char *rest = NULL;
    snprintf(list, sizeof(list), "%s", s->options.trusted_proxies);
    for (char *item = strtok_r(list, ", \t", &rest); item != NULL; item = strtok_r(NULL, ", \t", &rest)) {
        char text[64];
        snprintf(text, sizeof(text), "%s", item);
        if (s->trusted_count == SETTINGS_NETWORKS_MAX) {
            snprintf(err, err_size, "trusted_proxies: more than %d networks", SETTINGS_NETWORKS_MAX);
            return false;
        }
        if (!parse_network(item, &s->trusted[s->trusted_count++])) {
            snprintf(err, err_size, "trusted_proxies: '%s' is no address or network (10.0.0.0/8, ::1)", text);
            return false;
        }
    }
    return true;
}

bool settings_from(struct settings *s, const struct config_balancer *options, char *err, size_t err_size)
{
    memset(s, 0, sizeof(*s));
    s->options = *options;
    uint32_t head =
        (uint32_t)options->max_header_size; /* its range leaves room for what is added to a head */
    s->limits = http1_limits_default;
    s->limits.head = head;
    s->limits.field = head < s->limits.field ? head : s->limits.field;
    s->limits.line = head < s->limits.line ? head : s->limits.line;
    return parse_trusted(s, err, err_size);
}

static bool same_bits(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    unsigned mask = (0xff00u >> rest) & 0xff;
    return rest == 0 || ((a->s6_addr[whole] ^ b->s6_addr[whole]) & mask) == 0;
}

bool settings_trust(const struct settings *s, const struct sockaddr *peer)
{
    struct in6_addr address;
    if (s->trusted_count == 0)
        return false;
    if (peer->sa_family == AF_INET)
        map_v4(&((const struct sockaddr_in *)peer)->sin_addr, &address);
    else if (peer->sa_family == AF_INET6)
        address = ((const struct sockaddr_in6 *)peer)->sin6_addr;
    else
        return false;
    for (unsigned i = 0; i < s->trusted_count; i++)
        if (same_bits(&address, &s->trusted[i].address, s->trusted[i].bits))
            return true;
    return false;
}
