/* SPDX-License-Identifier: MIT */
/* The small parts under the views: grid, spans, lines, layout, charts, the key table. */
#include "fake_port.h"
#include "ui/chart.h"
#include "ui/format.h"
#include "ui/keymap.h"
#include "ui/layout.h"
#include "ui/line.h"
#include "ui/spans.h"
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void wide_characters_keep_their_columns(void **ctx)
{
    struct grid grid = {0};
    (void)ctx;
    assert_true(grid_resize(&grid, 6, 1));
    struct area area = grid_area(&grid);
    assert_int_equal(draw_text(area, 0, 0, ROLE_NORMAL, "a\u4f60b"), 4);
    const struct cell *row = grid_row(&grid, 0);
    assert_int_equal(row[1].code, 0x4F60);
    assert_int_equal(row[2].code, 0);
    draw_text(area, 2, 0, ROLE_NORMAL, "x"); /* over the right half */
    assert_int_equal(row[1].code, ' ');
    draw_text(area, 0, 0, ROLE_NORMAL, "\u4f60\u4f60");
    draw_text(area, 1, 0, ROLE_NORMAL, "\u4f60"); /* over two halves */
    assert_int_equal(row[0].code, ' ');
    assert_int_equal(row[1].code, 0x4F60);
    assert_int_equal(row[3].code, ' ');
    draw_text(area, 5, 0, ROLE_NORMAL, "\u4f60"); /* does not fit */
    assert_int_equal(row[5].code, '?');
    grid_fini(&grid);
}

static void an_area_is_a_wall(void **ctx)
{
    struct grid grid = {0};
    (void)ctx;
    assert_true(grid_resize(&grid, 10, 3));
    struct area part = area_part(grid_area(&grid), 2, 1, 3, 1);
    draw_text(part, -2, 0, ROLE_NORMAL, "abcdefgh");
    draw_fill(part, -5, -5, 50, 3, ROLE_NORMAL, '#');
    draw_text(part, 0, 1, ROLE_NORMAL, "below");
    assert_int_equal(grid_row(&grid, 1)[1].code, ' ');
    assert_int_equal(grid_row(&grid, 1)[2].code, 'c');
    assert_int_equal(grid_row(&grid, 1)[4].code, 'e');
    assert_int_equal(grid_row(&grid, 1)[5].code, ' ');
    assert_int_equal(grid_row(&grid, 2)[2].code, ' ');
    assert_int_equal(area_part(part, 5, 5, 4, 4).width, 0);
    grid_fini(&grid);
}

static void the_least_important_goes_first(void **ctx)
{
    struct spans spans = {0};
    (void)ctx;
    spans_add(&spans, 1, ROLE_NORMAL, "%s", "one");
    spans_add(&spans, 0, ROLE_NORMAL, "  stays");
    spans_add(&spans, 2, ROLE_NORMAL, "  two");
    spans_fit(&spans, 11);
    assert_int_equal(spans.count, 2);
    assert_string_equal(spans.items[1].text, "  stays");
    spans_fit(&spans, 2);
    assert_int_equal(spans.count, 1);
    assert_string_equal(spans.items[0].text, "stays"); /* and begins the line */
}

static void lines_are_edited_by_characters(void **ctx)
{
    struct line line = {0};
    (void)ctx;
    line_set(&line, "a\u00e9b");
    line_key(&line, UI_KEY_LEFT);
    line_key(&line, UI_KEY_BACKSPACE);
    assert_string_equal(line.text, "ab");
    line_key(&line, 0x4F60);
    assert_string_equal(line.text, "a\u4f60b");
    line_key(&line, UI_KEY_HOME);
    line_key(&line, UI_KEY_DELETE);
    assert_string_equal(line.text, "\u4f60b");
    assert_false(line_key(&line, UI_KEY_ENTER));
    assert_false(line_key(&line, 7));
    assert_false(line_key(&line, 0x9B));
    for (int i = 0; i < 2 * LINE_MAX_BYTES; i++)
        line_key(&line, 'x');
    assert_true(strlen(line.text) < LINE_MAX_BYTES);
    line_key(&line, UI_KEY_END);
    line_key(&line, UI_CTRL('u'));
    assert_string_equal(line.text, "");
}

