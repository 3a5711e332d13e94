/* SPDX-License-Identifier: MIT */
/* core/argv: words, quotes, substitution, limits. */
#include "core/argv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct argv_variable variables[] = {
    {"port", "5003"}, {"id", "7"}, {"host", "a b"}, {NULL, NULL}};

struct row {
    const char *command;
    const char *words; /* joined by '|' */
};

static const struct row good[] = {
    {"app --port {port}", "app|--port|5003"},
    {"  app\t a \n", "app|a"},
    {"app '' \"\" x", "app|||x"},
    {"sh -c 'exec serve {port}; echo $HOME'", "sh|-c|exec serve 5003; echo $HOME"},
    {"app a\"b c\"'d e'f", "app|ab cd ef"},
    {"app \"say \\\"hi\\\" \\\\ \\n\"", "app|say \"hi\" \\ \\n"},
    {"app 'a\\b' c\\ d e\\'f", "app|a\\b|c d|e'f"},
    {"app \\{port} {unknown} {port {} {}", "app|{port}|{unknown}|{port|{}|{}"},
    {"app \"\\{id}\" '{id}'", "app|{id}|7"},
    {"app {host}", "app|a b"},
    {"app {id}{port}-{id}", "app|75003-7"},
    {"app tail\\", "app|tail\\"},
};

static void splits_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct argv argv;
        char err[256] = "", joined[512] = "";
        assert_true(argv_split(&argv, good[i].command, variables, err, sizeof err));
        assert_null(argv.words[argv.count]);
        for (int w = 0; w < argv.count; w++) {
            strcat(joined, w > 0 ? "|" : "");
            strcat(joined, argv.words[w]);
        }
        assert_string_equal(joined, good[i].words);
    }
}

static void refuses(const char *command, const char *because)
{
    struct argv argv;
    char err[8192] = "";
    assert_false(argv_split(&argv, command, variables, err, sizeof err));
    assert_non_null(strstr(err, because));
}

static void refuses_what_cannot_run(void **state)
{
    (void)state;
    refuses("", "nothing to run");
    refuses("  \t", "nothing to run");
    refuses("'' x", "nothing to run");
    refuses("app 'open", "a ' is never closed");
    refuses("app \"open 'x'", "a \" is never closed");
}

static void holds_its_limits(void **state)
{
    (void)state;
    struct argv argv;
    char err[8192], text[2 * (ARGV_WORDS_MAX + 1) + 1] = "";
    for (int i = 0; i < ARGV_WORDS_MAX; i++)
        strcat(text, "a ");
    assert_true(argv_split(&argv, text, NULL, err, sizeof err));
    assert_int_equal(argv.count, ARGV_WORDS_MAX);
    strcat(text, "b");
    refuses(text, "more than");

    char word[ARGV_TEXT_MAX + 1];
    memset(word, 'x', sizeof word);
    word[ARGV_TEXT_MAX - 1] = '\0';
    assert_true(argv_split(&argv, word, NULL, err, sizeof err));
    assert_int_equal(strlen(argv.words[0]), ARGV_TEXT_MAX - 1);
    word[ARGV_TEXT_MAX - 1] = 'x';
    word[ARGV_TEXT_MAX] = '\0';
    refuses(word, "more than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_words),
        cmocka_unit_test(refuses_what_cannot_run),
        cmocka_unit_test(holds_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
