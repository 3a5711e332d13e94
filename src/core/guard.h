/* SPDX-License-Identifier: MIT */
/* The rules that hold a decision back or force one: maximum > minimum > manual > strategy; missing, stale or
 * broken data changes nothing; starting instances, cooldown and step limit slow a change down.
 * Every rule that acts leaves its reason. A plain value; one thread at a time. */
#ifndef CORE_GUARD_H
#define CORE_GUARD_H
#include "core/hold.h"
#include "core/strategy.h"

struct guard {
    struct hold hold;
    usec_t changed_at; /* of the last change, by whomever; USEC_NEVER = none yet */
    int down_to;       /* count after the last scale-in; -1 = none yet */
    enum signal down_signal;
    double down_load; /* that it was decided at, by that signal */
    bool undone;      /* a load of about that size undid it */
};

void guard_init(struct guard *g);

/* What strategies must know of it: fills in wary and down_need. */
void guard_advise(const struct guard *g, const struct config_scaling *c, struct situation *s);

/* The decision on a proposal in this situation; g is only read. */
void guard_judge(const struct guard *g, const struct config_scaling *c, const struct situation *s,
                 const struct proposal *proposal, struct decision *out);

/* The operator's number: in AUTO a floor or a ceiling until it expires, in MANUAL the count. */
void guard_take_over(struct guard *g, const struct config_scaling *c, int from, int to, usec_t now);
void guard_set_manual(struct guard *g, bool manual, int count);

/* Ends an override that is due; true when it did. */
bool guard_expire(struct guard *g, usec_t now);

/* A decision was carried out. */
void guard_changed(struct guard *g, const struct situation *s, const struct decision *d, usec_t now);

/* How long a signal must have been below its threshold before a scale-in. */
usec_t guard_down_need(const struct guard *g, const struct config_scaling *c, const struct situation *s);

usec_t guard_cooldown_left(const struct guard *g, usec_t cooldown, usec_t now);

#endif
