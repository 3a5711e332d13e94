/* SPDX-License-Identifier: MIT */
/* Buckets cover every value once, in order and narrowly; quantiles are near the exact ones. */
#include "core/histogram.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void buckets_tile_the_range(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        usec_t low = histogram_bucket_low(i), high = histogram_bucket_high(i);
        assert_true(low <= high);
        assert_int_equal(histogram_bucket(low), i);
        assert_int_equal(histogram_bucket(high), i);
        assert_true((double)(high - low) <= 0.032 * (double)low);
        if (i > 0)
            assert_int_equal(low, histogram_bucket_high(i - 1) + 1);
    }
    assert_true(histogram_bucket_high(HISTOGRAM_BUCKETS - 1) > 12 * USEC_PER_HOUR);
}

static void odd_values_are_kept_in_range(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(-5), 0);
    assert_int_equal(histogram_bucket(0), 0);
    assert_int_equal(histogram_bucket(INT64_MAX), HISTOGRAM_BUCKETS - 1);
    struct histogram h = {0};
    histogram_add_bucket(&h, HISTOGRAM_BUCKETS, 7);
    assert_int_equal(h.count, 0);
}

static int by_value(const void *a, const void *b)
{
    usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;
    return (x > y) - (x < y);
}

/* Never too low, and at most 3.2% too high. */
static void quantiles_are_upper_bounds_within_three_percent(void **state)
{
    (void)state;
    enum { N = 20000 };
    static usec_t values[N];
    static struct histogram h;
    histogram_clear(&h);
    uint64_t seed = 42;
    for (int i = 0; i < N; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        values[i] = (usec_t)1 << (seed >> 59);
        values[i] += (usec_t)((seed >> 20) % (uint64_t)values[i]);
        histogram_record(&h, values[i]);
    }
    qsort(values, N, sizeof values[0], by_value);
    static const double qs[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof qs / sizeof qs[0]; i++) {
        usec_t exact = values[(size_t)(qs[i] * N) - 1];
        double error = (double)(histogram_quantile(&h, qs[i]) - exact) / (double)exact;
        assert_true(error < 0.032 && error >= 0);
    }
}

static void a_quantile_is_the_first_value_with_its_share_below(void **state)
{
    (void)state;
    static struct histogram h;
    histogram_clear(&h);
    for (usec_t v = 10; v <= 40; v += 10)
        histogram_record(&h, v);
    assert_int_equal(histogram_quantile(&h, 0.25), 10);
    assert_int_equal(histogram_quantile(&h, 0.26), 20);
    assert_int_equal(histogram_quantile(&h, 0.5), 20);
    assert_int_equal(histogram_quantile(&h, 0), 10);
    assert_int_equal(histogram_quantile(&h, 1), 40);
}

static void an_empty_one_has_no_quantile(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_quantile(&h, 0.5), -1);
    assert_true(histogram_mean(&h) < 0);
}

static void merge_and_subtract_are_inverse(void **state)
{
    (void)state;
    static struct histogram a, b, both;
    histogram_clear(&a);
    histogram_clear(&b);
    histogram_clear(&both);
    for (usec_t v = 1; v < 100000; v = v * 3 / 2 + 1) {
        histogram_record(&a, v);
        histogram_record(&b, v * 7);
    }
    histogram_merge(&both, &a);
    histogram_merge(&both, &b);
    assert_int_equal(both.count, a.count + b.count);
    histogram_subtract(&both, &a);
    assert_memory_equal(&both, &b, sizeof b);
    histogram_subtract(&both, &a);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        assert_true(both.buckets[i] <= b.buckets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_tile_the_range),
        cmocka_unit_test(odd_values_are_kept_in_range),
        cmocka_unit_test(quantiles_are_upper_bounds_within_three_percent),
        cmocka_unit_test(a_quantile_is_the_first_value_with_its_share_below),
        cmocka_unit_test(an_empty_one_has_no_quantile),
        cmocka_unit_test(merge_and_subtract_are_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
