/* SPDX-License-Identifier: MIT */
/* Whole stories in virtual time: what an operator would see over minutes and hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SEC USEC_PER_SEC
#define MIN USEC_PER_MIN

static double constant(const struct world *w)
{
    return w->level;
}

static struct world *begin(double level)
{
    struct world *w = world_new();
    w->demand = constant;
    w->level = level;
    world_begin(w);
    return w;
}

static void test_tracking_jumps_to_the_count_that_fits(void **state)
{
    struct world *w = world_new();
    struct config_scaling *c = &w->config.scaling;
    (void)state;
    c->strategy = CONFIG_STRATEGY_TRACKING;
    c->scale_up_threshold = 85;
    c->target_cpu = 80;
    c->scale_down_threshold = 75;
    c->max_instances = c->max_step = 10;
    w->demand = constant;
    w->level = 200;
    world_begin(w);
    assert_true(world_settle(w, 3, 30 * SEC)); /* one shows 100% and hides what more is wanted */
    assert_true(world_has_reason(world_decision(w, VERDICT_UP), REASON_SATURATED));
    w->level = 270; /* 90% of three: four have 68% */
    assert_true(world_settle(w, 4, 30 * SEC));
    w->level = 60;
    assert_true(world_settle(w, 1, 90 * SEC));
    assert_int_equal(world_decision(w, VERDICT_DOWN)->from, 4);
    assert_int_equal(world_decision(w, VERDICT_DOWN)->to, 1);
    world_free(w);
}

static void test_starts_the_minimum(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 2 * SEC);
    assert_int_equal(world_look(w)->ready, 1);
    assert_int_equal(world_decision(w, VERDICT_UP)->reasons[0].code, REASON_RAISED_TO_MINIMUM);
    assert_true(world_noted(w, "ready in 0.3s"));
    world_free(w);
}

static void test_climbs_under_saturating_load_and_returns(void **state)
{
    struct world *w = begin(1000);
    (void)state;
    w->boot = 2 * SEC;
    assert_true(world_settle(w, 5, 45 * SEC));
    world_run(w, MIN);
    assert_int_equal(w->most_alive, 5);
    assert_true(world_has_reason(world_decision(w, VERDICT_HOLD), REASON_AT_MAXIMUM));
    w->level = 0;
    assert_true(world_settle(w, 1, 2 * MIN));
    assert_int_equal(w->reversals, 1);
    assert_true(world_has_reason(world_decision(w, VERDICT_DOWN), REASON_BELOW_DOWN));
    world_free(w);
}

static void test_gives_each_step_its_reason(void **state)
{
    struct world *w = begin(60);
    char text[200];
    (void)state;
    world_run(w, 10 * SEC);
    decision_format(world_decision(w, VERDICT_UP), text, sizeof text);
    assert_string_equal(text, "cpu 3s 60% > 35% for 3s; cooldown ok; step +1");
    world_free(w);
}

static double ramp(const struct world *w)
{
    return 150.0 * fmin(1, (double)(w->now - USEC_PER_HOUR) / (double)(5 * MIN));
}

static void test_follows_a_ramp(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->demand = ramp;
    world_begin(w);
    world_run(w, 10 * MIN);
    assert_int_equal(world_look(w)->ready, 5);
    assert_int_equal(w->reversals, 0);
    world_free(w);
}

static double spike(const struct world *w)
{
    usec_t t = (w->now - USEC_PER_HOUR) % MIN;
    return t < 2 * SEC ? 100 : 20;
}

static void test_a_short_spike_changes_nothing(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->demand = spike;
    world_begin(w);
    world_run(w, 10 * MIN);
    assert_int_equal(world_look(w)->desired, 1);
    assert_int_equal(w->most_alive, 1);
    world_free(w);
}

