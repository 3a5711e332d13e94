/* SPDX-License-Identifier: MIT */
/* Finds a balancer that outlived its controller, takes its listening socket back, or ends it. All of this
 * waits (a second at most) and is for the start only, before the loop runs. */
#ifndef CONTROL_BALANCER_ADOPT_H
#define CONTROL_BALANCER_ADOPT_H
#include "control/state.h"

struct loop;

/* The balancer that was recorded, if it lives, else whoever answers on that control socket, which only a
 * balancer of ours can. pid 0 = none. */
struct state_process balancer_adopt_find(const char *socket_path, const struct state_process *recorded);

/* Asks the balancer on that control socket for its listening socket, which must be bound to the address
 * ("host:port", port 0 = any). Returns the descriptor (close-on-exec) or -errno; -EADDRNOTAVAIL: bound
 * elsewhere. */
int balancer_adopt_listener(const char *socket_path, const char *address);

/* Kills it and waits for its end. Nothing happens when pid is 0. */
void balancer_adopt_end(struct loop *loop, const struct state_process *balancer);

#endif
