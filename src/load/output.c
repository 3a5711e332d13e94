/* SPDX-License-Identifier: MIT */
/* Writes progress and summary. JSON goes through jansson, so that no value can break its syntax; latencies
 * are whole microseconds, null when nothing was measured. */
#include "load/output.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

struct quantile {
    const char *key, *label;
    double q;
};

static const struct quantile quantiles[] = {
    {"p50", "50%", 0.50}, {"p75", "75%", 0.75},     {"p90", "90%", 0.90},        {"p95", "95%", 0.95},
    {"p99", "99%", 0.99}, {"p999", "99.9%", 0.999}, {"p9999", "99.99%", 0.9999},
};

enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

/* A quantile can not be above the largest value seen, though the edge of its bucket may be. */
usec_t output_quantile(const struct load_stats *stats, double q)
{
    usec_t value = histogram_quantile(&stats->latency, q);
    return value > stats->max_us ? stats->max_us : value;
}

double output_rate(uint64_t count, usec_t length)
{
    return length > 0 ? (double)count * 1e6 / (double)length : 0;
}

const char *output_per_second(char *out, size_t size, double rps)
{
    snprintf(out, size, rps > 0 && rps < 9.995 ? "%.3g" : "%.1f", rps);
    return out;
}

const char *output_latency(char *out, size_t size, usec_t value)
{
    if (value < 0)
        snprintf(out, size, "-");
    else if (value < USEC_PER_MSEC)
        snprintf(out, size, "%lld us", (long long)value);
    else if (value < USEC_PER_SEC - 500) /* from there on three digits are 1 s */
        snprintf(out, size, "%.3g ms", (double)value / 1e3);
    else
        snprintf(out, size, value < 1000 * USEC_PER_SEC - 500000 ? "%.3g s" : "%.0f s", (double)value / 1e6);
    return out;
}

/* Workers show themselves now and then, so a second is seen a little before it is over. */
void output_clock(char *out, size_t size, usec_t elapsed)
{
    units_format_clock(out, size, elapsed + USEC_PER_SEC / 2);
}

void output_line(char *out, size_t size, const struct output_interval *interval)
{
    char clock[24], p50[24], p95[24], p99[24];
    const struct load_stats *now = interval->interval;
    output_clock(clock, sizeof clock, interval->elapsed);
    snprintf(out, size, "%s  %.0f req/s  %llu answered  %llu errors  %lld in flight  p50 %s  p95 %s  p99 %s",
             clock, output_rate(now->answered, interval->length),
             (unsigned long long)interval->total->answered,
             (unsigned long long)load_stats_errors(interval->total), (long long)interval->in_flight,
             output_latency(p50, sizeof p50, output_quantile(now, 0.5)),
             output_latency(p95, sizeof p95, output_quantile(now, 0.95)),
             output_latency(p99, sizeof p99, output_quantile(now, 0.99)));
}

static json_t *latency_json(const struct load_stats *stats, double q)
{
    usec_t value = output_quantile(stats, q);
    return value < 0 ? json_null() : json_integer(value);
}

static bool write_json(FILE *out, json_t *object, size_t flags)
{
    bool written = object && json_dumpf(object, out, flags | JSON_REAL_PRECISION(9)) == 0;
    json_decref(object);
    return written && fputc('\n', out) != EOF && fflush(out) == 0;
}

void output_json_line(FILE *out, const struct output_interval *interval)
{
    const struct load_stats *now = interval->interval;
    json_t *latency = json_pack("{s:o, s:o, s:o}", "p50", latency_json(now, 0.5), "p95",
                                latency_json(now, 0.95), "p99", latency_json(now, 0.99));
    write_json(out,
               json_pack("{s:s, s:f, s:I, s:f, s:I, s:I, s:I, s:f, s:o}", "event", "progress", "elapsed_s",
                         (double)interval->elapsed / 1e6, "requests", (json_int_t)interval->total->answered,
                         "rps", output_rate(now->answered, interval->length), "errors",
                         (json_int_t)load_stats_errors(interval->total), "in_flight",
                         (json_int_t)interval->in_flight, "threads", (json_int_t)interval->users,
                         "asked_rate", interval->asked_rps, "latency_us", latency),
               JSON_COMPACT);
}