/* FAULTS 36, for many loads and both strategies: no flapping, no collapse to the minimum. */
static void steady_noise(int strategy, double level, double noise, uint64_t seed)
{
    struct world *w = world_new();
    w->config.scaling.strategy = strategy;
    w->config.scaling.max_instances = 20;
    w->demand = constant;
    w->level = level;
    w->noise = noise;
    w->random.state = seed;
    world_begin(w);
    world_run(w, 5 * MIN);
    w->reversals = 0;
    w->direction = 0;
    w->lowest = INT32_MAX;
    world_run(w, USEC_PER_HOUR);
    if (w->reversals > 2 || (level > 60 && w->lowest <= 1))
        fail_msg("strategy %d load %.0f%% noise %.2f: %d reversals, at least %d instances", strategy, level,
                 noise, w->reversals, w->lowest);
    world_free(w);
}

static void test_steady_noise_does_not_flap(void **state)
{
    static const double noises[] = {0.05, 0.2};
    (void)state;
    for (int strategy = 0; strategy < 2; strategy++)
        for (double level = 10; level <= 400; level *= 1.4)
            for (unsigned n = 0; n < sizeof noises / sizeof *noises; n++)
                steady_noise(strategy, level, noises[n], (uint64_t)level + n);
}

static void test_missing_data_holds(void **state)
{
    struct world *w = begin(130);
    int before;
    (void)state;
    world_run(w, MIN);
    before = world_look(w)->ready;
    assert_true(before > 2);
    w->blind = true;
    w->level = 0;
    world_run(w, 10 * MIN);
    assert_int_equal(world_look(w)->ready, before);
    assert_int_equal(world_decision(w, VERDICT_HOLD)->reasons[0].code, REASON_STALE_DATA);
    w->blind = false;
    world_run(w, 9 * SEC); /* what lies before the hole is no evidence */
    assert_int_equal(world_look(w)->ready, before);
    assert_true(world_settle(w, 1, 2 * MIN));
    world_free(w);
}

static double dipping(const struct world *w)
{
    return (w->now / SEC) % 4 ? 60 : 10;
}

static void test_short_dips_do_not_hide_a_load(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->demand = dipping;
    w->config.scaling.stabilization = 12 * SEC;
    world_begin(w);
    world_run(w, 30 * SEC);
    assert_int_equal(world_look(w)->ready, 2);
    world_free(w);
}

/* While one starts no other is started, and once ready it is given time to show its effect. */
static void test_no_piling_on(void **state)
{
    struct world *w = begin(1000);
    const struct snapshot *s;
    usec_t last = 0;
    (void)state;
    w->boot = 8 * SEC;
    world_run(w, 2 * MIN);
    s = world_look(w);
    assert_int_equal(s->ready, 5);
    for (int i = 0; i < s->journal_count; i++) {
        const struct journal_entry *j = &s->journal[i];
        if (j->kind != JOURNAL_DECISION || j->decision.verdict != VERDICT_UP)
            continue;
        assert_true(!last || j->at - last >= 11 * SEC);
        last = j->at;
    }
    world_free(w);
}

/* FAULTS 17: we were stopped for a while; the load seen before must decide nothing. */
static void test_a_gap_is_dropped(void **state)
{
    struct world *w = begin(20);
    (void)state;
    world_run(w, 30 * SEC);
    w->level = 100;
    world_run(w, 2500 * USEC_PER_MSEC);
    w->now += 20 * SEC;
    w->next_step = w->now;
    world_run(w, 100 * USEC_PER_MSEC);
    assert_int_equal(world_look(w)->desired, 1);
    assert_int_equal(world_look(w)->last.reasons[0].code, REASON_GAP);
    world_run(w, 1500 * USEC_PER_MSEC);
    assert_int_equal(world_look(w)->desired, 1);
    world_run(w, 10 * SEC);
    assert_true(world_look(w)->desired > 1);
    world_free(w);
}

static void test_a_gap_ends_no_start(void **state)
{
    struct world *w = begin(0);
    (void)state;
    w->boot = 10 * SEC;
    world_run(w, 5 * SEC);
    w->now += 5 * MIN;
    w->next_step = w->now;
    engine_tick(w->engine, w->now);
    world_run(w, 100 * USEC_PER_MSEC);
    assert_int_equal(w->actions[ACTION_KILL], 0);
    world_free(w);
}

