/* SPDX-License-Identifier: MIT */
#include "core/units.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof array / sizeof *(array))

static void durations_keep_every_microsecond(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        usec_t expected;
    } good[] = {
        {"250ms", 250000},  {"3s", 3000000},   {" 2m\t", 120000000},
        {"1h", 3600000000}, {"1.5s", 1500000}, {"0.25h", 900000000},
        {".5m", 30000000},  {"0", 0},          {"0s", 0},
        {"1us", 1},         {"0.001ms", 1},    {"2562047788h", INT64_C(2562047788) * USEC_PER_HOUR},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        usec_t got = -7;
        assert_true(units_parse_duration(good[i].text, &got));
        assert_int_equal(got, good[i].expected);
    }
}

static void bad_durations_are_refused_and_leave_the_result(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "3",
                                      "s",
                                      "-3s",
                                      "3 s",
                                      "3s3",
                                      "1e3s",
                                      "nan",
                                      "0x3s",
                                      "3S",
                                      "3sec",
                                      "0.0001ms",
                                      "0.3us",
                                      ".s",
                                      "1..5s",
                                      "+3s",
                                      "1h2m",
                                      "inf",
                                      "3,5s",
                                      "2562047789h",
                                      "9999999999999999999us"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        usec_t got = -7;
        if (units_parse_duration(bad[i], &got))
            fail_msg("accepted '%s'", bad[i]);
        assert_int_equal(got, -7);
    }
}

static void percents_follow_the_rule_of_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double expected;
    } good[] = {
        {"35%", 35}, {"35", 35},   {"0.35", 35},  {"0.29", 29}, {"0", 0},   {"0%", 0},
        {"1%", 1},   {"1.5", 1.5}, {"0.5%", 0.5}, {"35 %", 35}, {".07", 7}, {"250%", 250},
    };
    static const char *const bad[] = {"",    "1",    "1.0", "%",   "-3%",  "nan", "nan%",
                                      "inf", "35%%", "35p", "1e2", "0x10", "."};
    for (size_t i = 0; i < COUNT(good); i++) {
        double got = -7;
        assert_true(units_parse_percent(good[i].text, &got));
        assert_true(got == good[i].expected);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        double got = -7;
        if (units_parse_percent(bad[i], &got))
            fail_msg("accepted '%s'", bad[i]);
        assert_true(got == -7);
    }
}

