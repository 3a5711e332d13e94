/* SPDX-License-Identifier: MIT */
/* What paint() says, a terminal must understand: a small one is played here, and must show what the grid
 * holds, whatever the grid was before. */
#include "core/text.h"
#include "ui/paint.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WIDTH  37
#define HEIGHT 9

/* Style 0 is the terminal's own; paint's texts are made so that a number says which color it is. */
struct shown_cell {
    uint32_t code;
    int fg, bg;
    unsigned attrs;
};

struct emulator {
    struct shown_cell cells[HEIGHT][WIDTH];
    int x, y, fg, bg;
    unsigned attrs;
};

static const char *move(int x, int y)
{
    static char text[32];
    snprintf(text, sizeof text, "\033[%d;%dH", y, x);
    return text;
}

static const char *move_column(int x)
{
    static char text[32];
    snprintf(text, sizeof text, "\033[%dG", x);
    return text;
}

static struct paint_terminal *terminal_new(int colors)
{
    struct paint_terminal *terminal = calloc(1, sizeof *terminal);
    assert_non_null(terminal);
    for (int role = 0; role < ROLE_LIMIT; role++)
        for (int selected = 0; selected < 2; selected++) {
            struct paint_style *style = &terminal->styles[role][selected];
            style->style = theme_style(THEME_DARK, colors, (enum role)role, selected);
            if (style->style.fg >= 0)
                snprintf(style->fore, sizeof style->fore, "\033[%df", style->style.fg);
            if (style->style.bg >= 0)
                snprintf(style->back, sizeof style->back, "\033[%db", style->style.bg);
        }
    for (int i = 0; i < PAINT_ATTRS; i++)
        snprintf(terminal->attrs[i], sizeof terminal->attrs[i], "\033[%da", 1 << i);
    strcpy(terminal->reset, "\033[r");
    strcpy(terminal->clear, "\033[J");
    strcpy(terminal->clear_line, "\033[K");
    terminal->last_cell = terminal->unicode = true;
    terminal->move = move;
    terminal->move_column = move_column;
    return terminal;
}

static void put(struct emulator *e, uint32_t code)
{
    assert_in_range(e->x, 0, WIDTH - 1);
    assert_in_range(e->y, 0, HEIGHT - 1);
    int width = text_char_width(code);
    e->cells[e->y][e->x++] = (struct shown_cell){code, e->fg, e->bg, e->attrs};
    if (width == 2) {
        assert_in_range(e->x, 0, WIDTH - 1);
        e->cells[e->y][e->x++] = (struct shown_cell){0, e->fg, e->bg, e->attrs};
    }
}

static void erase(struct emulator *e, int from_y, int to_y, int from_x)
{
    for (int y = from_y; y < to_y; y++)
        for (int x = from_x; x < WIDTH; x++)
            e->cells[y][x] = (struct shown_cell){' ', -1, e->bg, 0};
}

static const char *control(struct emulator *e, const char *p)
{
    char *end;
    long first = strtol(p, &end, 10), second = *end == ';' ? strtol(end + 1, &end, 10) : 0;
    switch (*end) {
    case 'H':
        e->y = (int)first;
        e->x = (int)second;
        break;
    case 'G':
        assert_true(e->x >= 0 && e->x <= WIDTH);
        e->x = (int)first;
        break;
    case 'J':
        erase(e, 0, HEIGHT, 0);
        e->x = e->y = 0;
        break;
    case 'K':
        erase(e, e->y, e->y + 1, e->x);
        break;
    case 'r':
        e->fg = e->bg = -1;
        e->attrs = 0;
        break;
    case 'f':
        e->fg = (int)first;
        break;
    case 'b':
        e->bg = (int)first;
        break;
    case 'a':
        e->attrs |= (unsigned)first;
        break;
    default:
        fail_msg("unknown sequence at %s", p);
    }
    return end + 1;
}

static void feed(struct emulator *e, const struct paint_buffer *buffer)
{
    const char *p = buffer->data, *end = buffer->data + buffer->used;
    while (p < end) {
        if (p[0] == '\033') {
            p = control(e, p + 2);
        } else {
            uint32_t code;
            p += text_decode(p, (size_t)(end - p), &code);
            put(e, code);
        }
    }
    assert_int_equal(e->fg, -1);
    assert_int_equal(e->bg, -1);
    assert_int_equal(e->attrs, 0);
}