static void test_a_crash_is_replaced_at_once(void **state)
{
    struct world *w = begin(60);
    (void)state;
    world_run(w, MIN);
    assert_int_equal(world_look(w)->ready, 2);
    world_crash(w, 2, "killed by SIGKILL");
    world_run(w, 400 * USEC_PER_MSEC);
    assert_int_equal(world_look(w)->ready, 2);
    assert_int_equal(world_look(w)->instances[1].restarts, 1);
    assert_int_equal(world_look(w)->instances[1].id, 2);
    assert_true(world_noted(w, "(pid 4002) killed by SIGKILL after 5"));
    world_free(w);
}

static void test_a_hopeless_start_is_tried_now_and_then_and_at_once_by_order(void **state)
{
    struct world *w = world_new();
    int spawns;
    (void)state;
    w->start_fails = true;
    world_begin(w);
    world_run(w, 2 * MIN);
    assert_int_equal(world_look(w)->failed, 1);
    assert_string_equal(world_look(w)->instances[0].cause, "cannot execute /no/such: ENOENT");
    assert_true(world_noted(w, "6 failures in a row, next try in"));
    spawns = w->actions[ACTION_SPAWN];
    world_run(w, 10 * MIN);
    assert_in_range(w->actions[ACTION_SPAWN] - spawns, 20, 40);
    w->start_fails = false;
    assert_true(world_command(w, CMD_INSTANCE_RESTART, 1).accepted);
    assert_true(world_settle(w, 1, SEC));
    world_free(w);
}

static void test_a_start_that_becomes_possible_is_found_without_help(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->start_fails = true;
    world_begin(w);
    world_run(w, 30 * MIN);
    w->start_fails = false;
    world_run(w, w->config.app.restart_delay_max + SEC);
    assert_int_equal(world_look(w)->ready, 1);
    world_free(w);
}

/* Ready ones never fall below what is wanted, and no more than one runs beside them. */
static void test_a_roll_keeps_the_capacity(void **state)
{
    struct world *w = world_new();
    int spawns;
    (void)state;
    w->config.scaling.min_instances = w->config.scaling.max_instances = 4;
    world_begin(w);
    assert_true(world_settle(w, 4, 5 * SEC));
    spawns = w->actions[ACTION_SPAWN];
    w->boot = 3 * SEC;
    w->most_alive = 0;
    assert_true(world_command(w, CMD_ROLL, 0).accepted);
    assert_false(world_command(w, CMD_ROLL, 0).accepted);
    while (world_look(w)->rolling) {
        assert_in_range(world_look(w)->ready, 4, 5);
        world_run(w, 50 * USEC_PER_MSEC);
        assert_true(w->now < USEC_PER_HOUR + MIN);
    }
    assert_int_equal(w->most_alive, 5);
    assert_int_equal(w->actions[ACTION_SPAWN], spawns + 4);
    assert_true(world_settle(w, 4, SEC));
    assert_int_equal(world_look(w)->instances[0].id, 5);
    assert_true(world_noted(w, "the roll is done"));
    world_free(w);
}

static void test_a_reload_tries_again(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->start_fails = true;
    world_begin(w);
    world_run(w, 2 * MIN);
    w->start_fails = false;
    engine_configure(w->engine, &w->config, w->now);
    assert_true(world_settle(w, 1, SEC));
    world_free(w);
}

static void test_a_crash_loop_backs_off(void **state)
{
    struct world *w = begin(0);
    (void)state;
    for (usec_t end = w->now + 5 * MIN; w->now < end;) {
        world_run(w, 500 * USEC_PER_MSEC);
        if (w->agents[1].admitted)
            world_crash(w, 1, "exit status 1");
    }
    assert_in_range(w->actions[ACTION_SPAWN], 14, 26);
    world_free(w);
}

