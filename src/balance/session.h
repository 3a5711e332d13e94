/* SPDX-License-Identifier: MIT */
/* The client side: heads in, our own answers, the end of a connection. In the worker's thread. */
#ifndef BALANCE_SESSION_H
#define BALANCE_SESSION_H
#include "balance/worker.h"

/* Takes over an accepted descriptor, which is counted in the worker's load already. */
void session_open(struct worker *w, int fd, const struct sockaddr_storage *peer);

/* Has an idle one a request that nobody has looked at yet? */
bool session_has_request(const struct session *s);

/* The worker stops: an idle one ends, at once when it is between requests. */
void session_wind_up(struct session *s);

/* Goes on with whatever its connection and state allow. */
void session_run(struct session *s);

/* It could go on, but others get their turn first. */
void session_give_way(struct session *s);

/* Ends it at once, and what it has under way. */
void session_close(struct session *s);

/* Sets state and deadline. */
void session_enter(struct session *s, enum session_state state, usec_t deadline);

/* The exchange is over and its answer out: next request, linger or close. */
void session_answered(struct session *s);

/* Puts an answer of our own in place of the backend's and ends the request; the head must not have gone out
 * yet. */
void session_reply(struct session *s, unsigned code, const char *why);

/* Waiting for a backend: this one, or NULL: any. A request may leave the queue and come back before it is
 * sent. */
void session_enqueue(struct session *s, struct backend *awaited);
void session_dequeue(struct session *s);

/* One that waits does so for this backend, or NULL: any, from now on. */
void session_await(struct session *s, struct backend *b);

/* All wait for any, until they are looked at with the next view. */
void session_forget_awaited(struct worker *w, const struct view *old);

/* Its wait is over and recorded, all of it as one; false: it has not waited. */
bool session_waited(struct session *s);

#endif
