/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/strategy.h"
#include <math.h>
#include <string.h>

#define SEC USEC_PER_SEC

static struct series signal;
static struct config config;

/* What a strategy says of a signal that has been steady for a minute. */
static struct proposal ask(const struct strategy_ops *strategy, int count, double pct)
{
    struct situation s = {.now = 60 * SEC, .desired = count, .ready = count, .rpm = NAN};
    struct proposal p = {0};
    series_init(&signal);
    series_restart(&signal, 0);
    for (int t = 1; t <= 60; t++)
        series_add(&signal, t * SEC, pct);
    strategy_observe(&s, &config.scaling, &signal);
    strategy->propose(&s, &config.scaling, &p);
    assert_true(p.reason_count > 0);
    return p;
}

static int begin(void **state)
{
    (void)state;
    config_init(&config);
    return 0;
}

static void test_registry(void **state)
{
    (void)state;
    assert_null(strategy_at(-1));
    assert_null(strategy_at(2));
    for (int i = 0; strategy_at(i); i++)
        assert_true(strlen(strategy_at(i)->summary) > 10);
}

static void test_threshold(void **state)
{
    static const struct {
        int count;
        double pct;
        int want;
        enum reason_code reason;
    } rows[] = {
        {1, 25, 1, REASON_INSIDE_BAND}, {1, 35, 1, REASON_INSIDE_BAND}, {1, 36, 2, REASON_ABOVE_UP},
        {1, 100, 3, REASON_ABOVE_UP},   {4, 36, 5, REASON_ABOVE_UP},    {4, 15, 4, REASON_INSIDE_BAND},
        {4, 14, 3, REASON_BELOW_DOWN},  {4, 1, 1, REASON_BELOW_DOWN},   {2, 14, 2, REASON_WOULD_EXCEED_UP},
        {2, 12, 1, REASON_BELOW_DOWN},  {1, 0, 0, REASON_BELOW_DOWN},   {5, 0, 1, REASON_BELOW_DOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proposal p = ask(&strategy_threshold, rows[i].count, rows[i].pct);
        if (p.want != rows[i].want || p.reasons[0].code != rows[i].reason)
            fail_msg("%d at %.0f%%: %d, reason %d", rows[i].count, rows[i].pct, p.want,
                     (int)p.reasons[0].code);
    }
}

static void test_tracking(void **state)
{
    static const struct {
        int count;
        double pct;
        int want;
    } rows[] = {
        {10, 80, 10}, {10, 85, 10}, {10, 86, 11}, {10, 75, 10}, {10, 74, 10}, {10, 70, 9},
        {10, 40, 5},  {10, 0, 1},   {8, 90, 9},   {1, 50, 1},   {4, 95, 5},
    };

    (void)state;
    config.scaling.scale_up_threshold = 85;
    config.scaling.scale_down_threshold = 75;
    config.scaling.target_cpu = 80;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proposal p = ask(&strategy_tracking, rows[i].count, rows[i].pct);
        if (p.want != rows[i].want)
            fail_msg("%d at %.0f%%: %d", rows[i].count, rows[i].pct, p.want);
    }
}

static void test_tracking_steps_further_when_saturated(void **state)
{
    struct proposal p;
    (void)state;
    config.scaling.scale_up_threshold = 85;
    config.scaling.target_cpu = 80;
    p = ask(&strategy_tracking, 8, 100);
    assert_true(p.want > 10);
    assert_int_equal(p.reasons[0].code, REASON_TRACKING);
    assert_int_equal(p.reasons[1].code, REASON_SATURATED);
    p = ask(&strategy_tracking, 8, 99);
    assert_int_equal(p.want, 10);
    assert_int_equal(p.reason_count, 1);
}

static void test_the_last_goes_only_when_unused(void **state)
{
    struct situation s = {.now = SEC, .desired = 1, .ready = 1, .rpm = 3, .below_for = SEC};
    struct proposal p = {0};
    (void)state;
    config.scaling.min_instances = 0;
    strategy_threshold.propose(&s, &config.scaling, &p);
    assert_int_equal(p.want, 1);
    assert_int_equal(p.reasons[0].code, REASON_STILL_USED);
    s.rpm = 0;
    p = (struct proposal){0};
    strategy_threshold.propose(&s, &config.scaling, &p);
    assert_int_equal(p.want, 0);
}

static void test_noise_keeps_what_it_may_need(void **state)
{
    struct situation s = {.now = 60 * SEC, .desired = 2, .ready = 2, .rpm = NAN};
    struct proposal p = {0};
    (void)state;
    series_init(&signal);
    series_restart(&signal, 0);
    for (int t = 1; t <= 60; t++)
        series_add(&signal, t * SEC, t % 2 ? 5 : 14);
    strategy_observe(&s, &config.scaling, &signal);
    strategy_threshold.propose(&s, &config.scaling, &p);
    assert_int_equal(p.want, 2);
    assert_int_equal(p.reasons[0].code, REASON_WOULD_EXCEED_UP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_registry, begin),
        cmocka_unit_test_setup(test_threshold, begin),
        cmocka_unit_test_setup(test_tracking, begin),
        cmocka_unit_test_setup(test_tracking_steps_further_when_saturated, begin),
        cmocka_unit_test_setup(test_the_last_goes_only_when_unused, begin),
        cmocka_unit_test_setup(test_noise_keeps_what_it_may_need, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
