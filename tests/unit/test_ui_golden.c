/* SPDX-License-Identifier: MIT */
/* Golden screens: every fixture at every size of the matrix, in each set of signs, against what was looked at
 * and found good. `make golden` writes them anew. */
#include "fake_port.h"
#include "ui/print.h"
#include "ui/room.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct screen {
    const char *fixture;
    int width, height;
    enum config_glyphs glyphs;
    const char *keys; /* pressed before it is drawn */
};

static const struct screen screens[] = {
    {"busy", 120, 40, CONFIG_GLYPHS_BRAILLE, ""},      {"busy", 120, 40, CONFIG_GLYPHS_ASCII, ""},
    {"busy", 80, 24, CONFIG_GLYPHS_BRAILLE, ""},       {"busy", 80, 24, CONFIG_GLYPHS_ASCII, ""},
    {"busy", 40, 12, CONFIG_GLYPHS_BRAILLE, ""},       {"busy", 40, 12, CONFIG_GLYPHS_ASCII, ""},
    {"busy", 30, 8, CONFIG_GLYPHS_BRAILLE, ""},        {"busy", 30, 8, CONFIG_GLYPHS_ASCII, ""},
    {"busy", 100, 30, CONFIG_GLYPHS_BRAILLE, ""},      {"busy", 300, 100, CONFIG_GLYPHS_BRAILLE, ""},
    {"busy", 300, 100, CONFIG_GLYPHS_ASCII, ""},       {"busy", 120, 40, CONFIG_GLYPHS_BLOCK, ""},
    {"busy", 120, 40, CONFIG_GLYPHS_BRAILLE, "t"},     {"busy", 120, 40, CONFIG_GLYPHS_BRAILLE, "l"},
    {"busy", 120, 40, CONFIG_GLYPHS_BRAILLE, "?"},     {"busy", 80, 24, CONFIG_GLYPHS_BRAILLE, "-"},
    {"busy", 80, 24, CONFIG_GLYPHS_BRAILLE, "q"},      {"busy", 30, 8, CONFIG_GLYPHS_ASCII, "q"},
    {"busy", 120, 40, CONFIG_GLYPHS_BRAILLE, "\t\tz"}, {"busy", 120, 40, CONFIG_GLYPHS_BRAILLE, "\t\r"},
    {"busy", 80, 24, CONFIG_GLYPHS_ASCII, " "},        {"remote", 120, 40, CONFIG_GLYPHS_BRAILLE, ""},
    {"remote", 80, 24, CONFIG_GLYPHS_ASCII, ""},       {"hostile", 120, 40, CONFIG_GLYPHS_BRAILLE, ""},
    {"hostile", 80, 24, CONFIG_GLYPHS_ASCII, ""},      {"empty", 80, 24, CONFIG_GLYPHS_BRAILLE, ""},
};

#define SCREENS (int)(sizeof screens / sizeof *screens)

static char *screen_draw(const struct screen *screen)
{
    struct fake_port fake;
    struct room room;
    struct grid grid = {0};
    char *text = NULL;
    size_t size = 0;
    fake_port_init(&fake, screen->fixture);
    fake.snapshot->config.ui.glyphs = (int)screen->glyphs;
    usec_t now = fake.snapshot->at;
    assert_true(room_init(&room, &fake.port, false, screen->glyphs != CONFIG_GLYPHS_ASCII));
    assert_true(grid_resize(&grid, screen->width, screen->height));
    room_turn(&room, now);
    for (const char *key = screen->keys; *key; key++) {
        room_draw(&room, &grid);
        room_key(&room, *key);
        room_turn(&room, now);
    }
    room_draw(&room, &grid);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_true(print_grid(&grid, room.glyphs->unicode, false, THEME_DARK, out));
    fclose(out);
    grid_fini(&grid);
    room_fini(&room);
    fake_port_fini(&fake);
    return text;
}

static void screen_path(const struct screen *screen, char *out, size_t size)
{
    static const char *const sets[] = {"auto", "braille", "block", "ascii"};
    char keys[32] = "", name[200];
    for (const char *key = screen->keys; *key; key++)
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "-%02x", (unsigned char)*key);
    snprintf(name, sizeof name, "tests/unit/fixtures/%s-%dx%d-%s%s.txt", screen->fixture, screen->width,
             screen->height, sets[screen->glyphs], keys);
    fake_source_path(out, size, name);
}

static char *file_read(const char *path)
{
    char *text = calloc(1, 1 << 18);
    FILE *in = fopen(path, "r");
    assert_non_null(text);
    if (in) {
        size_t size = fread(text, 1, (1 << 18) - 1, in);
        text[size] = '\0';
        fclose(in);
    }
    return text;
}

static void test_screens(void **ctx)
{
    (void)ctx;
    int differ = 0;
    for (int i = 0; i < SCREENS; i++) {
        char path[1024];
        screen_path(&screens[i], path, sizeof path);
        char *now = screen_draw(&screens[i]), *golden = file_read(path);
        if (strcmp(now, golden) != 0) {
            differ++;
            print_message("%s differs; it would now be:\n%s", path, now);
        }
        free(now);
        free(golden);
    }
    assert_int_equal(differ, 0);
}

static void write_all(void)
{
    for (int i = 0; i < SCREENS; i++) {
        char path[1024];
        screen_path(&screens[i], path, sizeof path);
        char *now = screen_draw(&screens[i]);
        FILE *out = fopen(path, "w");
        if (out) {
            fputs(now, out);
            fclose(out);
        }
        free(now);
    }
}

int main(int argc, char **argv)
{
    setenv("TZ", "UTC", 1);
    if (argc > 1 && strcmp(argv[1], "--write") == 0) {
        write_all();
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_screens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
