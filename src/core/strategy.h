/* SPDX-License-Identifier: MIT */
/* What a strategy proposes, and the table of those there are. A strategy knows no guard: it says how many
 * instances it takes, and why; core/guard decides. All of them observe each step, one is asked. */
#ifndef CORE_STRATEGY_H
#define CORE_STRATEGY_H
#include "core/config.h"
#include "core/decision.h"
#include "core/reason.h"
#include "core/situation.h"

#define PROPOSAL_REASONS_MAX 3

/* reasons: why, the deciding one first. want == desired: hold. waits: it would, but not yet, and why. */
struct proposal {
    int want;
    enum basis basis;
    int reason_count, wait_count;
    struct reason reasons[PROPOSAL_REASONS_MAX], waits[PROPOSAL_REASONS_MAX];
};

struct strategy_ops {
    const char *name;    /* as in the ini */
    const char *summary; /* one line for the screen */
    /* Its memory, which the engine gives it and moves and copies as it likes: no pointers. 0: it needs none.
     */
    size_t size;
    void (*init)(void *memory, const struct config_scaling *c, usec_t now);
    void (*observe)(void *memory, const struct situation *s, const struct config_scaling *c);
    /* One of the two; called only with a measured signal and ready > 0. out->want is s->desired. */
    void (*propose)(const void *memory, const struct situation *s, const struct config_scaling *c,
                    struct proposal *out);
    /* A reactive one is asked once a signal; strategy_reactive.c makes one proposal of the answers, and sees
     * to it that a signal has been past its threshold for long enough. */
    void (*react)(const struct situation *s, const struct reading *r, const struct config_scaling *c,
                  struct proposal *out);
};

/* In the order of the table; NULL past the end. */
const struct strategy_ops *strategy_at(int index);

/* The memories of all, one after the other from an address aligned as malloc's. */
size_t strategy_memory_size(void);
void strategy_memory_init(void *memory, const struct config_scaling *c, usec_t now);
void strategy_observe(void *memory, const struct situation *s, const struct config_scaling *c);

/* What the strategy in force says. Without anything to go by: hold, and no reason. */
void strategy_propose(const void *memory, const struct situation *s, const struct config_scaling *c,
                      struct proposal *out);

void proposal_add(struct proposal *p, struct reason reason);

/* For reactive strategies.
 * Past the upper (lower) threshold now and in the mean, however briefly. */
bool reading_is_above(const struct reading *r);
bool reading_is_below(const struct reading *r);

/* Why nothing is to be done while it is neither. */
struct reason reading_rest_reason(const struct reading *r);

/* Why it is no use. */
struct reason reading_missing_reason(const struct reading *r, const struct config_scaling *c);

/* The signal at its top: what it would be if it could rise further is unknown. */
bool reading_is_saturated(const struct reading *r);

/* How many would bring the signal from value to limit; where one more does not take its part of it, one more
 * (fewer) than there are. */
int reading_count_for(const struct situation *s, const struct reading *r, double value, double limit);

/* What makes one proposal of those of a reactive strategy for each signal. */
void strategy_react(const struct strategy_ops *ops, const struct situation *s, const struct config_scaling *c,
                    struct proposal *out);

#define STRATEGY_DECLARE(id, name) extern const struct strategy_ops strategy_##name;
STRATEGIES(STRATEGY_DECLARE)
#undef STRATEGY_DECLARE

#endif
