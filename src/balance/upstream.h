/* SPDX-License-Identifier: MIT */
/* Backend connections: taken idle from the lane or made, given back, and what their failures mean for the
 * backend. In the worker's thread. */
#ifndef BALANCE_UPSTREAM_H
#define BALANCE_UPSTREAM_H
#include "balance/worker.h"

/* A backend for the request, counted in its in_flight, or NULL: none with room (*empty: none at all). */
struct backend *upstream_choose(struct exchange *x, bool *empty);

/* Connects x->backend; fresh: not by an idle connection. 0 or -errno. */
int upstream_get(struct exchange *x, bool fresh);

/* Back to the lane, for another request. */
void upstream_keep(struct upstream *u);
void upstream_close(struct upstream *u);

/* Closes the idle ones of a backend: all, or those idle since before `than`. Whether any are left. */
bool upstream_sweep(struct worker *w, struct backend *b, usec_t than);

/* Its backend refused the request, and is not offered it again until that has waited. */
void upstream_note_tried(struct exchange *x);

/* May it be offered to one more backend? */
bool upstream_may_try(const struct exchange *x);

/* The request is over for this backend: in_flight is given back. The last access to it. */
void upstream_leave(struct worker *w, struct backend *b);

/* A failure that counts towards ejection, or a success that ends the row. */
void upstream_failed(struct worker *w, struct backend *b, enum eject_cause cause);
void upstream_succeeded(struct backend *b);

static inline struct lane *upstream_lane(const struct worker *w, struct backend *b)
{
    return &b->lanes[w->index];
}

#endif