static void test_never_ready_gets_no_request(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->never_ready = true;
    world_begin(w);
    world_run(w, w->config.app.start_timeout + 5 * SEC);
    assert_int_equal(w->actions[ACTION_ADMIT], 0);
    assert_true(w->actions[ACTION_KILL] >= 1);
    assert_true(world_noted(w, "not ready within"));
    world_free(w);
}

static void test_two_hundred_die_at_once(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->config.scaling.min_instances = w->config.scaling.max_instances = 200;
    world_begin(w);
    assert_true(world_settle(w, 200, 5 * SEC));
    for (int id = 1; id <= 200; id++)
        world_crash(w, id, "killed by SIGKILL");
    assert_true(world_settle(w, 200, 2 * SEC));
    assert_int_equal(w->most_alive, 200);
    world_free(w);
}

static struct world *begin_with_two(void)
{
    struct world *w = world_new();
    w->config.scaling.min_instances = 2;
    world_begin(w);
    assert_true(world_settle(w, 2, 5 * SEC));
    return w;
}

static void test_unready_is_taken_out_and_put_back(void **state)
{
    struct world *w = begin_with_two();
    (void)state;
    world_event(w, 0, EVENT_UNHEALTHY, 1, "status 500");
    world_run(w, SEC);
    assert_false(w->agents[1].admitted);
    assert_int_equal(world_look(w)->instances[0].state, INSTANCE_UNREADY);
    assert_string_equal(world_look(w)->instances[0].cause, "status 500");
    assert_int_equal(world_look(w)->unready, 1);
    world_event(w, 0, EVENT_HEALTHY, 1, "");
    world_run(w, SEC);
    assert_true(w->agents[1].admitted);
    assert_int_equal(w->actions[ACTION_KILL], 0);
    world_free(w);
}

static void test_all_unready_serve_on(void **state)
{
    struct world *w = begin_with_two();
    (void)state;
    w->config.scaling.max_instances = 2; /* no stand-ins */
    engine_configure(w->engine, &w->config, w->now);
    for (int id = 1; id <= 2; id++)
        world_event(w, 0, EVENT_UNHEALTHY, id, "status 503");
    world_run(w, MIN);
    assert_true(w->agents[1].admitted && w->agents[2].admitted);
    assert_true(world_look(w)->panic);
    assert_int_equal(world_look(w)->last.reasons[0].code, REASON_UNHEALTHY);
    assert_int_equal(w->actions[ACTION_KILL], 0);
    world_free(w);
}

static void test_silent_for_long_is_replaced(void **state)
{
    struct world *w = begin_with_two();
    (void)state;
    world_silence(w, 1);
    world_run(w, w->config.app.unresponsive_timeout - SEC);
    assert_int_equal(w->actions[ACTION_KILL], 0);
    world_run(w, 3 * SEC);
    assert_int_equal(w->actions[ACTION_KILL], 1);
    world_run(w, 3 * SEC);
    assert_int_equal(world_look(w)->ready, 2); /* with the stand-in, or after it */
    world_free(w);
}

static void test_ignored_term_ends_in_kill(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->deaf = true;
    world_begin(w);
    world_run(w, 5 * SEC);
    engine_stop(w->engine, w->now);
    world_run(w, w->config.app.stop_timeout + 2 * SEC);
    assert_int_equal(w->actions[ACTION_KILL], 1);
    assert_true(engine_stopped(w->engine));
    world_free(w);
}

static void test_stop_drains_all(void **state)
{
    struct world *w = begin(1000);
    (void)state;
    assert_true(world_settle(w, 5, MIN));
    engine_stop(w->engine, w->now);
    world_run(w, 5 * SEC);
    assert_true(engine_stopped(w->engine));
    assert_int_equal(w->actions[ACTION_DRAIN], 5);
    assert_int_equal(w->actions[ACTION_REMOVE], 5);
    assert_int_equal(w->actions[ACTION_KILL], 0);
    assert_int_equal(world_alive(w), 0);
    world_free(w);
}

