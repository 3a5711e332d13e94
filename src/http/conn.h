/* SPDX-License-Identifier: MIT */
/* A non-blocking stream socket on an event loop. It knows whether reading or writing may get anywhere, so
 * that no system call is made in vain: a short read or write means "wait for the edge". Owned by the loop's
 * thread. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H
#include "http/event.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct conn {
    struct event_source source;   /* the owner sets source.ready, which calls conn_note first */
    struct event_loop *unwatched; /* where to ask for edges of writing, once one is needed; NULL: asked for */
    bool readable, writable;
    bool peer_done; /* the peer will send no more: read on to the end */
    bool failed;    /* the socket reported an error or a full hang-up */
};

/* Takes over fd (non-blocking already) and registers it; 0 or -errno, fd is then still the caller's. */
int conn_adopt(struct conn *c, struct event_loop *loop, int fd,
               void (*ready)(struct event_source *, uint32_t));

/* Starts connecting; 0 (done or under way: the first edge or write tells) or -errno. */
int conn_connect(struct conn *c, struct event_loop *loop, const struct sockaddr *to, socklen_t to_len,
                 void (*ready)(struct event_source *, uint32_t));

/* Takes an event's flags in. */
void conn_note(struct conn *c, uint32_t events);

/* Bytes read; 0: the end; -EAGAIN: nothing now; -errno. */
ssize_t conn_read(struct conn *c, char *into, size_t room);

/* Bytes written, maybe fewer than given; -EAGAIN: none now; -errno. Never raises SIGPIPE. */
ssize_t conn_write(struct conn *c, const struct iovec *parts, int count);

/* 0, or the -errno that connecting ended with. */
int conn_error(const struct conn *c);

void conn_close(struct conn *c);

/* "127.0.0.1:8000", "[::1]:8000", "localhost:8000", ":8000" or "8000" (port 0 allowed); false when it is none
 * of these. */
bool conn_parse_address(const char *text, struct sockaddr_storage *out, socklen_t *out_len);

/* "127.0.0.1:8000" into out, an IPv4 address in an IPv6 one too; with_port false leaves the port and the
 * brackets out. */
void conn_format_address(const struct sockaddr *a, bool with_port, char *out, size_t size);

/* A bound, listening, non-blocking, close-on-exec socket; or -errno. Accepted ones inherit TCP_NODELAY from
 * it. */
int conn_listen(const struct sockaddr *a, socklen_t len, int backlog);

/* The options a listening socket passes on to what it accepts, for one that was made elsewhere. */
void conn_prepare_listener(int fd);

/* Takes pacing off a socket that is bound or connects to `a`, where that is this machine: there is no network
 * to be spared, and a system's default that paces (BBR) would only hold large bodies back. */
void conn_stop_pacing(int fd, const struct sockaddr *a);

#endif
