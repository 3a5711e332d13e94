/* SPDX-License-Identifier: MIT */
/* Adding up what workers have seen. */
#include "load/stats.h"

#include <errno.h>
#include <string.h>

enum { MANY_LEAST = 5 };

static const struct load_limit limits[] = {
    {EADDRNOTAVAIL, "ports", "no local port was free (see net.ipv4.ip_local_port_range)"},
    {EMFILE, "descriptors", "no descriptor was free (see ulimit -n)"},
    {ENFILE, "files", "the system had no open file left (see fs.file-max)"},
    {ENOMEM, "memory", "no memory was free"},
    {ENOBUFS, "buffers", "no memory was free for another socket"},
};

const char *load_error_name(enum load_error kind)
{
    static const char *const names[LOAD_ERROR_KINDS] = {
        [LOAD_ERROR_CONNECT] = "connect",   [LOAD_ERROR_TLS] = "tls",
        [LOAD_ERROR_TIMEOUT] = "timeout",   [LOAD_ERROR_CLOSED] = "closed",
        [LOAD_ERROR_PROTOCOL] = "protocol", [LOAD_ERROR_STATUS] = "status",
    };
    return names[kind];
}

const char *load_cause_text(enum load_error kind, int error)
{
    if (error != 0)
        return strerror(error);
    return kind == LOAD_ERROR_CLOSED ? "closed before the whole answer" : "for no reason that is known";
}

const struct load_limit *load_limit_at(size_t i)
{
    return i < sizeof limits / sizeof limits[0] ? &limits[i] : NULL;
}

void load_stats_failed(struct load_stats *stats, enum load_error kind, int error)
{
    stats->errors[kind]++;
    stats->causes[kind][error > 0 && error < LOAD_CAUSES ? error : 0]++;
}

uint64_t load_stats_limited(const struct load_stats *stats, const struct load_limit *limit)
{
    return stats->causes[LOAD_ERROR_CONNECT][limit->error];
}

uint64_t load_stats_limited_by_any(const struct load_stats *stats)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sum += load_stats_limited(stats, &limits[i]);
    return sum;
}

void load_stats_answer(struct load_stats *stats, unsigned code, usec_t latency, bool as_expected)
{
    stats->answered++;
    stats->codes[code < LOAD_CODES ? code : 0]++;
    stats->errors[LOAD_ERROR_STATUS] += !as_expected;
    histogram_record(&stats->latency, latency);
    if (latency > stats->max_us)
        stats->max_us = latency;
}

void load_stats_merge(struct load_stats *into, const struct load_stats *from)
{
    into->answered += from->answered;
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        into->errors[i] += from->errors[i];
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        for (int error = 0; error < LOAD_CAUSES; error++)
            into->causes[i][error] += from->causes[i][error];
    for (int i = 0; i < LOAD_CODES; i++)
        into->codes[i] += from->codes[i];
    into->bytes += from->bytes;
    into->unfinished += from->unfinished;
    into->connects += from->connects;
    if (from->max_us > into->max_us)
        into->max_us = from->max_us;
    histogram_merge(&into->latency, &from->latency);
}

uint64_t load_stats_errors(const struct load_stats *stats)
{
    uint64_t sum = 0;
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        sum += stats->errors[i];
    return sum;
}

uint64_t load_stats_tried(const struct load_stats *stats)
{
    return stats->answered + load_stats_errors(stats) - stats->errors[LOAD_ERROR_STATUS];
}

bool load_stats_many(const struct load_stats *stats, uint64_t count)
{
    return count >= MANY_LEAST && count * 100 > load_stats_tried(stats);
}

void load_stats_subtract(struct load_stats *from, const struct load_stats *before)
{
    from->answered -= before->answered;
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        from->errors[i] -= before->errors[i];
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        for (int error = 0; error < LOAD_CAUSES; error++)
            from->causes[i][error] -= before->causes[i][error];
    for (int i = 0; i < LOAD_CODES; i++)
        from->codes[i] -= before->codes[i];
    from->bytes -= before->bytes;
    from->unfinished -= before->unfinished;
    from->connects -= before->connects;
    histogram_subtract(&from->latency, &before->latency);
}
