/* SPDX-License-Identifier: MIT */
/* The life of instances, event by event; whole stories are in test_scenarios.c, chaos in test_engine.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/fleet.h"
#include <stdio.h>
#include <string.h>

#define SEC USEC_PER_SEC

static struct fleet fleet;
static struct journal journal;
static struct config config;
static usec_t now;
static char why[64];

static int begin(void **state)
{
    (void)state;
    config_init(&config);
    memset(&journal, 0, sizeof journal);
    fleet_init(&fleet, 3);
    fleet_configure(&fleet, &config);
    now = 1000 * SEC;
    return 0;
}

/* All that is to be done, as "S1 A2 ": a letter an action and the id. */
static const char *todo(void)
{
    static const char letters[] = {
        [ACTION_SPAWN] = 'S', [ACTION_ADMIT] = 'A', [ACTION_EJECT] = 'E',  [ACTION_DRAIN] = 'D',
        [ACTION_TERM] = 'T',  [ACTION_KILL] = 'K',  [ACTION_REMOVE] = 'R', [ACTION_SPARE] = 'B'};
    static char text[4096];
    struct action action;
    size_t length = 0;
    text[0] = '\0';
    while (fleet_next_action(&fleet, &action))
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%c%d ", letters[action.kind], action.id);
    return text;
}

static void event(enum event_kind kind, int id, const char *text)
{
    struct event e = {.kind = kind, .id = id, .pid = 100 + id, .port = 5000 + id};
    snprintf(e.text, sizeof e.text, "%s", text);
    fleet_event(&fleet, &journal, &e, now);
}

/* Enough of them in a row to count. */
static void check(int id, enum check outcome, const char *text)
{
    struct event e = {.kind = outcome == CHECK_PASSED ? EVENT_HEALTHY : EVENT_UNHEALTHY,
                      .id = id,
                      .pid = 100 + id,
                      .port = 5000 + id,
                      .check = outcome,
                      .streak = CHECK_FALL};
    snprintf(e.text, sizeof e.text, "%s", text);
    fleet_event(&fleet, &journal, &e, now);
}

static enum instance_state state_of(int id)
{
    struct fleet_instance *in = fleet_find(&fleet, id);
    return in ? in->state : INSTANCE_NONE;
}

static void ready(int count)
{
    fleet_scale(&fleet, &journal, count, now);
    todo();
    for (int id = 1; id <= count; id++) {
        event(EVENT_SPAWNED, id, "");
        event(EVENT_HEALTHY, id, "");
    }
    todo();
    now += 60 * SEC;
}

static void pass(usec_t span)
{
    now += span;
    fleet_tick(&fleet, &journal, now);
}

static const char *last_note(void)
{
    return journal.entries[(journal.head - 1 + JOURNAL_MAX) % JOURNAL_MAX].text;
}

static void test_a_whole_life(void **state)
{
    (void)state;
    fleet_scale(&fleet, &journal, 1, now);
    assert_string_equal(todo(), "S1 ");
    event(EVENT_SPAWNED, 1, "");
    assert_int_equal(fleet_find(&fleet, 1)->pid, 101);
    assert_string_equal(todo(), "");
    event(EVENT_HEALTHY, 1, "");
    assert_string_equal(todo(), "A1 ");
    fleet_scale(&fleet, &journal, 0, now);
    assert_string_equal(todo(), "D1 ");
    event(EVENT_DRAINED, 1, "");
    assert_string_equal(todo(), "T1 ");
    event(EVENT_EXITED, 1, "exit status 0");
    assert_string_equal(todo(), "R1 ");
    assert_int_equal(fleet.count, 0);
    fleet_scale(&fleet, &journal, 1, now);
    assert_string_equal(todo(), "S2 "); /* a number is used once */
}

