/* SPDX-License-Identifier: MIT */
#include "base/ini.h"
#include "base/ini_edit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static char seen[8192], err[512];
static int last_line;

static bool note(void *context, const char *section, const char *key, const char *value, int line, char *why,
                 size_t why_size)
{
    (void)context;
    if (strcmp(key, "bad") == 0) {
        snprintf(why, why_size, "%s.%s is not an option", section, key);
        return false;
    }
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof seen - used, "%s|%s|%s\n", section, key, value);
    last_line = line;
    return true;
}

static bool is_key(const char *section, const char *key)
{
    return strcmp(section, "app") == 0 && (strcmp(key, "a") == 0 || strcmp(key, "b") == 0);
}

static bool read_bytes(const char *text, size_t size)
{
    seen[0] = err[0] = '\0';
    return ini_read_text("x.ini", text, size, note, is_key, NULL, err, sizeof err);
}

static bool read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void good_files_are_read_whole(void **state)
{
    (void)state;
    assert_true(
        read_text("\xEF\xBB\xBF; a comment\n  # one more\n\n[app]\r\ncommand = sh -c 'a; b' # c\r\nhost:x=y\n"
                  "[load]\nurl=http://a/?b=c;d\nempty =\n[app]\nlast=1"));
    assert_string_equal(seen,
                        "app|command|sh -c 'a; b' # c\napp|host|x=y\nload|url|http://a/?b=c;d\nload|empty|\n"
                        "app|last|1\n");
    assert_int_equal(last_line, 11);
    assert_true(read_text(""));
    assert_true(read_text("[a]"));
}

static void what_inih_would_misread_is_refused_with_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[app]\na = 1\n\n# b\n  b = 2\n", "x.ini:5: indented"},
        {"[app]\n\ta = 1\n", "x.ini:2: indented"},
        {"[app]\na = 1\nb = 2\n[load]\na = 3\n[app]\na = 4\n",
         "x.ini:7: app.a is set twice, first in line 2"},
        {"a = 1\n", "x.ini:1: a stands before any [section]"},
        {"[app]\njust words\n", "x.ini:2: neither 'key = value'"},
        {"[app\na = 1\n", "x.ini:1: a section is '[name]'"},
        {"[app] x\na = 1\n", "x.ini:1: a section is '[name]'"},
        {"[app] ; x\na = 1\n", "x.ini:1: a section is '[name]'"},
        {"[]\n", "x.ini:1: a section name has 1 to"},
        {"[app]\na = \x1b[2J\n", "x.ini:2: app.a holds the byte 0x1b"},
        {"[app]\na = b\rc\n", "x.ini:2: app.a holds the byte 0x0d"},
        {"[app]\ngood = 1\nbad = 2\nalso = 3\n", "x.ini:3: app.bad is not an option"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (read_text(cases[i].text))
            fail_msg("accepted '%s'", cases[i].text);
        if (!strstr(err, cases[i].says))
            fail_msg("'%s' does not say '%s'", err, cases[i].says);
    }
    assert_string_equal(seen, "app|good|1\n"); /* nothing was read past the error */
    assert_false(read_bytes("[app]\nkey = a\0b\n", 16));
    assert_non_null(strstr(err, "x.ini:2: app.key holds the byte 0x00"));
}

/* inih splits a line it has no room for and reads the rest as another key: values never come from it. */
static void no_line_length_is_split(void **state)
{
    (void)state;
    static char text[70000], expected[70000];
    for (size_t length = 150; length < 8000; length += length < 300 ? 1 : 997) {
        memset(text, 'x', sizeof text);
        memcpy(text, "[app]\nkey = ", 12);
        memcpy(text + 12 + length, "\nb = 2\n", 8);
        assert_true(read_text(text));
        snprintf(expected, sizeof expected, "app|key|%.*s\napp|b|2\n", (int)length, text + 12);
        assert_string_equal(seen, expected);
    }
    memset(text, '#', 400); /* a comment would be cut the same way, and its rest read as a key */
    strcpy(text + 400, "\n[app]\na = 1\n");
    assert_true(read_text(text));
    assert_string_equal(seen, "app|a|1\n");
    memset(text, 'k', 400);
    memcpy(text, "[app]\n", 6);
    memcpy(text + 300, " = 1\n", 6);
    assert_false(read_text(text));
    assert_non_null(strstr(err, ": a key has at most "));
}

