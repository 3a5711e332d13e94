/* SPDX-License-Identifier: MIT */
/* One step as the charts see it. A plain value; NaN = not measured. */
#ifndef CORE_HISTORY_H
#define CORE_HISTORY_H
#include "core/units.h"

#define HISTORY_MAX 3600

struct history_point {
    usec_t at;
    float cpu_pct, rpm, p50_ms, p95_ms, p99_ms, error_pct;
    short ready, starting, desired;
    unsigned char mark; /* enum verdict of a change in this step, VERDICT_HOLD = none */
};

#endif
