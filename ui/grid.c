/* SPDX-License-Identifier: MIT */
/* Owns the cells. A wide character holds two of them; writing over one half blanks the other, so that no row
 * is ever a column longer on the terminal than here. */
#include "ui/grid.h"
#include "core/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAW_TEXT_MAX 1200

static const struct cell blank = {.code = ' '};

bool grid_resize(struct grid *grid, int width, int height)
{
    width = width < 1 ? 1 : width > GRID_WIDTH_MAX ? GRID_WIDTH_MAX : width;
    height = height < 1 ? 1 : height > GRID_HEIGHT_MAX ? GRID_HEIGHT_MAX : height;
    if (grid->cells && width == grid->width && height == grid->height)
        return true;
    struct cell *cells = calloc((size_t)width * (size_t)height, sizeof *cells);
    if (!cells)
        return false;
    free(grid->cells);
    grid->width = width;
    grid->height = height;
    grid->cells = cells;
    grid_clear(grid);
    return true;
}

void grid_fini(struct grid *grid)
{
    free(grid->cells);
    *grid = (struct grid){0};
}

void grid_clear(struct grid *grid)
{
    size_t width = (size_t)grid->width;
    for (size_t x = 0; x < width; x++)
        grid->cells[x] = blank;
    for (size_t y = 1; y < (size_t)grid->height; y++)
        memcpy(grid->cells + y * width, grid->cells, width * sizeof *grid->cells);
}

struct area grid_area(struct grid *grid)
{
    return (struct area){grid, 0, 0, grid->width, grid->height};
}

const struct cell *grid_row(const struct grid *grid, int y)
{
    return grid->cells + (size_t)y * (size_t)grid->width;
}

struct area area_part(struct area area, int x, int y, int width, int height)
{
    int left = x < 0 ? 0 : x, top = y < 0 ? 0 : y;
    int right = x + width < area.width ? x + width : area.width;
    int bottom = y + height < area.height ? y + height : area.height;
    struct area part = {area.grid, area.x + left, area.y + top, right - left, bottom - top};
    if (part.width < 0)
        part.width = 0;
    if (part.height < 0)
        part.height = 0;
    return part;
}

static struct cell *cell_at(struct area area, int x, int y)
{
    if (x < 0 || y < 0 || x >= area.width || y >= area.height)
        return NULL;
    x += area.x;
    y += area.y;
    if (x < 0 || y < 0 || x >= area.grid->width || y >= area.grid->height)
        return NULL;
    return area.grid->cells + (size_t)y * (size_t)area.grid->width + x;
}

static void cell_put(struct area area, int x, int y, enum role role, uint32_t code)
{
    struct cell *cell = cell_at(area, x, y);
    if (!cell)
        return;
    int column = area.x + x;
    if (cell->code == 0 && column > 0)
        cell[-1].code = ' ';
    if (column + 1 < area.grid->width && cell[1].code == 0)
        cell[1].code = ' ';
    *cell = (struct cell){.code = code, .role = (uint8_t)role};
}

void draw_code(struct area area, int x, int y, enum role role, uint32_t code)
{
    if (text_char_width(code) != 2) {
        cell_put(area, x, y, role, code);
        return;
    }
    if (!cell_at(area, x, y) || !cell_at(area, x + 1, y)) {
        cell_put(area, x, y, role, '?');
        return;
    }
    cell_put(area, x, y, role, code);
    struct cell *tail = cell_at(area, x + 1, y);
    if (area.x + x + 2 < area.grid->width && tail->code != 0 && tail[1].code == 0)
        tail[1].code = ' ';
    *tail = (struct cell){.code = 0, .role = (uint8_t)role};
}

void draw_fill(struct area area, int x, int y, int width, int height, enum role role, uint32_t code)
{
    for (int row = y < 0 ? 0 : y; row < y + height && row < area.height; row++)
        for (int column = x < 0 ? 0 : x; column < x + width && column < area.width; column++)
            cell_put(area, column, row, role, code);
}

static bool is_plain(const char *text)
{
    while (*text >= ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

int draw_text(struct area area, int x, int y, enum role role, const char *text)
{
    char clean[DRAW_TEXT_MAX];
    if (is_plain(text)) { /* as nearly all is: nothing to clean or to measure */
        for (; *text && x < area.width; text++, x++)
            cell_put(area, x, y, role, (uint32_t)*text);
        return x;
    }
    size_t size = text_clean(clean, sizeof clean, text);
    for (size_t i = 0; i < size && x < area.width;) {
        uint32_t code;
        i += text_decode(clean + i, size - i, &code);
        int width = text_char_width(code);
        if (width == 0)
            continue;
        draw_code(area, x, y, role, code);
        x += width;
    }
    return x;
}

int draw_textf(struct area area, int x, int y, enum role role, const char *format, ...)
{
    char text[DRAW_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return draw_text(area, x, y, role, text);
}

void draw_right(struct area area, int x_end, int y, enum role role, const char *text)
{
    char clean[DRAW_TEXT_MAX];
    text_clean(clean, sizeof clean, text);
    draw_text(area, x_end - text_width(clean), y, role, clean);
}

int draw_fit(struct area area, int x, int x_end, int y, enum role role, const char *text, bool unicode)
{
    char clean[DRAW_TEXT_MAX], cut[DRAW_TEXT_MAX];
    if (x_end > area.width)
        x_end = area.width;
    if (x >= x_end)
        return x;
    text_clean(clean, sizeof clean, text);
    text_truncate(cut, sizeof cut, clean, x_end - x, unicode);
    return draw_text(area, x, y, role, cut);
}

void draw_role(struct area area, int x, int y, enum role role)
{
    struct cell *cell = cell_at(area, x, y);
    if (cell)
        cell->role = (uint8_t)role;
}

void draw_select(struct area area, int y)
{
    for (int x = 0; x < area.width; x++) {
        struct cell *cell = cell_at(area, x, y);
        if (cell)
            cell->selected = 1;
    }
}
