/* SPDX-License-Identifier: MIT */
/* One situation, changed in one respect at a time: what is decided, and the reason that leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/guard.h"
#include <math.h>
#include <string.h>

#define SEC USEC_PER_SEC
#define NOW (100 * SEC)

static struct guard guard;
static struct config config;
static struct situation situation;

static int begin(void **state)
{
    (void)state;
    config_init(&config);
    guard_init(&guard);
    situation = (struct situation){.now = NOW,
                                   .desired = 2,
                                   .ready = 2,
                                   .signal = 50,
                                   .mean = 50,
                                   .calm = 50,
                                   .crest = 55,
                                   .above_for = 60 * SEC,
                                   .host = 50,
                                   .rpm = NAN,
                                   .fresh = true};
    return 0;
}

static void idle(void)
{
    situation.signal = situation.mean = situation.calm = situation.crest = 2;
    situation.above_for = 0;
    situation.below_for = 60 * SEC;
}

static struct decision judge(void)
{
    struct decision d;
    guard_judge(&guard, &config.scaling, &situation, &d);
    assert_int_equal(d.from, situation.desired);
    assert_in_range(d.reason_count, 1, DECISION_REASONS_MAX);
    return d;
}

static void expect(enum verdict verdict, int to, enum reason_code reason)
{
    struct decision d = judge();
    if (d.verdict != verdict || d.to != to || d.reasons[0].code != reason)
        fail_msg("%s to %d, reason %d", verdict_name(d.verdict), d.to, (int)d.reasons[0].code);
}

static void test_up_and_down(void **state)
{
    (void)state;
    expect(VERDICT_UP, 3, REASON_ABOVE_UP);
    idle();
    expect(VERDICT_DOWN, 1, REASON_BELOW_DOWN);
}

static void test_step_limit(void **state)
{
    struct decision d;
    (void)state;
    situation.signal = situation.mean = 90;
    config.scaling.max_step = 2;
    d = judge();
    assert_int_equal(d.to, 4);
    assert_int_equal(d.reasons[1].code, REASON_STEP_LIMIT);
    config.scaling.max_step = 10;
    assert_int_equal(judge().to, 5); /* max_instances */
    situation.desired = situation.ready = 5;
    idle();
    config.scaling.max_step = 3;
    assert_int_equal(judge().to, 2);
}

static void test_stabilization(void **state)
{
    (void)state;
    situation.above_for = 2 * SEC;
    expect(VERDICT_HOLD, 2, REASON_NOT_LONG_ENOUGH);
    situation.above_for = 2990 * USEC_PER_MSEC; /* timers are not exact */
    expect(VERDICT_UP, 3, REASON_ABOVE_UP);
    idle();
    situation.below_for = 5 * SEC;
    expect(VERDICT_HOLD, 2, REASON_NOT_LONG_ENOUGH);
}

static void test_cooldown_each_way(void **state)
{
    struct decision d;
    (void)state;
    guard.changed_at = NOW - SEC;
    d = judge();
    assert_int_equal(d.verdict, VERDICT_HOLD);
    assert_int_equal(d.reasons[0].code, REASON_COOLDOWN);
    assert_int_equal(d.reasons[0].span, 2 * SEC);
    assert_int_equal(d.reasons[1].code, REASON_ABOVE_UP);
    guard.changed_at = NOW - 5 * SEC;
    expect(VERDICT_UP, 3, REASON_ABOVE_UP);
    idle();
    expect(VERDICT_HOLD, 2, REASON_COOLDOWN);
    guard.changed_at = NOW - 10 * SEC;
    expect(VERDICT_DOWN, 1, REASON_BELOW_DOWN);
}

static void test_no_piling_on(void **state)
{
    (void)state;
    situation.desired = 3;
    situation.pending = situation.starting = 1;
    expect(VERDICT_HOLD, 3, REASON_STARTING);
    config.scaling.max_step = 3;
    situation.signal = situation.mean = 90;
    assert_int_equal(judge().to, 5); /* two more: three are on their way then */
    idle();
    expect(VERDICT_HOLD, 3, REASON_STARTING);
}

static void test_none_is_ready(void **state)
{
    struct decision d;
    (void)state;
    situation.desired = 3;
    situation.ready = 0;
    situation.fresh = false;
    situation.sick = 2;
    expect(VERDICT_HOLD, 3, REASON_UNHEALTHY);
    situation.starting = 1;
    d = judge();
    assert_int_equal(d.reasons[0].code, REASON_STARTING);
    assert_int_equal(d.reasons[0].value, 1);
    assert_int_equal(d.reasons[1].code, REASON_UNHEALTHY);
    assert_int_equal(d.reasons[1].value, 2);
    situation.starting = situation.sick = 0;
    expect(VERDICT_HOLD, 3, REASON_NO_DATA);
}

static void test_bounds_come_before_all(void **state)
{
    (void)state;
    situation.desired = 7;
    situation.fresh = false;
    guard_set_manual(&guard, true, 7);
    expect(VERDICT_DOWN, 5, REASON_CUT_TO_MAXIMUM);
    config.scaling.min_instances = 3;
    situation.desired = 1;
    guard_set_manual(&guard, true, 1);
    expect(VERDICT_UP, 3, REASON_RAISED_TO_MINIMUM);
}

