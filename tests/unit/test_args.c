/* SPDX-License-Identifier: MIT */
/* A command line is read as its table says, and refused with exit status 2 when it does not fit. */
#include "base/args.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct config {
    const char *name;
    int level, times;
    bool fast;
};

static bool read_level(const char *text, void *field)
{
    return sscanf(text, "%d", (int *)field) == 1;
}

static bool count_times(const char *text, void *field)
{
    ++*(int *)field;
    return text[0] != '-';
}

static const struct args_option rows[] = {
    {"name", 'n', "TEXT", "a text", args_read_text, offsetof(struct config, name), "what to call it"},
    {"level", 'l', "N", "a number", read_level, offsetof(struct config, level), "how much"},
    {"each", 0, "WORD", "a word", count_times, offsetof(struct config, times), "may be repeated"},
    {"fast", 'f', NULL, NULL, NULL, offsetof(struct config, fast), "hurry"},
};

static const struct args_program program = {"tried", "Is tried.", NULL, rows, 4};

/* Reads the words of a line, split at blanks. */
static int read_line(const char *line, struct config *config)
{
    static char text[256];
    char *argv[16] = {(char[]){"tried"}}, *rest = text;
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word; (word = strtok_r(rest, " ", &rest));)
        argv[argc++] = word;
    *config = (struct config){0};
    return args_read(&program, argc, argv, config);
}

static void every_form_is_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--name abc --level 7 --fast",
        "--name=abc --level=7 --fast",
        "-n abc -l 7 -f",
        "-nabc -l7 -f",
        "-f --level 3 -l 7 --name x --name abc",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct config config;
        assert_int_equal(read_line(lines[i], &config), -1);
        assert_string_equal(config.name, "abc");
        assert_int_equal(config.level, 7);
        assert_true(config.fast);
    }
}

static void what_is_not_said_stays_as_it_is(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(read_line("", &config), -1);
    assert_null(config.name);
    assert_false(config.fast);
}

static void an_option_may_be_given_again(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(read_line("--each a --each=b --each c", &config), -1);
    assert_int_equal(config.times, 3);
}

static void a_value_may_look_like_an_option(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(read_line("--name --fast", &config), -1);
    assert_string_equal(config.name, "--fast");
    assert_false(config.fast);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--nam abc", "--named abc", "--name",      "--level x", "--fast=1", "-f1", "-x",
        "-",         "--",          "--each -bad", "word",      "--name=",  "-n",  "--=3",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct config config;
        if (read_line(lines[i], &config) != 2)
            fail_msg("'%s' was taken", lines[i]);
    }
}

static void help_and_version_end_it_well(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(read_line("--help", &config), 0);
    assert_int_equal(read_line("-h", &config), 0);
    assert_int_equal(read_line("--fast --version --bogus", &config), 0);
    assert_int_equal(read_line("-V", &config), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),           cmocka_unit_test(what_is_not_said_stays_as_it_is),
        cmocka_unit_test(an_option_may_be_given_again), cmocka_unit_test(a_value_may_look_like_an_option),
        cmocka_unit_test(what_does_not_fit_is_refused), cmocka_unit_test(help_and_version_end_it_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
