/* SPDX-License-Identifier: MIT */
/* The control socket: listens on a Unix path, reads lines from a few clients, writes lines to them. A client
 * that does not read what it is sent is closed. Control thread only. */
#ifndef BALANCE_CLIENTS_H
#define BALANCE_CLIENTS_H
#include "balance/protocol.h"
#include "base/bytes.h"
#include "base/loop.h"
#include <stddef.h>
#include <sys/types.h>

struct clients;

struct client {
    struct loop_watch watch;
    struct clients *owner;
    struct bytes in, out;
    int64_t interval_us, next_stats_at; /* of its subscription; interval 0: none */
    bool changes_only, told;            /* it was told all once; from then on what changed */
    uint64_t told_mark;
    int passed_fd; /* came with a line; -1 = none */
    bool open;
};

struct clients {
    struct loop *loop;
    struct loop_watch watch;
    struct client slots[PROTOCOL_CLIENTS_MAX];
    uid_t owner; /* who may connect, besides root */
    bool listening;
    struct loop_timer again; /* accepting pauses until then: there was no descriptor */
    void (*line)(void *context, struct client *client, char *line);
    void *context;
};

/* Binds path (a socket left there by a process that is gone is replaced), mode 0600. 0 or -errno. */
int clients_open(struct clients *c, struct loop *loop, const char *path);
void clients_close(struct clients *c);

/* Listens on this socket from now on, and no more on the one before, whose path has gone; it is ours then. 0
 * or -errno
 * (-EINVAL: it is no listening Unix socket), and nothing has changed. */
int clients_move(struct clients *c, int fd);

/* Sends text, a whole line with its newline; fd >= 0 goes along. False: the client is closed now. */
bool client_send(struct client *client, const char *text, size_t len, int fd);

#endif