static void test_at_the_bounds(void **state)
{
    (void)state;
    situation.desired = situation.ready = 5;
    expect(VERDICT_HOLD, 5, REASON_AT_MAXIMUM);
    situation.desired = situation.ready = 1;
    idle();
    expect(VERDICT_HOLD, 1, REASON_AT_MINIMUM);
}

static void test_manual_holds(void **state)
{
    (void)state;
    guard_set_manual(&guard, true, 2);
    expect(VERDICT_HOLD, 2, REASON_MANUAL_MODE);
    situation.fresh = false;
    idle();
    expect(VERDICT_HOLD, 2, REASON_MANUAL_MODE);
}

static void test_floor_and_ceiling(void **state)
{
    (void)state;
    guard_take_over(&guard, &config.scaling, 2, 3, NOW);
    situation.desired = situation.ready = 3;
    idle();
    expect(VERDICT_HOLD, 3, REASON_FLOOR);
    assert_false(guard_expire(&guard, NOW + 299 * SEC));
    assert_true(guard_expire(&guard, NOW + 300 * SEC));
    expect(VERDICT_DOWN, 2, REASON_BELOW_DOWN);
    begin(state);
    guard_take_over(&guard, &config.scaling, 3, 2, NOW);
    expect(VERDICT_HOLD, 2, REASON_CEILING);
    config.scaling.manual_expiry = 0;
    guard_take_over(&guard, &config.scaling, 3, 2, NOW);
    assert_false(guard_expire(&guard, NOW + USEC_PER_HOUR));
    /* A maximum set later counts more than the operator's floor. */
    guard_take_over(&guard, &config.scaling, 2, 4, NOW);
    config.scaling.max_instances = 3;
    expect(VERDICT_UP, 3, REASON_FLOOR);
}

static void test_a_ceiling_of_nothing_is_named(void **state)
{
    (void)state;
    config.scaling.min_instances = 0;
    guard_take_over(&guard, &config.scaling, 1, 0, NOW);
    situation.desired = situation.ready = 0;
    situation.fresh = false;
    situation.waiting = 3;
    expect(VERDICT_HOLD, 0, REASON_CEILING);
    guard_set_manual(&guard, true, 0);
    expect(VERDICT_HOLD, 0, REASON_MANUAL_MODE);
}

static void test_bad_data_changes_nothing(void **state)
{
    (void)state;
    idle();
    situation.fresh = false;
    expect(VERDICT_HOLD, 2, REASON_NO_DATA);
    situation.data_age = 4 * SEC;
    expect(VERDICT_HOLD, 2, REASON_STALE_DATA);
    situation.fresh = true;
    expect(VERDICT_HOLD, 2, REASON_STALE_DATA);
    begin(state);
    situation.signal = NAN;
    expect(VERDICT_HOLD, 2, REASON_NO_DATA);
    begin(state);
    situation.gap = 20 * SEC;
    expect(VERDICT_HOLD, 2, REASON_GAP);
    begin(state);
    situation.blind = true;
    situation.desired = 9;
    expect(VERDICT_HOLD, 9, REASON_NO_DATA);
}

static void test_a_full_host_is_said(void **state)
{
    struct decision d;
    (void)state;
    situation.host = 98;
    d = judge();
    assert_int_equal(d.verdict, VERDICT_UP);
    assert_int_equal(d.reasons[d.reason_count - 1].code, REASON_HOST_FULL);
    situation.host = 90;
    d = judge();
    assert_int_not_equal(d.reasons[d.reason_count - 1].code, REASON_HOST_FULL);
}

static void test_an_undone_scale_in_makes_wary(void **state)
{
    struct decision d;
    (void)state;
    idle();
    situation.calm = 14;
    situation.crest = 14;
    situation.signal = 14;
    situation.desired = situation.ready = 3;
    d = judge();
    assert_int_equal(d.verdict, VERDICT_DOWN);
    guard_changed(&guard, &situation, &d, NOW);
    situation.desired = situation.ready = 2;
    situation.mean = situation.calm = 36;
    d = (struct decision){.verdict = VERDICT_UP, .from = 2, .to = 3, .reasons = {{.code = REASON_ABOVE_UP}}};
    guard_changed(&guard, &situation, &d, NOW);
    situation.calm = 14;
    situation.ready = 3;
    assert_true(guard_down_need(&guard, &config.scaling, &situation) > 5 * config.scaling.stabilization_down);
    situation.calm = 2; /* the load is gone: nothing to be wary of */
    assert_int_equal(guard_down_need(&guard, &config.scaling, &situation), config.scaling.stabilization_down);
}

