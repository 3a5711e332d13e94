/* SPDX-License-Identifier: MIT */
/* A target that takes an absolute count: how many it says it has, what was ordered, whether it followed.
 * A plain value; one thread at a time. */
#ifndef CORE_ORDERS_H
#define CORE_ORDERS_H
#include "core/units.h"

struct orders {
    int seen; /* -1 = not known yet */
    usec_t seen_at;
    int ordered;       /* -1 = no order is open */
    usec_t ordered_at; /* when it was given last */
    usec_t since;      /* when this number was first ordered */
    bool due;          /* not yet taken by the caller */
    int missed;        /* orders in a row that it did not follow */
};

void orders_init(struct orders *o);

/* The target said how many it has; true when that is another number than before. */
bool orders_see(struct orders *o, int replicas, usec_t now);

/* Gives an order, which orders_take() hands out once. */
void orders_give(struct orders *o, int count, usec_t now);
bool orders_take(struct orders *o, int *count);

/* Patience has run out with the open order; returns how many in a row went like that. */
int orders_miss(struct orders *o);

/* No order is open any more. */
void orders_drop(struct orders *o);

/* An order is open and younger than patience: another would only confuse. */
bool orders_awaiting(const struct orders *o, usec_t now, usec_t patience);

/* How long the target has failed to follow, when it was longer than patience; else 0. */
usec_t orders_lag(const struct orders *o, usec_t now, usec_t patience);

/* Where decisions start from: the order while it may still be followed, else what is there. */
int orders_count(const struct orders *o, usec_t now, usec_t patience);

#endif
