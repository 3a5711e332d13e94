/* SPDX-License-Identifier: MIT */
/* Reads and writes quantities. One scanner finds the decimal number a text begins with; each kind then looks
 * at what follows it. Durations and sizes stay in integers from the text to the result, so nothing is
 * rounded. */
#include "core/units.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64 /* longer decimal texts are nobody's intent */

struct unit {
    const char *suffix;
    int64_t factor;
};

/* Largest first: writers take the first that divides evenly. */
static const struct unit duration_units[] = {
    {"h", USEC_PER_HOUR}, {"m", USEC_PER_MIN}, {"s", USEC_PER_SEC}, {"ms", USEC_PER_MSEC}, {"us", 1},
};

static const struct unit size_units[] = {
    {"T", INT64_C(1) << 40},
    {"G", INT64_C(1) << 30},
    {"M", INT64_C(1) << 20},
    {"k", INT64_C(1) << 10},
    {"", 1},
};

#define COUNT(array) (sizeof array / sizeof *(array))

usec_t usec_snap(usec_t at, usec_t grid)
{
    return (at + grid / 2) / grid * grid;
}

usec_t usec_beat(usec_t last, usec_t interval)
{
    return usec_snap(last + interval, interval % USEC_PER_SEC == 0 ? USEC_PER_SEC : interval);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A text without its surrounding blanks, as a borrowed range. */
struct span {
    const char *start, *end;
};

static struct span trim(const char *text)
{
    struct span span = {text, text + strlen(text)};
    while (span.start < span.end && is_blank(*span.start))
        span.start++;
    while (span.end > span.start && is_blank(span.end[-1]))
        span.end--;
    return span;
}

/* Past the unsigned decimal number ("12", "1.5", ".5") at start; start itself when there is none. */
static const char *skip_number(const char *start, const char *end)
{
    const char *at = start;
    int digits = 0;
    for (; at < end && is_digit(*at); at++)
        digits++;
    if (at < end && *at == '.') {
        for (at++; at < end && is_digit(*at); at++)
            digits++;
    }
    return digits > 0 ? at : start;
}

static bool span_is(const char *start, const char *end, const char *text)
{
    size_t size = (size_t)(end - start);
    return strlen(text) == size && memcmp(start, text, size) == 0;
}

/* The number in [start, end) times 10^exponent. The exponent is written into the text: 0.29 becomes 29
 * exactly. */
static bool read_decimal(const char *start, const char *end, int exponent, double *out)
{
    char text[NUMBER_MAX + 8];
    if (start == end || end - start > NUMBER_MAX)
        return false;
    snprintf(text, sizeof text, "%.*se%d", (int)(end - start), start, exponent);
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

/* The decimal number in [start, end) times factor, exactly: false when that is no integer or does not fit. */
static bool read_scaled(const char *start, const char *end, int64_t factor, int64_t *out)
{
    int64_t value = 0;
    const char *at = start;
    for (; at < end && is_digit(*at); at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return false;
    if (__builtin_mul_overflow(value, factor, &value))
        return false;
    if (at < end)
        at++;
    for (; at < end; at++) {
        if (factor % 10 != 0 && *at != '0')
            return false;
        factor /= 10;
        if (__builtin_add_overflow(value, (*at - '0') * factor, &value))
            return false;
    }
    *out = value;
    return true;
}

bool units_parse_duration(const char *text, usec_t *out)
{
    struct span span = trim(text);
    const char *suffix = skip_number(span.start, span.end);
    if (suffix == span.start)
        return false;
    if (span_is(span.start, span.end, "0")) {
        *out = 0;
        return true;
    }
    for (size_t i = 0; i < COUNT(duration_units); i++)
        if (span_is(suffix, span.end, duration_units[i].suffix))
            return read_scaled(span.start, suffix, duration_units[i].factor, out);
    return false;
}

bool units_parse_percent(const char *text, double *out_pct)
{
    struct span span = trim(text);
    const char *suffix = skip_number(span.start, span.end);
    double value;
    if (!read_decimal(span.start, suffix, 0, &value))
        return false;
    if (suffix == span.end) {
        if (value == 1)
            return false; /* 1% or 100%? */
        if (value < 1)
            return read_decimal(span.start, suffix, 2, out_pct);
    } else {
        while (suffix < span.end && is_blank(*suffix))
            suffix++;
        if (!span_is(suffix, span.end, "%"))
            return false;
    }
    *out_pct = value;
    return true;
}

bool units_parse_rate(const char *text, double *out_rps)
{
    static const struct {
        const char *suffix;
        int seconds;
    } per[] = {{"", 1},      {"/s", 1},   {"/sec", 1},  {"rps", 1},     {"/m", 60},
               {"/min", 60}, {"rpm", 60}, {"/h", 3600}, {"/hour", 3600}};
    struct span span = trim(text);
    const char *digits_end = skip_number(span.start, span.end);
    int thousands = digits_end < span.end && *digits_end == 'k';
    const char *suffix = digits_end + thousands;
    for (size_t i = 0; i < COUNT(per); i++) {
        double value;
        if (!span_is(suffix, span.end, per[i].suffix))
            continue;
        if (!read_decimal(span.start, digits_end, 3 * thousands, &value))
            return false;
        *out_rps = value / per[i].seconds;
        return true;
    }
    return false;
}

bool units_parse_size(const char *text, int64_t *out_bytes)
{
    struct span span = trim(text);
    const char *suffix = span.start;
    while (suffix < span.end && is_digit(*suffix))
        suffix++;
    if (suffix == span.start)
        return false;
    for (size_t i = 0; i < COUNT(size_units); i++) {
        const char *unit = size_units[i].suffix;
        bool other_case = suffix + 1 == span.end && *unit != '\0' && (*suffix ^ 0x20) == *unit;
        if (span_is(suffix, span.end, unit) || other_case)
            return read_scaled(span.start, suffix, size_units[i].factor, out_bytes);
    }
    return false;
}

bool units_parse_int(const char *text, int64_t *out)
{
    struct span span = trim(text);
    bool negative = span.start < span.end && *span.start == '-';
    const char *at = span.start;
    if (at < span.end && (*at == '-' || *at == '+'))
        at++;
    if (at == span.end)
        return false;
    int64_t value = 0;
    for (; at < span.end; at++) {
        int digit = negative ? '0' - *at : *at - '0';
        if (!is_digit(*at) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool units_parse_double(const char *text, double *out)
{
    struct span span = trim(text);
    bool negative = span.start < span.end && *span.start == '-';
    const char *at = span.start;
    if (at < span.end && (*at == '-' || *at == '+'))
        at++;
    double value;
    if (skip_number(at, span.end) != span.end || !read_decimal(at, span.end, 0, &value))
        return false;
    *out = negative ? -value : value;
    return true;
}

static int format_scaled(char *out, size_t size, int64_t value, const struct unit *units)
{
    while (value % units->factor != 0)
        units++;
    return snprintf(out, size, "%lld%s", (long long)(value / units->factor), units->suffix);
}

int units_format_duration(char *out, size_t size, usec_t duration)
{
    return duration == 0 ? snprintf(out, size, "0") : format_scaled(out, size, duration, duration_units);
}

int units_format_size(char *out, size_t size, int64_t bytes)
{
    return bytes == 0 ? snprintf(out, size, "0") : format_scaled(out, size, bytes, size_units);
}

int units_format_double(char *out, size_t size, double value)
{
    if (!isfinite(value))
        return snprintf(out, size, "-");
    char digits[40];
    int precision = 0;
    for (; precision < DBL_DECIMAL_DIG; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    int decimals = precision - (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    return snprintf(out, size, "%.*f", decimals > 0 ? decimals : 0, value);
}

int units_format_percent(char *out, size_t size, double pct)
{
    char number[400];
    units_format_double(number, sizeof number, pct);
    return snprintf(out, size, "%s%%", number);
}

int units_format_rate(char *out, size_t size, double rps)
{
    char per_second[400], per_minute[400];
    units_format_double(per_second, sizeof per_second, rps);
    units_format_double(per_minute, sizeof per_minute, rps * 60);
    if (strlen(per_minute) < strlen(per_second) && rps * 60 / 60 == rps)
        return snprintf(out, size, "%s/m", per_minute);
    return snprintf(out, size, "%s/s", per_second);
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

int units_format_clock(char *out, size_t size, usec_t duration)
{
    long long minutes = duration > 0 ? duration / USEC_PER_MIN : 0;
    int seconds = duration > 0 ? (int)(duration / USEC_PER_SEC % 60) : 0;
    long long days = minutes / (24 * 60);
    int hour = (int)(minutes / 60 % 24), minute = (int)(minutes % 60);
    if (days > 0)
        return snprintf(out, size, "%lldd %02d:%02d", days, hour, minute);
    return snprintf(out, size, "%02d:%02d:%02d", hour, minute, seconds);
}

int units_format_short(char *out, size_t size, double value)
{
    static const char scales[] = " kMGTP";
    if (isnan(value))
        return snprintf(out, size, "-");
    size_t scale = 0;
    while (fabs(value) >= 999.5 && scales[scale + 1] != '\0') {
        value /= 1000;
        scale++;
    }
    if (fabs(value) >= 999.5)
        return snprintf(out, size, value > 0 ? ">999P" : "<-1E");
    bool whole = fabs(value) >= 9.95 || (scale == 0 && value == floor(value));
    return snprintf(out, size, "%.*f%.*s", whole ? 0 : 1, value, scale > 0, &scales[scale]);
}
