/* SPDX-License-Identifier: MIT */
/* What one step measured. Plain values; NaN or negative = not measured. */
#ifndef CORE_SAMPLE_H
#define CORE_SAMPLE_H
#include "core/instance.h"
#include "core/units.h"

struct instance_sample {
    int id;
    int in_flight;
    bool ejected;         /* the balancer gives it no requests for a while, as it failed users */
    bool awaited;         /* a request waits for its first byte, and none has waited in vain since alive_at */
    usec_t alive_at;      /* a check or a request was answered, or a part of it; 0 = not yet */
    double cpu_limit_pct; /* the most CPU it may use; 0 = not known */
    double cpu_pct, rpm, error_pct; /* cpu: 100 = one core, the whole process tree */
    int64_t mem_bytes, p50_us, p95_us, p99_us;
};

struct sample {
    usec_t at;           /* when it was measured */
    double cpu_pct;      /* of the target as a whole, where it has no instances of ours */
    double host_cpu_pct; /* 0..100, all cores together */
    double rpm, error_pct;
    int64_t p50_us, p95_us, p99_us;
    int in_flight, queue;
    int replicas; /* what a TARGET_COUNT target says it has; -1 = unknown */
    int instance_count;
    struct instance_sample instances[INSTANCES_MAX];
};

#endif
