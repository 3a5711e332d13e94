/* SPDX-License-Identifier: MIT */
/* Decisions as text, and when two of them say the same. Nothing is kept. */
#include "core/decision.h"
#include "core/text.h"
#include <stdio.h>

/* Past all guards: none of them stands in the way of the next one either. */
static bool is_change_of_strategy(const struct decision *d)
{
    return d->cause == CAUSE_STRATEGY && (d->verdict == VERDICT_UP || d->verdict == VERDICT_DOWN);
}

int decision_format(const struct decision *d, char *out, size_t size)
{
    struct text_out o = text_out(out, size);
    char text[400];
    for (int i = 0; i < d->reason_count; i++) {
        reason_format(&d->reasons[i], text, sizeof text);
        text_put(&o, i ? "; " : "");
        text_put(&o, text);
    }
    if (is_change_of_strategy(d)) {
        snprintf(text, sizeof text, "; cooldown ok; step %+d", d->to - d->from);
        text_put(&o, text);
    }
    return (int)o.length;
}

int decision_line(const struct decision *d, char *out, size_t size)
{
    struct text_out o = text_out(out, size);
    char reasons[400], head[48];
    decision_format(d, reasons, sizeof reasons);
    snprintf(head, sizeof head, d->from == d->to ? "%s %d " : "%s %d>%d ", verdict_name(d->verdict), d->from,
             d->to);
    text_put(&o, head);
    text_put(&o, reasons);
    return (int)o.length;
}

/* What is only said along with it, and comes and goes with every sample. */
static bool is_remark(enum reason_code code)
{
    return code == REASON_HOST_FULL || code == REASON_STEP_LIMIT;
}

static const struct reason *next_reason(const struct decision *d, int *i)
{
    while (*i < d->reason_count && is_remark(d->reasons[*i].code))
        ++*i;
    return *i < d->reason_count ? &d->reasons[(*i)++] : NULL;
}

bool decision_same(const struct decision *a, const struct decision *b)
{
    const struct reason *x, *y;
    int i = 0, j = 0;
    if (a->verdict != b->verdict || a->from != b->from || a->to != b->to)
        return false;
    do {
        x = next_reason(a, &i);
        y = next_reason(b, &j);
        if (x && y && (x->code != y->code || x->signal != y->signal || x->limit != y->limit))
            return false;
    } while (x && y);
    return !x && !y;
}

void decision_add(struct decision *decision, struct reason reason)
{
    if (decision->reason_count < DECISION_REASONS_MAX)
        decision->reasons[decision->reason_count++] = reason;
}

const char *const cause_names[CAUSE_COUNT] = {
    [CAUSE_NONE] = "none",         [CAUSE_STRATEGY] = "strategy", [CAUSE_BOUNDS] = "bounds",
    [CAUSE_OPERATOR] = "operator", [CAUSE_WAKE] = "wake",         [CAUSE_COOLDOWN] = "cooldown",
    [CAUSE_PACE] = "pace",         [CAUSE_HEALTH] = "health",     [CAUSE_DATA] = "data",
    [CAUSE_GAP] = "gap",
};

const char *const basis_names[BASIS_COUNT] = {"seen", "foreseen"};

const char *const verdict_names[VERDICT_COUNT] = {"HOLD", "UP", "DOWN", "MANUAL"};

const char *verdict_name(enum verdict verdict)
{
    return (unsigned)verdict < VERDICT_COUNT ? verdict_names[verdict] : "?";
}
