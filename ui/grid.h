/* SPDX-License-Identifier: MIT */
/* The house's own screen: a grid of cells that views draw into and anybody can show, compare or print.
 * Every text is sanitised on its way in, so a cell never holds what a terminal would obey. One thread. */
#ifndef UI_GRID_H
#define UI_GRID_H
#include "ui/theme.h"
#include <stddef.h>
#include <stdint.h>

#define GRID_WIDTH_MAX  1000
#define GRID_HEIGHT_MAX 500

/* code 0: the right half of a wide character. */
struct cell {
    uint32_t code;
    uint8_t role; /* enum role */
    uint8_t selected;
    uint16_t unused; /* zero: rows are compared as bytes */
};

struct grid {
    int width, height;
    struct cell *cells; /* row by row */
};

/* A window of the grid with coordinates of its own; drawing outside it does nothing. */
struct area {
    struct grid *grid;
    int x, y, width, height;
};

/* False: out of memory, the grid is as it was. A new size (at least 1x1) leaves all cells blank. */
bool grid_resize(struct grid *grid, int width, int height);
void grid_fini(struct grid *grid);
void grid_clear(struct grid *grid);
struct area grid_area(struct grid *grid);
const struct cell *grid_row(const struct grid *grid, int y);

/* A part of an area, cut to it. */
struct area area_part(struct area area, int x, int y, int width, int height);

void draw_code(struct area area, int x, int y, enum role role, uint32_t code);
void draw_fill(struct area area, int x, int y, int width, int height, enum role role, uint32_t code);
/* Both return the column after the text. */
int draw_text(struct area area, int x, int y, enum role role, const char *text);
int draw_textf(struct area area, int x, int y, enum role role, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Ends just before column x_end. */
void draw_right(struct area area, int x_end, int y, enum role role, const char *text);
/* Text that stops before column x_end, with an ellipsis where it was cut. */
int draw_fit(struct area area, int x, int x_end, int y, enum role role, const char *text, bool unicode);
/* Changes what a cell means, not what it shows. */
void draw_role(struct area area, int x, int y, enum role role);
/* Marks the row as the selected one. */
void draw_select(struct area area, int y);

#endif
