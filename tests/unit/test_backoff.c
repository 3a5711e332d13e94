/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/backoff.h"
#include "core/breaker.h"

static void test_waits_double_up_to_the_cap(void **state)
{
    (void)state;
    struct backoff b;
    usec_t ceilings[] = {100, 200, 400, 800, 1000, 1000, 1000};
    usec_t seen[7] = {0}, least[7] = {0};
    for (uint64_t seed = 0; seed < 500; seed++) {
        backoff_init(&b, 100, 1000, seed);
        for (int i = 0; i < 7; i++) {
            usec_t wait = backoff_failed(&b);
            assert_in_range(wait, 1, ceilings[i]);
            seen[i] = wait > seen[i] ? wait : seen[i];
            least[i] = least[i] == 0 || wait < least[i] ? wait : least[i];
        }
    }
    for (int i = 0; i < 7; i++)
        assert_true(seen[i] > ceilings[i] * 9 / 10 && least[i] <= ceilings[i] / 10); /* the whole range */
}

static void test_success_starts_over(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 10, 1000000, 1);
    for (int i = 0; i < 15; i++)
        backoff_failed(&b);
    backoff_succeeded(&b);
    assert_in_range(backoff_failed(&b), 1, 10);
}

static void test_a_million_failures_stay_capped(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, USEC_PER_SEC, INT64_MAX / 2, 7);
    for (int i = 0; i < 1000000; i++)
        assert_true(backoff_failed(&b) > 0);
}

static void test_breaker_opens_after_failures_in_a_row(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, 3, 100);
    assert_false(breaker_failed(&b, 0));
    assert_false(breaker_failed(&b, 0));
    breaker_succeeded(&b);
    assert_false(breaker_failed(&b, 0));
    assert_false(breaker_failed(&b, 0));
    assert_true(breaker_allow(&b, 0));
    assert_true(breaker_failed(&b, 10));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_allow(&b, 109));
}

static void test_breaker_lets_one_probe_decide(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, 1, 100);
    breaker_failed(&b, 0);
    assert_true(breaker_allow(&b, 100));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_allow(&b, 100)); /* the probe is on its way */
    assert_true(breaker_failed(&b, 150));
    assert_false(breaker_allow(&b, 249));
    assert_true(breaker_allow(&b, 250));
    assert_true(breaker_succeeded(&b));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_allow(&b, 250));
}

static void test_breaker_ignores_late_failures(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, 1, 100);
    breaker_failed(&b, 0);
    assert_false(breaker_failed(&b, 90));
    assert_true(breaker_allow(&b, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_double_up_to_the_cap),
        cmocka_unit_test(test_success_starts_over),
        cmocka_unit_test(test_a_million_failures_stay_capped),
        cmocka_unit_test(test_breaker_opens_after_failures_in_a_row),
        cmocka_unit_test(test_breaker_lets_one_probe_decide),
        cmocka_unit_test(test_breaker_ignores_late_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
