/* SPDX-License-Identifier: MIT */
/* The four charts: processor, instances, requests and latency over one shared axis of time. In a large window
 * a title, the plot and the marks of decisions; in a small one a row of sparks; zoomed also a cursor with
 * values. */
#include "core/config.h"
#include "core/decision.h"
#include "core/history.h"
#include "core/signal.h"
#include "core/snapshot.h"
#include "ui/chart.h"
#include "ui/format.h"
#include "ui/spans.h"
#include "ui/view.h"
#include <math.h>
#include <stdio.h>

#define SPARK_LABEL_WIDTH 15
#define SPARK_STATS_WIDTH 30
#define PLOT_WIDTH_MAX    (GRID_WIDTH_MAX / 2)

struct window {
    usec_t span; /* 0: since the first point */
    const char *label;
};

static const struct window windows[] = {{USEC_PER_MIN, "-1m"},
                                        {5 * USEC_PER_MIN, "-5m"},
                                        {15 * USEC_PER_MIN, "-15m"},
                                        {USEC_PER_HOUR, "-1h"},
                                        {0, "all"}};

static float cpu_of(const struct history_point *point)
{
    return point->cpu_pct;
}

static float ready_of(const struct history_point *point)
{
    return (float)point->ready;
}

static float wanted_of(const struct history_point *point)
{
    return (float)point->desired;
}

static float rpm_of(const struct history_point *point)
{
    return point->rpm;
}

static float p50_of(const struct history_point *point)
{
    return point->p50_ms;
}

static float p95_of(const struct history_point *point)
{
    return point->p95_ms;
}

static float p99_of(const struct history_point *point)
{
    return point->p99_ms;
}

static void cpu_stats(const struct room *room, double peak, struct spans *stats)
{
    const struct outlook *outlook = &room->snap->outlook;
    char text[FORMAT_SIZE];
    spans_add(stats, 0, ROLE_CPU, "%s", format_number(text, room->snap->cpu_pct));
    spans_add(stats, 0, ROLE_DIM, " now");
    if (outlook->signal == SIGNAL_CPU) {
        spans_add(stats, 2, ROLE_DIM, "  %ds ", (int)(outlook->mean_window / USEC_PER_SEC));
        spans_add(stats, 2, ROLE_NORMAL, "%s", format_number(text, outlook->mean));
    }
    spans_add(stats, 1, ROLE_DIM, "  peak ");
    spans_add(stats, 1, ROLE_NORMAL, "%s", format_number(text, peak));
}

static void count_stats(const struct room *room, double peak, struct spans *stats)
{
    const struct snapshot *snap = room->snap;
    char ready[FORMAT_SIZE];
    (void)peak;
    spans_add(stats, 0, ROLE_COUNT_LINE, "%s", view_ready(snap, ready));
    spans_add(stats, 0, ROLE_DIM, " ready");
    if (snap->starting > 0)
        spans_add(stats, 0, ROLE_BUSY, " +%d", snap->starting);
    if (snap->starting > 0)
        spans_add(stats, 2, ROLE_BUSY, " starting");
    if (snap->draining > 0)
        spans_add(stats, 1, ROLE_DOWN, " -%d leaving", snap->draining);
    if (snap->failed > 0)
        spans_add(stats, 0, ROLE_BAD, " %d failed", snap->failed);
    if (snap->desired != snap->ready)
        spans_add(stats, 2, ROLE_DIM, "  want %d", snap->desired);
}

static void rpm_stats(const struct room *room, double peak, struct spans *stats)
{
    char text[FORMAT_SIZE];
    spans_add(stats, 0, ROLE_RPM, "%s", format_number(text, room->snap->rpm));
    spans_add(stats, 0, ROLE_DIM, " last minute");
    spans_add(stats, 1, ROLE_DIM, "  peak ");
    spans_add(stats, 1, ROLE_NORMAL, "%s", format_number(text, peak));
}

static void latency_stats(const struct room *room, double peak, struct spans *stats)
{
    const struct snapshot *snap = room->snap;
    char text[FORMAT_SIZE];
    (void)peak;
    spans_add(stats, 1, ROLE_DIM, "p50 ");
    spans_add(stats, 1, ROLE_P50, "%s", format_ms(text, snap->p50_us));
    spans_add(stats, 0, ROLE_DIM, "  p95 ");
    spans_add(stats, 0, ROLE_P95, "%s", format_ms(text, snap->p95_us));
    spans_add(stats, 1, ROLE_DIM, "  p99 ");
    spans_add(stats, 1, ROLE_P99, "%s", format_ms(text, snap->p99_us));
    spans_add(stats, 0, ROLE_DIM, "  err ");
    spans_add(stats, 0, snap->error_pct > 0 ? ROLE_BAD : ROLE_NORMAL, "%s",
              format_percent(format_rate(text, snap->error_pct)));
}

