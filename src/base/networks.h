/* SPDX-License-Identifier: MIT */
/* A list of addresses and networks of both families, as text ("10.0.0.0/8, ::1") and to be asked whether an
 * address is in it. A plain value; any thread. */
#ifndef BASE_NETWORKS_H
#define BASE_NETWORKS_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define NETWORKS_MAX 32

struct networks {
    unsigned count;
    struct network {
        struct in6_addr address; /* IPv4 as v4-mapped IPv6 */
        unsigned bits;
    } items[NETWORKS_MAX];
};

/* Separated by commas or blanks; an empty list is one. False: err says which item is none, or that there are
 * too many. */
bool networks_parse(struct networks *out, const char *list, char *err, size_t err_size);

/* An IPv4 address in an IPv6 one counts as IPv4. */
bool networks_have(const struct networks *n, const struct sockaddr *address);

#endif