static void test_a_stop_can_be_hurried(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    w->drain_time = 10 * MIN;
    engine_stop(w->engine, w->now);
    world_run(w, SEC);
    assert_false(engine_stopped(w->engine));
    assert_true(world_command(w, CMD_INSTANCE_KILL, 1).accepted);
    assert_false(world_command(w, CMD_SCALE, 2).accepted);
    world_run(w, SEC);
    assert_true(engine_stopped(w->engine));
    world_free(w);
}

static void test_an_operators_step_is_a_floor_that_expires(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    assert_true(world_command(w, CMD_SCALE, 3).accepted);
    assert_int_equal(w->actions[ACTION_SPAWN], 3); /* at once, not at the next step */
    assert_int_equal(world_decision(w, VERDICT_MANUAL)->to, 3);
    world_run(w, 4 * MIN);
    assert_int_equal(world_look(w)->ready, 3);
    assert_int_equal(world_look(w)->override, OVERRIDE_FLOOR);
    assert_int_equal(world_decision(w, VERDICT_HOLD)->reasons[0].code, REASON_FLOOR);
    world_run(w, 2 * MIN);
    assert_int_equal(world_look(w)->override, OVERRIDE_NONE);
    assert_int_equal(world_look(w)->ready, 1);
    world_free(w);
}

static void test_a_ceiling_holds_against_load(void **state)
{
    struct world *w = begin(1000);
    (void)state;
    assert_true(world_settle(w, 5, MIN));
    assert_true(world_command(w, CMD_SCALE, 4).accepted);
    world_run(w, MIN);
    assert_int_equal(world_look(w)->ready, 4);
    assert_int_equal(world_decision(w, VERDICT_HOLD)->reasons[0].code, REASON_CEILING);
    assert_true(world_command(w, CMD_AUTO, 0).accepted);
    assert_true(world_settle(w, 5, 20 * SEC));
    world_free(w);
}

static void test_manual_holds_the_operators_number(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    assert_true(world_command(w, CMD_MANUAL, 0).accepted);
    assert_true(world_command(w, CMD_SCALE, 4).accepted);
    world_run(w, 20 * MIN);
    assert_int_equal(world_look(w)->ready, 4);
    assert_true(world_look(w)->manual);
    assert_true(world_command(w, CMD_AUTO, 0).accepted);
    assert_true(world_settle(w, 1, 5 * MIN));
    world_free(w);
}

static void test_an_order_outlives_its_controller(void **state)
{
    const struct hold manual = {.manual = true, .count = 4, .override_until = USEC_NEVER};
    struct world *w = begin(0);
    struct hold floor = {.override = OVERRIDE_FLOOR, .override_count = 3};
    (void)state;
    engine_resume(w->engine, &manual, w->now);
    assert_true(world_settle(w, 4, 20 * SEC));
    assert_true(world_noted(w, "the operator's order stands: MANUAL, held until changed"));
    assert_true(engine_hold(w->engine)->manual);
    world_free(w);

    w = begin(0);
    floor.override_until = w->now + MIN;
    engine_resume(w->engine, &floor, w->now);
    assert_true(world_settle(w, 3, 20 * SEC));
    world_run(w, 2 * MIN);
    assert_int_equal(world_look(w)->ready, 1);
    engine_resume(w->engine, &floor, w->now); /* it has expired */
    world_run(w, MIN);
    assert_int_equal(world_look(w)->ready, 1);
    world_free(w);
}

static void test_a_restart_says_what_it_is(void **state)
{
    struct world *w = begin(0);
    (void)state;
    w->start_fails = true;
    world_run(w, 5 * SEC);
    assert_int_equal(world_look(w)->instances[0].state, INSTANCE_BACKOFF);
    assert_string_equal(world_command(w, CMD_INSTANCE_RESTART, 1).text, "i1 starts again now");
    world_run(w, 5 * MIN);
    assert_int_equal(world_look(w)->instances[0].state, INSTANCE_FAILED);
    w->start_fails = false;
    assert_string_equal(world_command(w, CMD_INSTANCE_RESTART, 1).text, "i1 starts again now");
    world_run(w, 5 * SEC);
    assert_int_equal(world_look(w)->instances[0].state, INSTANCE_READY);
    assert_string_equal(world_command(w, CMD_INSTANCE_RESTART, 1).text, "i1 drains, stops and starts again");
    world_free(w);
}