struct kind {
    const char *title, *short_title;
    double top_least;
    int series_count, spark; /* spark: the series of the small form */
    struct chart_series series[CHART_SERIES_MAX];
    void (*stats)(const struct room *room, double peak, struct spans *stats);
};

static const struct kind kinds[PANEL_CHARTS] = {
    [PANEL_CPU] = {"CPU mean %", "CPU %", 100, 1, 0, {{ROLE_CPU, cpu_of}}, cpu_stats},
    [PANEL_COUNT] = {"Instances",
                     "Instances",
                     5,
                     2,
                     1,
                     {{ROLE_WANTED, wanted_of}, {ROLE_COUNT_LINE, ready_of}},
                     count_stats},
    [PANEL_RPM] = {"Requests/min", "RPM", 10, 1, 0, {{ROLE_RPM, rpm_of}}, rpm_stats},
    [PANEL_LATENCY] = {"Latency ms",
                       "p95 ms",
                       10,
                       3,
                       1,
                       {{ROLE_P99, p99_of}, {ROLE_P95, p95_of}, {ROLE_P50, p50_of}},
                       latency_stats},
};

int view_window(const struct room *room)
{
    const struct snapshot *snap = room->snap;
    if (room->window >= 0)
        return room->window;
    bool young = !snap->history_count || snap->at - snap->history[0].at <= USEC_PER_MIN;
    return young ? 0 : 1; /* what there is to see shall not be lost in a corner */
}

static usec_t window_span(const struct room *room)
{
    const struct snapshot *snap = room->snap;
    usec_t span = windows[view_window(room)].span;
    if (!span)
        span = snap->history_count ? snap->at - snap->history[0].at : 0;
    return span < USEC_PER_MIN ? USEC_PER_MIN : span;
}

static void limits_set(struct chart *chart, const struct room *room, enum panel panel)
{
    const struct config_scaling *scaling = &room->snap->config.scaling;
    if (panel != PANEL_CPU)
        return;
    chart->limit_count = 2;
    chart->limits[0] = (struct chart_limit){scaling->scale_up_threshold, ROLE_LIMIT_UP, ""};
    chart->limits[1] = (struct chart_limit){scaling->scale_down_threshold, ROLE_LIMIT_DOWN, ""};
    snprintf(chart->limits[0].label, sizeof chart->limits[0].label, "up%3.0f", scaling->scale_up_threshold);
    snprintf(chart->limits[1].label, sizeof chart->limits[1].label, "dn%3.0f", scaling->scale_down_threshold);
}

static double chart_top_of(const struct chart *chart, const struct room *room, enum panel panel)
{
    double peak = 0;
    usec_t from = chart->time.start;
    for (int s = 0; s < chart->series_count; s++) {
        double value = chart_peak(chart, s, from, USEC_NEVER);
        peak = value > peak ? value : peak;
    }
    if (panel == PANEL_COUNT) {
        int most = room->snap->config.scaling.max_instances;
        return most > 0 && most <= 20 && peak <= most ? most : chart_top(peak, kinds[panel].top_least);
    }
    return chart_top(peak, kinds[panel].top_least);
}

static struct chart chart_of(const struct room *room, enum panel panel, int cells)
{
    const struct snapshot *snap = room->snap;
    const struct kind *kind = &kinds[panel];
    struct chart chart = {.points = snap->history,
                          .count = snap->history_count,
                          .time = chart_time_of(snap->at, window_span(room), cells, (int)panel),
                          .hold = 3 * snap->config.scaling.polling_interval + USEC_PER_SEC,
                          .series_count = kind->series_count,
                          .cursor = -1};
    for (int s = 0; s < kind->series_count; s++)
        chart.series[s] = kind->series[s];
    limits_set(&chart, room, panel);
    chart.top = chart_top_of(&chart, room, panel);
    return chart;
}

/* The values under the cursor instead of those of now. */
static void cursor_stats(const struct chart *chart, const struct room *room, struct spans *stats)
{
    char text[FORMAT_SIZE];
    usec_t at = chart->time.start + chart->cursor * chart->time.cell;
    spans_add(stats, 0, ROLE_FOCUS, "at %s", format_time(text, at + room->snap->wall_offset_us));
    for (int s = 0; s < chart->series_count; s++)
        spans_add(stats, 0, chart->series[s].role, "  %s",
                  format_rate(text, chart_value(chart, s, chart->cursor)));
    for (int i = chart->count - 1; i >= 0; i--) {
        const struct history_point *point = &chart->points[i];
        if (point->mark == VERDICT_HOLD || point->at < at || point->at >= at + chart->time.cell)
            continue;
        spans_add(stats, 0, view_verdict_role((enum verdict)point->mark), "  %s to %d",
                  verdict_name((enum verdict)point->mark), point->desired);
        break;
    }
}