static void indented_lines_continue_a_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *seen;
    } good[] = {
        {"[app]\na = one\n  two\n\tthree  \nb = 2\n", "app|a|one two three\napp|b|2\n"},
        {"[app]\na = sh -c 'x ; y' ; z\n",
         "app|a|sh -c 'x ; y' ; z\n"}, /* comments have lines of their own */
        {"[app]\na =\n  one\n", "app|a|one\n"},
        {"[app]\na = one\r\n  two\r\n", "app|a|one two\n"},
        {"[app]\na = one\n  # a comment\n; one more\n  two\n", "app|a|one two\n"},
        {"[app]\na = one\n# a comment that ends nothing\nb = 2\n", "app|a|one\napp|b|2\n"},
        {"[app]\na = one\n  c = d\n", "app|a|one c = d\n"}, /* no key of this section */
        {"[load]\na = one\n  b = 2\n", "load|a|one b = 2\n"},
        {"[app]\na = one\n  two", "app|a|one two\n"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!read_text(good[i].text))
            fail_msg("'%s': %s", good[i].text, err);
        assert_string_equal(seen, good[i].seen);
    }
    assert_false(read_text("[app]\na = one\n\n  two\n")); /* a blank line ended it */
    assert_non_null(strstr(err, "x.ini:4: indented"));
    assert_false(read_text("[app]\na = one\n  b = 2\n"));
    assert_non_null(strstr(err, "x.ini:3: indented"));
    assert_false(read_text("[app]\na = one\n  two\nbad = 1\n  more\n"));
    assert_non_null(strstr(err, "x.ini:4: app.bad is not an option")); /* the line where it begins */
    assert_false(read_text("[app]\na = one\n  t\x1bwo\n"));
    assert_non_null(strstr(err, "x.ini:3: "));
}

static void a_change_replaces_all_lines_of_a_value(void **state)
{
    (void)state;
    static const char text[] = "[app]\na = one\n  two\n# kept\n  three\n\nb = 1\n  2\n[load]\nc = 1\n";
    const struct ini_change changes[] = {{"app", "a", "new"}, {"app", "d", "last"}};
    char *edited, *diff;
    assert_int_equal(ini_edit("x.ini", text, strlen(text), changes, 2, &edited, &diff), 0);
    assert_string_equal(edited, "[app]\n# kept\na = new\n\nb = 1\n  2\nd = last\n[load]\nc = 1\n");
    assert_non_null(strstr(diff, "-  two\n"));
    free(edited);
    free(diff);
}

