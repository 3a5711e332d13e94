/* SPDX-License-Identifier: MIT */
/* The engine behind its door: a target that takes a count, the journal, previews, the snapshot, and chaos. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_state.h"
#include "world.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEC USEC_PER_SEC

/* A remote application: CPU follows replicas, replicas follow orders unless it is stuck. */
struct remote {
    struct config config;
    struct engine *engine;
    struct snapshot *snapshot;
    usec_t now;
    int replicas, orders, last_order, reversals, direction;
    double demand;  /* in replicas at 100% */
    double failing; /* share of the steps without an answer */
    bool stuck, silent;
    struct random random;
    double cpu_sum, cpu_time;
};

static struct remote *remote_new(int replicas, double demand)
{
    struct remote *r = calloc(1, sizeof *r);
    assert_non_null(r);
    config_init(&r->config);
    r->config.scaling.strategy = CONFIG_STRATEGY_TRACKING;
    r->config.scaling.max_instances = 20;
    r->config.scaling.max_step = 20;
    r->config.scaling.scale_up_threshold = 85;
    r->config.scaling.scale_down_threshold = 75;
    r->config.scaling.target_cpu = 80;
    r->now = USEC_PER_HOUR;
    r->replicas = replicas;
    r->demand = demand;
    return r;
}

static void remote_begin(struct remote *r)
{
    r->engine = engine_init(malloc(engine_size()), &r->config, TARGET_COUNT, 1, r->now);
    r->snapshot = calloc(1, sizeof *r->snapshot);
    assert_non_null(r->engine);
    assert_non_null(r->snapshot);
}

static void remote_free(struct remote *r)
{
    free(r->engine);
    free(r->snapshot);
    free(r);
}

static double remote_cpu(const struct remote *r)
{
    return fmin(100, 100 * r->demand / r->replicas);
}

static void obey(struct remote *r)
{
    struct action action;
    while (engine_next_action(r->engine, &action)) {
        int direction = action.count > r->replicas ? 1 : -1;
        assert_int_equal(action.kind, ACTION_COUNT);
        assert_in_range(action.count, r->config.scaling.min_instances, r->config.scaling.max_instances);
        r->orders++;
        r->last_order = action.count;
        if (r->stuck)
            continue;
        r->reversals += r->direction && direction != r->direction;
        r->direction = direction;
        r->replicas = action.count;
    }
}

static void remote_step(struct remote *r)
{
    struct sample s = {.at = r->now, .cpu_pct = NAN, .host_cpu_pct = NAN, .rpm = NAN, .replicas = -1};
    bool answers = !r->silent && random_unit(&r->random) >= r->failing;
    if (answers) {
        s.cpu_pct = remote_cpu(r);
        s.replicas = r->replicas;
    }
    engine_step(r->engine, answers ? &s : NULL, r->now);
    obey(r);
    r->cpu_sum += remote_cpu(r);
    r->cpu_time++;
    r->now += r->config.scaling.polling_interval;
}

static void remote_run(struct remote *r, int steps)
{
    for (int i = 0; i < steps; i++)
        remote_step(r);
}

static const struct snapshot *remote_look(struct remote *r)
{
    engine_snapshot(r->engine, r->snapshot, r->now);
    return r->snapshot;
}

static struct answer remote_command(struct remote *r, enum command_kind kind, int count)
{
    struct command command = {.id = 5, .kind = kind, .count = count, .instance = count};
    struct answer answer = {0};
    assert_true(engine_command(r->engine, &command, &answer, r->now));
    obey(r);
    return answer;
}

static void test_count_goes_to_the_target(void **state)
{
    struct remote *r = remote_new(10, 10);
    const struct decision *d;
    (void)state;
    remote_begin(r);
    remote_run(r, 30);
    assert_int_equal(r->replicas, 13);
    d = &remote_look(r)->last;
    assert_int_equal(d->verdict, VERDICT_HOLD);
    assert_int_equal(d->reasons[0].code, REASON_INSIDE_BAND);
    r->demand = 4;
    remote_run(r, 60);
    assert_int_equal(r->replicas, 5);
    remote_free(r);
}

static void test_saturation_is_said(void **state)
{
    struct remote *r = remote_new(4, 16);
    bool said = false;
    (void)state;
    remote_begin(r);
    for (int i = 0; i < 40; i++) {
        remote_step(r);
        said |= world_has_reason(&remote_look(r)->last, REASON_SATURATED);
    }
    assert_true(said);
    assert_in_range(r->replicas, 19, 20); /* 16 / 19 lies within the band */
    remote_free(r);
}

