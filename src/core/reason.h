/* SPDX-License-Identifier: MIT */
/* THE table of reasons: a row is a code, its word in JSON and its sentence. A reason is a code with its
 * numbers and the signal that they are of; text is made only when somebody looks. Plain values. Marks in a
 * sentence: $s the signal's name       $w the window of the mean (other), with a blank, or nothing $v $l
 * value, limit in the signal's unit; $o other, too; $b $B limit, other as the ends of a range $V $L $O value,
 * limit, other as bare numbers $f the span, " for 12s", when it is worth a word $t the span                $p
 * the span of other, "12/30s"       $c '<' or '>' between value and limit */
#ifndef CORE_REASON_H
#define CORE_REASON_H
#include "core/signal.h"
#include "core/units.h"

/* clang-format off */
/* X(CODE, word, sentence) */
#define REASONS(X)                                                                                        \
    /* the mean over other (us) is past limit, for span */                                                \
    X(ABOVE_UP,          "above-up",          "$s $w$v > $l$f")                                           \
    X(BELOW_DOWN,        "below-down",        "$s $w$v < $l$f")                                           \
    X(INSIDE_BAND,       "inside-band",       "$s $v inside $b..$B")                                      \
    /* value now, mean other: neither past a threshold nor at rest */                                     \
    X(UNSETTLED,         "unsettled",         "$s $v now, mean $o: no clear trend")                       \
    /* past limit, but only for span of other (us) */                                                     \
    X(NOT_LONG_ENOUGH,   "not-long-enough",   "$s $v $c $l but only $p")                                  \
    X(UNDONE,            "undone",            "a scale-in at this load was undone before")                \
    X(COOLDOWN,          "cooldown",          "cooldown $t left")                                         \
    X(AT_MAXIMUM,        "at-maximum",        "at the maximum of $L")                                     \
    X(AT_MINIMUM,        "at-minimum",        "at the minimum of $L")                                     \
    X(RAISED_TO_MINIMUM, "raised-to-minimum", "raised to the minimum of $L")                              \
    X(CUT_TO_MAXIMUM,    "cut-to-maximum",    "cut to the maximum of $L")                                 \
    /* value wanted */                                                                                    \
    X(STEP_LIMIT,        "step-limit",        "$V wanted, at most $L a step")                             \
    X(WOULD_EXCEED_UP,   "would-exceed-up",   "one fewer could put $s at $v, over $l")                    \
    X(STARTING,          "starting",          "$V still starting")                                        \
    X(UNHEALTHY,         "unhealthy",         "$V failing health checks")                                 \
    X(BUSY,              "busy",              "$V too busy to answer health checks")                      \
    X(WAKE,              "wake",              "none runs and $V requests wait")                           \
    /* the last one would go, but value requests a minute come */                                         \
    X(STILL_USED,        "still-used",        "still used, $V requests a minute")                         \
    X(NO_DATA,           "no-data",           "$s not measured, so nothing is changed")                   \
    X(STALE_DATA,        "stale-data",        "last $s is $t old, so nothing is changed")                 \
    X(GAP,               "gap",               "no step for $t, so what was seen before is dropped")       \
    /* limit: the target; other: the count it takes */                                                    \
    X(TRACKING,          "tracking",          "$s $v against a target of $l needs $O")                    \
    X(SATURATED,         "saturated",         "$s at its top ($v) hides the true demand")                 \
    X(HOST_FULL,         "host-full",         "host CPU is full ($v), more instances may not help")       \
    X(OPERATOR,          "operator",          "the operator asked for $V")                                \
    X(FLOOR,             "floor",             "the operator's floor of $L holds for $t")                  \
    X(CEILING,           "ceiling",           "the operator's ceiling of $L holds for $t")                \
    X(MANUAL_MODE,       "manual-mode",       "MANUAL: the operator's $V holds")                          \
    X(TARGET_LAGS,       "target-lags",       "target lags: $V seen, $L ordered, for $t")                 \
    X(TARGET_DOWN,       "target-down",       "the target has not answered for $t")                       \
    X(DRY_RUN,           "dry-run",           "dry run: not carried out")
/* clang-format on */

#define REASON_ID(code, ...) REASON_##code,
enum reason_code { REASON_NONE, REASONS(REASON_ID) REASON_COUNT };
#undef REASON_ID

struct reason {
    enum reason_code code;
    enum signal signal; /* that the numbers are of; SIGNAL_NONE: of none */
    double value, limit, other;
    usec_t span;
};

extern const char *const reason_words[REASON_COUNT]; /* REASON_NONE: "none" */

/* As snprintf. */
int reason_format(const struct reason *reason, char *out, size_t size);

#endif
