/* SPDX-License-Identifier: MIT */
/* THE table of signals: what a decision can rest on. A row says everything about one, and its options,
 * reasons and words follow from it. Values are in the signal's own unit (percent, a number, microseconds,
 * bytes); NaN = not measured. Plain values. */
#ifndef CORE_SIGNAL_H
#define CORE_SIGNAL_H
#include "core/sample.h"
#include "core/units.h"

enum unit { UNIT_NUMBER, UNIT_PERCENT, UNIT_DURATION, UNIT_SIZE };

enum pooling {
    POOL_MEAN,    /* over the instances that are ready: one more takes its part of it */
    POOL_SERVICE, /* of the service as a whole: what one more would change is not known */
};

/* clang-format off */
/* X(ID, name, unit, pooling, what it is); signal.c has its functions, by the name of the ID. CPU has options of
 * older names. */
#define SIGNALS(X)                                                                                  \
    X(CPU,       "cpu",       UNIT_PERCENT,  POOL_MEAN,    "mean CPU; 100% is one core")            \
    SIGNALS_BESIDE_CPU(X)
#define SIGNALS_BESIDE_CPU(X)                                                                       \
    X(RPM,       "rpm",       UNIT_NUMBER,   POOL_MEAN,    "requests a minute, an instance")        \
    X(IN_FLIGHT, "in_flight", UNIT_NUMBER,   POOL_MEAN,    "requests in flight, an instance")       \
    X(QUEUE,     "queue",     UNIT_NUMBER,   POOL_SERVICE, "requests that wait for an instance")    \
    X(LATENCY,   "p95",       UNIT_DURATION, POOL_SERVICE, "latency of the slowest 5% of requests") \
    X(MEMORY,    "memory",    UNIT_SIZE,     POOL_MEAN,    "memory, an instance")                   \
    X(ERRORS,    "errors",    UNIT_PERCENT,  POOL_SERVICE, "share of requests that fail")
/* clang-format on */

#define SIGNAL_ID(id, ...) SIGNAL_##id,
enum signal { SIGNAL_NONE, SIGNALS(SIGNAL_ID) SIGNAL_COUNT };
#undef SIGNAL_ID

struct signal_kind {
    const char *name; /* in ini, screen and JSON */
    enum unit unit;
    enum pooling pooling;
    /* Of one instance, or of the service and a target that takes a count (instance NULL). */
    double (*of)(const struct sample *sample, const struct instance_sample *instance);
    /* It cannot rise above, and hides demand there; INFINITY = it can. A busy instance counts as this. */
    double (*top)(const struct instance_sample *instance);
};

/* Never NULL; SIGNAL_NONE has a row that measures nothing. */
const struct signal_kind *signal_kind(enum signal signal);

extern const char *const signal_names[SIGNAL_COUNT]; /* SIGNAL_NONE: "none" */

/* A value as one would say it ("74%", "120ms", "512M"), with decimals where a whole number would mislead
 * beside the other value (NaN: no other). bare: without the sign of a percentage. As snprintf. */
int signal_format(enum signal signal, double value, double beside, bool bare, char *out, size_t size);

#endif