static void test_a_day_at_the_target(void **state)
{
    struct remote *r = remote_new(8, 8);
    double mean;
    (void)state;
    r->failing = 0.2;
    remote_begin(r);
    for (int minute = 0; minute < 24; minute++) {
        int before = r->reversals;
        for (int s = 0; s < 60; s++) {
            double day = (minute * 60 + s) / (24.0 * 60);
            r->demand = 0.8 * (14 - 6 * cos(2 * M_PI * day));
            remote_step(r);
        }
        assert_in_range(r->reversals - before, 0, 1);
    }
    mean = r->cpu_sum / r->cpu_time;
    if (fabs(mean - 80) > 3)
        fail_msg("mean cpu %.1f%%", mean);
    remote_free(r);
}

static void test_silence_keeps_the_count(void **state)
{
    struct remote *r = remote_new(10, 10);
    int replicas;
    (void)state;
    remote_begin(r);
    remote_run(r, 30);
    replicas = r->replicas;
    r->silent = true;
    r->demand = 0.1;
    remote_run(r, 600);
    assert_int_equal(r->replicas, replicas);
    assert_int_equal(remote_look(r)->last.reasons[0].code, REASON_TARGET_DOWN);
    r->silent = false;
    remote_run(r, 60);
    assert_int_equal(r->replicas, 1);
    remote_free(r);
}

static void test_nothing_is_ordered_before_the_count_is_known(void **state)
{
    struct remote *r = remote_new(10, 10);
    (void)state;
    r->silent = true;
    remote_begin(r);
    remote_run(r, 10);
    assert_int_equal(r->orders, 0);
    assert_int_equal(remote_look(r)->last.reasons[0].code, REASON_NO_DATA);
    assert_false(remote_command(r, CMD_SCALE, 5).accepted);
    assert_false(remote_command(r, CMD_MANUAL, 0).accepted);
    remote_free(r);
}

/* How often the journal says so as an error, which is an alert on the screen. */
static int remote_alerts(struct remote *r, const char *words)
{
    const struct snapshot *s = remote_look(r);
    int count = 0;
    for (int i = 0; i < s->journal_count; i++)
        count += s->journal[i].level == LEVEL_ERROR && strstr(s->journal[i].text, words);
    return count;
}

static void test_a_lagging_target_is_told_again_and_shown(void **state)
{
    struct remote *r = remote_new(10, 9.5);
    bool said = false;
    (void)state;
    r->stuck = true;
    remote_begin(r);
    for (int i = 0; i < 30; i++) {
        remote_step(r);
        said |= world_has_reason(&remote_look(r)->last, REASON_TARGET_LAGS);
    }
    assert_true(said);
    assert_in_range(r->orders, 3, 12);
    assert_int_equal(r->last_order, 12);
    assert_int_equal(remote_alerts(r, "not followed 3 orders in a row: 12 ordered, 10 there"), 1);
    r->stuck = false;
    remote_run(r, 10);
    assert_int_equal(r->replicas, 12);
    r->stuck = true;
    r->demand = 11;
    remote_run(r, 30);
    assert_true(r->last_order > 12);
    r->demand = 9.6; /* no longer needed: the order is dropped */
    remote_run(r, 30);
    assert_false(world_has_reason(&remote_look(r)->last, REASON_TARGET_LAGS));
    remote_free(r);
}

static void test_a_count_out_of_bounds_is_put_right(void **state)
{
    struct remote *r = remote_new(30, 24);
    (void)state;
    remote_begin(r);
    remote_run(r, 2);
    assert_int_equal(r->replicas, 20);
    remote_free(r);
}

static void test_what_others_ordered_is_believed(void **state)
{
    struct remote *r = remote_new(10, 8);
    (void)state;
    remote_begin(r);
    remote_run(r, 30);
    assert_int_equal(r->orders, 0);
    r->replicas = 12;
    r->demand = 9.6;
    remote_run(r, 30);
    assert_int_equal(r->orders, 0);
    assert_int_equal(remote_look(r)->desired, 12);
    remote_free(r);
}

