/* SPDX-License-Identifier: MIT */
/* Who may start a request and when: users in a closed loop, due times in an open one, ends, orders. */
#include "load/pacer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START (10 * USEC_PER_SEC)

static struct pacer closed(int64_t users)
{
    struct arrivals_plan plan = {0};
    struct pacer pacer;
    pacer_init(&pacer, &plan);
    pacer_start(&pacer, START);
    pacer.users = users;
    return pacer;
}

static struct pacer open_at(double rate_rps, int64_t in_flight_max)
{
    struct arrivals_plan plan = {.rate_rps = rate_rps};
    struct pacer pacer;
    pacer_init(&pacer, &plan);
    pacer_start(&pacer, START);
    pacer.in_flight_max = in_flight_max;
    return pacer;
}

static int take_all(struct pacer *pacer, usec_t now)
{
    usec_t scheduled;
    int count = 0;
    while (pacer_take(pacer, now, &scheduled)) {
        assert_true(scheduled <= now);
        count++;
    }
    return count;
}

static void a_user_has_one_request_at_a_time(void **state)
{
    (void)state;
    struct pacer pacer = closed(3);
    assert_int_equal(take_all(&pacer, START), 3);
    assert_int_equal(take_all(&pacer, START + 1), 0);
    assert_int_equal(pacer_wake(&pacer, START), USEC_NEVER);
    pacer_give(&pacer);
    usec_t scheduled;
    assert_true(pacer_take(&pacer, START + 7, &scheduled));
    assert_int_equal(scheduled, START + 7);
    pacer.users = 5;
    assert_int_equal(take_all(&pacer, START + 8), 2);
    pacer.users = 1;
    for (int i = 0; i < 4; i++)
        pacer_give(&pacer);
    assert_int_equal(take_all(&pacer, START + 9), 0);
    pacer_give(&pacer);
    assert_int_equal(take_all(&pacer, START + 9), 1);
}

static void users_follow_a_shape(void **state)
{
    (void)state;
    struct pacer pacer = closed(10);
    pacer.stream.plan.shape = (struct arrivals_shape){.kind = ARRIVALS_STEP, .low = 0.25, .at = USEC_PER_SEC};
    assert_int_equal(take_all(&pacer, START), 3);
    assert_true(pacer_wake(&pacer, START) <= START + 100 * USEC_PER_MSEC);
    assert_int_equal(take_all(&pacer, START + USEC_PER_SEC), 7);
}

static void due_requests_start_whatever_the_answers(void **state)
{
    (void)state;
    struct pacer pacer = open_at(1000, 100);
    assert_int_equal(pacer_wake(&pacer, START), START);
    assert_int_equal(take_all(&pacer, START), 1);
    assert_int_equal(pacer_wake(&pacer, START), START + 1000);
    assert_int_equal(take_all(&pacer, START + 4000), 4);
    assert_int_equal(pacer.late, 0);
}

static void a_stall_is_caught_up_with_the_old_due_times(void **state)
{
    (void)state;
    struct pacer pacer = open_at(100, 1);
    usec_t scheduled;
    assert_true(pacer_take(&pacer, START, &scheduled));
    assert_false(pacer_take(&pacer, START + USEC_PER_SEC, &scheduled));
    assert_int_equal(pacer_wake(&pacer, START + USEC_PER_SEC), USEC_NEVER);
    for (int i = 1; i <= 100; i++) {
        pacer_give(&pacer);
        assert_true(pacer_take(&pacer, START + USEC_PER_SEC, &scheduled));
        assert_int_equal(scheduled, START + i * 10 * USEC_PER_MSEC);
    }
    pacer_give(&pacer);
    assert_false(pacer_take(&pacer, START + USEC_PER_SEC, &scheduled));
    assert_int_equal(pacer.late, 0); /* the server's fault, not ours */
    assert_int_equal(pacer.held, 99);
}

static void our_own_lateness_is_counted(void **state)
{
    (void)state;
    struct pacer pacer = open_at(1000, 1000);
    assert_int_equal(take_all(&pacer, START + 20 * USEC_PER_MSEC), 21);
    assert_int_equal(pacer.late, 15);
}