static void test_deadlines(void **state)
{
    (void)state;
    fleet_scale(&fleet, &journal, 1, now);
    todo();
    assert_int_equal(fleet_deadline(&fleet), now + config.app.start_timeout);
    pass(config.app.start_timeout);
    assert_string_equal(todo(), "K1 ");
    event(EVENT_EXITED, 1, "killed by SIGKILL");
    assert_int_equal(state_of(1), INSTANCE_BACKOFF);
    assert_non_null(strstr(fleet_find(&fleet, 1)->cause, "not ready within"));
    assert_non_null(strstr(last_note(), "killed after 30s")); /* and why is said only once */
    pass(SEC);
    assert_string_equal(todo(), "S1 ");
    event(EVENT_HEALTHY, 1, "");
    todo();
    fleet_scale(&fleet, &journal, 0, now);
    todo();
    pass(config.app.drain_timeout);
    assert_string_equal(todo(), "T1 ");
    pass(config.app.stop_timeout);
    assert_string_equal(todo(), "K1 ");
    pass(config.app.stop_timeout + SEC);
    assert_string_equal(todo(), "K1 "); /* until it is gone */
    assert_int_equal(fleet.count, 1);
    event(EVENT_EXITED, 1, "");
    assert_string_equal(todo(), "R1 ");
    assert_int_equal(fleet_deadline(&fleet), USEC_NEVER);
}

static void test_a_crash_starts_again_under_the_same_id(void **state)
{
    (void)state;
    ready(2);
    event(EVENT_EXITED, 2, "killed by SIGKILL");
    assert_string_equal(todo(), "E2 S2 ");
    assert_string_equal(last_note(), "(pid 102) killed by SIGKILL after 60s; starting again");
    assert_int_equal(fleet_find(&fleet, 2)->restarts, 1);
    assert_int_equal(fleet_find(&fleet, 2)->pid, 0);
}

static void test_back_off_grows_and_ends(void **state)
{
    usec_t last = 0;
    (void)state;
    fleet_scale(&fleet, &journal, 1, now);
    todo();
    for (int failure = 1; failure < 6; failure++) {
        usec_t wait;
        event(EVENT_EXITED, 1, "exit status 127");
        assert_int_equal(state_of(1), INSTANCE_BACKOFF);
        wait = fleet_deadline(&fleet) - now;
        assert_in_range(wait, last, 30 * SEC);
        assert_true(wait >= 250 * USEC_PER_MSEC << (failure - 1));
        last = wait;
        pass(wait);
        assert_string_equal(todo(), "S1 ");
    }
    event(EVENT_EXITED, 1, "exit status 127");
    assert_int_equal(state_of(1), INSTANCE_FAILED);
    assert_string_equal(fleet_find(&fleet, 1)->cause, "exit status 127");
    assert_non_null(strstr(last_note(), "6 failures in a row, next try in "));
    for (int more = 0; more < 20; more++) { /* it is never given up, at half to all of the longest wait */
        assert_in_range(fleet_deadline(&fleet) - now, config.app.restart_delay_max / 2,
                        config.app.restart_delay_max);
        pass(fleet_deadline(&fleet) - now);
        assert_string_equal(todo(), "S1 ");
        event(EVENT_EXITED, 1, "exit status 127");
        assert_int_equal(state_of(1), INSTANCE_FAILED);
    }
    fleet_revive(&fleet, &journal, now);
    assert_string_equal(todo(), "S1 ");
    event(EVENT_EXITED, 1, "exit status 127");
    assert_int_equal(state_of(1), INSTANCE_BACKOFF); /* its count begins anew */
}

