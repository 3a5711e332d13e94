/* SPDX-License-Identifier: MIT */
/* Writes UTF-8 and, when asked, the color sequences of a 256-color terminal. */
#include "ui/print.h"

static void print_code(uint32_t code, FILE *out)
{
    if (code < 0x80) {
        putc((int)code, out);
    } else if (code < 0x800) {
        putc((int)(0xC0 | code >> 6), out);
        putc((int)(0x80 | (code & 0x3F)), out);
    } else {
        if (code < 0x10000) {
            putc((int)(0xE0 | code >> 12), out);
        } else {
            putc((int)(0xF0 | code >> 18), out);
            putc((int)(0x80 | (code >> 12 & 0x3F)), out);
        }
        putc((int)(0x80 | (code >> 6 & 0x3F)), out);
        putc((int)(0x80 | (code & 0x3F)), out);
    }
}

static void print_style(const struct cell *cell, enum theme_palette palette, FILE *out)
{
    static const struct {
        unsigned attr;
        int code;
    } attrs[] = {{STYLE_BOLD, 1}, {STYLE_DIM, 2}, {STYLE_UNDERLINE, 4}, {STYLE_REVERSE, 7}};
    struct style style = theme_style(palette, 256, (enum role)cell->role, cell->selected);
    fputs("\033[0", out);
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        if (style.attrs & attrs[i].attr)
            fprintf(out, ";%d", attrs[i].code);
    if (style.fg >= 0)
        fprintf(out, ";38;5;%d", style.fg);
    if (style.bg >= 0)
        fprintf(out, ";48;5;%d", style.bg);
    putc('m', out);
}

static int row_end(const struct grid *grid, const struct cell *row)
{
    int end = grid->width;
    while (end > 0 && row[end - 1].code == ' ')
        end--;
    return end;
}

bool print_grid(const struct grid *grid, bool unicode, bool color, enum theme_palette palette, FILE *out)
{
    for (int y = 0; y < grid->height; y++) {
        const struct cell *row = grid_row(grid, y);
        int end = color ? grid->width : row_end(grid, row);
        for (int x = 0; x < end; x++) {
            if (color && (x == 0 || row[x].role != row[x - 1].role || row[x].selected != row[x - 1].selected))
                print_style(&row[x], palette, out);
            if (row[x].code)
                print_code(!unicode && row[x].code >= 0x80 ? '?' : row[x].code, out);
            else if (!unicode)
                putc(' ', out);
        }
        fputs(color ? "\033[0m\n" : "\n", out);
    }
    return fflush(out) == 0 && !ferror(out);
}
