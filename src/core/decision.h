/* SPDX-License-Identifier: MIT */
/* A decision: what one step of the engine concluded, by which rule, and every reason for it. Plain values;
 * text is made only when somebody looks. */
#ifndef CORE_DECISION_H
#define CORE_DECISION_H
#include "core/reason.h"
#include "core/units.h"

enum verdict { VERDICT_HOLD, VERDICT_UP, VERDICT_DOWN, VERDICT_MANUAL, VERDICT_COUNT };

/* Which rule had the last word. */
enum cause {
    CAUSE_NONE,
    CAUSE_STRATEGY,
    CAUSE_BOUNDS,   /* min_instances, max_instances */
    CAUSE_OPERATOR, /* an order, MANUAL, a floor or a ceiling */
    CAUSE_WAKE,     /* from zero, or not */
    CAUSE_COOLDOWN,
    CAUSE_PACE,   /* what the last change asked for is still on its way */
    CAUSE_HEALTH, /* of the instances */
    CAUSE_DATA,   /* missing or stale */
    CAUSE_GAP,    /* time was lost */
    CAUSE_COUNT
};

/* What a strategy went by: the load that there is, or one that it expects. */
enum basis { BASIS_SEEN, BASIS_FORESEEN, BASIS_COUNT };

#define DECISION_REASONS_MAX 6

struct decision {
    usec_t at;      /* when first taken */
    usec_t last_at; /* when last repeated */
    int repeats;    /* 1 = taken once; equal HOLDs fold into one */
    enum verdict verdict;
    enum cause cause;
    enum basis basis; /* of the strategy */
    int from, to;     /* desired count before and after */
    int reason_count;
    struct reason reasons[DECISION_REASONS_MAX]; /* the deciding one first */
};

/* The reasons as one line. As snprintf. */
int decision_format(const struct decision *decision, char *out, size_t size);

/* The whole of it as one line: "UP 3>4 cpu 30s 74% > 70% ..." or "HOLD 3 ...". As snprintf. */
int decision_line(const struct decision *decision, char *out, size_t size);

/* Same verdict, counts, reasons and limits, whatever the measured numbers; what is only remarked (host full,
 * step limit) does not count. */
bool decision_same(const struct decision *a, const struct decision *b);

/* Adds a reason; beyond DECISION_REASONS_MAX it is left out. */
void decision_add(struct decision *decision, struct reason reason);

extern const char *const cause_names[CAUSE_COUNT]; /* in JSON */
extern const char *const basis_names[BASIS_COUNT];
extern const char *const verdict_names[VERDICT_COUNT];
const char *verdict_name(enum verdict verdict); /* "HOLD", "UP", ... */

#endif