static void title_draw(struct room *room, enum panel panel, const struct chart *chart, struct area area)
{
    bool focused = room->focus == panel;
    struct spans stats = {0};
    if (focused)
        draw_code(area, 0, 0, ROLE_FOCUS, room->glyphs->focus);
    int x = draw_text(area, 1, 0, focused ? ROLE_FOCUS : ROLE_TITLE, kinds[panel].title);
    if (chart->cursor >= 0)
        cursor_stats(chart, room, &stats);
    else
        kinds[panel].stats(room, chart_peak(chart, 0, chart->time.start, USEC_NEVER), &stats);
    spans_add(&stats, 3, ROLE_AXIS, "  %5s", windows[view_window(room)].label);
    spans_fit(&stats, area.width - x - 2);
    spans_draw(&stats, area, area.width - 1 - spans_width(&stats), 0);
}

static bool measured(const struct chart *chart)
{
    for (int s = 0; s < chart->series_count; s++)
        if (!isnan(chart_peak(chart, s, chart->time.start, USEC_NEVER)))
            return true;
    return false;
}

static void large_draw(struct room *room, enum panel panel, struct area area)
{
    int cells = area.width - CHART_GUTTER - 1;
    struct chart chart = chart_of(room, panel, cells < PLOT_WIDTH_MAX ? cells : PLOT_WIDTH_MAX);
    if (room->focus == panel && room->zoomed && room->chart_cursor >= 0)
        chart.cursor = room->chart_cursor < cells ? cells - 1 - room->chart_cursor : 0;
    title_draw(room, panel, &chart, area);
    struct area plot = area_part(area, 0, 1, area.width - 1, area.height - 2);
    chart_draw(&chart, room->glyphs, plot);
    if (!measured(&chart))
        draw_text(plot, CHART_GUTTER + 2, plot.height / 2, ROLE_DIM, "nothing measured");
    chart_marks(&chart, room->glyphs, area_part(area, 0, area.height - 1, area.width - 1, 1));
}

static void spark_draw(struct room *room, enum panel panel, struct area area)
{
    const struct kind *kind = &kinds[panel];
    bool focused = room->focus == panel;
    struct spans stats = {0};
    if (focused)
        draw_code(area, 0, 0, ROLE_FOCUS, room->glyphs->focus);
    draw_text(area, 1, 0, focused ? ROLE_FOCUS : ROLE_TITLE, kind->short_title);
    int cells = area.width - SPARK_LABEL_WIDTH - SPARK_STATS_WIDTH;
    if (area.width < 60)
        cells = area.width - 2 * SPARK_LABEL_WIDTH;
    struct chart chart = chart_of(room, panel, cells > 1 ? cells : 1);
    chart.series[0] = kind->series[kind->spark];
    kind->stats(room, chart_peak(&chart, 0, chart.time.start, USEC_NEVER), &stats);
    int room_for_stats = area.width - SPARK_LABEL_WIDTH - cells - 2;
    spans_fit(&stats, room_for_stats);
    chart_spark(&chart, room->glyphs, area_part(area, SPARK_LABEL_WIDTH - 4, 0, cells, 1));
    spans_draw(&stats, area, SPARK_LABEL_WIDTH - 4 + cells + 2, 0);
}

static void panel_draw(struct room *room, enum panel panel, struct area area)
{
    if (area.height >= 3)
        large_draw(room, panel, area);
    else
        spark_draw(room, panel, area);
}

static void cpu_draw(struct room *room, struct area area)
{
    panel_draw(room, PANEL_CPU, area);
}

static void count_draw(struct room *room, struct area area)
{
    panel_draw(room, PANEL_COUNT, area);
}

static void rpm_draw(struct room *room, struct area area)
{
    panel_draw(room, PANEL_RPM, area);
}

static void latency_draw(struct room *room, struct area area)
{
    panel_draw(room, PANEL_LATENCY, area);
}

/* The cursor lives in the zoomed chart; it comes with the first step to the left. */
static bool chart_act(struct room *room, enum ui_action action)
{
    static const struct {
        enum ui_action action;
        int step;
    } steps[] = {{ACT_LEFT, 1}, {ACT_RIGHT, -1}, {ACT_PAGE_UP, 10}, {ACT_PAGE_DOWN, -10}};
    if (action == ACT_OPEN) {
        room->zoomed = !room->zoomed;
        return true;
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].action != action || !room->zoomed)
            continue;
        int to = room->chart_cursor + steps[i].step;
        room->chart_cursor = to < -1 ? -1 : to >= PLOT_WIDTH_MAX ? PLOT_WIDTH_MAX - 1 : to;
        return true;
    }
    return false;
}

const struct view_ops view_cpu = {"cpu", cpu_draw, chart_act, NULL, NULL};
const struct view_ops view_count = {"count", count_draw, chart_act, NULL, NULL};
const struct view_ops view_rpm = {"rpm", rpm_draw, chart_act, NULL, NULL};
const struct view_ops view_latency = {"latency", latency_draw, chart_act, NULL, NULL};