static bool apart(const struct box *a, const struct box *b)
{
    return a->height == 0 || b->height == 0 || a->x + a->width <= b->x || b->x + b->width <= a->x ||
           a->y + a->height <= b->y || b->y + b->height <= a->y;
}

static void boxes_never_overlap_or_leave(void **ctx)
{
    (void)ctx;
    for (int width = 1; width <= 400; width += 3)
        for (int height = 1; height <= 120; height++)
            for (int zoomed = 0; zoomed < 2; zoomed++) {
                struct layout_wish wish = {width,       height, width % 4,    width % 2 ? 2 : 4,
                                           height % 30, zoomed, PANEL_JOURNAL};
                struct layout layout;
                layout_fit(&wish, &layout);
                struct box boxes[PANEL_LIMIT + 4] = {layout.header, layout.banners, layout.outlook,
                                                     layout.footer};
                memcpy(boxes + 4, layout.panels, sizeof layout.panels);
                for (int i = 0; i < PANEL_LIMIT + 4; i++) {
                    const struct box *box = &boxes[i];
                    assert_true(box->height >= 0 && box->x >= 0 && box->x + box->width <= width);
                    assert_true(box->y >= 0 && box->y + box->height <= height);
                    for (int k = 0; k < i; k++)
                        assert_true(apart(box, &boxes[k]));
                }
            }
}

static float value_of(const struct history_point *point)
{
    return point->cpu_pct;
}

static void charts_move_by_whole_cells(void **ctx)
{
    (void)ctx;
    struct chart_time a = chart_time_of(100 * USEC_PER_SEC, USEC_PER_MIN, 30, 0);
    assert_int_equal(a.cell, 2 * USEC_PER_SEC);
    struct chart_time b = chart_time_of(101 * USEC_PER_SEC, USEC_PER_MIN, 30, 0);
    struct chart_time c = chart_time_of(102 * USEC_PER_SEC, USEC_PER_MIN, 30, 0);
    assert_int_equal(a.start, b.start);
    assert_int_equal(c.start - a.start, a.cell);
    assert_true(a.start + 30 * a.cell > 100 * USEC_PER_SEC); /* now is inside */
}

static void a_value_is_held_only_so_long(void **ctx)
{
    struct history_point points[] = {{.at = 10 * USEC_PER_SEC, .cpu_pct = 40},
                                     {.at = 11 * USEC_PER_SEC, .cpu_pct = 60},
                                     {.at = 40 * USEC_PER_SEC, .cpu_pct = 80}};
    struct chart chart = {.points = points,
                          .count = 3,
                          .time = {.start = 10 * USEC_PER_SEC, .cell = 2 * USEC_PER_SEC},
                          .hold = 4 * USEC_PER_SEC,
                          .top = 100,
                          .series_count = 1,
                          .series = {{ROLE_CPU, value_of}},
                          .cursor = -1};
    (void)ctx;
    assert_true(chart_value(&chart, 0, 0) == 50);
    assert_true(chart_value(&chart, 0, 1) == 60);
    assert_true(isnan(chart_value(&chart, 0, 5)));
    assert_true(chart_value(&chart, 0, 15) == 80);
    assert_true(isnan(chart_value(&chart, 0, 16))); /* the future is not held */
    assert_true(chart_peak(&chart, 0, 0, 20 * USEC_PER_SEC) == 60);
}

static void axes_end_at_round_numbers(void **ctx)
{
    (void)ctx;
    assert_true(chart_top(7, 10) == 10);
    assert_true(chart_top(11, 10) == 20);
    assert_true(chart_top(430, 10) == 500);
    assert_true(chart_top(1000, 10) == 1000);
    assert_true(chart_top(NAN, 10) == 10);
}

static void a_line_reaches_top_and_bottom(void **ctx)
{
    struct history_point points[40];
    struct grid grid = {0};
    (void)ctx;
    for (int i = 0; i < 40; i++)
        points[i] = (struct history_point){.at = (100 + i) * USEC_PER_SEC, .cpu_pct = i < 20 ? 0 : 100};
    struct chart chart = {.points = points,
                          .count = 40,
                          .time = {.start = 100 * USEC_PER_SEC, .cell = 2 * USEC_PER_SEC},
                          .hold = USEC_PER_SEC,
                          .top = 100,
                          .series_count = 1,
                          .series = {{ROLE_CPU, value_of}},
                          .cursor = -1};
    assert_true(grid_resize(&grid, CHART_GUTTER + 20, 5));
    for (int style = 0; style < 3; style++) {
        grid_clear(&grid);
        chart_draw(&chart, glyphs_of((enum glyph_style)style), grid_area(&grid));
        assert_int_equal(grid_row(&grid, 4)[CHART_GUTTER + 2].role, ROLE_CPU);
        assert_int_equal(grid_row(&grid, 0)[CHART_GUTTER + 15].role, ROLE_CPU);
        assert_int_not_equal(grid_row(&grid, 0)[CHART_GUTTER + 2].role, ROLE_CPU);
    }
    grid_fini(&grid);
}