/* Nobody asks while the only connection is busy; when it is free again, the next one has long been due. */
static void lateness_behind_a_busy_connection_is_the_servers(void **state)
{
    (void)state;
    struct pacer pacer = open_at(100, 1);
    usec_t scheduled;
    assert_true(pacer_take(&pacer, START, &scheduled));
    for (int i = 0; i < 2; i++) {
        pacer_give(&pacer);
        assert_int_equal(take_all(&pacer, START + 29 * USEC_PER_MSEC), 1);
    }
    assert_int_equal(pacer.late, 0);
    pacer_give(&pacer);
    assert_int_equal(take_all(&pacer, START + 29 * USEC_PER_MSEC), 0); /* it has caught up */
    assert_int_equal(take_all(&pacer, START + 60 * USEC_PER_MSEC), 1);
    assert_int_equal(pacer.late, 1);
}

static void a_number_of_requests_is_an_end(void **state)
{
    (void)state;
    struct pacer pacer = closed(4);
    pacer.left = 6;
    assert_int_equal(take_all(&pacer, START), 4);
    assert_false(pacer_over(&pacer, START));
    for (int i = 0; i < 4; i++)
        pacer_give(&pacer);
    assert_int_equal(take_all(&pacer, START), 2);
    assert_true(pacer_over(&pacer, START));
}

static void at_the_end_what_was_due_still_starts(void **state)
{
    (void)state;
    struct pacer pacer = open_at(1000, 1000);
    pacer.stop_at = START + USEC_PER_SEC;
    assert_int_equal(take_all(&pacer, START + 990 * USEC_PER_MSEC), 991);
    assert_int_equal(take_all(&pacer, START + USEC_PER_SEC + 300), 9);
    assert_true(pacer_over(&pacer, START + USEC_PER_SEC + 300));
    pacer_stop(&pacer, START + USEC_PER_SEC + 300);
    assert_int_equal(pacer.missed, 0);
}

static void what_could_not_start_is_missed(void **state)
{
    (void)state;
    struct pacer pacer = open_at(100, 1);
    pacer.stop_at = START + USEC_PER_SEC;
    assert_int_equal(take_all(&pacer, START), 1);
    assert_false(pacer_over(&pacer, START + USEC_PER_SEC));
    assert_true(pacer_wake(&pacer, START + USEC_PER_SEC) > START + USEC_PER_SEC);
    assert_true(pacer_over(&pacer, START + 2 * USEC_PER_SEC));
    pacer_stop(&pacer, START + 2 * USEC_PER_SEC);
    pacer_stop(&pacer, START + 2 * USEC_PER_SEC);
    assert_int_equal(pacer.missed, 99);
}

static void an_order_to_stop_holds_at_once(void **state)
{
    (void)state;
    struct pacer pacer = open_at(1000, 1000);
    take_all(&pacer, START + 500);
    pacer_stop(&pacer, START + 3000);
    assert_int_equal(take_all(&pacer, START + 3000), 0);
    assert_true(pacer_over(&pacer, START + 3000));
    assert_int_equal(pacer.missed, 2);
}

static void nothing_starts_before_the_start(void **state)
{
    (void)state;
    struct pacer open = open_at(100, 10), users = closed(3);
    assert_int_equal(take_all(&open, START - 1), 0);
    assert_int_equal(take_all(&users, START - 1), 0);
    assert_int_equal(pacer_wake(&open, START - 1), START);
    assert_int_equal(pacer_wake(&users, START - 1), START);
    assert_int_equal(take_all(&open, START), 1);
    assert_int_equal(take_all(&users, START), 3);
}

static void the_missed_are_no_more_than_were_left(void **state)
{
    (void)state;
    struct pacer pacer = open_at(1e7, 1);
    pacer.left = 1000;
    pacer.stop_at = START + 100 * USEC_PER_HOUR;
    assert_int_equal(take_all(&pacer, START), 1);
    pacer_stop(&pacer, START + 100 * USEC_PER_HOUR); /* at once, however many they are */
    assert_int_equal(pacer.missed, 999);
}

