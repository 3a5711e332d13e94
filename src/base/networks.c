/* SPDX-License-Identifier: MIT */
/* All is compared as IPv6, so that one address has one form. No state. */
#include "base/networks.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SEPARATORS ", \t"

static void map_v4(const struct in_addr *v4, struct in6_addr *out)
{
    memset(out, 0, sizeof *out);
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(&out->s6_addr[12], v4, 4);
}

static bool parse_bits(const char *text, unsigned most, unsigned *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0')
        return false;
    for (*out = 0; *text != '\0'; text++)
        *out = *out * 10 + (unsigned)(*text - '0');
    return *out <= most;
}

static bool parse_one(char *text, struct network *out)
{
    struct in_addr v4;
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    bool is_v4 = inet_pton(AF_INET, text, &v4) == 1;
    unsigned width = is_v4 ? 32 : 128;
    if (is_v4)
        map_v4(&v4, &out->address);
    else if (inet_pton(AF_INET6, text, &out->address) != 1)
        return false;
    out->bits = width;
    if (slash && !parse_bits(slash, width, &out->bits))
        return false;
    out->bits += 128 - width;
    return true;
}

bool networks_parse(struct networks *out, const char *list, char *err, size_t err_size)
{
    out->count = 0;
    for (list += strspn(list, SEPARATORS); *list != '\0'; list += strspn(list, SEPARATORS)) {
        char item[INET6_ADDRSTRLEN + 4];
        size_t length = strcspn(list, SEPARATORS);
        if (out->count == NETWORKS_MAX) {
            snprintf(err, err_size, "more than %d networks", NETWORKS_MAX);
            return false;
        }
        snprintf(item, sizeof item, "%.*s", (int)length, list);
        if (length >= sizeof item || !parse_one(item, &out->items[out->count])) {
            snprintf(err, err_size, "'%.*s' is no address or network (10.0.0.0/8, ::1)", (int)length, list);
            return false;
        }
        out->count++;
        list += length;
    }
    return true;
}

static bool same_bits(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    unsigned mask = (0xff00u >> rest) & 0xff;
    return rest == 0 || ((a->s6_addr[whole] ^ b->s6_addr[whole]) & mask) == 0;
}

bool networks_have(const struct networks *n, const struct sockaddr *address)
{
    struct in6_addr wanted;
    if (n->count == 0)
        return false;
    if (address->sa_family == AF_INET)
        map_v4(&((const struct sockaddr_in *)address)->sin_addr, &wanted);
    else if (address->sa_family == AF_INET6)
        wanted = ((const struct sockaddr_in6 *)address)->sin6_addr;
    else
        return false;
    for (unsigned i = 0; i < n->count; i++)
        if (same_bits(&wanted, &n->items[i].address, n->items[i].bits))
            return true;
    return false;
}
