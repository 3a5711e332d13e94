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

/* What a strategy in force says of readings of CPU that have been taken from a series. */
static struct proposal ask_of(int strategy, struct situation *s)
{
    struct proposal p;
    config.scaling.strategy = strategy;
    s->reading_count = 1;
    reading_begin(&s->readings[0], &config.scaling, SIGNAL_CPU);
    reading_take(&s->readings[0], &config.scaling, &signal, s->now);
    s->readings[0].top = 100;
    s->readings[0].fresh = true;
    s->readings[0].age = 0;
    strategy_propose(NULL, s, &config.scaling, &p);
    assert_true(p.reason_count > 0);
    return p;
}

/* Of a signal that has been steady for a minute. */
static struct proposal ask(int strategy, int count, double pct)
{
    struct situation s = {.now = 60 * SEC, .desired = count, .ready = count, .rpm = NAN};
    series_init(&signal);
    series_restart(&signal, 0);
    for (int t = 1; t <= 60; t++)
        series_add(&signal, t * SEC, pct);
    return ask_of(strategy, &s);
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
    assert_null(strategy_at(CONFIG_STRATEGY_COUNT));
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
        struct proposal p = ask(CONFIG_STRATEGY_THRESHOLD, rows[i].count, rows[i].pct);
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
        struct proposal p = ask(CONFIG_STRATEGY_TRACKING, rows[i].count, rows[i].pct);
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
    p = ask(CONFIG_STRATEGY_TRACKING, 8, 100);
    assert_true(p.want > 10);
    assert_int_equal(p.reasons[0].code, REASON_TRACKING);
    assert_int_equal(p.reasons[1].code, REASON_SATURATED);
    p = ask(CONFIG_STRATEGY_TRACKING, 8, 99);
    assert_int_equal(p.want, 10);
    assert_int_equal(p.reason_count, 1);
}

static void test_the_last_goes_only_when_unused(void **state)
{
    struct situation s = {.now = 60 * SEC, .desired = 1, .ready = 1, .rpm = 3};
    struct proposal p;
    (void)state;
    config.scaling.min_instances = 0;
    series_init(&signal);
    series_restart(&signal, 0);
    for (int t = 1; t <= 60; t++)
        series_add(&signal, t * SEC, 0);
    p = ask_of(CONFIG_STRATEGY_THRESHOLD, &s);
    assert_int_equal(p.want, 1);
    assert_int_equal(p.reasons[0].code, REASON_STILL_USED);
    s.rpm = 0;
    p = ask_of(CONFIG_STRATEGY_THRESHOLD, &s);
    assert_int_equal(p.want, 0);
}

static void test_noise_keeps_what_it_may_need(void **state)
{
    struct situation s = {.now = 60 * SEC, .desired = 2, .ready = 2, .rpm = NAN};
    struct proposal p;
    (void)state;
    series_init(&signal);
    series_restart(&signal, 0);
    for (int t = 1; t <= 60; t++)
        series_add(&signal, t * SEC, t % 2 ? 5 : 14);
    p = ask_of(CONFIG_STRATEGY_THRESHOLD, &s);
    assert_int_equal(p.want, 2);
    assert_int_equal(p.reasons[0].code, REASON_WOULD_EXCEED_UP);
}

/* CPU that asks for one count and requests a minute that ask for another. */
static struct situation two(double cpu, double rpm)
{
    struct situation s = {
        .now = 60 * SEC, .desired = 4, .ready = 4, .rpm = NAN, .down_need = 10 * SEC, .reading_count = 2};
    double values[] = {cpu, rpm};
    config.scaling.signals[SIGNAL_RPM] = (struct config_signal){.up.count = 600, .down.count = 200};
    for (int i = 0; i < 2; i++) {
        struct reading *r = &s.readings[i];
        reading_begin(r, &config.scaling, i ? SIGNAL_RPM : SIGNAL_CPU);
        r->now = r->mean = r->calm = r->crest = values[i];
        r->above_for = values[i] > r->limits.up ? 60 * SEC : 0;
        r->below_for = values[i] < r->limits.down ? 60 * SEC : 0;
        r->fresh = !isnan(values[i]);
        r->age = r->fresh ? 0 : SEC;
    }
    return s;
}

static struct proposal agreed(const struct situation *s)
{
    struct proposal p;
    strategy_propose(NULL, s, &config.scaling, &p);
    return p;
}

