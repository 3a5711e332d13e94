/* SPDX-License-Identifier: MIT */
/* What the engine is made of; for engine*.c only. All of it lies in the caller's memory, without a pointer
 * within, so that a copy is an engine too: that is how a preview is made. */
#ifndef CORE_ENGINE_STATE_H
#define CORE_ENGINE_STATE_H
#include "core/engine.h"
#include "core/fleet.h"
#include "core/guard.h"
#include "core/history.h"
#include "core/journal.h"
#include "core/orders.h"
#include "core/series.h"
#include "core/strategy.h"

/* What was measured of a signal. */
struct measured {
    bool fresh;        /* in this step */
    double value, top; /* the newest */
    usec_t at;         /* of the newest; USEC_NEVER = none yet */
    struct series series;
};

struct engine {
    struct config config;
    unsigned flags; /* enum target_flag */
    bool dry_run, stopping;
    bool stepped;   /* at least once */
    bool unsettled; /* the count has changed and the change is not complete */
    int desired;    /* of a target with instances of ours */
    usec_t seen_at; /* the newest time the caller has shown */
    usec_t gap;     /* time lost before the coming step */
    usec_t next_step_at;
    usec_t sample_at;             /* of the newest sample */
    enum verdict mark;            /* a change since the newest point of history */
    struct instance_sample total; /* the newest sample's sums; id and cpu of the target */
    double host_cpu_pct;
    struct situation situation; /* of the newest step */
    struct decision last;
    struct guard guard;
    struct orders orders;
    struct fleet fleet;
    struct measured measured[SIGNAL_COUNT];
    struct journal journal;
    int history_head, history_count;
    struct history_point history[HISTORY_MAX];
    _Alignas(max_align_t) char memory[]; /* of the strategies */
};

/* True for a target that only takes a count. */
bool engine_counts(const struct engine *e);

/* The count that decisions start from. */
int engine_desired(const struct engine *e, usec_t now);

/* Notices a clock that has leapt; the first thing in every call that brings the time. */
void engine_watch_time(struct engine *e, usec_t now);

/* Makes the count so, by fleet or order. */
void engine_carry_out(struct engine *e, int count, usec_t now);

void engine_remember(struct engine *e, usec_t now);

#endif
