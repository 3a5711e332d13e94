/* SPDX-License-Identifier: MIT */
/* A decision: what one step of the engine concluded, and every reason for it as a code with its numbers.
 * Plain values. Text is made only when somebody looks. Percentages are 0..100 (100 = one core for cpu). */
#ifndef CORE_DECISION_H
#define CORE_DECISION_H
#include "core/units.h"

enum verdict { VERDICT_HOLD, VERDICT_UP, VERDICT_DOWN, VERDICT_MANUAL, VERDICT_COUNT };

enum reason_code {
    REASON_NONE,
    REASON_ABOVE_UP,          /* signal value, its mean over other (us) > limit, for span */
    REASON_BELOW_DOWN,        /* signal value, its mean over other (us) < limit, for span */
    REASON_INSIDE_BAND,       /* value lies within [limit, other] */
    REASON_UNSETTLED,         /* value now, mean other: neither past a threshold nor at rest */
    REASON_NOT_LONG_ENOUGH,   /* value is past limit, but only for span of other (us) */
    REASON_UNDONE,            /* the last scale-in at about this load was undone: more patience */
    REASON_COOLDOWN,          /* span left */
    REASON_AT_MAXIMUM,        /* limit instances */
    REASON_AT_MINIMUM,        /* limit instances */
    REASON_RAISED_TO_MINIMUM, /* fewer than limit were wanted or there */
    REASON_CUT_TO_MAXIMUM,    /* more than limit were wanted or there */
    REASON_STEP_LIMIT,        /* value wanted, limit instances a step */
    REASON_WOULD_EXCEED_UP,   /* one fewer would put the signal at value, over limit */
    REASON_STARTING,          /* value instances are still starting */
    REASON_UNHEALTHY,         /* value instances were ready and fail their health checks */
    REASON_BUSY,              /* value instances are too busy to answer their checks */
    REASON_WAKE,              /* none runs, and value requests wait */
    REASON_STILL_USED,        /* the last one would go, but value requests a minute come */
    REASON_NO_DATA,           /* nothing measured */
    REASON_STALE_DATA,        /* last sample is span old */
    REASON_GAP,               /* the steps before were span apart: the machine slept or we were stopped */
    REASON_TRACKING,          /* value = signal, limit = target, other = wanted count */
    REASON_SATURATED,         /* the signal is at its top (value): demand is hidden */
    REASON_HOST_FULL,         /* the machine's CPU is at value: adding instances cannot help */
    REASON_OPERATOR,          /* the operator asked for value */
    REASON_FLOOR,             /* operator's floor of limit holds for span more */
    REASON_CEILING,           /* operator's ceiling of limit holds for span more */
    REASON_MANUAL_MODE,       /* MANUAL: the operator's number holds */
    REASON_TARGET_LAGS,       /* value replicas seen, limit ordered, for span */
    REASON_TARGET_DOWN,       /* the target has not answered for span */
    REASON_DRY_RUN,           /* decided, not carried out */
    REASON_COUNT
};

struct reason {
    enum reason_code code;
    double value, limit, other;
    usec_t span;
};

#define DECISION_REASONS_MAX 6

struct decision {
    usec_t at;      /* when first taken */
    usec_t last_at; /* when last repeated */
    int repeats;    /* 1 = taken once; equal HOLDs fold into one */
    enum verdict verdict;
    int from, to; /* desired count before and after */
    int reason_count;
    struct reason reasons[DECISION_REASONS_MAX]; /* the deciding one first */
};

/* Both return what snprintf would. signal names the signal in use ("cpu"). */
int reason_format(const struct reason *reason, const char *signal, char *out, size_t size);
int decision_format(const struct decision *decision, const char *signal, char *out, size_t size);

/* The whole of it as one line: "UP 3>4 cpu 30s 74% > 70% ..." or "HOLD 3 ...". As snprintf. */
int decision_line(const struct decision *decision, const char *signal, char *out, size_t size);

/* A span for the eye: "0.4s", "12s", "3m 10s", "2h 05m". As snprintf. */
int span_format(usec_t span, char *out, size_t size);

/* Same verdict, counts, reasons and limits, whatever the measured numbers; what is only remarked (host full,
 * step limit) does not count. */
bool decision_same(const struct decision *a, const struct decision *b);

/* A change for the signal's sake, past all guards: not for the bounds' or the operator's. */
bool decision_by_strategy(const struct decision *decision);

/* Adds a reason; beyond DECISION_REASONS_MAX it is left out. */
void decision_add(struct decision *decision, struct reason reason);

extern const char *const verdict_names[VERDICT_COUNT];
const char *verdict_name(enum verdict verdict); /* "HOLD", "UP", ... */

#endif
