/* SPDX-License-Identifier: MIT */
/* Short forms for the eye; the exact writers are in core/units. */
#include "ui/format.h"
#include "core/decision.h"
#include "core/snapshot.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static char *format_none(char *out)
{
    return strcpy(out, "-");
}

char *format_number(char out[FORMAT_SIZE], double value)
{
    if (isnan(value) || value < 0)
        return format_none(out);
    if (value < 9999.5)
        snprintf(out, FORMAT_SIZE, "%.0f", value);
    else
        units_format_short(out, FORMAT_SIZE, value);
    return out;
}

char *format_rate(char out[FORMAT_SIZE], double value)
{
    if (isnan(value) || value < 0)
        return format_none(out);
    snprintf(out, FORMAT_SIZE, value < 9.95 ? "%.1f" : "%.0f", value);
    return out;
}

char *format_percent(char text[FORMAT_SIZE])
{
    return strcmp(text, "-") == 0 ? text : strcat(text, "%");
}

char *format_ms(char out[FORMAT_SIZE], int64_t us)
{
    double ms = (double)us / 1000;
    if (us < 0)
        return format_none(out);
    if (ms < 9.95)
        snprintf(out, FORMAT_SIZE, "%.1f", ms);
    else if (ms < 999.5)
        snprintf(out, FORMAT_SIZE, "%.0f", ms);
    else if (ms < 9950)
        snprintf(out, FORMAT_SIZE, "%.1fs", ms / 1000);
    else
        snprintf(out, FORMAT_SIZE, "%.0fs", ms / 1000);
    return out;
}

char *format_megabytes(char out[FORMAT_SIZE], int64_t bytes)
{
    if (bytes <= 0)
        return format_none(out);
    snprintf(out, FORMAT_SIZE, "%.0f", (double)bytes / (1 << 20));
    return out;
}

char *format_span(char out[FORMAT_SIZE], usec_t span)
{
    span_format(span > 0 ? span : 0, out, FORMAT_SIZE);
    return out;
}

char *format_time(char out[FORMAT_SIZE], int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / USEC_PER_SEC);
    struct tm local;
    if (!localtime_r(&seconds, &local) || !strftime(out, FORMAT_SIZE, "%H:%M:%S", &local))
        return format_none(out);
    return out;
}
