/* SPDX-License-Identifier: MIT */
/* A chart is drawn cell column by cell column. Each column is two bins of time (the two dot columns of a
 * braille cell); a bin's value is the mean of its points, or the last value before it while that may be held.
 */
#include "ui/chart.h"
#include "core/decision.h"
#include "core/history.h"
#include "core/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BINS_MAX   (2 * GRID_WIDTH_MAX)
#define ROWS_MAX   128
#define BLOCK_FULL 8

struct chart_time chart_time_of(usec_t now, usec_t window, int cells, int phase)
{
    const usec_t grain = 100 * USEC_PER_MSEC;
    if (cells < 1)
        cells = 1;
    usec_t cell = (window / cells + grain - 1) / grain * grain;
    if (cell < 2 * grain)
        cell = 2 * grain;
    usec_t shift = cell * phase / 4;
    usec_t end = ((now + shift) / cell + 1) * cell - shift;
    return (struct chart_time){.start = end - cell * cells, .cell = cell};
}

double chart_top(double value, double least)
{
    if (!(value > least))
        return least;
    double scale = pow(10, floor(log10(value)));
    static const double steps[] = {1, 2, 5, 10};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i] * scale >= value)
            return steps[i] * scale;
    return 10 * scale;
}

/* First point at or after an instant: points are in the order of time. */
static int point_at(const struct chart *chart, usec_t at)
{
    int low = 0, high = chart->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (chart->points[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double chart_peak(const struct chart *chart, int series, usec_t from, usec_t to)
{
    double peak = NAN;
    for (int i = point_at(chart, from); i < chart->count && chart->points[i].at <= to; i++) {
        double value = chart->series[series].value(&chart->points[i]);
        if (!isnan(value) && !(value <= peak))
            peak = value;
    }
    return peak;
}

/* Means of one series in bins of the given length from time.start on; NaN where nothing is known. */
static void bins_fill(const struct chart *chart, int series, usec_t bin, int count, double *bins)
{
    float (*value_of)(const struct history_point *) = chart->series[series].value;
    int next = point_at(chart, chart->time.start);
    double held = NAN;
    usec_t held_at = 0;
    if (next > 0) {
        held = value_of(&chart->points[next - 1]);
        held_at = chart->points[next - 1].at;
    }
    usec_t newest = chart->count ? chart->points[chart->count - 1].at : 0;
    for (int i = 0; i < count; i++) {
        usec_t from = chart->time.start + i * bin, to = from + bin;
        double sum = 0;
        int found = 0, seen = 0;
        for (; next < chart->count && chart->points[next].at < to; next++, seen++) {
            double value = value_of(&chart->points[next]);
            held = value;
            held_at = chart->points[next].at;
            if (!isnan(value)) {
                sum += value;
                found++;
            }
        }
        bool hold = !seen && from <= newest && from - held_at <= chart->hold;
        bins[i] = found ? sum / found : hold ? held : NAN;
    }
}

double chart_value(const struct chart *chart, int series, int cell)
{
    double bins[BINS_MAX];
    if (cell < 0 || cell >= BINS_MAX)
        return NAN;
    bins_fill(chart, series, chart->time.cell, cell + 1, bins);
    return bins[cell];
}

/* 0..levels-1, from the bottom. */
static int level_of(double value, double top, int levels)
{
    double level = value / top * (levels - 1) + 0.5;
    return level < 0 ? 0 : level > levels - 1 ? levels - 1 : (int)level;
}

static int limit_row(const struct chart *chart, int limit, int rows)
{
    return rows - 1 - level_of(chart->limits[limit].value, chart->top, rows * 4) / 4;
}

static bool limit_shown(const struct chart *chart, int limit)
{
    double value = chart->limits[limit].value;
    return value > 0 && value <= chart->top;
}

static const unsigned char braille_dots[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}};

static void limits_draw(const struct chart *chart, const struct glyphs *glyphs, struct area plot)
{
    for (int i = 0; i < chart->limit_count; i++) {
        if (!limit_shown(chart, i))
            continue;
        int level = level_of(chart->limits[i].value, chart->top, plot.height * 4);
        int row = plot.height - 1 - level / 4;
        uint32_t dot = glyphs->style == GLYPH_BRAILLE ? 0x2800u + braille_dots[0][level % 4] : glyphs->dot;
        int step = glyphs->style == GLYPH_BRAILLE ? 1 : 2;
        for (int x = 0; x < plot.width; x += step)
            draw_code(plot, x, row, chart->limits[i].role, dot);
    }
}

struct column {
    unsigned char dots[ROWS_MAX];
    unsigned char role[ROWS_MAX];
};

static void column_dot(struct column *column, int rows, int side, int level, enum role role)
{
    int row = rows - 1 - level / 4;
    if (row < 0 || row >= ROWS_MAX)
        return;
    column->dots[row] |= braille_dots[side][level % 4];
    column->role[row] = (unsigned char)role;
}

/* The levels a line passes from one bin to the next: all between, the old one left out. */
static void column_line(struct column *column, int rows, int side, int before, int level, enum role role)
{
    int step = level > before ? 1 : -1;
    if (before >= 0 && before != level)
        for (int at = before + step; at != level; at += step)
            column_dot(column, rows, side, at, role);
    column_dot(column, rows, side, level, role);
}

static void braille_draw(const struct chart *chart, struct area plot)
{
    static const double none = NAN;
    double bins[CHART_SERIES_MAX][BINS_MAX];
    int before[CHART_SERIES_MAX] = {-1, -1, -1};
    for (int s = 0; s < chart->series_count; s++)
        bins_fill(chart, s, chart->time.cell / 2, 2 * plot.width, bins[s]);
    for (int x = 0; x < plot.width; x++) {
        struct column column = {{0}, {0}};
        for (int s = 0; s < chart->series_count; s++)
            for (int side = 0; side < 2; side++) {
                double value = plot.height > 0 ? bins[s][2 * x + side] : none;
                int level = isnan(value) ? -1 : level_of(value, chart->top, plot.height * 4);
                if (level >= 0)
                    column_line(&column, plot.height, side, before[s], level, chart->series[s].role);
                before[s] = level;
            }
        for (int row = 0; row < plot.height; row++)
            if (column.dots[row])
                draw_code(plot, x, row, column.role[row], 0x2800u + column.dots[row]);
    }
}

static void block_draw(const struct chart *chart, struct area plot)
{
    double bins[BINS_MAX];
    for (int s = 0; s < chart->series_count; s++) {
        bins_fill(chart, s, chart->time.cell, plot.width, bins);
        for (int x = 0; x < plot.width; x++) {
            if (isnan(bins[x]))
                continue;
            int level = level_of(bins[x], chart->top, plot.height * BLOCK_FULL) + 1;
            for (int row = plot.height - 1; row >= 0 && level > 0; row--, level -= BLOCK_FULL) {
                int eighths = level > BLOCK_FULL ? BLOCK_FULL : level;
                draw_code(plot, x, row, chart->series[s].role, 0x2580u + (uint32_t)eighths);
            }
        }
    }
}

/* Three heights a row; a steep line is joined by bars. */
static void ascii_draw(const struct chart *chart, struct area plot)
{
    static const char heights[] = "_-'";
    double bins[BINS_MAX];
    for (int s = 0; s < chart->series_count; s++) {
        int before = -1;
        bins_fill(chart, s, chart->time.cell, plot.width, bins);
        for (int x = 0; x < plot.width; x++) {
            if (isnan(bins[x])) {
                before = -1;
                continue;
            }
            int level = level_of(bins[x], chart->top, plot.height * 3);
            int row = plot.height - 1 - level / 3;
            int from = before < 0 ? row : before < row ? before + 1 : row + 1;
            int to = before < 0 ? row : before < row ? row : before;
            for (int y = from; y < to; y++)
                draw_code(plot, x, y, chart->series[s].role, '|');
            draw_code(plot, x, row, chart->series[s].role, (uint32_t)heights[level % 3]);
            before = row;
        }
    }
}

static void label_value(char *out, size_t size, double value)
{
    char text[16];
    units_format_short(text, sizeof text, value);
    snprintf(out, size, "%5.5s", text);
}

static void gutter_draw(const struct chart *chart, const struct glyphs *glyphs, struct area area)
{
    int rows = area.height;
    for (int y = 0; y < rows; y++) {
        int limit = -1;
        for (int i = chart->limit_count - 1; i >= 0; i--)
            if (limit_shown(chart, i) && limit_row(chart, i, rows) == y)
                limit = i;
        bool middle =
            rows >= 5 && rows % 2 && y == rows / 2 && (chart->top >= 10 || fmod(chart->top, 2) == 0);
        bool value = y == 0 || y == rows - 1 || middle;
        draw_code(area, CHART_GUTTER - 1, y, ROLE_AXIS, value || limit >= 0 ? glyphs->tick : glyphs->axis);
        char label[24] = "";
        if (limit >= 0)
            snprintf(label, sizeof label, "%5.5s", chart->limits[limit].label);
        else if (value)
            label_value(label, sizeof label, y == rows - 1 ? 0 : y == 0 ? chart->top : chart->top / 2);
        draw_text(area, 0, y, limit >= 0 ? chart->limits[limit].role : ROLE_AXIS, label);
    }
}

void chart_draw(const struct chart *chart, const struct glyphs *glyphs, struct area area)
{
    struct area plot = area_part(area, CHART_GUTTER, 0, area.width - CHART_GUTTER, area.height);
    if (plot.width <= 0 || plot.height <= 0 || plot.height > ROWS_MAX)
        return;
    gutter_draw(chart, glyphs, area);
    limits_draw(chart, glyphs, plot);
    if (chart->cursor >= 0)
        for (int y = 0; y < plot.height; y++)
            draw_code(plot, chart->cursor, y, ROLE_FOCUS, glyphs->axis);
    if (glyphs->style == GLYPH_BRAILLE)
        braille_draw(chart, plot);
    else if (glyphs->style == GLYPH_BLOCK)
        block_draw(chart, plot);
    else
        ascii_draw(chart, plot);
}

void chart_marks(const struct chart *chart, const struct glyphs *glyphs, struct area area)
{
    static const struct {
        char sign;
        enum role role;
    } marks[] = {[VERDICT_HOLD] = {' ', ROLE_NORMAL},
                 [VERDICT_UP] = {'U', ROLE_UP},
                 [VERDICT_DOWN] = {'D', ROLE_DOWN},
                 [VERDICT_MANUAL] = {'M', ROLE_MANUAL}};
    struct area plot = area_part(area, CHART_GUTTER, 0, area.width - CHART_GUTTER, area.height);
    for (int i = point_at(chart, chart->time.start); i < chart->count; i++) {
        unsigned mark = chart->points[i].mark;
        if (mark == VERDICT_HOLD || mark > VERDICT_MANUAL)
            continue;
        int x = (int)((chart->points[i].at - chart->time.start) / chart->time.cell);
        draw_code(plot, x, 0, marks[mark].role, (uint32_t)marks[mark].sign);
    }
    if (chart->cursor >= 0)
        draw_code(plot, chart->cursor, 0, ROLE_FOCUS, glyphs->unicode ? 0x25B2 : '^');
}

void chart_spark(const struct chart *chart, const struct glyphs *glyphs, struct area area)
{
    static const char signs[] = "_.:-=+*#";
    double bins[BINS_MAX];
    int width = area.width < GRID_WIDTH_MAX ? area.width : GRID_WIDTH_MAX;
    bins_fill(chart, 0, chart->time.cell, width, bins);
    for (int x = 0; x < width; x++) {
        if (isnan(bins[x]))
            continue;
        int level = level_of(bins[x], chart->top, BLOCK_FULL);
        uint32_t code = glyphs->unicode ? 0x2581u + (uint32_t)level : (uint32_t)signs[level];
        draw_code(area, x, 0, chart->series[0].role, code);
    }
}
