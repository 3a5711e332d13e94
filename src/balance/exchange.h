/* SPDX-License-Identifier: MIT */
/* A request on its way to a backend and the answer back. In the worker's thread. */
#ifndef BALANCE_EXCHANGE_H
#define BALANCE_EXCHANGE_H
#include "balance/worker.h"

/* The request's head is complete: sends it to a backend, lets it wait, or answers. */
void exchange_begin(struct exchange *x);

/* One that waits: false when there is still no room; true: it has left the queue. */
bool exchange_retry(struct exchange *x);

/* Moves what can be moved both ways. False: the exchange is over, or the session went into another state. */
bool exchange_pump(struct exchange *x);

/* The deadline has come. */
void exchange_expired(struct exchange *x);

/* Lets go of the backend: its connection is closed or, when `whole`, kept for the next request. */
void exchange_release(struct exchange *x, bool whole);

/* After a 101: bytes both ways until both sides have ended. */
void tunnel_begin(struct exchange *x);
void tunnel_pump(struct exchange *x);

#endif