static void assert_shows(const struct emulator *e, const struct paint_terminal *terminal,
                         const struct grid *grid)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const struct cell *cell = &grid_row(grid, y)[x];
            const struct shown_cell *shown = &e->cells[y][x];
            const struct style *style = &terminal->styles[cell->role][cell->selected].style;
            assert_int_equal(shown->code, cell->code);
            assert_int_equal(shown->bg, style->bg);
            bool blank = cell->code == ' ' && !(style->attrs & STYLE_REVERSE);
            if (blank || cell->code == 0)
                continue;
            assert_int_equal(shown->fg, style->fg);
            assert_int_equal(shown->attrs, style->attrs);
        }
}

static void scribble(struct grid *grid, int times)
{
    static const char *const texts[] = {"word",         " ", "          ", "\u2500\u2500\u2500",
                                        "\u4f60\u597d", "x", "\u28ff"};
    struct area area = grid_area(grid);
    for (int i = 0; i < times; i++) {
        int y = rand() % HEIGHT;
        if (rand() % 6 == 0)
            draw_fill(area, rand() % WIDTH, y, rand() % WIDTH, 1, (enum role)(rand() % ROLE_LIMIT), ' ');
        else
            draw_text(area, rand() % (WIDTH + 4) - 2, y, (enum role)(rand() % ROLE_LIMIT),
                      texts[rand() % (int)(sizeof texts / sizeof *texts)]);
        if (rand() % 8 == 0)
            draw_select(area, y);
    }
}

static void a_terminal_shows_what_the_grid_holds(void **ctx)
{
    static const int colors[] = {0, 8, 256};
    (void)ctx;
    srand(40);
    for (size_t c = 0; c < sizeof colors / sizeof *colors; c++) {
        struct paint_terminal *terminal = terminal_new(colors[c]);
        struct paint_buffer buffer = {0};
        struct grid shown = {0}, now = {0};
        struct emulator emulator = {.fg = -1, .bg = -1, .x = 99};
        assert_true(grid_resize(&now, WIDTH, HEIGHT));
        for (int frame = 0; frame < 3000; frame++) {
            if (rand() % 10 == 0)
                grid_clear(&now);
            scribble(&now, rand() % 12);
            buffer.used = 0;
            assert_true(paint(terminal, &shown, &now, frame == 0 || rand() % 200 == 0, &buffer));
            feed(&emulator, &buffer);
            emulator.x = 99; /* paint must not count on it */
            assert_shows(&emulator, terminal, &now);
        }
        free(buffer.data);
        free(terminal);
        grid_fini(&shown);
        grid_fini(&now);
    }
}

static void nothing_is_said_when_nothing_changed(void **ctx)
{
    struct paint_terminal *terminal = terminal_new(256);
    struct paint_buffer buffer = {0};
    struct grid shown = {0}, now = {0};
    (void)ctx;
    assert_true(grid_resize(&now, WIDTH, HEIGHT));
    scribble(&now, 40);
    assert_true(paint(terminal, &shown, &now, true, &buffer));
    assert_true(buffer.used > 0);
    buffer.used = 0;
    assert_true(paint(terminal, &shown, &now, false, &buffer));
    assert_int_equal(buffer.used, 0);
    draw_text(grid_area(&now), 3, 2, ROLE_NORMAL, "Z");
    assert_true(paint(terminal, &shown, &now, false, &buffer));
    assert_in_range(buffer.used, 1, 24);
    free(buffer.data);
    free(terminal);
    grid_fini(&shown);
    grid_fini(&now);
}

static void the_last_cell_is_left_where_it_would_scroll(void **ctx)
{
    struct paint_terminal *terminal = terminal_new(8);
    struct paint_buffer buffer = {0};
    struct grid shown = {0}, now = {0};
    struct emulator emulator = {.fg = -1, .bg = -1};
    (void)ctx;
    terminal->last_cell = false;
    assert_true(grid_resize(&now, WIDTH, HEIGHT));
    draw_fill(grid_area(&now), 0, 0, WIDTH, HEIGHT, ROLE_NORMAL, '#');
    assert_true(paint(terminal, &shown, &now, true, &buffer));
    feed(&emulator, &buffer);
    assert_int_equal(emulator.cells[HEIGHT - 1][WIDTH - 2].code, '#');
    assert_int_not_equal(emulator.cells[HEIGHT - 1][WIDTH - 1].code, '#');
    free(buffer.data);
    free(terminal);
    grid_fini(&shown);
    grid_fini(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_shows_what_the_grid_holds),
        cmocka_unit_test(nothing_is_said_when_nothing_changed),
        cmocka_unit_test(the_last_cell_is_left_where_it_would_scroll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
