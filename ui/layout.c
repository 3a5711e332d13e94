/* SPDX-License-Identifier: MIT */
/* Rows are given from the top: header, banners, charts, outlook; the footer takes the last; the table and the
 * journal share what is left. */
#include "ui/layout.h"
#include "core/journal.h"

enum {
    LINE_BELOW_WIDTH = 40,
    LINE_BELOW_HEIGHT = 10,
    FEW_SPARKS_BELOW = 16,
    CHARTS_FROM_WIDTH = 80,
    TWO_CHARTS_FROM_HEIGHT = 24,
    CHARTS_FROM_HEIGHT = 30,
    ONE_ROW_OF_CHARTS_FROM = 200,
    PLOT_ROWS_MIN = 5,
    PLOT_ROWS_MAX = 17,
    AROUND_PLOT = 2, /* title and marks */
    REST_ROWS_MIN = 14,
    JOURNAL_ROWS_MIN = 6,
};

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static struct box box_take(struct box *rest, int rows)
{
    rows = clamp(rows, 0, rest->height);
    struct box box = {rest->x, rest->y, rest->width, rows};
    rest->y += rows;
    rest->height -= rows;
    return box;
}

static void sparks_fit(const struct layout_wish *wish, struct box *rest, struct layout *out)
{
    bool few = wish->height < FEW_SPARKS_BELOW;
    for (int i = 0; i < wish->charts; i++)
        out->panels[i] = box_take(rest, few && i > PANEL_COUNT ? 0 : 1);
}

static void charts_fit(const struct layout_wish *wish, struct box *rest, struct layout *out)
{
    int rows = wish->charts <= 2 || wish->width >= ONE_ROW_OF_CHARTS_FROM ? 1 : 2,
        columns = wish->charts / rows;
    int plot = clamp((wish->height - REST_ROWS_MIN) / (rows + 1) - 1, PLOT_ROWS_MIN, PLOT_ROWS_MAX);
    plot -= plot % 2 == 0; /* an odd one has a middle row for its label */
    int at = 0;
    for (int row = 0; row < rows; row++) {
        struct box line = box_take(rest, plot + AROUND_PLOT);
        for (int column = 0; column < columns; column++, at++) {
            int left = line.width * column / columns, right = line.width * (column + 1) / columns;
            out->panels[at] = (struct box){left, line.y, right - left, line.height};
        }
    }
}

static void lists_fit(const struct layout_wish *wish, struct box rest, struct layout *out)
{
    int journal = rest.height / 2 < JOURNAL_ROWS_MIN ? rest.height / 2 : JOURNAL_ROWS_MIN;
    out->panels[PANEL_INSTANCES] = box_take(&rest, clamp(wish->instances, 0, rest.height - journal));
    out->panels[PANEL_JOURNAL] = rest;
}

void layout_fit(const struct layout_wish *wish, struct layout *out)
{
    struct box rest = {0, 0, wish->width, wish->height};
    *out = (struct layout){.kind = LAYOUT_LINE, .header = {0, 0, wish->width, 1}};
    if (wish->width < LINE_BELOW_WIDTH || wish->height < LINE_BELOW_HEIGHT)
        return;
    out->header = box_take(&rest, 1);
    out->banners = box_take(&rest, clamp(wish->banners, 0, 2));
    rest.height--;
    out->footer = (struct box){0, wish->height - 1, wish->width, 1};
    if (wish->zoomed) {
        out->kind = LAYOUT_ZOOM;
        out->outlook = (struct box){0, rest.y + rest.height - 1, wish->width, 1};
        rest.height--;
        out->panels[wish->focus] = rest;
        return;
    }
    int charts_from = wish->charts <= 2 ? TWO_CHARTS_FROM_HEIGHT : CHARTS_FROM_HEIGHT;
    bool charts = wish->width >= CHARTS_FROM_WIDTH && wish->height >= charts_from;
    out->kind = charts ? LAYOUT_CHARTS : LAYOUT_SPARKS;
    (charts ? charts_fit : sparks_fit)(wish, &rest, out);
    out->outlook = box_take(&rest, 1);
    lists_fit(wish, rest, out);
}