static void test_orders_by_hand(void **state)
{
    struct remote *r = remote_new(10, 8);
    struct answer answer;
    (void)state;
    remote_begin(r);
    remote_run(r, 30);
    answer = remote_command(r, CMD_SCALE, 12);
    assert_true(answer.accepted);
    assert_int_equal(answer.id, 5);
    assert_int_equal(r->last_order, 12);
    r->stuck = true;
    /* A second number before the target was read again waits for that. */
    assert_true(remote_command(r, CMD_SCALE, 13).accepted);
    assert_int_equal(r->last_order, 12);
    r->stuck = false;
    remote_run(r, 1);
    assert_int_equal(r->replicas, 13);
    assert_false(remote_command(r, CMD_INSTANCE_KILL, 1).accepted);
    assert_true(remote_command(r, CMD_MANUAL, 0).accepted);
    r->replicas = 5; /* somebody else's hand: MANUAL puts it back */
    remote_run(r, 3);
    assert_int_equal(r->replicas, 13);
    remote_free(r);
}

static void test_an_order_by_hand_says_when_it_goes_out(void **state)
{
    struct remote *r = remote_new(4, 2);
    struct command order = {.id = 1, .kind = CMD_SCALE, .count = 5};
    struct answer answer;
    (void)state;
    remote_begin(r);
    remote_run(r, 5);
    assert_true(engine_command(r->engine, &order, &answer, r->now));
    assert_true(answer.accepted);
    assert_null(strstr(answer.text, "next answer")); /* it is on its way */
    order.count = 6;
    assert_true(engine_command(r->engine, &order, &answer, r->now));
    assert_true(answer.accepted);
    assert_non_null(strstr(answer.text, "next answer"));
    remote_free(r);
}

static void test_a_shorter_interval_is_no_gap(void **state)
{
    struct remote *r = remote_new(4, 2);
    bool gap = false;
    (void)state;
    r->config.scaling.polling_interval = 60 * SEC;
    remote_begin(r);
    remote_run(r, 3);
    r->now -= SEC; /* 59 s after the last step */
    r->config.scaling.polling_interval = SEC;
    engine_configure(r->engine, &r->config, r->now);
    r->now += SEC;
    remote_step(r);
    engine_snapshot(r->engine, r->snapshot, r->now);
    for (int i = 0; i < r->snapshot->last.reason_count; i++)
        gap |= r->snapshot->last.reasons[i].code == REASON_GAP;
    assert_false(gap);
    remote_free(r);
}

static void test_stopping_leaves_a_remote_target_alone(void **state)
{
    struct remote *r = remote_new(10, 10);
    int orders;
    (void)state;
    remote_begin(r);
    remote_run(r, 30);
    orders = r->orders;
    engine_stop(r->engine, r->now);
    r->demand = 20;
    remote_run(r, 30);
    assert_int_equal(r->orders, orders);
    assert_true(engine_stopped(r->engine));
    remote_free(r);
}

static double busy(const struct world *w)
{
    return w->level;
}

static void test_equal_holds_fold(void **state)
{
    struct world *w = world_new();
    const struct snapshot *s;
    int holds = 0, repeats = 0;
    (void)state;
    w->demand = busy;
    w->level = 25;
    w->noise = 0.1;
    world_begin(w);
    world_run(w, 10 * USEC_PER_MIN);
    s = world_look(w);
    for (int i = 0; i < s->journal_count; i++)
        if (s->journal[i].kind == JOURNAL_DECISION && s->journal[i].decision.verdict == VERDICT_HOLD) {
            holds++;
            repeats += s->journal[i].decision.repeats;
        }
    assert_in_range(holds, 1, 6);
    assert_in_range(repeats, 597, 600);
    world_free(w);
}

static void test_journal_numbers_never_repeat(void **state)
{
    struct world *w = world_new();
    const struct snapshot *s;
    (void)state;
    world_begin(w);
    for (int i = 0; i < 1000; i++)
        engine_note(w->engine, LEVEL_INFO, 0, "line", w->now + i);
    s = world_look(w);
    assert_int_equal(s->journal_count, JOURNAL_MAX);
    for (int i = 0; i < s->journal_count; i++)
        assert_int_equal(s->journal[i].seq, 1000 - JOURNAL_MAX + 1 + i);
    world_free(w);
}

static void test_history_keeps_the_newest(void **state)
{
    struct world *w = world_new();
    const struct snapshot *s;
    (void)state;
    world_begin(w);
    world_run(w, (HISTORY_MAX + 100) * SEC);
    s = world_look(w);
    assert_int_equal(s->history_count, HISTORY_MAX);
    assert_int_equal(s->history[HISTORY_MAX - 1].at, w->now);
    for (int i = 1; i < s->history_count; i++)
        assert_int_equal(s->history[i].at - s->history[i - 1].at, SEC);
    world_free(w);
}