void output_csv_head(FILE *out)
{
    fputs("elapsed_s,requests,requests_per_second,errors,in_flight,asked_rate,p50_us,p95_us,p99_us\n", out);
    fflush(out);
}

void output_csv_row(FILE *out, const struct output_interval *interval)
{
    const struct load_stats *now = interval->interval;
    char rate[24], asked[24];
    fprintf(out, "%.3f,%llu,%s,%llu,%lld,%s", (double)interval->elapsed / 1e6,
            (unsigned long long)now->answered,
            output_per_second(rate, sizeof rate, output_rate(now->answered, interval->length)),
            (unsigned long long)load_stats_errors(now), (long long)interval->in_flight,
            output_per_second(asked, sizeof asked, interval->asked_rps));
    static const double columns[] = {0.5, 0.95, 0.99};
    for (int i = 0; i < 3; i++) {
        if (now->answered > 0)
            fprintf(out, ",%lld", (long long)output_quantile(now, columns[i]));
        else
            fputc(',', out);
    }
    fputc('\n', out);
    fflush(out);
}

static double cpu_per_request(const struct output_summary *summary)
{
    return summary->stats->answered > 0 ? (double)summary->cpu / (double)summary->stats->answered : 0;
}

/* Before any latency: those that waited longest are not among them. */
static void print_timeouts(FILE *out, const struct output_summary *summary)
{
    const struct load_stats *stats = summary->stats;
    uint64_t timeouts = stats->errors[LOAD_ERROR_TIMEOUT], tried = load_stats_tried(stats);
    char limit[24];
    if (timeouts > 0)
        fprintf(out,
                "  time-outs   %llu of %llu requests (%.3g%%) had no answer in %s; no latency below counts "
                "them\n",
                (unsigned long long)timeouts, (unsigned long long)tried,
                100 * (double)timeouts / (double)tried,
                output_latency(limit, sizeof limit, summary->options->timeout));
}

static void print_latencies(FILE *out, const struct load_stats *stats)
{
    char text[24];
    double mean = histogram_mean(&stats->latency);
    fprintf(out, "  latency     of %llu answers: mean %s", (unsigned long long)stats->answered,
            output_latency(text, sizeof text, mean < 0 ? -1 : (usec_t)mean));
    fprintf(out, ", max %s\n", output_latency(text, sizeof text, stats->answered > 0 ? stats->max_us : -1));
    for (int i = 0; i < QUANTILES; i++)
        fprintf(out, "  %9s   %s\n", quantiles[i].label,
                output_latency(text, sizeof text, output_quantile(stats, quantiles[i].q)));
}

/* Those that say more than their kind does. */
static uint64_t telling_causes(const struct load_stats *stats, int kind, int error)
{
    bool says_more = error != 0 || kind == LOAD_ERROR_CLOSED;
    return says_more ? stats->causes[kind][error] : 0;
}

static void print_causes(FILE *out, const struct load_stats *stats)
{
    for (int kind = 0; kind < LOAD_ERROR_KINDS; kind++)
        for (int error = 0; error < LOAD_CAUSES; error++)
            if (telling_causes(stats, kind, error) > 0)
                fprintf(out, "              %llu %s: %s\n", (unsigned long long)stats->causes[kind][error],
                        load_error_name((enum load_error)kind),
                        load_cause_text((enum load_error)kind, error));
}

/* What it was that was not enough: what ran out by name, else the time of its threads. */
static void print_limits(FILE *out, const struct load_stats *stats)
{
    static const char warning[] = "  WARNING     the generator itself was the limit:";
    const struct load_limit *limit;
    if (load_stats_limited_by_any(stats) == 0)
        fprintf(out, "%s the server may be able to do more\n", warning);
    for (size_t i = 0; (limit = load_limit_at(i)); i++)
        if (load_stats_limited(stats, limit) > 0)
            fprintf(out, "%s %s, %llu times\n", warning, limit->text,
                    (unsigned long long)load_stats_limited(stats, limit));
}