static void test_the_least_missed_leaves_first(void **state)
{
    (void)state;
    ready(6);
    fleet_find(&fleet, 1)->sample.in_flight = 3;
    fleet_find(&fleet, 2)->sample.in_flight = 0;
    fleet_find(&fleet, 3)->sample.in_flight = 5;
    check(4, CHECK_BAD, "status 500");
    event(EVENT_EXITED, 5, "exit status 1"); /* starting again */
    event(EVENT_SPAWN_FAILED, 5, "ENOENT");  /* backing off */
    assert_non_null(strstr(last_note(), "cannot start: ENOENT; next try in"));
    event(EVENT_EXITED, 6, "exit status 1"); /* starting again */
    todo();
    fleet_scale(&fleet, &journal, 5, now);
    assert_string_equal(todo(), "R5 ");
    fleet_scale(&fleet, &journal, 4, now);
    assert_string_equal(todo(), "D4 ");
    fleet_scale(&fleet, &journal, 3, now);
    assert_string_equal(todo(), "T6 ");
    fleet_scale(&fleet, &journal, 2, now);
    assert_string_equal(todo(), "D2 ");
    fleet_scale(&fleet, &journal, 1, now);
    assert_string_equal(todo(), "D1 ");
}

static void test_scaling_out_does_not_wait_for_those_that_leave(void **state)
{
    (void)state;
    ready(2);
    fleet_scale(&fleet, &journal, 1, now);
    assert_string_equal(todo(), "D2 ");
    fleet_scale(&fleet, &journal, 2, now);
    assert_string_equal(todo(), "S3 ");
    assert_int_equal(state_of(2), INSTANCE_DRAINING);
}

static void test_orders(void **state)
{
    (void)state;
    ready(2);
    assert_true(fleet_order(&fleet, &journal, 1, ORDER_RESTART, 2, now, why, sizeof why));
    assert_string_equal(todo(), "D1 ");
    assert_false(fleet_order(&fleet, &journal, 1, ORDER_RESTART, 2, now, why, sizeof why));
    assert_string_equal(why, "i1 is DRAINING");
    event(EVENT_DRAINED, 1, "");
    event(EVENT_EXITED, 1, "exit status 0");
    assert_string_equal(todo(), "S1 ");
    assert_true(fleet_order(&fleet, &journal, 2, ORDER_LEAVE, 1, now, why, sizeof why));
    assert_string_equal(todo(), "D2 ");
    assert_false(fleet_order(&fleet, &journal, 2, ORDER_RESTART, 1, now, why, sizeof why));
    assert_true(fleet_order(&fleet, &journal, 2, ORDER_KILL, 1, now, why, sizeof why));
    assert_string_equal(todo(), "E2 K2 ");
    event(EVENT_EXITED, 2, "killed by SIGKILL");
    assert_string_equal(todo(), "R2 ");
    assert_true(fleet_order(&fleet, &journal, 1, ORDER_KILL, 1, now, why, sizeof why));
    event(EVENT_EXITED, 1, "killed by SIGKILL");
    assert_string_equal(todo(), "S1 ");
    assert_int_equal(fleet_find(&fleet, 1)->failures, 0); /* an order is no failure */
    assert_false(fleet_order(&fleet, &journal, 9, ORDER_KILL, 1, now, why, sizeof why));
}

/* Waiting would not help one that a signal has stopped; neither would TERM. */
static void test_a_suspended_one_is_killed_at_once_and_started_again(void **state)
{
    (void)state;
    ready(2);
    event(EVENT_SUSPENDED, 1, "timed out");
    assert_string_equal(todo(), "E1 K1 ");
    assert_non_null(
        strstr(last_note(), "is stopped by a signal and does not answer (timed out); killing it"));
    event(EVENT_EXITED, 1, "killed by SIGKILL");
    assert_string_equal(todo(), "S1 ");
    fleet_scale(&fleet, &journal, 1, now);
    todo();
    event(EVENT_HEALTHY, 1, "");
    fleet_scale(&fleet, &journal, 0, now);
    todo();
    event(EVENT_SUSPENDED, 2, "timed out");
    assert_int_equal(state_of(2), INSTANCE_KILLING);
    assert_string_equal(todo(), "E2 K2 ");
}