static void numbers_have_short_forms(void **ctx)
{
    char out[FORMAT_SIZE];
    (void)ctx;
    assert_string_equal(format_number(out, NAN), "-");
    assert_string_equal(format_number(out, 61.4), "61");
    assert_string_equal(format_ms(out, -1), "-");
    assert_string_equal(format_ms(out, 400), "0.4");
    assert_string_equal(format_ms(out, 41200), "41");
    assert_string_equal(format_ms(out, 1200000), "1.2s");
    assert_string_equal(format_rate(out, 9.97), "10");
    assert_string_equal(format_percent(format_rate(out, NAN)), "-");
    assert_string_equal(format_percent(format_rate(out, 0)), "0.0%");
    assert_string_equal(format_span(out, 298 * USEC_PER_SEC), "4m 58s");
    assert_string_equal(format_span(out, 400 * USEC_PER_MSEC), "0.4s");
    assert_string_equal(format_span(out, 9970 * USEC_PER_MSEC), "10s");
    assert_string_equal(format_span(out, -USEC_PER_SEC), "0s");
    assert_string_equal(format_megabytes(out, 18 << 20), "18");
}

static void every_key_has_one_meaning(void **ctx)
{
    (void)ctx;
    for (size_t i = 0; i < keymap_count; i++) {
        assert_true(keymap[i].name[0] && keymap[i].help[0] && keymap[i].keys[0]);
        for (int k = 0; k < KEY_ROW_KEYS && keymap[i].keys[k]; k++)
            assert_ptr_equal(keymap_find(keymap[i].keys[k]), &keymap[i]);
    }
    bool found[ACT_COUNT] = {false};
    for (size_t i = 0; i < keymap_count; i++)
        found[keymap[i].action] = true;
    for (int action = ACT_NONE + 1; action < ACT_COUNT; action++)
        assert_true(found[action]);
}

/* roff wants a backslash before a hyphen that is a minus. */
static void roff(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text && used + 3 < size; text++) {
        if (*text == '-')
            out[used++] = '\\';
        out[used++] = *text;
    }
    out[used] = '\0';
}

static void every_key_is_in_the_man_page(void **ctx)
{
    char path[1024], *page = calloc(1, 1 << 17);
    (void)ctx;
    assert_non_null(page);
    fake_source_path(path, sizeof path, "assets/man/ascale-tui.1");
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fread(page, 1, (1 << 17) - 1, in) > 0);
    fclose(in);
    for (size_t i = 0; i < keymap_count; i++) {
        char name[64], help[256], entry[400];
        roff(name, sizeof name, keymap[i].name);
        roff(help, sizeof help, keymap[i].help);
        help[0] = (char)toupper((unsigned char)help[0]);
        snprintf(entry, sizeof entry, ".TP\n.B \"%s\"\n%s.\n", name, help);
        if (!strstr(page, entry))
            print_error("assets/man/ascale-tui.1 lacks:\n%s", entry);
        assert_non_null(strstr(page, entry));
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_characters_keep_their_columns),
        cmocka_unit_test(an_area_is_a_wall),
        cmocka_unit_test(the_least_important_goes_first),
        cmocka_unit_test(lines_are_edited_by_characters),
        cmocka_unit_test(boxes_never_overlap_or_leave),
        cmocka_unit_test(charts_move_by_whole_cells),
        cmocka_unit_test(a_value_is_held_only_so_long),
        cmocka_unit_test(axes_end_at_round_numbers),
        cmocka_unit_test(a_line_reaches_top_and_bottom),
        cmocka_unit_test(numbers_have_short_forms),
        cmocka_unit_test(every_key_has_one_meaning),
        cmocka_unit_test(every_key_is_in_the_man_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