static void test_refusals_say_why(void **state)
{
    struct world *w = begin(0);
    struct answer answer;
    (void)state;
    world_run(w, 5 * SEC);
    answer = world_command(w, CMD_SCALE, 6);
    assert_false(answer.accepted);
    assert_string_equal(answer.text, "5 is the maximum (scaling.max_instances)");
    assert_string_equal(world_command(w, CMD_SCALE, 0).text, "1 is the minimum (scaling.min_instances)");
    assert_string_equal(world_command(w, CMD_INSTANCE_KILL, 9).text, "there is no i9");
    world_free(w);
}

static void test_orders_for_one_instance(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    world_command(w, CMD_MANUAL, 0);
    world_command(w, CMD_SCALE, 3);
    world_run(w, 5 * SEC);
    assert_true(world_command(w, CMD_INSTANCE_DRAIN, 2).accepted);
    world_run(w, 5 * SEC);
    assert_int_equal(world_look(w)->ready, 2);
    assert_int_equal(world_look(w)->desired, 2);
    assert_true(w->agents[2].removed);
    assert_true(world_command(w, CMD_INSTANCE_RESTART, 3).accepted);
    world_run(w, 5 * SEC);
    assert_int_equal(world_look(w)->ready, 2);
    assert_int_equal(w->agents[3].drains, 0); /* a new life */
    assert_int_equal(world_look(w)->instances[1].restarts, 1);
    assert_true(world_command(w, CMD_INSTANCE_KILL, 1).accepted);
    world_run(w, 5 * SEC);
    assert_int_equal(world_look(w)->ready, 2);
    assert_int_equal(world_look(w)->instances[0].restarts, 1);
    world_free(w);
}

static void test_at_the_minimum_a_drained_one_is_replaced(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    assert_true(world_command(w, CMD_INSTANCE_DRAIN, 1).accepted);
    world_run(w, 2 * SEC);
    assert_int_equal(world_look(w)->ready, 1);
    assert_int_equal(world_look(w)->instances[0].id, 2);
    world_free(w);
}

static void test_new_bounds_take_effect(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    w->config.scaling.min_instances = 3;
    engine_configure(w->engine, &w->config, w->now);
    assert_true(world_settle(w, 3, 5 * SEC));
    w->config.scaling.min_instances = 1;
    w->config.scaling.max_instances = 2;
    engine_configure(w->engine, &w->config, w->now);
    assert_true(world_settle(w, 2, 5 * SEC));
    assert_int_equal(world_decision(w, VERDICT_DOWN)->reasons[0].code, REASON_CUT_TO_MAXIMUM);
    world_free(w);
}

static double one_request(const struct world *w)
{
    return w->level;
}

static void test_sleeps_at_zero_and_wakes(void **state)
{
    struct world *w = world_new();
    (void)state;
    w->config.scaling.min_instances = 0;
    w->demand = one_request;
    world_begin(w);
    world_run(w, 2 * SEC);
    assert_int_equal(world_look(w)->desired, 0);
    w->sample = (struct sample){.at = w->now + 1, .queue = 1, .replicas = -1, .cpu_pct = NAN, .rpm = NAN};
    engine_step(w->engine, &w->sample, w->now + 1);
    assert_int_equal(world_decision(w, VERDICT_UP)->reasons[0].code, REASON_WAKE);
    world_run(w, SEC);
    assert_int_equal(world_look(w)->ready, 1);
    w->level = 1; /* idle, but used */
    world_run(w, 2 * MIN);
    assert_int_equal(world_look(w)->ready, 1);
    w->level = 0;
    assert_true(world_settle(w, 0, 2 * MIN));
    world_free(w);
}

