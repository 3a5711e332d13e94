/* SPDX-License-Identifier: MIT */
/* A load that was recorded: a file of lines "seconds,requests_per_second" as the points of a shape. */
#ifndef LOAD_TRACE_H
#define LOAD_TRACE_H
#include "core/arrivals.h"

struct trace {
    struct arrivals_point *points; /* the caller's to free; factors are shares of the peak */
    size_t count;
    double peak_rps;
};

/* Reads the file, to be run through this much faster. On false *out is empty and why says what is wrong. */
bool trace_read(const char *path, double speed, struct trace *out, char *why, size_t why_size);

#endif