static void test_preview_changes_nothing(void **state)
{
    struct world *w = world_new();
    void *scratch = malloc(engine_size()), *before = malloc(engine_size());
    struct config config;
    struct decision d;
    (void)state;
    w->demand = busy;
    w->level = 25;
    world_begin(w);
    world_run(w, USEC_PER_MIN);
    memcpy(before, w->engine, engine_size());
    config = w->config;
    config.scaling.scale_up_threshold = 20;
    engine_preview(w->engine, scratch, &config, w->now, &d);
    assert_int_equal(d.verdict, VERDICT_UP);
    assert_int_equal(d.to, 2);
    config = w->config;
    engine_preview(w->engine, scratch, &config, w->now, &d);
    assert_int_equal(d.verdict, VERDICT_HOLD);
    assert_int_equal(d.from, 1);
    config.scaling.strategy = CONFIG_STRATEGY_TRACKING;
    config.scaling.scale_up_threshold = 20;
    config.scaling.target_cpu = 10;
    engine_preview(w->engine, scratch, &config, w->now, &d);
    assert_int_equal(d.reasons[0].code, REASON_TRACKING);
    assert_memory_equal(before, w->engine, engine_size());
    free(scratch);
    free(before);
    world_free(w);
}

static double few(const struct world *w)
{
    (void)w;
    return 20; /* CPU alone would leave it at one */
}

/* A signal beside CPU asks for more, and is named; when it is gone both must be low. */
static void test_scales_by_another_signal(void **state)
{
    struct world *w = world_new();
    const struct decision *d;
    (void)state;
    w->demand = few;
    w->config.scaling.signals[SIGNAL_RPM] = (struct config_signal){.up.count = 500, .down.count = 100};
    world_begin(w);
    world_run(w, USEC_PER_MIN);
    d = world_decision(w, VERDICT_UP);
    assert_int_equal(d->reasons[0].code, REASON_ABOVE_UP);
    assert_int_equal(d->reasons[0].signal, SIGNAL_RPM);
    assert_int_equal(world_look(w)->ready, 3); /* 20% are 1200 a minute */
    w->config.scaling.signals[SIGNAL_RPM].up.count = 0;
    engine_configure(w->engine, &w->config, w->now);
    assert_true(world_settle(w, 2, USEC_PER_MIN)); /* by CPU alone */
    world_free(w);
}

/* The headline shows what the decision was taken on. */
static void test_snapshot_shows_the_headline(void **state)
{
    struct world *w = world_new();
    const struct snapshot *s;
    (void)state;
    w->demand = busy;
    w->level = 25;
    world_begin(w);
    world_run(w, 30 * SEC);
    s = world_look(w);
    assert_true(s->cpu_pct > 24 && s->cpu_pct < 26);
    assert_true(s->host_cpu_pct == 50);
    assert_true(s->history[s->history_count - 1].cpu_pct > 24);
    w->blind = true;
    world_run(w, 2 * SEC);
    assert_true(isnan(world_look(w)->cpu_pct));
    world_free(w);
}

static void test_snapshot_shows_the_outlook(void **state)
{
    struct world *w = world_new();
    const struct snapshot *s;
    (void)state;
    w->demand = busy;
    w->level = 25;
    w->config.scaling.stabilization = 10 * SEC;
    world_begin(w);
    world_run(w, 30 * SEC);
    w->level = 90;
    world_run(w, 5 * SEC);
    s = world_look(w);
    assert_int_equal(s->outlook.above_need, 10 * SEC);
    assert_in_range(s->outlook.above_for, 4 * SEC, 6 * SEC);
    assert_true(s->outlook.value > 89 && s->outlook.value < 91);
    assert_int_equal(s->outlook.next_step_at, w->next_step);
    assert_int_equal(s->instances[0].pid, 4001);
    assert_int_equal(s->instances[0].port, 5001);
    world_free(w);
}

static void test_foreign_commands_are_not_ours(void **state)
{
    struct world *w = world_new();
    struct command command = {.kind = CMD_LOAD_START};
    struct answer answer;
    (void)state;
    world_begin(w);
    assert_false(engine_command(w->engine, &command, &answer, w->now));
    world_free(w);
}

