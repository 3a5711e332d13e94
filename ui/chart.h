/* SPDX-License-Identifier: MIT */
/* Lines over time, in braille, blocks or ASCII. Time is cut into columns at whole multiples of the column's
 * length, so that a chart moves by whole columns and stands still between. Draws only; keeps nothing. */
#ifndef UI_CHART_H
#define UI_CHART_H
#include "core/history.h"
#include "core/snapshot.h"
#include "ui/glyph.h"
#include "ui/grid.h"

#define CHART_SERIES_MAX 3
#define CHART_LIMITS_MAX 2
#define CHART_GUTTER     6 /* columns left of the plot: labels and axis */

/* The time axis of a plot so many cells wide. */
struct chart_time {
    usec_t start; /* left edge of cell 0 */
    usec_t cell;  /* length of a cell */
};

struct chart_series {
    enum role role;
    float (*value)(const struct history_point *point);
};

struct chart_limit {
    double value;
    enum role role;
    char label[8];
};

struct chart {
    const struct history_point *points; /* oldest first */
    int count;
    struct chart_time time;
    usec_t hold; /* a value stands this long without a newer one */
    double top;  /* of the value axis, which begins at 0 */
    int series_count, limit_count;
    struct chart_series series[CHART_SERIES_MAX]; /* later ones lie above earlier ones */
    struct chart_limit limits[CHART_LIMITS_MAX];
    int cursor; /* a cell, or -1 */
};

/* phase (0..3) puts off the step to the next cell by quarters, so that charts side by side do not all move in
 * the same frame. */
struct chart_time chart_time_of(usec_t now, usec_t window, int cells, int phase);

/* The axis end above value: 1, 2 or 5 times a power of ten, at least least. */
double chart_top(double value, double least);

/* Largest value of a series within [from, to]; NaN when there is none. */
double chart_peak(const struct chart *chart, int series, usec_t from, usec_t to);

/* Mean of a series over a cell, a value of before held; NaN when there is none. */
double chart_value(const struct chart *chart, int series, int cell);

/* Fills the area: gutter, axis, limits, lines. chart_marks() is the row below, one row high. */
void chart_draw(const struct chart *chart, const struct glyphs *glyphs, struct area area);
void chart_marks(const struct chart *chart, const struct glyphs *glyphs, struct area area);

/* One row of the first series as bars of eight heights, no gutter. */
void chart_spark(const struct chart *chart, const struct glyphs *glyphs, struct area area);

#endif
