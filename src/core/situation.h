/* SPDX-License-Identifier: MIT */
/* All that one step knows, gathered once: what strategies and guard look at. Plain values. */
#ifndef CORE_SITUATION_H
#define CORE_SITUATION_H
#include "core/config.h"
#include "core/series.h"
#include "core/signal.h"

/* One signal that is in use, in its own unit; NaN = not measured. */
struct reading {
    enum signal signal;
    struct config_limits limits;
    double top;                  /* it cannot rise above; INFINITY = it can */
    double now;                  /* the newest value */
    double mean;                 /* over scaling.stabilization */
    double calm;                 /* mean over scaling.stabilization_down */
    double crest;                /* what noise may lift the mean to though the load stays the same */
    usec_t above_for, below_for; /* how long past the thresholds, short dips smoothed away */
    bool fresh;                  /* this step brought a new value */
    usec_t age;                  /* of the newest value; USEC_NEVER = none yet */
};

struct situation {
    usec_t now;
    int desired;   /* the count that the decision starts from */
    bool blind;    /* the target did not say its count, so no other can be ordered */
    int ready;     /* how many carry the load */
    int starting;  /* not ready yet or again, but trying */
    int sick;      /* not ready any more, and not yet started again */
    int busy;      /* of the ready ones: fully used, whatever was measured */
    int pending;   /* those of them that the last change asked for */
    bool awaiting; /* the target has not followed the last order yet, and may still */
    double host;   /* CPU of the whole machine, percent */
    double rpm;    /* of the service */
    int waiting;   /* requests queued while nothing runs */
    usec_t gap;    /* > 0: the machine slept this long before this step */
    usec_t lag;    /* > 0: the target has not followed the last order for so long */
    int lag_ordered;
    bool wary;        /* the last scale-in at about this load was undone */
    usec_t down_need; /* how long a signal must have been below its threshold before a scale-in */
    int reading_count;
    struct reading readings[SIGNAL_COUNT]; /* of the signals in use, in the order of the table */
};

/* The thresholds of a signal. False: it is not in use. */
bool reading_begin(struct reading *r, const struct config_scaling *c, enum signal signal);

/* Fills in the rest, but for top and fresh, from what was measured. */
void reading_take(struct reading *r, const struct config_scaling *c, const struct series *series, usec_t now);

/* Good enough to decide by. */
bool reading_is_usable(const struct reading *r, const struct config_scaling *c);

/* NULL: that signal is not in use. */
const struct reading *situation_reading(const struct situation *s, enum signal signal);

/* Older data than this decides nothing. */
usec_t situation_stale(const struct config_scaling *c);

/* Timers of the loop come a little early or late; that must not cost a whole step. */
usec_t situation_slack(const struct config_scaling *c);

#endif
