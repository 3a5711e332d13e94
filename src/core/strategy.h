/* SPDX-License-Identifier: MIT */
/* What a strategy sees, what it proposes, and the table of those there are. A strategy keeps no state and
 * knows no guard: it says how many instances the signal asks for, and why; core/guard decides. */
#ifndef CORE_STRATEGY_H
#define CORE_STRATEGY_H
#include "core/config.h"
#include "core/decision.h"
#include "core/series.h"

/* All that one step knows, gathered once. Percentages; NaN = not measured. */
struct situation {
    usec_t now;
    int desired;                 /* the count that the decision starts from */
    bool blind;                  /* the target did not say its count, so no other can be ordered */
    int ready;                   /* how many carry the signal */
    int starting;                /* not ready yet or again, but trying */
    int sick;                    /* not ready any more, and not yet started again */
    int busy;                    /* of the ready ones: fully used, whatever was measured */
    int pending;                 /* those of them that the last change asked for */
    bool awaiting;               /* the target has not followed the last order yet, and may still */
    double signal;               /* now */
    double mean;                 /* over scaling.stabilization */
    double calm;                 /* mean over scaling.stabilization_down */
    double crest;                /* what noise may lift the mean to though the load stays the same */
    usec_t above_for, below_for; /* how long past the thresholds, short dips smoothed away */
    double host;                 /* CPU of the whole machine */
    double rpm;
    int waiting;     /* requests queued while nothing runs */
    bool fresh;      /* this step brought a new sample of the signal */
    usec_t data_age; /* of the newest sample; USEC_NEVER = none yet */
    usec_t gap;      /* > 0: the machine slept this long before this step */
    usec_t lag;      /* > 0: the target has not followed the last order for so long */
    int lag_ordered;
};

/* reasons: why, the deciding one first. want == desired: hold. */
struct proposal {
    int want;
    int reason_count;
    struct reason reasons[3];
};

struct strategy_ops {
    const char *name;    /* as in the ini */
    const char *summary; /* one line for the screen */
    /* Called only with a measured signal and ready > 0. */
    void (*propose)(const struct situation *s, const struct config_scaling *c, struct proposal *out);
};

/* Fills the fields of s from signal to below_for out of what was measured. */
void strategy_observe(struct situation *s, const struct config_scaling *c, const struct series *signal);

/* In the order of enum config_strategy; NULL past the end. */
const struct strategy_ops *strategy_at(int index);

/* Past the upper (lower) threshold now and in the mean, however briefly. */
bool strategy_is_above(const struct situation *s, const struct config_scaling *c);
bool strategy_is_below(const struct situation *s, const struct config_scaling *c);

/* Why nothing is to be done while it is neither. */
struct reason strategy_rest_reason(const struct situation *s, const struct config_scaling *c);

/* The signal at its top: what it would be if it could rise further is unknown. */
bool strategy_saturated(const struct situation *s);

void proposal_add(struct proposal *p, struct reason reason);

extern const struct strategy_ops strategy_threshold;
extern const struct strategy_ops strategy_tracking;

#endif
