/* SPDX-License-Identifier: MIT */
/* The sentences for decisions. A row a reason: plain words with marks for its numbers, which one short
 * interpreter fills in. Nothing is kept. Marks:
 *   $s the signal's name       $w the window of the mean (other), with a blank, or nothing
 *   $v $l value, limit as %    $V $L $O value, limit, other as bare numbers
 *   $f the span, " for 12s", when it is worth a word
 *   $t the span                $p the span of other, "12/30s"       $c '<' or '>' between value and limit */
#include "core/decision.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const templates[REASON_COUNT] = {
    [REASON_NONE] = "",
    [REASON_ABOVE_UP] = "$s $w$v > $l$f",
    [REASON_BELOW_DOWN] = "$s $w$v < $l$f",
    [REASON_INSIDE_BAND] = "$s $v inside $L..$O",
    [REASON_UNSETTLED] = "$s $v now, mean $O%: no clear trend",
    [REASON_NOT_LONG_ENOUGH] = "$s $v $c $l but only $p",
    [REASON_UNDONE] = "a scale-in at this load was undone before",
    [REASON_COOLDOWN] = "cooldown $t left",
    [REASON_AT_MAXIMUM] = "at the maximum of $L",
    [REASON_AT_MINIMUM] = "at the minimum of $L",
    [REASON_RAISED_TO_MINIMUM] = "raised to the minimum of $L",
    [REASON_CUT_TO_MAXIMUM] = "cut to the maximum of $L",
    [REASON_STEP_LIMIT] = "$V wanted, at most $L a step",
    [REASON_WOULD_EXCEED_UP] = "one fewer could put $s at $v, over $l",
    [REASON_STARTING] = "$V still starting",
    [REASON_UNHEALTHY] = "$V failing health checks",
    [REASON_BUSY] = "$V too busy to answer health checks",
    [REASON_WAKE] = "none runs and $V requests wait",
    [REASON_STILL_USED] = "still used, $V requests a minute",
    [REASON_NO_DATA] = "$s not measured, so nothing is changed",
    [REASON_STALE_DATA] = "last $s is $t old, so nothing is changed",
    [REASON_GAP] = "no step for $t, so what was seen before is dropped",
    [REASON_TRACKING] = "$s $v against a target of $l needs $O",
    [REASON_SATURATED] = "$s at its top ($v) hides the true demand",
    [REASON_HOST_FULL] = "host CPU is full ($v), more instances may not help",
    [REASON_OPERATOR] = "the operator asked for $V",
    [REASON_FLOOR] = "the operator's floor of $L holds for $t",
    [REASON_CEILING] = "the operator's ceiling of $L holds for $t",
    [REASON_MANUAL_MODE] = "MANUAL: the operator's $V holds",
    [REASON_TARGET_LAGS] = "target lags: $V seen, $L ordered, for $t",
    [REASON_TARGET_DOWN] = "the target has not answered for $t",
    [REASON_DRY_RUN] = "dry run: not carried out",
};

/* Text that grows at the end of a buffer; length counts what did not fit too, as snprintf does. */
struct text_out {
    char *out;
    size_t size, length;
};

static void put(struct text_out *o, const char *text)
{
    size_t room = o->length < o->size ? o->size - o->length : 0;
    if (room)
        snprintf(o->out + o->length, room, "%s", text);
    o->length += strlen(text);
}

int span_format(usec_t span, char *out, size_t size)
{
    long long tenths = span / (USEC_PER_SEC / 10) + (span % (USEC_PER_SEC / 10) >= USEC_PER_SEC / 20);
    long long s = span / USEC_PER_SEC + (span % USEC_PER_SEC >= USEC_PER_SEC / 2);
    if (span == USEC_NEVER)
        return snprintf(out, size, "ever");
    if (span > 0 && tenths == 0)
        return snprintf(out, size, "%lldms", (long long)(span + 999) / 1000);
    if (tenths < 100 && tenths % 10)
        return snprintf(out, size, "%lld.%llds", tenths / 10, tenths % 10);
    if (s < 120)
        return snprintf(out, size, "%llds", s);
    if (s < 7200)
        return s % 60 ? snprintf(out, size, "%lldm %02llds", s / 60, s % 60)
                      : snprintf(out, size, "%lldm", s / 60);
    return snprintf(out, size, "%lldh %02lldm", s / 3600, s / 60 % 60);
}