static void chaos_turn(struct world *w, struct random *random)
{
    static const enum command_kind kinds[] = {CMD_SCALE,          CMD_AUTO,          CMD_MANUAL,
                                              CMD_INSTANCE_DRAIN, CMD_INSTANCE_STOP, CMD_INSTANCE_RESTART,
                                              CMD_INSTANCE_KILL,  CMD_ROLL};
    static const char *const ends[] = {"killed by SIGKILL", "exit status 1", ""};
    int last = w->engine->fleet.next_id;
    int id = 1 + (int)random_below(random, (uint64_t)last);
    enum command_kind kind = kinds[random_below(random, sizeof kinds / sizeof *kinds)];
    switch (random_below(random, 8)) {
    case 0:
        if (w->agents[id].alive)
            world_crash(w, id, ends[random_below(random, 3)]);
        break;
    case 1:
        world_event(w, 0, random_below(random, 4) ? EVENT_UNHEALTHY : EVENT_SUSPENDED, id, "status 500");
        break;
    case 2:
        world_event(w, 0, EVENT_DRAINED, id, ""); /* late answers, out of turn */
        break;
    case 3:
        w->level = (double)random_below(random, 900);
        break;
    case 4:
        w->start_fails = random_below(random, 4) == 0;
        w->deaf = random_below(random, 3) == 0;
        w->blind = random_below(random, 4) == 0;
        w->never_ready = random_below(random, 6) == 0;
        break;
    case 5:
        w->config.scaling.max_instances = 1 + (int)random_below(random, 12);
        w->config.scaling.min_instances =
            1 + (int)random_below(random, (uint64_t)w->config.scaling.max_instances);
        engine_configure(w->engine, &w->config, w->now);
        break;
    default:
        world_command(w, kind, kind == CMD_SCALE ? (int)random_below(random, 14) : id);
    }
    world_take_actions(w);
}

/* Whatever comes in whatever order: the bounds hold, none is lost, and all end in order. The rules that hold
 * for every action are checked by the world. */
static void chaos(uint64_t seed)
{
    struct world *w = world_new();
    struct random random = {seed};
    w->demand = busy;
    world_begin(w);
    for (int i = 0; i < 300; i++) {
        const struct snapshot *s;
        chaos_turn(w, &random);
        world_run(w, (usec_t)random_below(&random, 2 * USEC_PER_SEC));
        s = world_look(w);
        assert_in_range(s->desired, 1, 12);
        for (int k = 0; k < s->instance_count; k++)
            assert_true(s->instances[k].state > INSTANCE_NONE);
    }
    w->start_fails = w->never_ready = w->deaf = w->blind = false;
    engine_configure(w->engine, &w->config, w->now);
    world_command(w, CMD_AUTO, 0);
    w->level = 0;
    for (int id = 1; id < w->engine->fleet.next_id; id++)
        if (w->agents[id].alive && fleet_find(&w->engine->fleet, id)->state == INSTANCE_UNREADY)
            world_event(w, 0, EVENT_HEALTHY, id, "");
    if (!world_settle(w, w->config.scaling.min_instances, 40 * USEC_PER_MIN))
        fail_msg("seed %d: %d ready of %d, %d instances", (int)seed, world_look(w)->ready,
                 world_look(w)->desired, world_look(w)->instance_count);
    engine_stop(w->engine, w->now);
    world_run(w, 2 * USEC_PER_MIN);
    assert_true(engine_stopped(w->engine));
    assert_int_equal(world_alive(w), 0);
    for (int id = 1; id < WORLD_AGENTS; id++)
        assert_int_equal(w->agents[id].spawned, w->agents[id].removed);
    world_free(w);
}

static void test_chaos(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        chaos(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_goes_to_the_target),
        cmocka_unit_test(test_saturation_is_said),
        cmocka_unit_test(test_a_day_at_the_target),
        cmocka_unit_test(test_silence_keeps_the_count),
        cmocka_unit_test(test_nothing_is_ordered_before_the_count_is_known),
        cmocka_unit_test(test_a_lagging_target_is_told_again_and_shown),
        cmocka_unit_test(test_a_count_out_of_bounds_is_put_right),
        cmocka_unit_test(test_what_others_ordered_is_believed),
        cmocka_unit_test(test_orders_by_hand),
        cmocka_unit_test(test_an_order_by_hand_says_when_it_goes_out),
        cmocka_unit_test(test_a_shorter_interval_is_no_gap),
        cmocka_unit_test(test_stopping_leaves_a_remote_target_alone),
        cmocka_unit_test(test_equal_holds_fold),
        cmocka_unit_test(test_journal_numbers_never_repeat),
        cmocka_unit_test(test_history_keeps_the_newest),
        cmocka_unit_test(test_preview_changes_nothing),
        cmocka_unit_test(test_scales_by_another_signal),
        cmocka_unit_test(test_snapshot_shows_the_headline),
        cmocka_unit_test(test_snapshot_shows_the_outlook),
        cmocka_unit_test(test_foreign_commands_are_not_ours),
        cmocka_unit_test(test_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
