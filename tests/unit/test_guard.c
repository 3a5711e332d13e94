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
static struct reading *const reading = &situation.readings[0];
static const struct proposal *proposed; /* NULL: what the strategy in force says */

static int begin(void **state)
{
    (void)state;
    config_init(&config);
    guard_init(&guard);
    proposed = NULL;
    situation =
        (struct situation){.now = NOW, .desired = 2, .ready = 2, .host = 50, .rpm = NAN, .reading_count = 1};
    reading_begin(reading, &config.scaling, SIGNAL_CPU);
    reading->now = reading->mean = reading->calm = 50;
    reading->crest = 55;
    reading->above_for = 60 * SEC;
    reading->top = 100;
    reading->fresh = true;
    reading->age = 0;
    return 0;
}

static void idle(void)
{
    reading->now = reading->mean = reading->calm = reading->crest = 2;
    reading->above_for = 0;
    reading->below_for = 60 * SEC;
}

static struct decision judge(void)
{
    struct decision d;
    struct proposal p;
    config_limits(&config.scaling, SIGNAL_CPU, &reading->limits);
    guard_advise(&guard, &config.scaling, &situation);
    strategy_propose(NULL, &situation, &config.scaling, &p);
    guard_judge(&guard, &config.scaling, &situation, proposed ? proposed : &p, &d);
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
    reading->now = reading->mean = 90;
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
    reading->above_for = 2 * SEC;
    expect(VERDICT_HOLD, 2, REASON_NOT_LONG_ENOUGH);
    reading->above_for = 2990 * USEC_PER_MSEC; /* timers are not exact */
    expect(VERDICT_UP, 3, REASON_ABOVE_UP);
    idle();
    reading->below_for = 5 * SEC;
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
    reading->now = reading->mean = 90;
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
    reading->fresh = false;
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
    reading->fresh = false;
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
    reading->fresh = false;
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
    reading->fresh = false;
    situation.waiting = 3;
    expect(VERDICT_HOLD, 0, REASON_CEILING);
    guard_set_manual(&guard, true, 0);
    expect(VERDICT_HOLD, 0, REASON_MANUAL_MODE);
}

static void test_bad_data_changes_nothing(void **state)
{
    (void)state;
    idle();
    reading->fresh = false;
    expect(VERDICT_HOLD, 2, REASON_NO_DATA);
    reading->age = 4 * SEC;
    expect(VERDICT_HOLD, 2, REASON_STALE_DATA);
    reading->fresh = true;
    expect(VERDICT_HOLD, 2, REASON_STALE_DATA);
    begin(state);
    reading->now = NAN;
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
    reading->calm = 14;
    reading->crest = 14;
    reading->now = 14;
    situation.desired = situation.ready = 3;
    d = judge();
    assert_int_equal(d.verdict, VERDICT_DOWN);
    guard_changed(&guard, &situation, &d, NOW);
    situation.desired = situation.ready = 2;
    reading->mean = reading->calm = 36;
    d = (struct decision){.verdict = VERDICT_UP,
                          .cause = CAUSE_STRATEGY,
                          .from = 2,
                          .to = 3,
                          .reasons = {{.code = REASON_ABOVE_UP}}};
    guard_changed(&guard, &situation, &d, NOW);
    reading->calm = 14;
    situation.ready = 3;
    assert_true(guard_down_need(&guard, &config.scaling, &situation) > 5 * config.scaling.stabilization_down);
    reading->calm = 2; /* the load is gone: nothing to be wary of */
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
    reading->mean = reading->calm = 80;
    d = (struct decision){.verdict = VERDICT_UP,
                          .cause = CAUSE_STRATEGY,
                          .from = 1,
                          .to = 2,
                          .reasons = {{.code = REASON_ABOVE_UP}}};
    guard_changed(&guard, &situation, &d, NOW);
    assert_int_equal(guard_down_need(&guard, &config.scaling, &situation), config.scaling.stabilization_down);
}

/* Whatever the signal does: a strategy with reasons of its own. */
static struct proposal wish(int want)
{
    struct proposal p = {.want = want, .basis = BASIS_FORESEEN};
    proposal_add(&p, (struct reason){.code = REASON_STILL_USED, .value = 9});
    return p;
}

static void test_a_strategy_is_taken_at_its_word(void **state)
{
    struct proposal p = wish(3);
    struct decision d;
    (void)state;
    reading->now = reading->mean = reading->calm = 25; /* inside the band */
    reading->above_for = 0;
    proposed = &p;
    expect(VERDICT_UP, 3, REASON_STILL_USED);
    d = judge();
    assert_int_equal(d.cause, CAUSE_STRATEGY);
    assert_int_equal(d.basis, BASIS_FORESEEN);
    assert_int_equal(d.reason_count, 1);
    p = wish(1);
    expect(VERDICT_DOWN, 1, REASON_STILL_USED);
    p.waits[p.wait_count++] = (struct reason){.code = REASON_STARTING};
    expect(VERDICT_HOLD, 2, REASON_STARTING);
    reading->fresh = false; /* but not without any data */
    expect(VERDICT_HOLD, 2, REASON_NO_DATA);
}

/* By cause, whatever the reasons are. */
static void test_an_undone_scale_in_holds_any_strategy_back(void **state)
{
    struct proposal p = wish(2);
    struct decision d;
    (void)state;
    reading->now = reading->mean = reading->calm = 20;
    situation.desired = situation.ready = 3;
    proposed = &p;
    d = judge();
    assert_int_equal(d.verdict, VERDICT_DOWN);
    guard_changed(&guard, &situation, &d, NOW);
    situation.now = NOW + 60 * SEC;
    situation.desired = situation.ready = 2;
    p = wish(3);
    d = judge();
    assert_int_equal(d.verdict, VERDICT_UP);
    guard_changed(&guard, &situation, &d, situation.now);
    situation.now += 60 * SEC;
    situation.desired = situation.ready = 3;
    p = wish(2);
    expect(VERDICT_HOLD, 3, REASON_UNDONE);
    assert_int_equal(judge().cause, CAUSE_COOLDOWN);
    situation.now += 20 * USEC_PER_MIN;
    expect(VERDICT_DOWN, 2, REASON_STILL_USED);
}

