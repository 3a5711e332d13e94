/* SPDX-License-Identifier: MIT */
/* Composes each table in memory and writes it at once; no line is longer than the terminal is wide, or moving
 * up would miss. */
#include "load/table.h"

#include <stdarg.h>
#include <string.h>

enum { LINE_SIZE = 256, LINES_MAX = 24, BANDS = 24, BANDS_SHOWN = 12, BANDS_LEAST = 3, BAR_MAX = 60 };

struct canvas {
    char text[LINES_MAX * LINE_SIZE];
    size_t size;
    unsigned columns, lines;
};

__attribute__((format(printf, 2, 3))) static void add_line(struct canvas *canvas, const char *format, ...)
{
    char line[LINE_SIZE - 8];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (canvas->lines == LINES_MAX)
        return;
    int width = canvas->columns > 1 ? (int)canvas->columns - 1 : 1;
    canvas->size += (size_t)snprintf(canvas->text + canvas->size, LINE_SIZE, "%.*s\x1b[K\n", width, line);
    canvas->lines++;
}

static void add_head(struct canvas *canvas, const struct output_interval *what)
{
    char elapsed[24], end[24] = "";
    output_clock(elapsed, sizeof elapsed, what->elapsed);
    if (what->options->duration != USEC_NEVER)
        units_format_clock(end, sizeof end, what->options->duration);
    size_t more = what->options->urls.count - 1;
    add_line(canvas, "%s%s%s  %s%s", elapsed, end[0] != '\0' ? " of " : "", end, what->url,
             more > 0 ? " and others" : "");
}

static void add_rates(struct canvas *canvas, const struct output_interval *what)
{
    char asked[48] = "";
    if (what->asked_rps > 0)
        snprintf(asked, sizeof asked, what->asked_rps < 9.995 ? " of %.3g asked" : " of %.0f asked",
                 what->asked_rps);
    add_line(canvas, "%10.0f req/s%s, %lld in flight", output_rate(what->interval->answered, what->length),
             asked, (long long)what->in_flight);
    add_line(canvas, "%10llu answered", (unsigned long long)what->total->answered);
    char kinds[160] = "";
    size_t used = 0;
    for (int i = 0; i < LOAD_ERROR_KINDS; i++)
        if (what->total->errors[i] > 0)
            used += (size_t)snprintf(kinds + used, sizeof kinds - used, "  %s %llu",
                                     load_error_name((enum load_error)i),
                                     (unsigned long long)what->total->errors[i]);
    add_line(canvas, "%10llu errors%s", (unsigned long long)load_stats_errors(what->total), kinds);
}

static void add_latencies(struct canvas *canvas, const struct output_interval *what)
{
    static const struct {
        const char *label;
        double q;
    } rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
    add_line(canvas, "%10s%14s%14s", "latency", "last second", "so far");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char now[24], all[24];
        add_line(canvas, "%10s%14s%14s", rows[i].label,
                 output_latency(now, sizeof now, output_quantile(what->interval, rows[i].q)),
                 output_latency(all, sizeof all, output_quantile(what->total, rows[i].q)));
    }
}

/* The upper end of band i: 10 us, 20 us, 50 us, 100 us and so on. */
static usec_t band_end(int i)
{
    static const usec_t steps[] = {10, 20, 50};
    usec_t end = steps[i % 3];
    for (; i >= 3; i -= 3)
        end *= 10;
    return end;
}

/* A bucket counts where its upper edge does, which is what the percentiles tell of it. */
static int count_bands(const struct load_stats *stats, uint64_t counts[BANDS])
{
    int band = 0, count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        usec_t edge = histogram_bucket_high(i);
        edge = edge < stats->max_us ? edge : stats->max_us;
        while (band < BANDS - 1 && edge >= band_end(band))
            band++;
        counts[band] += stats->latency.buckets[i];
        if (stats->latency.buckets[i] > 0)
            count = band + 1;
    }
    return count;
}

/* Where not all fit, the first shown has those before it too. */
static void add_histogram(struct canvas *canvas, const struct load_stats *stats, unsigned shown)
{
    static const char bar[BAR_MAX + 1] = "############################################################";
    uint64_t counts[BANDS] = {0}, most = 1;
    int count = count_bands(stats, counts), first = 0;
    while (first + 1 < count && (counts[first] == 0 || count - first > (int)shown)) {
        counts[first + 1] += counts[first];
        first++;
    }
    for (int i = first; i < count; i++)
        most = counts[i] > most ? counts[i] : most;
    for (int i = first; i < count; i++) {
        char label[24];
        add_line(canvas, "  < %-7s %5.1f%% %.*s", output_latency(label, sizeof label, band_end(i)),
                 100 * (double)counts[i] / (double)stats->latency.count,
                 (int)((counts[i] * BAR_MAX + most - 1) / most), bar);
    }
}

static void add_one_line(struct canvas *canvas, const struct output_interval *what)
{
    char line[LINE_SIZE];
    output_line(line, sizeof line, what);
    add_line(canvas, "%s", line);
}

void table_clear(FILE *out, struct table *table)
{
    if (table->drawn > 0)
        fprintf(out, "\r\x1b[%uA\x1b[J", table->drawn);
    table->drawn = 0;
}

void table_draw(FILE *out, struct table *table, const struct output_interval *what)
{
    struct canvas canvas = {.columns = table->columns};
    add_head(&canvas, what);
    add_rates(&canvas, what);
    add_latencies(&canvas, what);
    unsigned used = canvas.lines + 1; /* the cursor stands on one */
    if (table->rows >= used + BANDS_LEAST) {
        unsigned left = table->rows - used;
        add_histogram(&canvas, what->total, left < BANDS_SHOWN ? left : BANDS_SHOWN);
    } else {
        canvas = (struct canvas){.columns = table->columns};
        add_one_line(&canvas, what);
    }
    char up[16] = "\r";
    if (table->drawn > 0)
        snprintf(up, sizeof up, "\r\x1b[%uA", table->drawn);
    fprintf(out, "%s%s\x1b[J", up, canvas.text);
    fflush(out);
    table->drawn = canvas.lines;
}