static void print_counts(FILE *out, const struct load_stats *stats)
{
    fputs("  codes      ", out);
    for (int i = 0; i < LOAD_CODES; i++)
        if (stats->codes[i] > 0)
            fprintf(out, " %d: %llu", i, (unsigned long long)stats->codes[i]);
    fprintf(out, "\n  errors      %llu", (unsigned long long)load_stats_errors(stats));
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        if (stats->errors[i] > 0)
            fprintf(out, " %s: %llu", load_error_name((enum load_error)i),
                    (unsigned long long)stats->errors[i]);
    if (stats->unfinished > 0)
        fprintf(out, " (and %llu unfinished at the end)", (unsigned long long)stats->unfinished);
    fputc('\n', out);
    print_causes(out, stats);
}

void output_summary_text(FILE *out, const struct output_summary *summary)
{
    const struct load_stats *stats = summary->stats;
    char bytes[16], rate[24];
    units_format_short(bytes, sizeof bytes, (double)stats->bytes);
    fprintf(out, "%llu requests in %.2f s, %sB read, over %llu connections\n",
            (unsigned long long)stats->answered, (double)summary->elapsed / 1e6, bytes,
            (unsigned long long)stats->connects);
    fprintf(out, "  rate        %s requests/s",
            output_per_second(rate, sizeof rate, output_rate(stats->answered, summary->elapsed)));
    if (summary->asked_rps > 0)
        fprintf(out, " of %s asked for (%llu never started)",
                output_per_second(rate, sizeof rate, summary->asked_rps),
                (unsigned long long)summary->missed);
    fputc('\n', out);
    print_timeouts(out, summary);
    print_latencies(out, stats);
    print_counts(out, stats);
    fprintf(out, "  own CPU     %.1f us a request\n", cpu_per_request(summary));
    if (summary->generator_limited)
        print_limits(out, stats);
    else if (summary->missed * 100 > load_stats_tried(stats) || load_stats_many(stats, summary->held))
        fputs("  WARNING     the rate was not kept: all connections were busy with requests before\n", out);
    fflush(out);
}

static json_t *latencies_json(const struct load_stats *stats)
{
    json_t *object = json_pack("{s:I, s:I}", "timeouts", (json_int_t)stats->errors[LOAD_ERROR_TIMEOUT],
                               "answers", (json_int_t)stats->answered);
    for (int i = 0; i < QUANTILES; i++)
        json_object_set_new(object, quantiles[i].key, latency_json(stats, quantiles[i].q));
    bool some = stats->answered > 0;
    json_object_set_new(object, "max", some ? json_integer(stats->max_us) : json_null());
    json_object_set_new(object, "mean", some ? json_real(histogram_mean(&stats->latency)) : json_null());
    return object;
}

static json_t *errors_json(const struct load_stats *stats)
{
    json_t *object = json_object();
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        json_object_set_new(object, load_error_name((enum load_error)i),
                            json_integer((json_int_t)stats->errors[i]));
    return object;
}

static json_t *causes_json(const struct load_stats *stats)
{
    json_t *list = json_array();
    for (int kind = 0; kind < LOAD_ERROR_KINDS; kind++)
        for (int error = 0; error < LOAD_CAUSES; error++)
            if (telling_causes(stats, kind, error) > 0)
                json_array_append_new(list, json_pack("{s:s, s:s*, s:s, s:I}", "kind",
                                                      load_error_name((enum load_error)kind), "errno",
                                                      error > 0 ? strerrorname_np(error) : NULL, "text",
                                                      load_cause_text((enum load_error)kind, error), "count",
                                                      (json_int_t)stats->causes[kind][error]));
    return list;
}

/* The names of what ran out; where it was the time of its threads, "cpu". */
static json_t *limits_json(const struct output_summary *summary)
{
    json_t *list = json_array();
    const struct load_limit *limit;
    for (size_t i = 0; (limit = load_limit_at(i)); i++)
        if (load_stats_limited(summary->stats, limit) > 0)
            json_array_append_new(list, json_string(limit->name));
    if (summary->generator_limited && json_array_size(list) == 0)
        json_array_append_new(list, json_string("cpu"));
    return list;
}

