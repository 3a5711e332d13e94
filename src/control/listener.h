/* SPDX-License-Identifier: MIT */
/* The socket users connect to. Any thread. */
#ifndef CONTROL_LISTENER_H
#define CONTROL_LISTENER_H
#include <stdbool.h>
#include <stddef.h>

/* Binds "host:port" or "[v6]:port" and listens; a port 0 means any free one. Returns the descriptor
 * (close-on-exec, non-blocking), or -1 with the reason in err. Resolving a name may take a while. */
int listener_open(const char *address, char *err, size_t err_size);

/* "http://127.0.0.1:8000": what was bound; a wildcard address reads as the loopback. */
bool listener_url(int fd, char *out, size_t size);

/* Whether it is bound to this address; a port 0 in it agrees with any. */
bool listener_is_bound_to(int fd, const char *address);

#endif
