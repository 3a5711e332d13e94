/* SPDX-License-Identifier: MIT */
/* Reads a trace in one pass over its text, which it cuts into lines. */
#include "load/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILE_MAX  (64 << 20)
#define VALUE_MAX 1e12
#define BLANKS    " \t\r"
#define BYTE_MARK "\xef\xbb\xbf" /* what some editors begin a file with */

/* A number from 0 to VALUE_MAX and the blanks behind it; where to go on, NULL when there is none. */
static const char *read_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *out >= 0 && *out < VALUE_MAX ? end + strspn(end, BLANKS) : NULL;
}

static bool read_point(const char *line, double speed, struct arrivals_point *out)
{
    double seconds;
    const char *at = read_number(line, &seconds);
    if (!at || *at != ',' || seconds / speed >= VALUE_MAX)
        return false;
    out->at = (usec_t)(seconds / speed * 1e6);
    at = read_number(at + 1, &out->factor);
    return at && *at == '\0';
}

/* What is no line of data: empty, a comment, or in the first line the names of the columns. */
static bool is_no_data(const char *line, bool first)
{
    return line[0] == '\0' || line[0] == '#' || (first && strspn(line, "0123456789.+-") == 0);
}

static bool add_line(struct trace *trace, const char *line, double speed, char *why, size_t why_size)
{
    struct arrivals_point *point = &trace->points[trace->count];
    if (!read_point(line, speed, point)) {
        snprintf(why, why_size, "'%.60s' is not 'seconds,requests_per_second'", line);
        return false;
    }
    if (trace->count > 0 ? point->at <= point[-1].at : point->at != 0) {
        snprintf(why, why_size, "seconds start at 0 and grow; '%.60s' does not", line);
        return false;
    }
    trace->count++;
    if (point->factor > trace->peak_rps)
        trace->peak_rps = point->factor;
    return true;
}

static bool read_lines(struct trace *trace, char *text, double speed, char *why, size_t why_size)
{
    bool first = true;
    if (strncmp(text, BYTE_MARK, strlen(BYTE_MARK)) == 0)
        text += strlen(BYTE_MARK);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line += strspn(line, BLANKS);
        if (!is_no_data(line, first) && !add_line(trace, line, speed, why, why_size))
            return false;
        first = first && (line[0] == '\0' || line[0] == '#');
    }
    if (trace->count >= 2 && trace->peak_rps > 0)
        return true;
    snprintf(why, why_size, "it needs two points and a rate above 0");
    return false;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

bool trace_read(const char *path, double speed, struct trace *out, char *why, size_t why_size)
{
    char *text;
    size_t size;
    *out = (struct trace){0};
    int error = file_read_stream(path, FILE_MAX, &text, &size);
    if (error < 0) {
        snprintf(why, why_size, "it cannot be read: %s", strerror(-error));
        return false;
    }
    if (strlen(text) != size) {
        snprintf(why, why_size, "it holds null bytes, so it is no text");
        free(text);
        return false;
    }
    snprintf(why, why_size, "out of memory");
    out->points = calloc(count_lines(text), sizeof *out->points);
    bool good = out->points && read_lines(out, text, speed, why, why_size);
    free(text);
    for (size_t i = 0; good && i < out->count; i++)
        out->points[i].factor /= out->peak_rps;
    if (good)
        return true;
    free(out->points);
    *out = (struct trace){0};
    return false;
}