static void its_schedule_ends_with_the_last_that_was_due(void **state)
{
    (void)state;
    struct pacer all = open_at(1000, 1000), some = open_at(1000, 1), ended = open_at(1000, 1000);
    all.left = some.left = 100;
    some.stop_at = ended.stop_at = START + USEC_PER_SEC;
    assert_int_equal(take_all(&all, START + 500 * USEC_PER_MSEC), 100);
    pacer_stop(&all, START + 500 * USEC_PER_MSEC);
    assert_true(all.ran_out);
    assert_int_equal(all.due_until, START + 99 * USEC_PER_MSEC);
    assert_int_equal(take_all(&some, START), 1); /* the others are missed, but not those after the 100th */
    pacer_stop(&some, START + 2 * USEC_PER_SEC);
    assert_true(some.ran_out);
    assert_int_equal(some.missed, 99);
    assert_in_range(some.due_until, START + 99 * USEC_PER_MSEC, START + 100 * USEC_PER_MSEC);
    pacer_stop(&ended, START + 2 * USEC_PER_SEC);
    assert_false(ended.ran_out);
    assert_int_equal(ended.due_until, START + USEC_PER_SEC);
    pacer_stop(&ended, START + 3 * USEC_PER_SEC);
    assert_int_equal(ended.due_until, START + USEC_PER_SEC);
}

static void the_rate_changes_while_it_runs(void **state)
{
    (void)state;
    struct pacer pacer = closed(2);
    pacer.in_flight_max = 50;
    assert_int_equal(take_all(&pacer, START), 2);
    pacer_set_rate(&pacer, 1000, START);
    assert_int_equal(take_all(&pacer, START + 5000), 6);
    pacer_set_rate(&pacer, 0, START + 5000);
    assert_int_equal(take_all(&pacer, START + USEC_PER_SEC), 0);
    for (int i = 0; i < 8; i++)
        pacer_give(&pacer);
    assert_int_equal(take_all(&pacer, START + USEC_PER_SEC), 2);
}

/* Saying again what holds already is nothing new, however often; what is left of a gap goes by at the new
 * rate. */
static void a_new_rate_goes_on_in_the_gap_it_meets(void **state)
{
    (void)state;
    struct pacer pacer = open_at(1, 50);
    assert_int_equal(take_all(&pacer, START), 1);
    for (int i = 1; i < 10; i++) {
        pacer_set_rate(&pacer, 1, START + i * 100 * USEC_PER_MSEC);
        assert_int_equal(take_all(&pacer, START + i * 100 * USEC_PER_MSEC), 0);
    }
    assert_int_equal(take_all(&pacer, START + USEC_PER_SEC + 1), 1);
    pacer_set_rate(&pacer, 10, START + 1500 * USEC_PER_MSEC);
    assert_int_equal(take_all(&pacer, START + 1549 * USEC_PER_MSEC), 0);
    assert_int_equal(take_all(&pacer, START + 1551 * USEC_PER_MSEC), 1);
    assert_int_equal(take_all(&pacer, START + 1649 * USEC_PER_MSEC), 0);
    assert_int_equal(take_all(&pacer, START + 1651 * USEC_PER_MSEC), 1);
    assert_int_equal(pacer.missed, 0);
}

/* The first of them is the first at the new rate. */
static void what_a_new_rate_leaves_behind_is_missed(void **state)
{
    (void)state;
    struct pacer pacer = open_at(100, 2);
    assert_int_equal(take_all(&pacer, START + 999 * USEC_PER_MSEC), 2);
    pacer_set_rate(&pacer, 10, START + 999 * USEC_PER_MSEC);
    assert_int_equal(pacer.missed, 97);
    pacer_give(&pacer);
    assert_int_equal(take_all(&pacer, START + 999 * USEC_PER_MSEC), 1);
    pacer_give(&pacer);
    pacer_set_rate(&pacer, 0, START + 1999 * USEC_PER_MSEC);
    assert_int_equal(pacer.missed, 97 + 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_one_request_at_a_time),
        cmocka_unit_test(users_follow_a_shape),
        cmocka_unit_test(due_requests_start_whatever_the_answers),
        cmocka_unit_test(a_stall_is_caught_up_with_the_old_due_times),
        cmocka_unit_test(our_own_lateness_is_counted),
        cmocka_unit_test(lateness_behind_a_busy_connection_is_the_servers),
        cmocka_unit_test(a_number_of_requests_is_an_end),
        cmocka_unit_test(at_the_end_what_was_due_still_starts),
        cmocka_unit_test(what_could_not_start_is_missed),
        cmocka_unit_test(an_order_to_stop_holds_at_once),
        cmocka_unit_test(nothing_starts_before_the_start),
        cmocka_unit_test(the_missed_are_no_more_than_were_left),
        cmocka_unit_test(its_schedule_ends_with_the_last_that_was_due),
        cmocka_unit_test(the_rate_changes_while_it_runs),
        cmocka_unit_test(a_new_rate_goes_on_in_the_gap_it_meets),
        cmocka_unit_test(what_a_new_rate_leaves_behind_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