static json_t *codes_json(const struct load_stats *stats)
{
    json_t *object = json_object();
    for (int i = 0; i < LOAD_CODES; i++) {
        char code[16];
        snprintf(code, sizeof code, "%d", i);
        if (stats->codes[i] > 0)
            json_object_set_new(object, code, json_integer((json_int_t)stats->codes[i]));
    }
    return object;
}

bool output_summary_json(FILE *out, const struct output_summary *summary, const char *event)
{
    const struct load_stats *stats = summary->stats;
    json_t *object = json_object();
    if (event)
        json_object_set_new(object, "event", json_string(event));
    double achieved = output_rate(stats->answered, summary->elapsed);
    json_t *rest = json_pack(
        "{s:f, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:b, "
        "s:b}",
        "requests_per_second", achieved, "requests", (json_int_t)stats->answered, "errors",
        (json_int_t)load_stats_errors(stats), "errors_by_kind", errors_json(stats), "causes",
        causes_json(stats), "generator_limits", limits_json(summary), "codes", codes_json(stats),
        "latency_us", latencies_json(stats), "cpu_us_per_request", cpu_per_request(summary), "duration_s",
        (double)summary->elapsed / 1e6, "bytes", (json_int_t)stats->bytes, "asked_rate", summary->asked_rps,
        "achieved_rate", achieved, "missed", (json_int_t)summary->missed, "late", (json_int_t)summary->late,
        "held", (json_int_t)summary->held, "unfinished", (json_int_t)stats->unfinished, "connections",
        (json_int_t)stats->connects, "generator_limited", summary->generator_limited, "interrupted",
        summary->interrupted);
    if (!rest || json_object_update_new(object, rest) != 0) {
        json_decref(object);
        return false;
    }
    return write_json(out, object, event ? JSON_COMPACT : JSON_INDENT(2));
}

bool output_expectations_met(const struct output_summary *summary, char *why, size_t why_size)
{
    const struct load_options *options = summary->options;
    uint64_t errors = load_stats_errors(summary->stats);
    uint64_t tried = load_stats_tried(summary->stats);
    /* Who was cut off by a signal may have waited for a moment only, who was at the end for all of --grace.
     */
    uint64_t sent = tried + (summary->interrupted ? 0 : summary->stats->unfinished);
    uint64_t unanswered = sent - summary->stats->answered;
    usec_t p99 = output_quantile(summary->stats, 0.99);
    char asked[24], seen[24];
    if (options->expect_p99 > 0 && (p99 < 0 || p99 > options->expect_p99)) {
        snprintf(why, why_size, "the 99th percentile is %s, expected at most %s",
                 p99 < 0 ? "unknown" : output_latency(seen, sizeof seen, p99),
                 output_latency(asked, sizeof asked, options->expect_p99));
        return false;
    }
    if (options->expect_p99 > 0 && unanswered * 100 > sent) { /* they would be the slowest of all */
        snprintf(
            why, why_size,
            "%llu of %llu requests got no answer, so the 99th percentile is unknown, expected at most %s",
            (unsigned long long)unanswered, (unsigned long long)sent,
            output_latency(asked, sizeof asked, options->expect_p99));
        return false;
    }
    double allowed = options->max_errors * (options->max_errors_share ? (double)tried : 1);
    allowed = floor(allowed * (1 + 1e-12)); /* 0.7% of 1000 is a bit less than 7 in binary */
    if (options->max_errors_said && (double)errors > allowed) {
        snprintf(why, why_size, "%llu errors in %llu requests, expected at most %.0f",
                 (unsigned long long)errors, (unsigned long long)tried, allowed);
        return false;
    }
    if (summary->stats->answered == 0 && errors + summary->stats->unfinished > 0 && !summary->interrupted) {
        snprintf(why, why_size, "no request was ever answered");
        return false;
    }
    return true;
}
