/* SPDX-License-Identifier: MIT */
/* Ports of instances: which one is free to give, and whose process listens on it. Any thread. */
#ifndef TARGET_PORTS_H
#define TARGET_PORTS_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The address of a host name, port 0; only numbers and the hosts file should be expected to answer at once.
 * 0 or a getaddrinfo() error. */
int ports_resolve(const char *host, struct sockaddr_storage *out);

/* The same address with that port. */
void ports_set(struct sockaddr_storage *address, int port);

/* "http://127.0.0.1:5000/health", "http://[::1]:5000/health". */
void ports_url(const char *host, int port, const char *path, char *out, size_t size);

/* A port from base up that nobody listens on and that `held` does not claim; base 0: any. -errno when there
 * is none: -EADDRINUSE, or why the first could not be bound (-EACCES, -EADDRNOTAVAIL). */
int ports_choose(const struct sockaddr_storage *host, int base, bool (*held)(void *ctx, int port), void *ctx);

enum ports_listener {
    PORTS_NOBODY,  /* no listener there */
    PORTS_OURS,    /* only processes of the list */
    PORTS_FOREIGN, /* at least one listener is somebody else's */
    PORTS_UNKNOWN, /* we may not look */
};

/* Who listens where a client of host:port would arrive. */
enum ports_listener ports_listener_of(const struct sockaddr_storage *host, int port, const pid_t *pids,
                                      int count);

#endif
