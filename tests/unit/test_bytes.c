/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_arrives_in_pieces_leaves_in_lines(void **state)
{
    (void)state;
    struct bytes bytes = {.max = 1000};
    char expected[32], chunk[64];
    int next = 0;
    assert_null(bytes_take_line(&bytes));
    for (int i = 0; i < 3000; i++) { /* in pieces that do not match the lines */
        snprintf(chunk, sizeof chunk, "line %d\n%s", i, i % 3 ? "" : "half ");
        assert_true(bytes_append(&bytes, chunk, strlen(chunk)));
        for (char *line; (line = bytes_take_line(&bytes)); next++) {
            snprintf(expected, sizeof expected, "%sline %d", next % 3 == 1 ? "half " : "", next);
            assert_string_equal(line, expected);
        }
    }
    assert_int_equal(next, 3000);
    assert_true(bytes.capacity <= 1024);
    bytes_fini(&bytes);
}

static void the_maximum_is_kept(void **state)
{
    (void)state;
    struct bytes bytes = {.max = 10};
    assert_true(bytes_append(&bytes, "0123456789", 10));
    assert_false(bytes_append(&bytes, "x", 1));
    assert_true(bytes_append(&bytes, NULL, 0));
    assert_null(bytes_reserve(&bytes, SIZE_MAX));
    bytes_consume(&bytes, 4);
    assert_true(bytes_append(&bytes, "abcd", 4));
    assert_memory_equal(bytes.data + bytes.start, "456789abcd", 10);
    bytes_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_arrives_in_pieces_leaves_in_lines),
        cmocka_unit_test(the_maximum_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