static void test_every_decision_has_its_cause(void **state)
{
    (void)state;
    assert_int_equal(judge().cause, CAUSE_STRATEGY);
    guard.changed_at = NOW - SEC;
    assert_int_equal(judge().cause, CAUSE_COOLDOWN);
    situation.pending = 1;
    assert_int_equal(judge().cause, CAUSE_PACE);
    situation.pending = 0;
    situation.gap = SEC;
    assert_int_equal(judge().cause, CAUSE_GAP);
    situation.gap = 0;
    reading->fresh = false;
    assert_int_equal(judge().cause, CAUSE_DATA);
    situation.sick = 1;
    situation.ready = 0;
    assert_int_equal(judge().cause, CAUSE_HEALTH);
    situation.desired = 0;
    config.scaling.min_instances = 0;
    assert_int_equal(judge().cause, CAUSE_WAKE);
    config.scaling.min_instances = 1;
    assert_int_equal(judge().cause, CAUSE_BOUNDS);
    situation.desired = 2;
    guard_set_manual(&guard, true, 3);
    assert_int_equal(judge().cause, CAUSE_OPERATOR);
}

static void test_what_counts_as_the_same(void **state)
{
    struct decision a = judge(), b;
    (void)state;
    situation.host = 99;
    reading->now = reading->mean = 90;
    b = judge();
    assert_true(b.reason_count > a.reason_count);
    assert_true(decision_same(&a, &b));
    reading->above_for = SEC;
    a = judge();
    assert_false(decision_same(&a, &b));
    idle();
    reading->below_for = SEC;
    b = judge(); /* not long enough either, but the other way */
    assert_int_equal(a.reasons[0].code, b.reasons[0].code);
    assert_false(decision_same(&a, &b));
}

static void says(struct reason reason, const char *expected)
{
    char text[120];
    reason_format(&reason, text, sizeof text);
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
    says((struct reason){.code = REASON_ABOVE_UP,
                         .signal = SIGNAL_CPU,
                         .value = 74,
                         .limit = 70,
                         .other = 30e6,
                         .span = 30 * SEC},
         "cpu 30s 74% > 70% for 30s");
    says((struct reason){.code = REASON_NOT_LONG_ENOUGH,
                         .signal = SIGNAL_CPU,
                         .value = 74,
                         .limit = 70,
                         .other = 30e6,
                         .span = 12 * SEC},
         "cpu 74% > 70% but only 12/30s");
    says(
        (struct reason){
            .code = REASON_INSIDE_BAND, .signal = SIGNAL_CPU, .value = 61, .limit = 30, .other = 70},
        "cpu 61% inside 30..70");
    says(
        (struct reason){
            .code = REASON_ABOVE_UP, .signal = SIGNAL_CPU, .value = 35.4, .limit = 35, .span = 90 * SEC},
        "cpu 35.4% > 35% for 90s");
    says((struct reason){.code = REASON_FLOOR, .limit = 4, .span = 299 * SEC},
         "the operator's floor of 4 holds for 4m 59s");
    says((struct reason){.code = REASON_FLOOR, .limit = 4, .span = USEC_NEVER},
         "the operator's floor of 4 holds for ever");
    says((struct reason){.code = REASON_ABOVE_UP, .signal = SIGNAL_CPU, .value = 35.04, .limit = 35},
         "cpu 35.04% > 35%");
    says((struct reason){.code = REASON_ABOVE_UP, .signal = SIGNAL_CPU, .value = 4.26, .limit = 4},
         "cpu 4.3% > 4%");
    says(cooldown, "cooldown 12s left");
    says(
        (struct reason){
            .code = REASON_ABOVE_UP, .signal = SIGNAL_RPM, .value = 812, .limit = 600, .other = 3e6},
        "rpm 3s 812 > 600");
    says((struct reason){.code = REASON_INSIDE_BAND,
                         .signal = SIGNAL_LATENCY,
                         .value = 120e3,
                         .limit = 50e3,
                         .other = 2e6},
         "p95 120ms inside 50ms..2s");
    says((struct reason){.code = REASON_NO_DATA, .signal = SIGNAL_QUEUE},
         "queue not measured, so nothing is changed");
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        span_format(spans[i].span, small, sizeof small);
        assert_string_equal(small, spans[i].text);
    }
    for (int code = 0; code < REASON_COUNT; code++) {
        char text[120];
        struct reason r = {
            .code = (enum reason_code)code, .value = NAN, .limit = NAN, .other = 0, .span = USEC_NEVER};
        assert_non_null(reason_words[code]);
        assert_true(reason_format(&r, text, sizeof text) < (int)sizeof text);
        assert_null(strchr(text, '$'));
        assert_int_equal(code != REASON_NONE, text[0] != '\0');
    }
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        assert_non_null(cause_names[cause]);
    assert_int_equal(reason_format(&cooldown, small, sizeof small), 17);
    assert_string_equal(small, "cooldow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_up_and_down, begin),
        cmocka_unit_test_setup(test_a_strategy_is_taken_at_its_word, begin),
        cmocka_unit_test_setup(test_an_undone_scale_in_holds_any_strategy_back, begin),
        cmocka_unit_test_setup(test_every_decision_has_its_cause, begin),
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
