/* SPDX-License-Identifier: MIT */
/* What ascale-load tells: progress while it runs, the summary at its end, and whether expectations were met.
 * Numbers in, text out; the main thread only. */
#ifndef LOAD_OUTPUT_H
#define LOAD_OUTPUT_H
#include "load/cli.h"
#include "load/stats.h"
#include <stdio.h>

/* One interval of the run, and the run so far. */
struct output_interval {
    const struct load_options *options;
    const char *url;        /* the first, without its weight */
    usec_t elapsed, length; /* until what was counted had been seen; of the interval */
    const struct load_stats *total, *interval;
    int64_t in_flight;
    double asked_rps; /* 0: closed loop, or over */
    int64_t users;
};

struct output_summary {
    const struct load_options *options;
    const struct load_stats *stats;
    usec_t elapsed;   /* from the start to the end or the last answer, whichever was later */
    usec_t cpu;       /* of the whole process */
    double asked_rps; /* mean of what was due; 0: closed loop */
    uint64_t missed, late, held;
    bool generator_limited;
    bool interrupted;
};

/* Without an end of line. */
void output_line(char *out, size_t size, const struct output_interval *interval);
void output_json_line(FILE *out, const struct output_interval *interval);
void output_csv_head(FILE *out);
void output_csv_row(FILE *out, const struct output_interval *interval);

/* Of these: not below the true one, and no more than the largest value; -1 when nothing was measured; "812
 * us", "12.3 ms", "4.56 s"; a second. */
usec_t output_quantile(const struct load_stats *stats, double q);
const char *output_latency(char *out, size_t size, usec_t value);
/* A rate with three digits at least: "0.0167", "25.0". Returns out. */
const char *output_per_second(char *out, size_t size, double rps);
double output_rate(uint64_t count, usec_t length);

/* "00:01:30", to the nearest second. */
void output_clock(char *out, size_t size, usec_t elapsed);

void output_summary_text(FILE *out, const struct output_summary *summary);

/* One object; event is put first when it is not NULL. False: it could not be built or written. */
bool output_summary_json(FILE *out, const struct output_summary *summary, const char *event);

/* Whether the expectations were met; why gets the first that was not. */
bool output_expectations_met(const struct output_summary *summary, char *why, size_t why_size);

#endif