static void test_adopted_instances_stay(void **state)
{
    struct world *w = world_new();
    (void)state;
    world_begin(w);
    for (int id = 3; id <= 5; id++) {
        w->agents[id] = (struct agent){.spawned = true, .alive = true, .pid = 4000 + id};
        assert_true(engine_adopt(w->engine, id, 4000 + id, 5000 + id, true, w->now - USEC_PER_HOUR, w->now));
    }
    assert_false(engine_adopt(w->engine, 3, 1, 1, true, 0, w->now));
    world_run(w, 3 * SEC);
    assert_int_equal(world_look(w)->ready, 3);
    assert_int_equal(w->actions[ACTION_SPAWN], 0);
    assert_int_equal(w->actions[ACTION_ADMIT], 3);
    world_command(w, CMD_SCALE, 4);
    assert_true(w->agents[6].spawned);
    world_free(w);
}

/* Two were wanted; i5 is new, i3 and i4 have yet to go. One may not be ready: i3, as it was on its way out,
 * or i5, as it was still starting; 0: all are. */
static void roll_on(int unready)
{
    static const int old[] = {3, 4, 9};
    struct world *w = world_new();
    w->config.scaling.min_instances = w->config.scaling.max_instances = 2;
    world_begin(w);
    for (int id = 3; id <= 5; id++) {
        bool ready = id != unready;
        w->agents[id] = (struct agent){.spawned = true, .alive = true, .pid = 4000 + id};
        assert_true(engine_adopt(w->engine, id, 4000 + id, 5000 + id, ready, w->now - USEC_PER_HOUR, w->now));
        if (!ready)
            world_event(w, SEC, EVENT_HEALTHY, id, "");
    }
    engine_roll_resume(w->engine, old, 3, 2, w->now);
    assert_true(world_noted(w, "the roll goes on, 2 to replace"));
    assert_int_equal(engine_roll_wanted(w->engine), 2);
    assert_true(engine_roll_has(w->engine, 4));
    assert_false(engine_roll_has(w->engine, 5));
    while (world_look(w)->rolling) {
        assert_in_range(world_look(w)->ready, 2, 3);
        world_run(w, 50 * USEC_PER_MSEC);
        assert_true(w->now < USEC_PER_HOUR + MIN);
    }
    assert_true(world_settle(w, 2, SEC));
    assert_true(world_noted(w, "the roll is done"));
    assert_int_equal(world_look(w)->instances[0].id, 5);
    assert_int_equal(w->actions[ACTION_SPAWN], 1);
    assert_true(w->most_alive <= 3);
    assert_int_equal(engine_roll_wanted(w->engine), 0);
    world_free(w);
}

static void test_a_roll_outlives_its_controller(void **state)
{
    (void)state;
    roll_on(0);
    roll_on(3);
    roll_on(5);
}

static void test_a_roll_of_none_that_live_is_over(void **state)
{
    static const int old[] = {3, 4};
    struct world *w = world_new();
    (void)state;
    world_begin(w);
    engine_roll_resume(w->engine, old, 2, 2, w->now);
    assert_false(world_noted(w, "the roll"));
    assert_true(world_settle(w, 1, 5 * SEC));
    assert_int_equal(engine_roll_wanted(w->engine), 0);
    world_free(w);
}

static void test_dry_run_changes_nothing(void **state)
{
    struct world *w = begin(1000);
    (void)state;
    engine_set_dry_run(w->engine, true);
    world_run(w, MIN);
    assert_int_equal(world_look(w)->desired, 1);
    assert_int_equal(w->actions[ACTION_SPAWN], 1);
    assert_true(world_has_reason(world_decision(w, VERDICT_UP), REASON_DRY_RUN));
    assert_false(world_command(w, CMD_SCALE, 2).accepted);
    world_free(w);
}