static void test_the_largest_up_wins_and_down_takes_all(void **state)
{
    static const struct {
        double cpu, rpm;
        int want;
        enum signal signal;
        enum reason_code reason;
    } rows[] = {
        {25, 400, 4, SIGNAL_CPU, REASON_INSIDE_BAND}, {40, 400, 5, SIGNAL_CPU, REASON_ABOVE_UP},
        {25, 900, 6, SIGNAL_RPM, REASON_ABOVE_UP},    {40, 1200, 8, SIGNAL_RPM, REASON_ABOVE_UP},
        {70, 700, 8, SIGNAL_CPU, REASON_ABOVE_UP},    {2, 900, 6, SIGNAL_RPM, REASON_ABOVE_UP},
        {2, 400, 4, SIGNAL_RPM, REASON_INSIDE_BAND},  {25, 10, 4, SIGNAL_CPU, REASON_INSIDE_BAND},
        {2, 190, 2, SIGNAL_RPM, REASON_BELOW_DOWN},   {12, 10, 2, SIGNAL_CPU, REASON_BELOW_DOWN},
        {2, NAN, 4, SIGNAL_RPM, REASON_NO_DATA},      {NAN, 10, 4, SIGNAL_CPU, REASON_NO_DATA},
        {40, NAN, 5, SIGNAL_CPU, REASON_ABOVE_UP},    {NAN, 900, 6, SIGNAL_RPM, REASON_ABOVE_UP},
        {25, NAN, 4, SIGNAL_CPU, REASON_INSIDE_BAND},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct situation s = two(rows[i].cpu, rows[i].rpm);
        struct proposal p = agreed(&s);
        if (p.want != rows[i].want || p.reasons[0].code != rows[i].reason ||
            p.reasons[0].signal != rows[i].signal)
            fail_msg("cpu %.0f rpm %.0f: %d, %s by %s", rows[i].cpu, rows[i].rpm, p.want,
                     reason_words[p.reasons[0].code], signal_names[p.reasons[0].signal]);
    }
}

static void test_each_signal_has_its_own_patience(void **state)
{
    struct situation s = two(70, 900);
    struct proposal p;
    (void)state;
    s.readings[0].above_for = SEC; /* it wants 8, but not yet; requests want 6 now */
    p = agreed(&s);
    assert_int_equal(p.want, 6);
    assert_int_equal(p.wait_count, 0);
    s.readings[1].above_for = SEC;
    p = agreed(&s);
    assert_int_equal(p.want, 8);
    assert_int_equal(p.wait_count, 1);
    assert_int_equal(p.waits[0].code, REASON_NOT_LONG_ENOUGH);
    assert_int_equal(p.waits[0].signal, SIGNAL_CPU);
    s = two(2, 10);
    s.readings[1].below_for = SEC; /* both are low, one not for long enough */
    p = agreed(&s);
    assert_int_equal(p.waits[0].signal, SIGNAL_RPM);
}

static void test_without_a_lower_threshold_it_has_no_say_in_down(void **state)
{
    struct situation s = two(2, 400);
    (void)state;
    config.scaling.signals[SIGNAL_RPM].down.count = 0;
    reading_begin(&s.readings[1], &config.scaling, SIGNAL_RPM);
    s.readings[1] = (struct reading){.signal = SIGNAL_RPM,
                                     .limits = s.readings[1].limits,
                                     .now = 400,
                                     .mean = 400,
                                     .calm = 400,
                                     .fresh = true};
    assert_int_equal(agreed(&s).want, 1);
    s.readings[1].mean = 900; /* until it is past its upper one */
    assert_int_equal(agreed(&s).want, 4);
    s.readings[1].mean = 400;
    s.readings[0].fresh = false; /* nor does it make up for one that has */
    assert_int_equal(agreed(&s).want, 4);
    assert_int_equal(agreed(&s).reasons[0].code, REASON_NO_DATA);
    assert_int_equal(agreed(&s).reasons[0].signal, SIGNAL_CPU);
}

/* What one more would change is not known: one at a time. */
static void test_a_signal_of_the_service_goes_step_by_step(void **state)
{
    struct situation s = two(25, 400);
    struct proposal p;
    (void)state;
    config.scaling.signals[SIGNAL_LATENCY] = (struct config_signal){.up.whole = 200000, .down.whole = 50000};
    for (int strategy = 0; strategy < 2; strategy++) {
        struct reading *r = &s.readings[1];
        config.scaling.strategy = strategy;
        reading_begin(r, &config.scaling, SIGNAL_LATENCY);
        r->fresh = true;
        r->age = 0;
        r->now = r->mean = r->calm = r->crest = 900000;
        r->above_for = 60 * SEC;
        p = agreed(&s);
        assert_int_equal(p.want, 5);
        s.readings[0] = *r;
        s.reading_count = 1;
        r = &s.readings[0];
        r->now = r->mean = r->calm = r->crest = 1000;
        r->below_for = 60 * SEC;
        p = agreed(&s);
        assert_int_equal(p.want, 3);
        r->crest = 300000; /* its noise alone would bring it back */
        if (strategy == CONFIG_STRATEGY_THRESHOLD)
            assert_int_equal(agreed(&s).want, 4);
        s = two(25, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_registry, begin),
        cmocka_unit_test_setup(test_threshold, begin),
        cmocka_unit_test_setup(test_tracking, begin),
        cmocka_unit_test_setup(test_tracking_steps_further_when_saturated, begin),
        cmocka_unit_test_setup(test_the_last_goes_only_when_unused, begin),
        cmocka_unit_test_setup(test_the_largest_up_wins_and_down_takes_all, begin),
        cmocka_unit_test_setup(test_each_signal_has_its_own_patience, begin),
        cmocka_unit_test_setup(test_without_a_lower_threshold_it_has_no_say_in_down, begin),
        cmocka_unit_test_setup(test_a_signal_of_the_service_goes_step_by_step, begin),
        cmocka_unit_test_setup(test_noise_keeps_what_it_may_need, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
