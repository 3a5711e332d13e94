/* SPDX-License-Identifier: MIT */
#include "core/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof array / sizeof *(array))
#define BAD          "\xEF\xBF\xBD" /* U+FFFD */

static void what_a_terminal_would_obey_becomes_visible(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain text", "plain text"},
        {"\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"},
        {"a\rb\bc\nd\x7f", "a?b?c?d?"},
        {"a\tb", "a b"},
        {"\xc2\x9b"
         "31m",
         "?31m"}, /* CSI as one C1 character */
        {"abc\xe2\x80\xae"
         "fed\xe2\x81\xa6\xe2\x80\x8f",
         "abc?fed??"},                                         /* bidi override, isolate, mark */
        {"a\xe2\x80\x8b\xef\xbb\xbf\xe2\x80\xa8", "a???"},     /* zero width, BOM, line separator */
        {"\xf3\xa0\x81\x81", "?"},                             /* a tag character */
        {"\xff\xc0\xaf\xe0\x80\xaf", BAD BAD BAD BAD BAD BAD}, /* stray, overlong */
        {"\xed\xa0\x80", BAD BAD BAD},                         /* surrogate */
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD},                 /* past U+10FFFF */
        {"\xe2\x82", BAD BAD},                                 /* cut at the end */
        {"\xe2\x82\xac 5", "\xe2\x82\xac 5"},
        {"\xcc\x81"
         "a",
         "?a"}, /* a mark with nothing to stand on */
        {"e\xcc\x81", "e\xcc\x81"},
        {"z\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81!", "z\xcc\x81\xcc\x81\xcc\x81\xcc\x81!"},
    };
    char out[128];
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(text_clean(out, sizeof out, cases[i].text), strlen(cases[i].expected));
        assert_string_equal(out, cases[i].expected);
    }
    assert_int_equal(text_sanitize(out, sizeof out, "a\0b", 3), 3);
    assert_string_equal(out, "a?b");
}

static void no_byte_sequence_gets_through(void **state)
{
    (void)state;
    char in[24], out[80];
    uint32_t seed = 7, code;
    for (int round = 0; round < 50000; round++) {
        for (size_t i = 0; i < sizeof in; i++) {
            seed = seed * 1664525u + 1013904223u;
            in[i] = (char)(seed >> 24);
        }
        size_t size = text_sanitize(out, sizeof out, in, sizeof in), at = 0, length;
        assert_int_equal(size, strlen(out));
        for (; (length = text_decode(out + at, size - at, &code)) > 0; at += length) {
            assert_false(text_is_hidden(code));
            assert_true(length > 1 || (code >= 0x20 && code < 0x7F)); /* a stray byte would take one */
        }
    }
}

static void a_cut_leaves_whole_characters(void **state)
{
    (void)state;
    const char *text = "a\xe2\x82\xac\xf0\x9f\x98\x80"; /* 1 + 3 + 4 bytes */
    static const size_t expected[] = {0, 0, 1, 1, 1, 4, 4, 4, 4, 8, 8};
    for (size_t size = 1; size < COUNT(expected); size++) {
        char out[16];
        memset(out, 'x', sizeof out);
        assert_int_equal(text_clean(out, size, text), expected[size]);
        assert_int_equal(out[expected[size]], '\0');
        assert_int_equal(out[size], 'x');
    }
    char untouched = 'x';
    assert_int_equal(text_clean(&untouched, 0, text), 0);
    assert_int_equal(untouched, 'x');
}

static void columns_count_wide_and_combining(void **state)
{
    (void)state;
    assert_int_equal(text_width(""), 0);
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);         /* two kanji */
    assert_int_equal(text_width("\xf0\x9f\x98\x80"), 2);                 /* emoji */
    assert_int_equal(text_width("\xef\xbc\xa1"), 2);                     /* full-width A */
    assert_int_equal(text_width("e\xcc\x81"), 1);                        /* e, combining acute */
    assert_int_equal(text_width("\xc3\xa9\xe2\x94\x80\xe2\xa3\xbf"), 3); /* accent, box line, braille */
    assert_int_equal(text_char_width(0x1100), 2);
    assert_int_equal(text_char_width(0x1161), 0);
    assert_int_equal(text_char_width(0x20000), 2);
    assert_int_equal(text_char_width('\x1b'), 0);
}

static void truncation_marks_the_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int columns;
        bool unicode;
        const char *expected;
        int used;
    } cases[] = {
        {"abcdef", 6, true, "abcdef", 6},
        {"abcdef", 5, true, "abcd\xe2\x80\xa6", 5},
        {"abcdef", 5, false, "ab...", 5},
        {"abcdef", 2, false, "ab", 2},
        {"abcdef", 0, true, "", 0},
        {"\xe6\x97\xa5\xe6\x9c\xac", 3, true, "\xe6\x97\xa5\xe2\x80\xa6", 3},
        {"\xe6\x97\xa5\xe6\x9c\xac", 2, true, "\xe2\x80\xa6", 1}, /* half a wide character is none */
        {"e\xcc\x81xy", 2, true, "e\xcc\x81\xe2\x80\xa6", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        assert_int_equal(text_truncate(out, sizeof out, cases[i].text, cases[i].columns, cases[i].unicode),
                         cases[i].used);
        assert_string_equal(out, cases[i].expected);
    }
    char small[4];
    assert_int_equal(text_truncate(small, sizeof small, "abcdef", 10, true), 1);
    assert_string_equal(small, "\xe2\x80\xa6");
}

static void distance_counts_slips_of_the_finger(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("abc", ""), 3);
    assert_int_equal(text_distance("threads", "threads"), 0);
    assert_int_equal(text_distance("Threads", "threads"), 0);
    assert_int_equal(text_distance("thraeds", "threads"), 1);
    assert_int_equal(text_distance("max_instance", "max_instances"), 1);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    char very_long[300];
    memset(very_long, 'a', sizeof very_long - 1);
    very_long[sizeof very_long - 1] = '\0';
    assert_int_equal(text_distance(very_long, ""), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_would_obey_becomes_visible),
        cmocka_unit_test(no_byte_sequence_gets_through),
        cmocka_unit_test(a_cut_leaves_whole_characters),
        cmocka_unit_test(columns_count_wide_and_combining),
        cmocka_unit_test(truncation_marks_the_cut),
        cmocka_unit_test(distance_counts_slips_of_the_finger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
