/* SPDX-License-Identifier: MIT */
/* Traces as spreadsheets and scripts write them, and what is wrong with others. */
#include "load/trace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static char why[160];

static bool read_bytes(const char *bytes, size_t size, double speed, struct trace *trace)
{
    char path[TEMPORARY_PATH_MAX];
    int fd = temporary_file(path);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    why[0] = '\0';
    bool good = trace_read(path, speed, trace, why, sizeof why);
    unlink(path);
    return good;
}

static bool read_text(const char *text, double speed, struct trace *trace)
{
    return read_bytes(text, strlen(text), speed, trace);
}

static void traces_are_read_however_they_are_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0,50\n10,200\n20,0\n",
        "seconds,requests_per_second\n0,50\n10,200\n20,0",
        "\xef\xbb\xbfseconds,rps\r\n0,50\r\n10,200\r\n20,0\r\n",
        "\xef\xbb\xbf"
        "0,50\n10,200\n20,0\n",
        "# of Monday\n\n  0 , 50\n\t10.0,2e2 \n# noon\n 20 ,0.0\n\n",
        "# of Monday\nt,r\n0,50\n10,200\n20,0\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct trace trace;
        if (!read_text(texts[i], 2, &trace))
            fail_msg("text %zu: %s", i, why);
        assert_int_equal(trace.count, 3);
        assert_float_equal(trace.peak_rps, 200, 0);
        static const struct arrivals_point points[] = {
            {0, 0.25}, {5 * USEC_PER_SEC, 1}, {10 * USEC_PER_SEC, 0}};
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(trace.points[k].at, points[k].at);
            assert_float_equal(trace.points[k].factor, points[k].factor, 0);
        }
        free(trace.points);
    }
}

/* As of a disk that was full, or in UTF-16: what follows is not left out in silence. */
static void a_trace_does_not_end_at_a_null_byte(void **state)
{
    (void)state;
    static const char text[] = "0,50\n10,200\n\0\0\n20,0\n";
    struct trace trace;
    assert_false(read_bytes(text, sizeof text - 1, 1, &trace));
    assert_string_equal(why, "it holds null bytes, so it is no text");
}

static void bad_traces_are_refused_with_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "two points"},
        {"0,1\n", "two points"},
        {"0,0\n5,0\n", "a rate above 0"},
        {"0;1\n5;2\n", "'0;1' is not"},
        {"0 100\n0,1\n5,2\n", "'0 100' is not"},
        {"a,b\nc,d\n0,1\n5,2\n", "'c,d' is not"},
        {"0,1,x\n5,2\n", "'0,1,x' is not"},
        {"0,1\n5,nan\n", "'5,nan' is not"},
        {"0,1\n5,inf\n", "'5,inf' is not"},
        {"0,1\n5,-2\n", "'5,-2' is not"},
        {"0,1\n1e400,2\n", "'1e400,2' is not"},
        {"0,1\nnan,2\n", "'nan,2' is not"},
        {"1,1\n2,2\n", "'1,1' does not"},
        {"0,1\n5,2\n5,3\n", "'5,3' does not"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trace trace;
        if (read_text(cases[i].text, 1, &trace) || !strstr(why, cases[i].why))
            fail_msg("case %zu: %s", i, why);
        assert_null(trace.points);
    }
    struct trace trace;
    assert_false(read_text("0,1\n5,2\n", 1e-300, &trace));
    assert_false(trace_read("/", 1, &trace, why, sizeof why));
    assert_non_null(strstr(why, "it cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traces_are_read_however_they_are_written),
        cmocka_unit_test(a_trace_does_not_end_at_a_null_byte),
        cmocka_unit_test(bad_traces_are_refused_with_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
