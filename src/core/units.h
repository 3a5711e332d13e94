/* SPDX-License-Identifier: MIT */
/* Durations, percentages, rates and sizes: what they are in memory, how they are read and written.
 * Pure functions of their arguments; numbers never follow the locale. */
#ifndef CORE_UNITS_H
#define CORE_UNITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A monotonic instant or a duration, in microseconds. */
typedef int64_t usec_t;

#define USEC_PER_MSEC INT64_C(1000)
#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
/* "No deadline": later than any instant. */
#define USEC_NEVER INT64_MAX

/* The multiple of grid nearest to an instant. What may come a little sooner or later is snapped, so that it
 * falls together with the rest, in other processes too, and one wake-up serves it all. */
usec_t usec_snap(usec_t at, usec_t grid);

/* When what is done once an interval comes again: at whole multiples of the interval, or of a second when
 * that has whole seconds; so the first time the interval may be off by half of that. */
usec_t usec_beat(usec_t last, usec_t interval);

/* The parsers take the whole of text, surrounding blanks aside; on false *out is untouched. */

/* "250ms", "3s", "2m", "1h", "1.5s"; a bare "0" is zero, any other number needs its unit. Never negative. */
bool units_parse_duration(const char *text, usec_t *out);

/* "35%" and "35" are 35.0, "0.35" is 35.0; a bare "1" is refused as ambiguous. Never negative or NaN. */
bool units_parse_percent(const char *text, double *out_pct);

/* "500/s", "30/m", "90/h", "500" (per second), "2k/s"; "500rps", "30rpm", "/sec", "/min", "/hour" too. Never
 * negative; stored per second. */
bool units_parse_rate(const char *text, double *out_rps);

/* "512", "64k", "10M", "2G": powers of 1024. */
bool units_parse_size(const char *text, int64_t *out_bytes);

/* A decimal integer, an optional sign, nothing else. */
bool units_parse_int(const char *text, int64_t *out);

/* A finite decimal number with '.', nothing else. */
bool units_parse_double(const char *text, double *out);

/* Writers give the shortest text that reads back the same; they return what snprintf would. */
int units_format_duration(char *out, size_t size, usec_t duration);
int units_format_percent(char *out, size_t size, double pct);
int units_format_rate(char *out, size_t size, double rps);
int units_format_size(char *out, size_t size, int64_t bytes);
int units_format_double(char *out, size_t size, double value);

/* A span for the eye: "0.4s", "12s", "3m 10s", "2h 05m". As snprintf. */
int span_format(usec_t span, char *out, size_t size);

/* For the eye: "00:41:10" (a day and more: "3d 04:12"), and "1.2k", "34M" in at most 5 columns. */
int units_format_clock(char *out, size_t size, usec_t duration);
int units_format_short(char *out, size_t size, double value);

#endif