static void test_another_load_is_no_mistake(void **state)
{
    struct decision d;
    (void)state;
    idle();
    d = judge();
    assert_int_equal(d.verdict, VERDICT_DOWN);
    guard_changed(&guard, &situation, &d, NOW);
    situation.desired = situation.ready = 1;
    situation.mean = situation.calm = 80;
    d = (struct decision){.verdict = VERDICT_UP, .from = 1, .to = 2, .reasons = {{.code = REASON_ABOVE_UP}}};
    guard_changed(&guard, &situation, &d, NOW);
    assert_int_equal(guard_down_need(&guard, &config.scaling, &situation), config.scaling.stabilization_down);
}

static void test_what_counts_as_the_same(void **state)
{
    struct decision a = judge(), b;
    (void)state;
    situation.host = 99;
    situation.signal = situation.mean = 90;
    b = judge();
    assert_true(b.reason_count > a.reason_count);
    assert_true(decision_same(&a, &b));
    situation.above_for = SEC;
    a = judge();
    assert_false(decision_same(&a, &b));
    idle();
    situation.below_for = SEC;
    b = judge(); /* not long enough either, but the other way */
    assert_int_equal(a.reasons[0].code, b.reasons[0].code);
    assert_false(decision_same(&a, &b));
}

static void says(struct reason reason, const char *expected)
{
    char text[120];
    reason_format(&reason, "cpu", text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_sentences(void **state)
{
    static const struct {
        usec_t span;
        const char *text;
    } spans[] = {
        {0, "0s"},
        {40000, "40ms"},
        {400000, "0.4s"},
        {2960000, "3s"},
        {9990000, "10s"},
        {90 * SEC, "90s"},
        {190 * SEC, "3m 10s"},
        {300 * SEC, "5m"},
        {7500 * SEC, "2h 05m"},
        {USEC_NEVER, "ever"},
    };
    char small[8];
    struct reason cooldown = {.code = REASON_COOLDOWN, .span = 12 * SEC};

    (void)state;
    says((struct reason){.code = REASON_ABOVE_UP, .value = 74, .limit = 70, .other = 30e6, .span = 30 * SEC},
         "cpu 30s 74% > 70% for 30s");
    says(
        (struct reason){
            .code = REASON_NOT_LONG_ENOUGH, .value = 74, .limit = 70, .other = 30e6, .span = 12 * SEC},
        "cpu 74% > 70% but only 12/30s");
    says((struct reason){.code = REASON_INSIDE_BAND, .value = 61, .limit = 30, .other = 70},
         "cpu 61% inside 30..70");
    says((struct reason){.code = REASON_ABOVE_UP, .value = 35.4, .limit = 35, .span = 90 * SEC},
         "cpu 35.4% > 35% for 90s");
    says((struct reason){.code = REASON_FLOOR, .limit = 4, .span = 299 * SEC},
         "the operator's floor of 4 holds for 4m 59s");
    says((struct reason){.code = REASON_FLOOR, .limit = 4, .span = USEC_NEVER},
         "the operator's floor of 4 holds for ever");
    says((struct reason){.code = REASON_ABOVE_UP, .value = 35.04, .limit = 35}, "cpu 35.04% > 35%");
    says((struct reason){.code = REASON_ABOVE_UP, .value = 4.26, .limit = 4}, "cpu 4.3% > 4%");
    says(cooldown, "cooldown 12s left");
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        span_format(spans[i].span, small, sizeof small);
        assert_string_equal(small, spans[i].text);
    }
    for (int code = 0; code < REASON_COUNT; code++) {
        char text[120];
        struct reason r = {
            .code = (enum reason_code)code, .value = NAN, .limit = NAN, .other = 0, .span = USEC_NEVER};
        assert_true(reason_format(&r, "cpu", text, sizeof text) < (int)sizeof text);
        assert_null(strchr(text, '$'));
        assert_int_equal(code != REASON_NONE, text[0] != '\0');
    }
    assert_int_equal(reason_format(&cooldown, "cpu", small, sizeof small), 17);
    assert_string_equal(small, "cooldow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_up_and_down, begin),
        cmocka_unit_test_setup(test_step_limit, begin),
        cmocka_unit_test_setup(test_stabilization, begin),
        cmocka_unit_test_setup(test_cooldown_each_way, begin),
        cmocka_unit_test_setup(test_no_piling_on, begin),
        cmocka_unit_test_setup(test_none_is_ready, begin),
        cmocka_unit_test_setup(test_bounds_come_before_all, begin),
        cmocka_unit_test_setup(test_at_the_bounds, begin),
        cmocka_unit_test_setup(test_manual_holds, begin),
        cmocka_unit_test_setup(test_floor_and_ceiling, begin),
        cmocka_unit_test_setup(test_a_ceiling_of_nothing_is_named, begin),
        cmocka_unit_test_setup(test_bad_data_changes_nothing, begin),
        cmocka_unit_test_setup(test_a_full_host_is_said, begin),
        cmocka_unit_test_setup(test_an_undone_scale_in_makes_wary, begin),
        cmocka_unit_test_setup(test_another_load_is_no_mistake, begin),
        cmocka_unit_test_setup(test_what_counts_as_the_same, begin),
        cmocka_unit_test_setup(test_sentences, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