/* Decimals only where a whole number would mislead: small values, and those next to the limit. */
static void format_number(char *out, size_t size, double value, double beside)
{
    int decimals = fabs(value) < 10 && fabs(value - round(value)) >= 0.05;
    double scale = decimals ? 10 : 1;
    if (isnan(value)) {
        snprintf(out, size, "?");
        return;
    }
    for (; decimals < 2 && value != beside && round(value * scale) == round(beside * scale); scale *= 10)
        decimals++;
    snprintf(out, size, "%.*f", value == round(value) ? 0 : decimals, value);
}

static void put_mark(struct text_out *o, char mark, const struct reason *r, const char *signal)
{
    char text[48] = "", need[24];
    switch (mark) {
    case 's':
        put(o, signal);
        return;
    case 'w':
        if (r->other > 0) {
            span_format((usec_t)r->other, text, sizeof text - 1);
            strcat(text, " ");
        }
        break;
    case 'v':
    case 'V':
        format_number(text, sizeof text - 1, r->value, r->limit);
        break;
    case 'l':
    case 'L':
        format_number(text, sizeof text - 1, r->limit, r->value);
        break;
    case 'O':
        format_number(text, sizeof text - 1, r->other, NAN);
        break;
    case 'f':
        if (r->span >= USEC_PER_SEC) {
            strcpy(text, " for ");
            span_format(r->span, text + strlen(text), sizeof text - strlen(text));
        }
        break;
    case 't':
        span_format(r->span, text, sizeof text);
        break;
    case 'p':
        span_format((usec_t)r->other, need, sizeof need);
        snprintf(text, sizeof text, "%.0f/%s", floor((double)r->span / (double)USEC_PER_SEC), need);
        break;
    case 'c':
        strcpy(text, r->value < r->limit ? "<" : ">");
        break;
    }
    if (mark == 'v' || mark == 'l')
        strcat(text, "%");
    put(o, text);
}

static void put_reason(struct text_out *o, const struct reason *r, const char *signal)
{
    const char *t = (unsigned)r->code < REASON_COUNT ? templates[r->code] : "";
    for (; *t; t++) {
        if (*t == '$')
            put_mark(o, *++t, r, signal);
        else
            put(o, (char[2]){*t, '\0'});
    }
}

int reason_format(const struct reason *reason, const char *signal, char *out, size_t size)
{
    struct text_out o = {out, size, 0};
    if (size)
        *out = '\0';
    put_reason(&o, reason, signal);
    return (int)o.length;
}

bool decision_by_strategy(const struct decision *d)
{
    enum reason_code first = d->reasons[0].code;
    return (d->verdict == VERDICT_UP || d->verdict == VERDICT_DOWN) &&
           (first == REASON_ABOVE_UP || first == REASON_BELOW_DOWN || first == REASON_TRACKING);
}

int decision_format(const struct decision *d, const char *signal, char *out, size_t size)
{
    struct text_out o = {out, size, 0};
    char step[48];
    if (size)
        *out = '\0';
    for (int i = 0; i < d->reason_count; i++) {
        if (i)
            put(&o, "; ");
        put_reason(&o, &d->reasons[i], signal);
    }
    if (decision_by_strategy(d)) {
        snprintf(step, sizeof step, "; cooldown ok; step %+d", d->to - d->from);
        put(&o, step);
    }
    return (int)o.length;
}

int decision_line(const struct decision *d, const char *signal, char *out, size_t size)
{
    struct text_out o = {out, size, 0};
    char reasons[400], head[48];
    if (size)
        *out = '\0';
    decision_format(d, signal, reasons, sizeof reasons);
    snprintf(head, sizeof head, d->from == d->to ? "%s %d " : "%s %d>%d ", verdict_name(d->verdict), d->from,
             d->to);
    put(&o, head);
    put(&o, reasons);
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
        if (x && y && (x->code != y->code || x->limit != y->limit))
            return false;
    } while (x && y);
    return !x && !y;
}

void decision_add(struct decision *decision, struct reason reason)
{
    if (decision->reason_count < DECISION_REASONS_MAX)
        decision->reasons[decision->reason_count++] = reason;
}

const char *const verdict_names[VERDICT_COUNT] = {"HOLD", "UP", "DOWN", "MANUAL"};

const char *verdict_name(enum verdict verdict)
{
    return (unsigned)verdict < VERDICT_COUNT ? verdict_names[verdict] : "?";
}
