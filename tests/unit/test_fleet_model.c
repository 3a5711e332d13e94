/* SPDX-License-Identifier: MIT */
/* The simulated fleet: a day of demand, boots that take their time, CPU that follows from both. */
#include "app/fleet_model.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START (5 * USEC_PER_HOUR)

static struct fleet_model fleet_of(int64_t replicas, double speed)
{
    struct fleet_settings settings = {.min_demand = 8,
                                      .max_demand = 20,
                                      .speed = speed,
                                      .boot = 30 * USEC_PER_SEC,
                                      .max_replicas = 100,
                                      .seed = 3};
    struct fleet_model fleet;
    fleet_model_init(&fleet, &settings, replicas, START);
    return fleet;
}

static void demand_rises_to_noon_and_falls_again(void **state)
{
    (void)state;
    struct fleet_model fleet = fleet_of(10, 1);
    double sum = 0;
    for (int minute = 0; minute < 48 * 60; minute++) {
        double demand = fleet_model_demand(&fleet, START + minute * USEC_PER_MIN);
        double smooth = 14 - 6 * cos(2 * M_PI * minute / (24 * 60.0));
        assert_true(demand >= 8 && demand <= 20);
        assert_true(fabs(demand - smooth) <= 0.031 * smooth);
        sum += demand;
    }
    assert_true(fabs(sum / (48 * 60) - 14) < 0.2);
}

static void speed_runs_the_day_faster(void **state)
{
    (void)state;
    struct fleet_model slow = fleet_of(10, 1), fast = fleet_of(10, 60);
    for (int minute = 0; minute < 24 * 60; minute += 7)
        assert_float_equal(fleet_model_demand(&slow, START + minute * USEC_PER_MIN),
                           fleet_model_demand(&fast, START + minute * USEC_PER_SEC), 1e-6);
}

static void the_clock_begins_later_in_the_day(void **state)
{
    (void)state;
    struct fleet_model early = fleet_of(10, 60), late = early;
    late.settings.clock = 18 * USEC_PER_HOUR;
    for (int minute = 0; minute < 24; minute++)
        assert_float_equal(fleet_model_demand(&late, START + minute * USEC_PER_MIN),
                           fleet_model_demand(&early, START + (minute + 18) * USEC_PER_MIN), 1e-6);
}

static void seeds_differ_and_repeat(void **state)
{
    (void)state;
    struct fleet_model a = fleet_of(10, 1), b = a, c = a;
    c.settings.seed = 4;
    usec_t at = START + 6 * USEC_PER_HOUR;
    assert_true(fleet_model_demand(&a, at) == fleet_model_demand(&b, at));
    assert_true(fleet_model_demand(&a, at) != fleet_model_demand(&c, at));
}

static void cpu_follows_the_replicas_that_serve(void **state)
{
    (void)state;
    struct fleet_model fleet = fleet_of(10, 1);
    double demand = fleet_model_demand(&fleet, START);
    assert_float_equal(fleet_model_cpu(&fleet, START), 0.8 * demand / 10, 1e-9);
    assert_true(fleet_model_scale(&fleet, 20, START));
    assert_int_equal(fleet_model_replicas(&fleet), 20);
    usec_t before = START + 29 * USEC_PER_SEC, after = START + 30 * USEC_PER_SEC;
    assert_float_equal(fleet_model_cpu(&fleet, before), 0.08 * fleet_model_demand(&fleet, before), 1e-9);
    assert_float_equal(fleet_model_cpu(&fleet, after), 0.04 * fleet_model_demand(&fleet, after), 1e-9);
    assert_int_equal(fleet_model_replicas(&fleet), 20);
}

static void cpu_is_at_most_one(void **state)
{
    (void)state;
    struct fleet_model fleet = fleet_of(1, 1);
    assert_float_equal(fleet_model_cpu(&fleet, START + 12 * USEC_PER_HOUR), 1, 0);
}

static void the_youngest_go_first(void **state)
{
    (void)state;
    struct fleet_model fleet = fleet_of(10, 1);
    assert_true(fleet_model_scale(&fleet, 14, START));
    assert_true(fleet_model_scale(&fleet, 17, START + 10 * USEC_PER_SEC));
    assert_true(fleet_model_scale(&fleet, 12, START + 20 * USEC_PER_SEC));
    assert_int_equal(fleet_model_replicas(&fleet), 12);
    assert_int_equal(fleet.ready, 10);
    fleet_model_cpu(&fleet, START + 30 * USEC_PER_SEC);
    assert_int_equal(fleet.ready, 12);
    assert_true(fleet_model_scale(&fleet, 3, START + 31 * USEC_PER_SEC));
    assert_int_equal(fleet.ready, 3);
    assert_int_equal(fleet_model_replicas(&fleet), 3);
}

static void bad_counts_change_nothing(void **state)
{
    (void)state;
    struct fleet_model fleet = fleet_of(10, 1);
    static const int64_t bad[] = {0, -1, 101, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(fleet_model_scale(&fleet, bad[i], START));
        assert_int_equal(fleet_model_replicas(&fleet), 10);
    }
}

static void many_small_orders_lose_nothing(void **state)
{
    (void)state;
    struct fleet_model fleet = fleet_of(1, 1);
    for (int i = 2; i <= 100; i++) {
        assert_true(fleet_model_scale(&fleet, i, START + i));
        assert_int_equal(fleet_model_replicas(&fleet), i);
    }
    fleet_model_cpu(&fleet, START + USEC_PER_MIN);
    assert_int_equal(fleet.ready, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demand_rises_to_noon_and_falls_again),
        cmocka_unit_test(speed_runs_the_day_faster),
        cmocka_unit_test(the_clock_begins_later_in_the_day),
        cmocka_unit_test(seeds_differ_and_repeat),
        cmocka_unit_test(cpu_follows_the_replicas_that_serve),
        cmocka_unit_test(cpu_is_at_most_one),
        cmocka_unit_test(the_youngest_go_first),
        cmocka_unit_test(bad_counts_change_nothing),
        cmocka_unit_test(many_small_orders_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
