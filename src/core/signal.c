/* SPDX-License-Identifier: MIT */
/* How each signal of the table is read, where it ends, and how its values are written. */
#include "core/signal.h"
#include <math.h>
#include <stdio.h>

/* What an instance without a limit of its own is taken to have: one core. */
#define ONE_CORE 100.0

static double measured(double value)
{
    return value >= 0 && isfinite(value) ? value : NAN;
}

/* The service's sum as the part of one of the replicas. */
static double part(const struct sample *sample, double sum)
{
    return sample->replicas > 0 ? measured(sum) / sample->replicas : NAN;
}

static double no_top(const struct instance_sample *instance)
{
    (void)instance;
    return INFINITY;
}

static double none_of(const struct sample *sample, const struct instance_sample *instance)
{
    (void)sample;
    (void)instance;
    return NAN;
}

static double cpu_of(const struct sample *sample, const struct instance_sample *instance)
{
    return measured(instance ? instance->cpu_pct : sample->cpu_pct);
}

static double cpu_top(const struct instance_sample *instance)
{
    return instance && instance->cpu_limit_pct > 0 ? instance->cpu_limit_pct : ONE_CORE;
}

static double rpm_of(const struct sample *sample, const struct instance_sample *instance)
{
    return instance ? measured(instance->rpm) : part(sample, sample->rpm);
}

static double in_flight_of(const struct sample *sample, const struct instance_sample *instance)
{
    return instance ? measured(instance->in_flight) : part(sample, sample->in_flight);
}

static double queue_of(const struct sample *sample, const struct instance_sample *instance)
{
    (void)instance;
    return measured(sample->queue);
}

/* Where nobody asks, none waits long and none fails. */
static double unless_idle(const struct sample *sample, double value)
{
    return value < 0 && sample->rpm == 0 ? 0 : measured(value);
}

static double latency_of(const struct sample *sample, const struct instance_sample *instance)
{
    (void)instance;
    return unless_idle(sample, (double)sample->p95_us);
}

/* No process does without memory: 0 is "not measured". */
static double memory_of(const struct sample *sample, const struct instance_sample *instance)
{
    (void)sample;
    return instance && instance->mem_bytes > 0 ? (double)instance->mem_bytes : NAN;
}

static double errors_of(const struct sample *sample, const struct instance_sample *instance)
{
    (void)instance;
    return isnan(sample->error_pct) ? unless_idle(sample, -1) : measured(sample->error_pct);
}

#define CPU_FUNCTIONS       cpu_of, cpu_top
#define RPM_FUNCTIONS       rpm_of, no_top
#define IN_FLIGHT_FUNCTIONS in_flight_of, no_top
#define QUEUE_FUNCTIONS     queue_of, no_top
#define LATENCY_FUNCTIONS   latency_of, no_top
#define MEMORY_FUNCTIONS    memory_of, no_top
#define ERRORS_FUNCTIONS    errors_of, no_top

static const struct signal_kind kinds[SIGNAL_COUNT] = {
    [SIGNAL_NONE] = {"none", UNIT_NUMBER, POOL_SERVICE, none_of, no_top},
#define KIND(id, name, unit, pooling, help) [SIGNAL_##id] = {name, unit, pooling, id##_FUNCTIONS},
    SIGNALS(KIND)
#undef KIND
};

const char *const signal_names[SIGNAL_COUNT] = {[SIGNAL_NONE] = "none",
#define NAME(id, name, ...) [SIGNAL_##id] = name,
                                                SIGNALS(NAME)
#undef NAME
};

const struct signal_kind *signal_kind(enum signal signal)
{
    return &kinds[(unsigned)signal < SIGNAL_COUNT ? signal : SIGNAL_NONE];
}

/* Decimals only where a whole number would mislead: small values, and those next to the limit. */
static int format_number(char *out, size_t size, double value, double beside, const char *sign)
{
    int decimals = fabs(value) < 10 && fabs(value - round(value)) >= 0.05;
    double scale = decimals ? 10 : 1;
    for (; decimals < 2 && value != beside && round(value * scale) == round(beside * scale); scale *= 10)
        decimals++;
    return snprintf(out, size, "%.*f%s", value == round(value) ? 0 : decimals, value, sign);
}

/* Exact below a second: what is configured as 250ms reads so. */
static int format_duration(char *out, size_t size, double us)
{
    if (us > 0 && us < (double)USEC_PER_SEC)
        return snprintf(out, size, "%.*fms", us < 10e3 ? 1 : 0, us / 1e3);
    return span_format((usec_t)us, out, size);
}

int signal_format(enum signal signal, double value, double beside, bool bare, char *out, size_t size)
{
    enum unit unit = signal_kind(signal)->unit;
    const char *sign = unit == UNIT_PERCENT && !bare ? "%" : "";
    if (isnan(value))
        return snprintf(out, size, "?%s", sign);
    if (unit == UNIT_DURATION)
        return format_duration(out, size, value);
    if (unit == UNIT_SIZE)
        return units_format_short(out, size, value);
    return format_number(out, size, value, beside, sign);
}
