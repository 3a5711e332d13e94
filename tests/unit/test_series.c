/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/series.h"
#include <math.h>
#include <stdlib.h>

#define SEC USEC_PER_SEC

static struct series series; /* too large for a stack */

static int begin(void **state)
{
    (void)state;
    series_init(&series);
    return 0;
}

static void is_near(double a, double b)
{
    if (!(fabs(a - b) < 1e-6))
        fail_msg("%.9g is not %.9g", a, b);
}

static void fill(int from, int to, double value)
{
    for (int t = from; t <= to; t++)
        assert_true(series_add(&series, t * SEC, value));
}

static void test_an_empty_one_knows_nothing(void **state)
{
    usec_t at;
    double value;
    (void)state;
    assert_true(isnan(series_mean(&series, 9 * SEC, 5 * SEC)));
    assert_false(series_last(&series, &at, &value));
    assert_true(isnan(value));
    assert_int_equal(series_above(&series, SEC, 0), 0);
}

static void test_time_never_goes_back(void **state)
{
    (void)state;
    assert_true(series_add(&series, 5 * SEC, 1));
    assert_false(series_add(&series, 5 * SEC, 2));
    assert_false(series_add(&series, 4 * SEC, 2));
    is_near(series_mean(&series, 5 * SEC, SEC), 1);
}

static void test_mean_is_weighted_by_time(void **state)
{
    (void)state;
    series_restart(&series, 0);
    series_add(&series, 1 * SEC, 10);
    series_add(&series, 4 * SEC, 50); /* stands for three seconds */
    is_near(series_mean(&series, 4 * SEC, 4 * SEC), 40);
    is_near(series_mean(&series, 4 * SEC, 10 * SEC), 40);
    is_near(series_mean(&series, 4 * SEC, 3500 * USEC_PER_MSEC), (3 * 50 + 0.5 * 10) / 3.5);
    is_near(series_mean(&series, 4 * SEC, SEC), 50);
}

static void test_unmeasured_time_does_not_count(void **state)
{
    usec_t at;
    double value;
    (void)state;
    series_restart(&series, 0);
    series_add(&series, 1 * SEC, 10);
    series_add(&series, 2 * SEC, NAN);
    series_add(&series, 3 * SEC, 30);
    series_add(&series, 4 * SEC, NAN);
    is_near(series_mean(&series, 4 * SEC, 4 * SEC), 20);
    assert_true(series_last(&series, &at, &value));
    assert_int_equal(at, 3 * SEC);
    is_near(value, 30);
    assert_true(isnan(series_mean(&series, 4 * SEC, SEC)));
    assert_int_equal(series_above(&series, SEC, 5), 2 * SEC);
}

static void test_old_samples_fall_out(void **state)
{
    (void)state;
    fill(1, 2 * SERIES_POINTS, 1);
    fill(2 * SERIES_POINTS + 1, 3 * SERIES_POINTS, 2);
    is_near(series_mean(&series, 3 * SERIES_POINTS * SEC, 10 * SERIES_POINTS * SEC), 2);
}

static void test_merging_keeps_the_mean_and_reaches_far(void **state)
{
    double sum = 0;
    (void)state;
    series_reach(&series, 4 * SERIES_POINTS * SEC);
    series_restart(&series, 0);
    for (int t = 1; t <= 4 * SERIES_POINTS; t++) {
        sum += t % 7;
        series_add(&series, t * SEC, t % 7);
    }
    is_near(series_mean(&series, 4 * SERIES_POINTS * SEC, 4 * SERIES_POINTS * SEC),
            sum / (4 * SERIES_POINTS));
}

static void test_deviation(void **state)
{
    static const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    (void)state;
    for (int t = 0; t < 8; t++)
        series_add(&series, (t + 1) * SEC, values[t]);
    is_near(series_deviation(&series, 8 * SEC, 8 * SEC), sqrt(32.0 / 7));
    is_near(series_deviation(&series, 8 * SEC, SEC), 0);
}

static void test_time_above(void **state)
{
    (void)state;
    series_restart(&series, 0);
    fill(1, 10, 20);
    fill(11, 17, 50);
    assert_int_equal(series_above(&series, SEC, 35), 7 * SEC);
    assert_int_equal(series_below(&series, SEC, 35), 0);
    assert_int_equal(series_above(&series, SEC, 50), 0);
    fill(18, 20, 10);
    assert_int_equal(series_above(&series, SEC, 35), 0);
    assert_int_equal(series_below(&series, SEC, 35), 3 * SEC);
}

static void test_a_dip_does_not_break_a_smoothed_run(void **state)
{
    (void)state;
    series_restart(&series, 0);
    fill(1, 10, 60);
    fill(11, 11, 10);
    fill(12, 15, 60);
    assert_int_equal(series_above(&series, SEC, 35), 4 * SEC);
    assert_int_equal(series_above(&series, 3 * SEC, 35), 15 * SEC);
}

/* The sliding sum against the plain definition. */
static void test_smoothing_agrees_with_the_mean(void **state)
{
    (void)state;
    srand(5);
    for (int round = 0; round < 200; round++) {
        usec_t at = 0, smooth = 1 + rand() % (7 * SEC), expect = 0;
        usec_t times[64];
        series_restart(&series, 0);
        for (int i = 0; i < 64; i++) {
            times[i] = at += 1000 + rand() % (2 * SEC);
            series_add(&series, at, rand() % 8 ? rand() % 100 : NAN);
        }
        for (int i = 63; i >= 0; i--) {
            usec_t span = times[i] - (i ? times[i - 1] : 0);
            double mean = series_mean(&series, times[i], smooth < 1000 ? 1000 : smooth);
            double value = series_mean(&series, times[i], 1);
            if (mean <= 30)
                break;
            if (!isnan(value))
                expect += span;
        }
        assert_int_equal(series_above(&series, smooth, 30), expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_empty_one_knows_nothing, begin),
        cmocka_unit_test_setup(test_time_never_goes_back, begin),
        cmocka_unit_test_setup(test_mean_is_weighted_by_time, begin),
        cmocka_unit_test_setup(test_unmeasured_time_does_not_count, begin),
        cmocka_unit_test_setup(test_old_samples_fall_out, begin),
        cmocka_unit_test_setup(test_merging_keeps_the_mean_and_reaches_far, begin),
        cmocka_unit_test_setup(test_deviation, begin),
        cmocka_unit_test_setup(test_time_above, begin),
        cmocka_unit_test_setup(test_a_dip_does_not_break_a_smoothed_run, begin),
        cmocka_unit_test_setup(test_smoothing_agrees_with_the_mean, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