/* Its health checks know nothing of what the balancer sees. */
static void test_an_ejected_instance_says_so(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    for (int ejected = 1; ejected >= 0; ejected--) {
        w->sample.at = ++w->now;
        w->sample.instances[0].ejected = ejected;
        w->next_step = w->now + SEC;
        engine_step(w->engine, &w->sample, w->now);
        const struct instance_view *view = &world_look(w)->instances[0];
        assert_int_equal(view->state, INSTANCE_READY);
        assert_int_equal(strstr(view->cause, "the balancer gives it no requests") != NULL, ejected);
    }
    world_free(w);
}

static void test_scale_in_takes_the_least_busy(void **state)
{
    struct world *w = begin(0);
    (void)state;
    world_run(w, 5 * SEC);
    world_command(w, CMD_MANUAL, 0);
    world_command(w, CMD_SCALE, 3);
    world_run(w, 5 * SEC);
    w->sample.at = ++w->now;
    for (int i = 0; i < 3; i++)
        w->sample.instances[i].in_flight = i == 1 ? 0 : 4;
    w->next_step = w->now + SEC;
    engine_step(w->engine, &w->sample, w->now);
    world_command(w, CMD_SCALE, 2);
    assert_true(w->agents[2].draining);
    world_command(w, CMD_SCALE, 1);
    assert_true(w->agents[3].draining); /* of equals the youngest */
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_the_minimum),
        cmocka_unit_test(test_climbs_under_saturating_load_and_returns),
        cmocka_unit_test(test_gives_each_step_its_reason),
        cmocka_unit_test(test_follows_a_ramp),
        cmocka_unit_test(test_tracking_jumps_to_the_count_that_fits),
        cmocka_unit_test(test_a_short_spike_changes_nothing),
        cmocka_unit_test(test_steady_noise_does_not_flap),
        cmocka_unit_test(test_missing_data_holds),
        cmocka_unit_test(test_short_dips_do_not_hide_a_load),
        cmocka_unit_test(test_no_piling_on),
        cmocka_unit_test(test_a_gap_is_dropped),
        cmocka_unit_test(test_a_gap_ends_no_start),
        cmocka_unit_test(test_a_crash_is_replaced_at_once),
        cmocka_unit_test(test_a_hopeless_start_is_tried_now_and_then_and_at_once_by_order),
        cmocka_unit_test(test_a_roll_keeps_the_capacity),
        cmocka_unit_test(test_a_reload_tries_again),
        cmocka_unit_test(test_a_crash_loop_backs_off),
        cmocka_unit_test(test_never_ready_gets_no_request),
        cmocka_unit_test(test_two_hundred_die_at_once),
        cmocka_unit_test(test_a_start_that_becomes_possible_is_found_without_help),
        cmocka_unit_test(test_unready_is_taken_out_and_put_back),
        cmocka_unit_test(test_all_unready_serve_on),
        cmocka_unit_test(test_silent_for_long_is_replaced),
        cmocka_unit_test(test_ignored_term_ends_in_kill),
        cmocka_unit_test(test_stop_drains_all),
        cmocka_unit_test(test_a_stop_can_be_hurried),
        cmocka_unit_test(test_an_operators_step_is_a_floor_that_expires),
        cmocka_unit_test(test_a_ceiling_holds_against_load),
        cmocka_unit_test(test_manual_holds_the_operators_number),
        cmocka_unit_test(test_an_order_outlives_its_controller),
        cmocka_unit_test(test_a_restart_says_what_it_is),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_orders_for_one_instance),
        cmocka_unit_test(test_at_the_minimum_a_drained_one_is_replaced),
        cmocka_unit_test(test_new_bounds_take_effect),
        cmocka_unit_test(test_sleeps_at_zero_and_wakes),
        cmocka_unit_test(test_adopted_instances_stay),
        cmocka_unit_test(test_a_roll_outlives_its_controller),
        cmocka_unit_test(test_a_roll_of_none_that_live_is_over),
        cmocka_unit_test(test_dry_run_changes_nothing),
        cmocka_unit_test(test_an_ejected_instance_says_so),
        cmocka_unit_test(test_scale_in_takes_the_least_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
