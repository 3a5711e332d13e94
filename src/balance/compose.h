/* SPDX-License-Identifier: MIT */
/* Heads as they go on: what concerns one connection only is left out, framing and forwarding fields are
 * written by us. In the worker's thread. */
#ifndef BALANCE_COMPOSE_H
#define BALANCE_COMPOSE_H
#include "balance/worker.h"

/* Into x->up.head / x->down.head, lent for it. False: no memory, or it would not fit. */
bool compose_request(struct exchange *x);
bool compose_response(struct exchange *x);

/* An answer of our own with a line of text, into x->down.head. */
bool compose_reply(struct exchange *x, unsigned code, const char *why);

/* The backend that the client's cookie binds it to, NULL: none. */
struct backend *compose_bound(const struct exchange *x);

#endif