static void files_that_are_no_files_are_refused(void **state)
{
    (void)state;
    char directory[TEMPORARY_PATH_MAX], path[96];
    temporary_folder(directory);
    assert_false(ini_read_file(directory, note, is_key, NULL, err, sizeof err));
    assert_non_null(strstr(err, "Is a directory"));
    assert_memory_equal(err, directory, strlen(directory));
    snprintf(path, sizeof path, "%s/fifo", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(ini_read_file(path, note, is_key, NULL, err, sizeof err));
    assert_non_null(strstr(err, "not a regular file"));
    assert_int_equal(unlink(path), 0);
    assert_false(ini_read_file(path, note, is_key, NULL, err, sizeof err));
    assert_non_null(strstr(err, "No such file"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 40000; i++)
        fputs("# filler\n", file);
    fclose(file);
    assert_false(ini_read_file(path, note, is_key, NULL, err, sizeof err));
    assert_non_null(strstr(err, "larger"));
    unlink(path);
    rmdir(directory);
}

static void check_edit(const char *text, struct ini_change change, const char *expected,
                       const char *expected_diff)
{
    char *edited, *diff;
    assert_int_equal(ini_edit("x.ini", text, strlen(text), &change, 1, &edited, &diff), 0);
    assert_string_equal(edited, expected);
    assert_string_equal(diff, expected_diff);
    free(edited);
    free(diff);
}

static void edits_touch_nothing_else(void **state)
{
    (void)state;
    check_edit("# top\n[a]\nx=1\n\n[b]\n# about x\nx  =  2  \ny = 3\n", (struct ini_change){"b", "x", "20%"},
               "# top\n[a]\nx=1\n\n[b]\n# about x\nx  =  20%\ny = 3\n",
               "--- x.ini\n+++ x.ini\n@@ -5,4 +5,4 @@\n [b]\n # about x\n-x  =  2  \n+x  =  20%\n y = 3\n");
    check_edit("[a]\nx = 1\n", (struct ini_change){"a", "x", "1"}, "[a]\nx = 1\n", "");
    check_edit("[a]\r\nx = 1\r\n", (struct ini_change){"a", "x", "2"}, "[a]\r\nx = 2\r\n",
               "--- x.ini\n+++ x.ini\n@@ -1,2 +1,2 @@\n [a]\r\n-x = 1\r\n+x = 2\r\n");
    check_edit("[a]\nxy = 1", (struct ini_change){"a", "x", "2"}, "[a]\nxy = 1\nx = 2\n",
               "--- x.ini\n+++ x.ini\n@@ -1,2 +1,3 @@\n [a]\n xy = 1\n+x = 2\n");
    check_edit("[a]\nx =\n", (struct ini_change){"a", "x", "2"}, "[a]\nx = 2\n",
               "--- x.ini\n+++ x.ini\n@@ -1,2 +1,2 @@\n [a]\n-x =\n+x = 2\n");
    check_edit("[a]\r\nx =\r\n", (struct ini_change){"a", "x", "2"}, "[a]\r\nx = 2\r\n",
               "--- x.ini\n+++ x.ini\n@@ -1,2 +1,2 @@\n [a]\r\n-x =\r\n+x = 2\r\n");
    check_edit("\xEF\xBB\xBF[a]\nx = 1\n", (struct ini_change){"a", "x", "2"}, "\xEF\xBB\xBF[a]\nx = 2\n",
               "--- x.ini\n+++ x.ini\n@@ -1,2 +1,2 @@\n \xEF\xBB\xBF[a]\n-x = 1\n+x = 2\n");
}

static void new_keys_end_their_section(void **state)
{
    (void)state;
    check_edit("[a]\nx = 1\n\n[b]\nz = 1\n", (struct ini_change){"a", "y", "2"},
               "[a]\nx = 1\ny = 2\n\n[b]\nz = 1\n",
               "--- x.ini\n+++ x.ini\n@@ -1,4 +1,5 @@\n [a]\n x = 1\n+y = 2\n \n [b]\n");
    check_edit("[a]\nx = 1\n", (struct ini_change){"c", "y", "2"}, "[a]\nx = 1\n\n[c]\ny = 2\n",
               "--- x.ini\n+++ x.ini\n@@ -1,2 +1,5 @@\n [a]\n x = 1\n+\n+[c]\n+y = 2\n");
    check_edit("", (struct ini_change){"c", "y", "2"}, "[c]\ny = 2\n",
               "--- x.ini\n+++ x.ini\n@@ -0,0 +1,2 @@\n+[c]\n+y = 2\n");
}

static void several_changes_make_several_hunks(void **state)
{
    (void)state;
    const char *text = "[a]\nk1 = 1\nk2 = 1\nk3 = 1\nk4 = 1\nk5 = 1\nk6 = 1\nk7 = 1\nk8 = 1\nk9 = 1\n";
    const struct ini_change changes[] = {{"a", "k1", "2"}, {"a", "k3", "2"}, {"a", "k9", "2"}};
    char *edited, *diff;
    assert_int_equal(ini_edit("x.ini", text, strlen(text), changes, 3, &edited, &diff), 0);
    assert_string_equal(edited,
                        "[a]\nk1 = 2\nk2 = 1\nk3 = 2\nk4 = 1\nk5 = 1\nk6 = 1\nk7 = 1\nk8 = 1\nk9 = 2\n");
    assert_string_equal(
        diff, "--- x.ini\n+++ x.ini\n"
              "@@ -1,6 +1,6 @@\n [a]\n-k1 = 1\n+k1 = 2\n k2 = 1\n-k3 = 1\n+k3 = 2\n k4 = 1\n k5 = 1\n"
              "@@ -8,3 +8,3 @@\n k7 = 1\n k8 = 1\n-k9 = 1\n+k9 = 2\n");
    free(edited);
    free(diff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read_whole),
        cmocka_unit_test(what_inih_would_misread_is_refused_with_line_and_key),
        cmocka_unit_test(no_line_length_is_split),
        cmocka_unit_test(indented_lines_continue_a_value),
        cmocka_unit_test(a_change_replaces_all_lines_of_a_value),
        cmocka_unit_test(files_that_are_no_files_are_refused),
        cmocka_unit_test(edits_touch_nothing_else),
        cmocka_unit_test(new_keys_end_their_section),
        cmocka_unit_test(several_changes_make_several_hunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
