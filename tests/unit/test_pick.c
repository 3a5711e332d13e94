/* SPDX-License-Identifier: MIT */
/* Choices spread as each algorithm promises, respect limits, and start new backends slowly. */
#include "core/pick.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N 4

static void fill(struct pick_candidate *c)
{
    for (unsigned i = 0; i < N; i++)
        c[i] = (struct pick_candidate){.usable = true, .share = 1.0f};
}

static void choose_many(enum config_algorithm algorithm, const struct pick_candidate *c, unsigned rounds,
                        unsigned chosen[N])
{
    struct pick p = {{7}, 0};
    memset(chosen, 0, N * sizeof *chosen);
    for (unsigned i = 0; i < rounds; i++) {
        int which = pick_choose(&p, algorithm, c, N);
        assert_in_range(which, 0, N - 1);
        chosen[which]++;
    }
}

static void equals_take_turns(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    unsigned chosen[N];
    fill(c);
    for (int a = CONFIG_ROUND_ROBIN; a <= CONFIG_STICKY; a++) {
        choose_many((enum config_algorithm)a, c, 4000, chosen);
        for (unsigned i = 0; i < N; i++)
            assert_in_range(chosen[i], a == CONFIG_P2C_EWMA ? 850 : 1000, a == CONFIG_P2C_EWMA ? 1150 : 1000);
    }
}

static void what_is_full_or_unusable_is_never_chosen(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    unsigned chosen[N];
    fill(c);
    c[0].usable = false;
    c[1].limit = c[1].in_flight = 3;
    for (int a = CONFIG_ROUND_ROBIN; a <= CONFIG_STICKY; a++) {
        choose_many((enum config_algorithm)a, c, 1000, chosen);
        assert_int_equal(chosen[0] + chosen[1], 0);
    }
    struct pick p = {{1}, 0};
    c[2].usable = c[3].usable = false;
    for (int a = CONFIG_ROUND_ROBIN; a <= CONFIG_STICKY; a++)
        assert_int_equal(pick_choose(&p, (enum config_algorithm)a, c, N), -1);
    assert_int_equal(pick_choose(&p, CONFIG_ROUND_ROBIN, c, 0), -1);
}

static void the_least_busy_is_chosen(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    struct pick p = {{1}, 0};
    fill(c);
    for (unsigned i = 0; i < N; i++)
        c[i].in_flight = 5 + i;
    c[2].in_flight = 1;
    assert_int_equal(pick_choose(&p, CONFIG_LEAST_IN_FLIGHT, c, N), 2);
    c[2].share = 0.1f; /* counts as if it had ten */
    assert_int_equal(pick_choose(&p, CONFIG_LEAST_IN_FLIGHT, c, N), 0);
}

static void the_slow_get_less_by_two_choices(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    unsigned chosen[N];
    fill(c);
    for (unsigned i = 0; i < N; i++)
        c[i].latency_us = 3000;
    c[3].latency_us = 50000;
    choose_many(CONFIG_P2C_EWMA, c, 1000, chosen);
    assert_int_equal(chosen[3], 0);
}

static void a_new_one_starts_slowly_in_turn(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    unsigned chosen[N];
    fill(c);
    c[1].share = 0.1f;
    choose_many(CONFIG_ROUND_ROBIN, c, 3100, chosen);
    assert_in_range(chosen[1], 50, 180);
    c[0].usable = c[2].usable = c[3].usable = false;
    choose_many(CONFIG_ROUND_ROBIN, c, 10, chosen);
    assert_int_equal(chosen[1], 10);
}

/* Without a wait for anything in flight to tell them apart. */
static void a_new_one_starts_slowly_among_idle_ones(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    unsigned chosen[N];
    for (int a = CONFIG_ROUND_ROBIN; a <= CONFIG_STICKY; a++) {
        fill(c);
        c[1].share = 0.1f;
        choose_many((enum config_algorithm)a, c, 3100, chosen);
        assert_in_range(chosen[1], 50, 250);
        c[1].share = 0.5f;
        choose_many((enum config_algorithm)a, c, 3500, chosen);
        assert_in_range(chosen[1], 350, 650);
        for (unsigned i = 0; i < N; i++)
            c[i].in_flight = c[i].limit = i != 1;
        choose_many((enum config_algorithm)a, c, 10, chosen);
        assert_int_equal(chosen[1], 10);
    }
}

/* Among those that are all new none is passed over for being so. */
static void new_ones_are_equals(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    struct pick p = {{3}, 0};
    fill(c);
    for (unsigned i = 0; i < N; i++) {
        c[i].share = 0.1f;
        c[i].in_flight = i != 2;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pick_choose(&p, CONFIG_LEAST_IN_FLIGHT, c, N), 2);
}

static void shares_grow_to_all(void **state)
{
    (void)state;
    assert_true(pick_share(0, 0) == 1.0f);
    assert_true(pick_share(-5, 100) < 0.11f);
    assert_true(pick_share(50, 100) > 0.5f && pick_share(50, 100) < 0.6f);
    assert_true(pick_share(100, 100) == 1.0f);
}

static void latency_follows_what_is_measured(void **state)
{
    (void)state;
    float mean = pick_latency(0, 0, 1000);
    assert_true(mean == 1000.0f);
    assert_true(pick_latency(mean, 0, 4000) > 1900.0f);
    for (int i = 0; i < 100; i++)
        mean = pick_latency(mean, 0, 200);
    assert_true(mean < 210.0f);
    assert_true(pick_latency(100000, 10 * USEC_PER_SEC, 500) < 700.0f);
    assert_float_equal(pick_latency(100000, USEC_PER_SEC, 100000), 100000, 1);
    assert_true(pick_aged(4000, 0) == 4000.0f);
    assert_true(pick_aged(4000, USEC_PER_SEC) == 2000.0f);
    assert_true(pick_aged(4000, 2 * USEC_PER_SEC) == 1000.0f);
    assert_true(pick_aged(4000, 5 * USEC_PER_SEC / 2) < 1000.0f);
    assert_true(pick_aged(60e6f, 20 * USEC_PER_SEC) < 100.0f);
    assert_true(pick_aged(4000, 24 * USEC_PER_HOUR) < 1.0f);
    for (usec_t age = 0; age < 40 * USEC_PER_SEC; age += 1000)
        assert_true(pick_aged(4000, age + 1000) <= pick_aged(4000, age));
}

static void an_outlier_stands_out_of_three(void **state)
{
    (void)state;
    struct pick_candidate c[N];
    fill(c);
    c[0].latency_us = 100000;
    c[1].latency_us = 5000;
    assert_false(pick_outlier(c, N, c[0].latency_us, 5));
    c[2].latency_us = 6000;
    assert_true(pick_outlier(c, N, c[0].latency_us, 5));
    assert_false(pick_outlier(c, N, c[1].latency_us, 5));
    assert_false(pick_outlier(c, N, c[0].latency_us, 50));
    c[0].latency_us = 9000;
    c[1].latency_us = c[2].latency_us = 10;
    assert_false(pick_outlier(c, N, c[0].latency_us, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(what_is_full_or_unusable_is_never_chosen),
        cmocka_unit_test(the_least_busy_is_chosen),
        cmocka_unit_test(the_slow_get_less_by_two_choices),
        cmocka_unit_test(a_new_one_starts_slowly_in_turn),
        cmocka_unit_test(a_new_one_starts_slowly_among_idle_ones),
        cmocka_unit_test(new_ones_are_equals),
        cmocka_unit_test(shares_grow_to_all),
        cmocka_unit_test(latency_follows_what_is_measured),
        cmocka_unit_test(an_outlier_stands_out_of_three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