static void test_late_answers_are_ignored(void **state)
{
    (void)state;
    ready(1);
    event(EVENT_DRAINED, 1, "");
    event(EVENT_HEALTHY, 1, "");
    event(EVENT_DRAINED, 7, "");
    event((enum event_kind)99, 1, "");
    assert_string_equal(todo(), "");
    assert_int_equal(state_of(1), INSTANCE_READY);
    fleet_scale(&fleet, &journal, 0, now);
    check(1, CHECK_REFUSED, "refused");
    event(EVENT_HEALTHY, 1, "");
    assert_string_equal(todo(), "D1 ");
    assert_int_equal(state_of(1), INSTANCE_DRAINING);
}

static void test_a_start_not_yet_begun_is_simply_dropped(void **state)
{
    (void)state;
    fleet_scale(&fleet, &journal, 3, now);
    fleet_scale(&fleet, &journal, 1, now);
    assert_string_equal(todo(), "S1 R2 R3 ");
    assert_int_equal(fleet.count, 1);
}

static void test_a_full_house(void **state)
{
    (void)state;
    fleet_scale(&fleet, &journal, INSTANCES_MAX, now);
    todo();
    for (int id = 1; id <= INSTANCES_MAX; id++)
        event(EVENT_HEALTHY, id, "");
    todo();
    fleet_scale(&fleet, &journal, INSTANCES_MAX - 1, now);
    fleet_scale(&fleet, &journal, INSTANCES_MAX, now); /* no slot yet */
    assert_string_equal(todo(), "D256 ");
    event(EVENT_DRAINED, 256, "");
    event(EVENT_EXITED, 256, "");
    assert_string_equal(todo(), "R256 ");
    pass(SEC);
    assert_string_equal(todo(), "S257 ");
}

/* The new one is up; the old one that goes for it ends. */
static void replace(int new_id, int old_id, const char *orders)
{
    event(EVENT_SPAWNED, new_id, "");
    assert_string_equal(todo(), "");
    event(EVENT_HEALTHY, new_id, "");
    assert_string_equal(todo(), orders);
    event(EVENT_DRAINED, old_id, "");
    event(EVENT_EXITED, old_id, "exit status 0");
}

