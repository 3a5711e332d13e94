/* SPDX-License-Identifier: MIT */
/* Walks both grids row by row. Keeps in mind where the terminal's cursor is and which style it has, so that a
 * move or a color is only said when it changes. A blank has no foreground: it takes any style with its
 * background. */
#include "ui/paint.h"
#include <stdlib.h>
#include <string.h>

/* Rewriting so many equal cells is cheaper than a move. */
#define GAP_MAX 4

struct painter {
    const struct paint_terminal *terminal;
    struct paint_buffer *out;
    int x, y;                        /* where the cursor is; x -1 = unknown */
    const struct paint_style *style; /* the one in force */
};

static void add_bytes(struct paint_buffer *out, const char *bytes, size_t size)
{
    if (out->used + size > out->size) {
        size_t wanted = 2 * (out->used + size) + 4096;
        char *data = realloc(out->data, wanted);
        if (!data) {
            out->failed = true;
            return;
        }
        out->data = data;
        out->size = wanted;
    }
    memcpy(out->data + out->used, bytes, size);
    out->used += size;
}

static void add(struct paint_buffer *out, const char *text)
{
    add_bytes(out, text, strlen(text));
}

static void add_code(struct paint_buffer *out, uint32_t code)
{
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    char bytes[4];
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[0] = (char)(lead[more] | code >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        bytes[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3F));
    add_bytes(out, bytes, more + 1);
}

static const struct paint_style *style_of(const struct painter *painter, const struct cell *cell)
{
    return &painter->terminal->styles[cell->role < ROLE_LIMIT ? cell->role : 0][cell->selected != 0];
}

static bool styles_equal(const struct style *a, const struct style *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->attrs == b->attrs;
}

/* Whether a blank looks the same in both. */
static bool blanks_equal(const struct style *a, const struct style *b)
{
    const unsigned visible = STYLE_REVERSE | STYLE_UNDERLINE;
    if ((a->attrs | b->attrs) & STYLE_REVERSE)
        return styles_equal(a, b);
    return a->bg == b->bg && (a->attrs & visible) == (b->attrs & visible);
}

static bool cells_equal(const struct painter *painter, const struct cell *a, const struct cell *b)
{
    if (a->code != b->code)
        return false;
    if (a->role == b->role && a->selected == b->selected)
        return true;
    const struct style *left = &style_of(painter, a)->style, *right = &style_of(painter, b)->style;
    return a->code == ' ' ? blanks_equal(left, right) : styles_equal(left, right);
}

static void style_reset(struct painter *painter)
{
    static const struct paint_style plain = {.style = {-1, -1, 0}};
    add(painter->out, painter->terminal->reset);
    painter->style = &plain;
}

static void style_set(struct painter *painter, const struct paint_style *to)
{
    const struct style *from = &painter->style->style;
    bool loses = from->attrs & ~to->style.attrs || (from->fg >= 0 && to->style.fg < 0) ||
                 (from->bg >= 0 && to->style.bg < 0);
    if (loses)
        style_reset(painter);
    from = &painter->style->style;
    unsigned gained = to->style.attrs & ~from->attrs;
    for (int i = 0; i < PAINT_ATTRS; i++)
        if (gained & 1u << i)
            add(painter->out, painter->terminal->attrs[i]);
    if (to->style.fg != from->fg)
        add(painter->out, to->fore);
    if (to->style.bg != from->bg)
        add(painter->out, to->back);
    painter->style = to;
}

static void cursor_set(struct painter *painter, int x, int y)
{
    const struct paint_terminal *terminal = painter->terminal;
    if (painter->x == x && painter->y == y)
        return;
    if (painter->x >= 0 && painter->y == y && terminal->move_column)
        add(painter->out, terminal->move_column(x));
    else
        add(painter->out, terminal->move(x, y));
    painter->x = x;
    painter->y = y;
}

/* The cell at x, which is no tail; returns its width. */
static int cell_paint(struct painter *painter, const struct cell *row, int x, int width)
{
    const struct cell *cell = &row[x];
    const struct paint_style *style = style_of(painter, cell);
    bool wide = x + 1 < width && cell[1].code == 0;
    bool blank = cell->code == ' ' && blanks_equal(&painter->style->style, &style->style);
    if (!blank && !styles_equal(&painter->style->style, &style->style))
        style_set(painter, style);
    if (cell->code < 0x80 || painter->terminal->unicode)
        add_code(painter->out, cell->code);
    else
        add(painter->out, wide ? "? " : "?");
    painter->x += wide ? 2 : 1;
    return wide ? 2 : 1;
}

/* First column from which the row is blank on the terminal's own background. */
static int blank_from(const struct painter *painter, const struct cell *row, int width)
{
    int x = width;
    while (x > 0 && row[x - 1].code == ' ') {
        const struct style *style = &style_of(painter, &row[x - 1])->style;
        if (style->bg >= 0 || style->attrs & (STYLE_REVERSE | STYLE_UNDERLINE))
            break;
        x--;
    }
    return x;
}

static void line_clear(struct painter *painter, int x, int y)
{
    cursor_set(painter, x, y);
    if (painter->style->style.bg >= 0 || painter->style->style.attrs)
        style_reset(painter);
    add(painter->out, painter->terminal->clear_line);
}

static void row_paint(struct painter *painter, struct grid *shown, const struct grid *now, int y)
{
    int width = now->width;
    const struct cell *row = grid_row(now, y), *old = grid_row(shown, y);
    if (memcmp(row, old, (size_t)width * sizeof *row) == 0)
        return;
    int end = width - (y == now->height - 1 && !painter->terminal->last_cell);
    int blanks = painter->terminal->clear_line[0] ? blank_from(painter, row, width) : width;
    int last = end - 1;
    while (last >= 0 && cells_equal(painter, &row[last], &old[last]))
        last--;
    if (last - blanks < GAP_MAX)
        blanks = width;
    for (int x = 0; x <= last;) {
        if (x >= blanks) {
            line_clear(painter, x, y);
            break;
        }
        bool tail_differs = x + 1 < width && row[x + 1].code == 0 && old[x + 1].code != 0;
        if (cells_equal(painter, &row[x], &old[x]) && !tail_differs) {
            x++;
            continue;
        }
        int start = x;
        if (row[start].code == 0 && start > 0)
            start--;
        if (painter->y == y && painter->x >= 0 && start > painter->x && start - painter->x <= GAP_MAX)
            start = painter->x;
        cursor_set(painter, start, y);
        for (int at = start; at <= x;)
            at += cell_paint(painter, row, at, width);
        x = painter->x;
    }
    if (painter->x >= width)
        painter->x = -1; /* terminals differ in where the cursor is after the last column */
    memcpy(shown->cells + (size_t)y * (size_t)width, row, (size_t)width * sizeof *row);
}

bool paint(const struct paint_terminal *terminal, struct grid *shown, const struct grid *now, bool fresh,
           struct paint_buffer *out)
{
    static const struct paint_style plain = {.style = {-1, -1, 0}};
    struct painter painter = {.terminal = terminal, .out = out, .x = -1, .style = &plain};
    size_t begin = out->used;
    fresh |= now->width != shown->width || now->height != shown->height;
    if (!grid_resize(shown, now->width, now->height))
        return false;
    if (fresh) {
        grid_clear(shown);
        style_reset(&painter);
        add(out, terminal->clear);
    }
    for (int y = 0; y < now->height; y++)
        row_paint(&painter, shown, now, y);
    if (out->used > begin && !styles_equal(&painter.style->style, &plain.style))
        style_reset(&painter);
    bool ok = !out->failed;
    out->failed = false;
    return ok;
}
