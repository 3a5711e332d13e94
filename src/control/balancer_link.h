/* SPDX-License-Identifier: MIT */
/* The controller's end of the balancer's control socket: JSON objects, one a line, both ways. Never blocks.
 * One thread: the loop's. */
#ifndef CONTROL_BALANCER_LINK_H
#define CONTROL_BALANCER_LINK_H
#include "base/bytes.h"
#include "base/loop.h"
#include <jansson.h>

/* Zero it, then fill in loop, message, closed and context. */
struct balancer_link {
    struct loop *loop;
    /* One object; passed_fd is -1 or a descriptor that came with it and is now the callee's. The link may be
     * closed from here. */
    void (*message)(void *context, json_t *message, int passed_fd);
    /* The other side went away, or broke the protocol; the link is closed already. */
    void (*closed)(void *context, const char *why);
    void *context;

    struct loop_watch watch; /* the link's own from here on */
    struct bytes in, out;
    int passed_fd;
    int64_t next_id;
    bool open, broken;
};

/* 0 or -errno (-ENOENT, -ECONNREFUSED: nobody listens there yet; -ENAMETOOLONG). */
int balancer_link_connect(struct balancer_link *link, const char *path);
void balancer_link_close(struct balancer_link *link);

/* Sends the object with an id put in and takes the reference. Returns the id, 0 when not connected or full.
 */
int64_t balancer_link_send(struct balancer_link *link, json_t *command);

/* The same, with a descriptor that stays the caller's. 0 also while earlier commands wait to be sent. */
int64_t balancer_link_send_with(struct balancer_link *link, json_t *command, int fd);

#endif