static void test_a_roll_replaces_one_at_a_time(void **state)
{
    (void)state;
    ready(2);
    assert_true(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_int_equal(fleet_roll_left(&fleet), 2);
    assert_string_equal(todo(), "S3 ");
    assert_int_equal(fleet_count(&fleet).pending, 0); /* nobody waits for it */
    assert_false(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_string_equal(why, "a roll is under way, 2 to go");
    replace(3, 2, "D2 A3 ");
    assert_string_equal(todo(), "R2 S4 ");
    assert_int_equal(fleet_roll_left(&fleet), 1);
    replace(4, 1, "D1 A4 ");
    assert_string_equal(todo(), "R1 ");
    assert_int_equal(fleet_roll_left(&fleet), 0);
    assert_int_equal(fleet.count, 2);
    assert_true(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_string_equal(todo(), "S5 ");
}

static void test_a_roll_goes_with_the_count(void **state)
{
    (void)state;
    ready(3);
    assert_true(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_string_equal(todo(), "S4 ");
    fleet_scale(&fleet, &journal, 4, now); /* out: one more on top of the one that replaces */
    assert_string_equal(todo(), "S5 ");
    event(EVENT_SPAWNED, 4, "");
    event(EVENT_HEALTHY, 4, "");
    assert_string_equal(todo(), "A4 ");
    event(EVENT_SPAWNED, 5, "");
    event(EVENT_HEALTHY, 5, "");
    assert_string_equal(todo(), "D3 A5 ");
    fleet_scale(&fleet, &journal, 3, now); /* in: an old one, not one of the new */
    assert_string_equal(todo(), "D2 ");
    fleet_scale(&fleet, &journal, 0, now);
    assert_string_equal(todo(), "D1 D4 D5 ");
    assert_int_equal(fleet_roll_left(&fleet), 0);
    for (int id = 1; id <= 5; id++)
        event(EVENT_EXITED, id, "");
    assert_string_equal(todo(), "E1 R1 E2 R2 E3 R3 E4 R4 E5 R5 ");
    assert_false(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_string_equal(why, "no instance runs");
}

static void test_a_roll_stops_when_the_new_ones_do_not_start(void **state)
{
    (void)state;
    ready(2);
    assert_true(fleet_roll(&fleet, &journal, now, why, sizeof why));
    for (int i = 0; i < 6; i++) {
        assert_string_equal(todo(), "S3 ");
        event(EVENT_SPAWN_FAILED, 3, "no such file");
        pass(60 * SEC);
    }
    assert_string_equal(todo(), "R3 "); /* given up, it goes again */
    assert_int_equal(fleet_roll_left(&fleet), 0);
    assert_int_equal(fleet_count(&fleet).ready, 2);
    assert_non_null(strstr(journal.entries[journal.head - 1].text, "i3 cannot be started; 2 not replaced"));
}

static void test_one_that_ended_by_itself_is_not_rolled_again(void **state)
{
    (void)state;
    ready(2);
    assert_true(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_string_equal(todo(), "S3 ");
    event(EVENT_EXITED, 1, "killed by SIGKILL");
    assert_string_equal(todo(), "E1 S1 ");
    assert_int_equal(fleet_roll_left(&fleet), 1);
    event(EVENT_SPAWNED, 3, "");
    event(EVENT_HEALTHY, 3, "");
    assert_string_equal(todo(), "A3 "); /* i1 is not ready yet */
    event(EVENT_SPAWNED, 1, "");
    event(EVENT_HEALTHY, 1, "");
    assert_string_equal(todo(), "A1 D2 ");
}

static void test_a_full_house_cannot_roll(void **state)
{
    (void)state;
    ready(INSTANCES_MAX);
    assert_false(fleet_roll(&fleet, &journal, now, why, sizeof why));
    assert_string_equal(why, "there is no room for one more than 256");
}

static void test_adopting(void **state)
{
    (void)state;
    assert_true(fleet_adopt(&fleet, 9, 77, 5001, true, now - SEC, now));
    assert_true(fleet_adopt(&fleet, 4, 78, 5002, false, now - SEC, now));
    assert_false(fleet_adopt(&fleet, 4, 79, 5003, true, now, now));
    assert_false(fleet_adopt(&fleet, 0, 79, 5003, true, now, now));
    assert_string_equal(todo(), "A9 ");
    assert_int_equal(fleet.instances[0].id, 4); /* in order of id */
    fleet_scale(&fleet, &journal, 3, now);
    assert_string_equal(todo(), "S10 ");
}

static void test_postponing(void **state)
{
    usec_t deadline;
    (void)state;
    fleet_scale(&fleet, &journal, 1, now);
    todo();
    deadline = fleet_deadline(&fleet);
    fleet_postpone(&fleet, 20 * SEC);
    assert_int_equal(fleet_deadline(&fleet), deadline + 20 * SEC);
}

static void busy(int id, int in_flight)
{
    fleet_find(&fleet, id)->sample.in_flight = in_flight;
    check(id, CHECK_SILENT, "GET /health: timed out");
}

static void watch(usec_t span)
{
    pass(span);
    fleet_watch(&fleet, &journal, now);
}

static void no_stand_ins(void)
{
    config.scaling.max_instances = 1;
    fleet_configure(&fleet, &config);
}

static void test_one_with_requests_under_way_is_busy_not_dead(void **state)
{
    (void)state;
    ready(2);
    busy(1, 1);
    assert_string_equal(todo(), "B1 ");
    assert_int_equal(state_of(1), INSTANCE_BUSY);
    assert_int_equal(fleet_count(&fleet).ready, 2);
    assert_int_equal(fleet_count(&fleet).busy, 1);
    /* For as long as a request waits for its first byte, however long the checks wait behind it. */
    fleet_find(&fleet, 1)->sample.awaited = true;
    for (int i = 0; i < 20; i++)
        watch(config.app.unresponsive_timeout);
    assert_string_equal(todo(), "");
    check(1, CHECK_PASSED, "");
    assert_string_equal(todo(), "A1 ");
    assert_int_equal(state_of(1), INSTANCE_READY);
}

static void test_a_busy_one_that_has_nothing_left_to_do_is_unready(void **state)
{
    (void)state;
    ready(2);
    busy(1, 1);
    todo();
    fleet_find(&fleet, 1)->sample.in_flight = 0;
    watch(SEC);
    assert_int_equal(state_of(1), INSTANCE_BUSY); /* the check that waited may be answered now */
    watch(config.app.health_timeout);
    assert_int_equal(state_of(1), INSTANCE_BUSY);
    watch(SEC);
    assert_int_equal(state_of(1), INSTANCE_UNREADY);
    assert_string_equal(todo(), "E1 ");
    fleet_find(&fleet, 1)->sample.in_flight = 1; /* one that was under way after all */
    watch(SEC);
    assert_int_equal(state_of(1), INSTANCE_BUSY);
}

static void test_only_what_shows_no_sign_of_life_is_ended_and_one_at_a_time(void **state)
{
    (void)state;
    no_stand_ins();
    ready(3);
    for (int id = 1; id <= 3; id++)
        check(id, CHECK_SILENT, "GET /health: timed out");
    todo();
    fleet_find(&fleet, 3)->sample.alive_at = now + 5 * SEC; /* a byte of an answer */
    watch(config.app.unresponsive_timeout - 1);
    assert_null(strchr(todo(), 'K'));
    watch(1);
    assert_string_equal(todo(), "E1 K1 ");
    assert_non_null(strstr(last_note(), "is not alive any more (no sign of life for 30s); killing it"));
    watch(SEC);
    assert_null(strchr(todo(), 'K')); /* the others wait until it is back */
    event(EVENT_EXITED, 1, "killed by SIGKILL");
    event(EVENT_SPAWNED, 1, "");
    watch(SEC);
    assert_null(strchr(todo(), 'K'));
    check(1, CHECK_PASSED, "");
    watch(SEC);
    assert_string_equal(todo(), "A1 E2 K2 ");
}

static void test_one_that_answers_badly_is_never_ended_for_it(void **state)
{
    (void)state;
    no_stand_ins();
    ready(3);
    for (int i = 0; i < 20; i++) {
        check(2, CHECK_BAD, "GET /health: status 503");
        watch(config.app.unresponsive_timeout / 2);
    }
    assert_int_equal(state_of(2), INSTANCE_UNREADY);
    assert_null(strchr(todo(), 'K'));
}

static void liveness(int id, enum check outcome, int streak)
{
    fleet_event(&fleet, &journal,
                &(struct event){.kind = EVENT_LIVENESS,
                                .id = id,
                                .check = outcome,
                                .streak = streak,
                                .text = "GET /live: status 500"},
                now);
    watch(SEC);
}

static void test_liveness_ends_by_bad_answers_alone(void **state)
{
    (void)state;
    ready(2);
    liveness(1, CHECK_SILENT, 3);
    liveness(1, CHECK_REFUSED, 3);
    liveness(1, CHECK_BAD, 2);
    assert_string_equal(todo(), "");
    liveness(1, CHECK_BAD, 3);
    assert_string_equal(todo(), "E1 K1 ");
    assert_non_null(strstr(last_note(), "(GET /live: status 500); killing it"));
    liveness(2, CHECK_BAD, 3);
    assert_string_equal(todo(), ""); /* the next one when the first is back */
}

static void test_when_too_few_are_ready_those_that_answer_help(void **state)
{
    (void)state;
    ready(4);
    check(1, CHECK_BAD, "status 503");
    check(2, CHECK_SILENT, "timed out");
    assert_string_equal(todo(), "E1 E2 "); /* two of four: not fewer than half */
    check(3, CHECK_BAD, "status 503");
    assert_string_equal(todo(), "A1 E3 A3 "); /* the one that does not answer at all is left out */
    assert_true(fleet.panic);
    check(1, CHECK_REFUSED, "refused");
    assert_string_equal(todo(), "E1 ");
    check(3, CHECK_PASSED, "");
    assert_string_equal(todo(), "A3 ");
    assert_false(fleet.panic);
    check(3, CHECK_BAD, "status 503");
    todo();
    config.balancer.panic_threshold = 0;
    fleet_configure(&fleet, &config);
    watch(SEC);
    assert_string_equal(todo(), "E3 ");
}

/* Those that were ready and are being started again are missed; those that never were are not. */
static void test_panic_is_measured_by_those_once_ready(void **state)
{
    (void)state;
    no_stand_ins();
    ready(4);
    fleet_scale(&fleet, &journal, 8, now);
    check(1, CHECK_BAD, "status 503");
    assert_false(fleet.panic); /* three of four, whatever starts beside them */
    event(EVENT_EXITED, 2, "exit status 1");
    assert_false(fleet.panic); /* two of four */
    todo();
    event(EVENT_EXITED, 3, "exit status 1");
    watch(0);
    assert_true(fleet.panic);
    assert_non_null(strstr(todo(), "A1 "));
    check(1, CHECK_PASSED, "");
    watch(0);
    assert_false(fleet.panic);
}

static void test_there_is_no_panic_without_anyone_to_lend(void **state)
{
    (void)state;
    ready(2);
    event(EVENT_EXITED, 1, "exit status 1");
    event(EVENT_EXITED, 2, "exit status 1");
    watch(SEC);
    assert_false(fleet.panic);
}

static int count_killing(void)
{
    int killing = 0;
    for (int id = 1; id <= 5; id++)
        killing += state_of(id) == INSTANCE_KILLING;
    return killing;
}

/* Whatever checks and samples say, in whatever order: one at a time, and the one before is back first. */
static void test_never_two_are_ended_at_once(void **state)
{
    (void)state;
    struct random random = {.state = 9};
    int ended = 0, before = 0;
    no_stand_ins();
    ready(5);
    for (int step = 0; step < 20000; step++) {
        int id = 1 + (int)random_below(&random, 5);
        if (state_of(id) == INSTANCE_KILLING && random_below(&random, 4) == 0)
            event(EVENT_EXITED, id, "killed by SIGKILL");
        else if (state_of(id) != INSTANCE_KILLING)
            check(id, random_below(&random, 8) ? CHECK_SILENT : (enum check)random_below(&random, 4), "");
        if (random_below(&random, 16) == 0)
            fleet_find(&fleet, id)->sample.in_flight = (int)random_below(&random, 2);
        if (random_below(&random, 64) == 0)
            liveness(id, CHECK_BAD, CHECK_FALL);
        watch((usec_t)random_below(&random, 4 * SEC));
        todo();
        int killing = count_killing();
        /* A start that takes too long is ended for that, not for silence. */
        for (int i = 0; i < fleet.count; i++)
            killing -= fleet.instances[i].state == INSTANCE_KILLING && !fleet.instances[i].ready_at;
        assert_in_range(killing, 0, 1);
        ended += killing > before;
        before = killing;
    }
    assert_true(ended > 20);
}

static void test_one_unready_for_long_gets_a_stand_in_until_it_is_well(void **state)
{
    (void)state;
    ready(2);
    check(1, CHECK_BAD, "status 503");
    todo();
    pass(10 * SEC - 1);
    assert_string_equal(todo(), "");
    pass(1);
    assert_string_equal(todo(), "S3 ");
    assert_int_equal(fleet_count(&fleet).trying, 0); /* nobody waits for it */
    event(EVENT_HEALTHY, 3, "");
    todo();
    pass(60 * SEC);
    assert_string_equal(todo(), ""); /* one, and no more */
    check(1, CHECK_PASSED, "");
    assert_string_equal(todo(), "A1 D3 ");
    config.scaling.max_instances = 2; /* and never more than there may be */
    fleet_configure(&fleet, &config);
    event(EVENT_DRAINED, 3, "");
    event(EVENT_EXITED, 3, "exit status 0");
    todo();
    check(1, CHECK_BAD, "status 503");
    pass(60 * SEC);
    assert_null(strchr(todo(), 'S'));
}

static void test_a_failure_that_goes_on_is_told_once_a_minute(void **state)
{
    (void)state;
    fleet_scale(&fleet, &journal, 1, now);
    for (int failure = 0; failure < 8; failure++) {
        event(EVENT_SPAWN_FAILED, 1, "ENOENT");
        pass(fleet_deadline(&fleet) - now);
    }
    uint64_t told = journal.seq;
    usec_t since = now;
    for (int failure = 0; failure < 40; failure++) {
        event(EVENT_SPAWN_FAILED, 1, "ENOENT");
        pass(fleet_deadline(&fleet) - now);
    }
    assert_in_range(journal.seq - told, (now - since) / (2 * 60 * SEC), (now - since) / (60 * SEC) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_whole_life, begin),
        cmocka_unit_test_setup(test_one_with_requests_under_way_is_busy_not_dead, begin),
        cmocka_unit_test_setup(test_a_busy_one_that_has_nothing_left_to_do_is_unready, begin),
        cmocka_unit_test_setup(test_only_what_shows_no_sign_of_life_is_ended_and_one_at_a_time, begin),
        cmocka_unit_test_setup(test_one_that_answers_badly_is_never_ended_for_it, begin),
        cmocka_unit_test_setup(test_liveness_ends_by_bad_answers_alone, begin),
        cmocka_unit_test_setup(test_when_too_few_are_ready_those_that_answer_help, begin),
        cmocka_unit_test_setup(test_panic_is_measured_by_those_once_ready, begin),
        cmocka_unit_test_setup(test_there_is_no_panic_without_anyone_to_lend, begin),
        cmocka_unit_test_setup(test_never_two_are_ended_at_once, begin),
        cmocka_unit_test_setup(test_one_unready_for_long_gets_a_stand_in_until_it_is_well, begin),
        cmocka_unit_test_setup(test_a_failure_that_goes_on_is_told_once_a_minute, begin),
        cmocka_unit_test_setup(test_deadlines, begin),
        cmocka_unit_test_setup(test_a_crash_starts_again_under_the_same_id, begin),
        cmocka_unit_test_setup(test_back_off_grows_and_ends, begin),
        cmocka_unit_test_setup(test_the_least_missed_leaves_first, begin),
        cmocka_unit_test_setup(test_scaling_out_does_not_wait_for_those_that_leave, begin),
        cmocka_unit_test_setup(test_orders, begin),
        cmocka_unit_test_setup(test_a_suspended_one_is_killed_at_once_and_started_again, begin),
        cmocka_unit_test_setup(test_late_answers_are_ignored, begin),
        cmocka_unit_test_setup(test_a_start_not_yet_begun_is_simply_dropped, begin),
        cmocka_unit_test_setup(test_a_full_house, begin),
        cmocka_unit_test_setup(test_a_roll_replaces_one_at_a_time, begin),
        cmocka_unit_test_setup(test_a_roll_goes_with_the_count, begin),
        cmocka_unit_test_setup(test_a_roll_stops_when_the_new_ones_do_not_start, begin),
        cmocka_unit_test_setup(test_one_that_ended_by_itself_is_not_rolled_again, begin),
        cmocka_unit_test_setup(test_a_full_house_cannot_roll, begin),
        cmocka_unit_test_setup(test_adopting, begin),
        cmocka_unit_test_setup(test_postponing, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