static void rates_are_per_second(void **state)
{
    (void)state;
    double got;
    assert_true(units_parse_rate("500/s", &got) && got == 500);
    assert_true(units_parse_rate("500", &got) && got == 500);
    assert_true(units_parse_rate("30/m", &got) && got == 0.5);
    assert_true(units_parse_rate("7200/h", &got) && got == 2);
    assert_true(units_parse_rate("0.5/s", &got) && got == 0.5);
    assert_true(units_parse_rate("2k/s", &got) && got == 2000);
    assert_true(units_parse_rate("1.2k", &got) && got == 1200);
    assert_true(units_parse_rate("90rpm", &got) && got == 1.5);
    assert_true(units_parse_rate("500rps", &got) && got == 500);
    assert_true(units_parse_rate("30/min", &got) && got == 0.5);
    static const char *const bad[] = {"", "/s", "-1/s", "5/", "5/d", "5 /s", "5s", "nan", "k", "5kk", "5/k"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(units_parse_rate(bad[i], &got));
}

static void sizes_are_powers_of_1024(void **state)
{
    (void)state;
    int64_t got = -7;
    assert_true(units_parse_size("512", &got) && got == 512);
    assert_true(units_parse_size("64k", &got) && got == 65536);
    assert_true(units_parse_size("64K", &got) && got == 65536);
    assert_true(units_parse_size("10M", &got) && got == 10 << 20);
    assert_true(units_parse_size("2G", &got) && got == INT64_C(2) << 30);
    assert_true(units_parse_size("2g", &got) && got == INT64_C(2) << 30);
    got = -7;
    static const char *const bad[] = {
        "", "k", "-1k", "1.5G", "1kb", "1x", "1 k", "9999999999T", "9223372036854775808"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (units_parse_size(bad[i], &got))
            fail_msg("accepted '%s'", bad[i]);
    assert_int_equal(got, -7);
}

static void integers_cover_64_bits_and_nothing_else(void **state)
{
    (void)state;
    int64_t got;
    assert_true(units_parse_int("-9223372036854775808", &got) && got == INT64_MIN);
    assert_true(units_parse_int("9223372036854775807", &got) && got == INT64_MAX);
    assert_true(units_parse_int(" +7 ", &got) && got == 7);
    assert_true(units_parse_int("007", &got) && got == 7);
    got = -7;
    static const char *const bad[] = {"",    "-",   "+", "1.0", "0x1", "1e3", "--1", "9223372036854775808",
                                      "1 2", "\xb2"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (units_parse_int(bad[i], &got))
            fail_msg("accepted '%s'", bad[i]);
    assert_int_equal(got, -7);
}

static void doubles_are_plain_decimals(void **state)
{
    (void)state;
    double got;
    assert_true(units_parse_double("-0.5", &got) && got == -0.5);
    assert_true(units_parse_double("+12", &got) && got == 12);
    static const char *const bad[] = {"", ".", "-", "1e3", "nan", "inf", "0x1p3", "1,5", "1.5x", "--1"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (units_parse_double(bad[i], &got))
            fail_msg("accepted '%s'", bad[i]);
}

/* A small generator of our own: the same numbers on every machine. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    char text[512];
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&seed);
        int64_t whole = (int64_t)(bits >> (1 + bits % 60)), whole_back = -1;
        double value = (double)(next_random(&seed) >> 11) * pow(2, -(double)(bits % 60)), back = -1;
        units_format_duration(text, sizeof text, whole);
        assert_true(units_parse_duration(text, &whole_back) && whole_back == whole);
        units_format_size(text, sizeof text, whole);
        assert_true(units_parse_size(text, &whole_back) && whole_back == whole);
        units_format_double(text, sizeof text, value);
        assert_true(units_parse_double(text, &back) && back == value);
        units_format_percent(text, sizeof text, value);
        assert_true(units_parse_percent(text, &back) && back == value);
        units_format_rate(text, sizeof text, value);
        assert_true(units_parse_rate(text, &back) && back == value);
    }
}

static void writers_are_brief(void **state)
{
    (void)state;
    static const struct {
        int (*write)(char *, size_t, int64_t);
        int64_t value;
        const char *expected;
    } whole[] = {
        {units_format_duration, 0, "0"},
        {units_format_duration, 250000, "250ms"},
        {units_format_duration, 90 * USEC_PER_SEC, "90s"},
        {units_format_duration, 120 * USEC_PER_SEC, "2m"},
        {units_format_duration, 24 * USEC_PER_HOUR, "24h"},
        {units_format_size, 65536, "64k"},
        {units_format_size, 1000, "1000"},
        {units_format_clock, 41 * USEC_PER_MIN + 10 * USEC_PER_SEC, "00:41:10"},
        {units_format_clock, 76 * USEC_PER_HOUR + 12 * USEC_PER_MIN, "3d 04:12"},
        {units_format_clock, -5, "00:00:00"},
    };
    static const struct {
        int (*write)(char *, size_t, double);
        double value;
        const char *expected;
    } real[] = {
        {units_format_percent, 35, "35%"},
        {units_format_percent, 0.1, "0.1%"},
        {units_format_rate, 500, "500/s"},
        {units_format_rate, 0.5, "30/m"},
        {units_format_double, 1e21, "1000000000000000000000"},
        {units_format_double, -0.25, "-0.25"},
        {units_format_short, 0, "0"},
        {units_format_short, 0.5, "0.5"},
        {units_format_short, 812, "812"},
        {units_format_short, 1234, "1.2k"},
        {units_format_short, 34e6, "34M"},
        {units_format_short, 999.7, "1.0k"},
        {units_format_short, 9960, "10k"},
        {units_format_short, NAN, "-"},
    };
    char text[400];
    for (size_t i = 0; i < COUNT(whole); i++) {
        assert_int_equal(whole[i].write(text, sizeof text, whole[i].value), (int)strlen(whole[i].expected));
        assert_string_equal(text, whole[i].expected);
    }
    for (size_t i = 0; i < COUNT(real); i++) {
        assert_int_equal(real[i].write(text, sizeof text, real[i].value), (int)strlen(real[i].expected));
        assert_string_equal(text, real[i].expected);
    }
}

static void snapped_instants_are_the_nearest_multiples(void **state)
{
    (void)state;
    assert_int_equal(usec_snap(1240, 500), 1000);
    assert_int_equal(usec_snap(1250, 500), 1500);
    assert_int_equal(usec_snap(1500, 500), 1500);
    assert_int_equal(usec_snap(0, 500), 0);
}

static void beats_meet_whatever_they_began_with(void **state)
{
    (void)state;
    static const usec_t intervals[] = {50000, 700000, USEC_PER_SEC, 1500000, 3 * USEC_PER_SEC, USEC_PER_HOUR};
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
        usec_t interval = intervals[i], grid = interval % USEC_PER_SEC == 0 ? USEC_PER_SEC : interval;
        for (usec_t start = 7777777; start < 7777777 + 2 * grid; start += grid / 10 + 1) {
            usec_t first = usec_beat(start, interval);
            assert_int_equal(first % grid, 0);
            assert_true(first > start && llabs(first - start - interval) <= grid / 2);
            /* who looks a little late or early does not lose the beat */
            assert_int_equal(usec_beat(first + grid / 4, interval), first + interval);
            assert_int_equal(usec_beat(first - grid / 4, interval), first + interval);
        }
    }
}

static void short_numbers_fit_five_columns(void **state)
{
    (void)state;
    char text[64];
    for (double value = 1e-3; value < 1e30; value *= 1.37) {
        units_format_short(text, sizeof text, value);
        assert_true(strlen(text) <= 5);
    }
    units_format_short(text, sizeof text, INFINITY);
    assert_true(strlen(text) <= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_keep_every_microsecond),
        cmocka_unit_test(bad_durations_are_refused_and_leave_the_result),
        cmocka_unit_test(percents_follow_the_rule_of_one),
        cmocka_unit_test(rates_are_per_second),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(integers_cover_64_bits_and_nothing_else),
        cmocka_unit_test(doubles_are_plain_decimals),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(writers_are_brief),
        cmocka_unit_test(short_numbers_fit_five_columns),
        cmocka_unit_test(snapped_instants_are_the_nearest_multiples),
        cmocka_unit_test(beats_meet_whatever_they_began_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
