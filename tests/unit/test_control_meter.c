/* SPDX-License-Identifier: MIT */
#include "control/backends.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START (1000 * USEC_PER_SEC)

static struct meter *new_meter(void)
{
    struct meter *m = calloc(1, sizeof *m);
    meter_start(m, START);
    return m;
}

static void read_at(struct meter *m, double seconds, uint64_t requests, uint64_t errors)
{
    meter_read(m, START + (usec_t)(seconds * USEC_PER_SEC), requests, errors);
    meter_read_end(m);
}

static double rpm_at(const struct meter *m, double seconds)
{
    return meter_rpm(m, START + (usec_t)(seconds * USEC_PER_SEC));
}

static void test_rpm_is_the_last_sixty_seconds(void **state)
{
    (void)state;
    struct meter *m = new_meter();
    for (int s = 1; s <= 30; s++)
        read_at(m, s, (uint64_t)s * 10, 0);
    assert_float_equal(rpm_at(m, 30), 300, 1);
    for (int s = 31; s <= 120; s++)
        read_at(m, s, 300, 0);
    /* At 75 s the window begins at 15 s: 150 of the 300 had been counted by then. */
    assert_float_equal(rpm_at(m, 120), 0, 1);
    free(m);

    m = new_meter();
    for (int s = 1; s <= 75; s++)
        read_at(m, s, (uint64_t)(s < 30 ? s : 30) * 10, 0);
    assert_float_equal(rpm_at(m, 75), 150, 1);
    free(m);
}

static void test_readings_closer_than_the_marks(void **state)
{
    (void)state;
    struct meter *m = new_meter();
    for (int i = 1; i <= 2000; i++)
        read_at(m, i * 0.1, (uint64_t)i, 0);
    assert_float_equal(rpm_at(m, 200), 600, 6);
    free(m);
}

static void test_a_source_that_starts_again_loses_nothing(void **state)
{
    (void)state;
    struct meter *m = new_meter();
    read_at(m, 1, 100, 0);
    read_at(m, 2, 20, 0); /* a new process: 20 since its start */
    assert_float_equal(rpm_at(m, 2), 120, 0.1);
    free(m);
}

static void test_an_unknown_source_counts_from_its_first_reading(void **state)
{
    (void)state;
    struct meter *m = new_meter();
    meter_start_unknown(m, START);
    meter_read(m, START, 1000000, 5);
    meter_read_latency(m, 10, 1000000);
    meter_read_end(m);
    assert_float_equal(rpm_at(m, 0), 0, 0.1);
    meter_read(m, START + USEC_PER_SEC, 1000007, 5);
    meter_read_latency(m, 10, 1000003);
    meter_read_end(m);
    assert_float_equal(rpm_at(m, 1), 7, 0.1);
    struct histogram h = {0};
    meter_latency(m, START + USEC_PER_SEC, &h);
    assert_int_equal(h.count, 3);
    free(m);
}

static void test_errors_are_a_share_of_the_recent_requests(void **state)
{
    (void)state;
    struct meter *m = new_meter();
    assert_true(isnan(meter_error_pct(m, START)));
    read_at(m, 1, 100, 50);
    assert_float_equal(meter_error_pct(m, START + USEC_PER_SEC), 50, 0.1);
    for (int s = 2; s <= 20; s++)
        read_at(m, s, 100 + (uint64_t)s, 50);
    assert_float_equal(meter_error_pct(m, START + 20 * USEC_PER_SEC), 0, 0.1);
    free(m);
}

static void test_latencies_age_out(void **state)
{
    (void)state;
    struct meter *m = new_meter();
    unsigned slow = histogram_bucket(500000), fast = histogram_bucket(1000);
    read_at(m, 1, 10, 0);
    meter_read_latency(m, slow, 10);
    struct histogram h = {0};
    meter_latency(m, START + 1 * USEC_PER_SEC, &h);
    assert_in_range(histogram_quantile(&h, 0.5), 480000, 520000);

    for (int s = 2; s <= 14; s++) {
        read_at(m, s, 10 + (uint64_t)s, 0);
        meter_read_latency(m, slow, 10);
        meter_read_latency(m, fast, (uint64_t)s);
    }
    histogram_clear(&h);
    meter_latency(m, START + 14 * USEC_PER_SEC, &h);
    assert_in_range(histogram_quantile(&h, 0.99), 900, 1100);

    /* Nothing was read for a while: what is old is not shown as now. */
    histogram_clear(&h);
    meter_latency(m, START + 60 * USEC_PER_SEC, &h);
    assert_int_equal(h.count, 0);
    free(m);
}

/* Backends */

static struct backends *new_backends(void)
{
    struct backends *b = calloc(1, sizeof *b);
    assert_int_equal(backends_init(b, START), 0);
    return b;
}

static void free_backends(struct backends *b)
{
    backends_fini(b);
    free(b);
}

static void assert_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static bool read_text(struct backends *b, const char *text, usec_t now)
{
    json_t *stats = json_loads(text, 0, NULL);
    assert_non_null(stats);
    bool good = backends_read(b, stats, now);
    json_decref(stats);
    return good;
}

static void test_the_set_is_absolute(void **state)
{
    (void)state;
    struct backends *b = new_backends();
    assert_int_equal(backends_admit(b, 1, "127.0.0.1:5000", START), 0);
    assert_int_equal(backends_admit(b, 2, "127.0.0.1:5001", START), 0);
    assert_true(b->changed);
    assert_true(backends_drain(b, 2));
    assert_json(backends_to_json(b), "[{\"id\":\"i1\",\"address\":\"127.0.0.1:5000\",\"state\":\"ready\"},"
                                     "{\"id\":\"i2\",\"address\":\"127.0.0.1:5001\",\"state\":\"drain\"}]");
    backends_remove(b, 1);
    assert_json(backends_to_json(b), "[{\"id\":\"i2\",\"address\":\"127.0.0.1:5001\",\"state\":\"drain\"}]");
    assert_false(backends_drain(b, 1));
    free_backends(b);
}

/* Its health is doubtful: nothing new, but what it has goes on and is waited for when it is to leave. */
static void test_one_that_is_out_is_not_forgotten(void **state)
{
    (void)state;
    struct backends *b = new_backends();
    struct sample *sample = calloc(1, sizeof *sample);
    sample->rpm = NAN;
    sample->instance_count = 1;
    sample->instances[0] = (struct instance_sample){.id = 1, .rpm = NAN};
    backends_admit(b, 1, "127.0.0.1:5000", START);
    assert_true(read_text(b, "{\"total\":{},\"backends\":[{\"id\":\"i1\",\"requests\":600,\"in_flight\":1}]}",
                          START + USEC_PER_SEC));
    b->changed = false;
    backends_eject(b, 1);
    assert_true(b->changed);
    assert_json(backends_to_json(b), "[]");
    assert_true(read_text(b, "{\"total\":{},\"backends\":[]}", START + 2 * USEC_PER_SEC));
    backends_admit(b, 1, "127.0.0.1:5000", START + 2 * USEC_PER_SEC);
    assert_true(read_text(b, "{\"total\":{},\"backends\":[{\"id\":\"i1\",\"requests\":601}]}",
                          START + 3 * USEC_PER_SEC));
    backends_sample(b, sample, START + 3 * USEC_PER_SEC);
    assert_float_equal(sample->instances[0].rpm, 601, 0.1);
    assert_int_equal(sample->instances[0].in_flight, 0);

    backends_eject(b, 1);
    assert_false(backends_drained(b, 1));
    assert_true(backends_drain(b, 1));
    assert_json(backends_to_json(b), "[{\"id\":\"i1\",\"address\":\"127.0.0.1:5000\",\"state\":\"drain\"}]");
    free(sample);
    free_backends(b);
}

static void test_the_balancer_tells_which_it_ejects(void **state)
{
    (void)state;
    static const char *const told[] = {"ready", "ejected", "ready"};
    struct backends *b = new_backends();
    struct sample *sample = calloc(1, sizeof *sample);
    sample->instance_count = 1;
    sample->instances[0] = (struct instance_sample){.id = 1};
    backends_admit(b, 1, "127.0.0.1:5000", START);
    for (int i = 0; i < 3; i++) {
        usec_t now = START + (i + 1) * USEC_PER_SEC;
        char stats[96];
        snprintf(stats, sizeof stats, "{\"total\":{},\"backends\":[{\"id\":\"i1\",\"state\":\"%s\"}]}",
                 told[i]);
        assert_true(read_text(b, stats, now));
        backends_sample(b, sample, now);
        assert_int_equal(sample->instances[0].ejected, i == 1);
    }
    free(sample);
    free_backends(b);
}

static void test_drained_is_told_once_and_only_when_draining(void **state)
{
    (void)state;
    struct backends *b = new_backends();
    backends_admit(b, 1, "127.0.0.1:5000", START);
    assert_false(backends_drained(b, 1));
    backends_drain(b, 1);
    assert_true(backends_drained(b, 1));
    assert_false(backends_drained(b, 1));
    backends_admit(b, 1, "127.0.0.1:5000", START); /* back again, and out a second time */
    backends_drain(b, 1);
    assert_true(backends_drained(b, 1));
    free_backends(b);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(backends_parse_name("i12"), 12);
    assert_int_equal(backends_parse_name("12"), 0);
    assert_int_equal(backends_parse_name("i"), 0);
    assert_int_equal(backends_parse_name("i-3"), 0);
    assert_int_equal(backends_parse_name("i99999999999"), 0);
    assert_int_equal(backends_parse_name(NULL), 0);
}

static void test_stats_reach_the_sample(void **state)
{
    (void)state;
    struct backends *b = new_backends();
    struct sample *sample = calloc(1, sizeof *sample);
    struct balancer_view view = {.pid = 7};
    backends_admit(b, 1, "127.0.0.1:5000", START);
    usec_t now = START + USEC_PER_SEC;
    assert_true(
        read_text(b,
                  "{\"event\":\"stats\",\"priority\":-10,\"total\":{\"requests\":60,\"errors\":3,"
                  "\"responses\":{\"5xx\":3},\"in_flight\":4,\"queue\":2,\"latency\":[[100,60]]},"
                  "\"backends\":[{\"id\":\"i1\",\"requests\":57,\"in_flight\":4,\"latency\":[[100,57]]},"
                  "{\"id\":\"i9\",\"requests\":3},{\"id\":5},17]}",
                  now));
    sample->rpm = NAN;
    sample->instance_count = 2;
    sample->instances[0] = (struct instance_sample){.id = 1, .rpm = NAN};
    sample->instances[1] = (struct instance_sample){.id = 2, .in_flight = -1, .rpm = NAN};
    backends_sample(b, sample, now);
    assert_float_equal(sample->rpm, 60, 0.1);
    assert_int_equal(sample->in_flight, 4);
    assert_int_equal(sample->queue, 2);
    assert_true(sample->p50_us > 0);
    assert_float_equal(sample->instances[0].rpm, 57, 0.1);
    assert_int_equal(sample->instances[0].in_flight, 4);
    assert_true(isnan(sample->instances[1].rpm));
    assert_int_equal(sample->instances[1].in_flight, -1);

    backends_view(b, &view, now);
    assert_int_equal(view.pid, 7);
    assert_int_equal(view.priority, -10);
    assert_int_equal(view.requests, 60);

    /* What the application has counted itself includes requests that went past the balancer. */
    sample->rpm = sample->instances[0].rpm = 90;
    backends_sample(b, sample, now);
    assert_float_equal(sample->rpm, 90, 0);
    assert_float_equal(sample->instances[0].rpm, 90, 0);

    /* A balancer that has gone silent measures nothing. */
    sample->rpm = NAN;
    backends_sample(b, sample, now + 30 * USEC_PER_SEC);
    assert_true(isnan(sample->rpm));
    free(sample);
    free_backends(b);
}

/* One taken over has counted before we looked; one that is new begins at zero. */
static void test_only_a_new_balancer_begins_at_zero(void **state)
{
    (void)state;
    static const char text[] =
        "{\"total\":{\"requests\":1000},\"backends\":[{\"id\":\"i1\",\"requests\":600}]}";
    for (int turn = 0; turn < 4; turn++) {
        int adopted = turn % 2, first = turn / 2; /* what is known first: the instance or the balancer */
        struct backends *b = new_backends();
        struct sample *sample = calloc(1, sizeof *sample);
        sample->rpm = NAN;
        sample->instance_count = 1;
        sample->instances[0] = (struct instance_sample){.id = 1, .rpm = NAN};
        if (first == 0)
            backends_admit(b, 1, "127.0.0.1:5000", START);
        backends_restart(b, adopted != 0, START);
        if (first != 0)
            backends_admit(b, 1, "127.0.0.1:5000", START);
        assert_true(read_text(b, text, START + USEC_PER_SEC));
        backends_sample(b, sample, START + USEC_PER_SEC);
        assert_float_equal(sample->rpm, adopted ? 0 : 1000, 0.1);
        assert_float_equal(sample->instances[0].rpm, adopted ? 0 : 600, 0.1);
        free(sample);
        free_backends(b);
    }
}

/* Nobody could be sent them, yet users asked and failed: that shows, and wakes from zero. */
static void test_requests_nobody_could_take_count(void **state)
{
    (void)state;
    struct backends *b = new_backends();
    struct sample *sample = calloc(1, sizeof *sample);
    usec_t now = START + USEC_PER_SEC;
    assert_true(read_text(b, "{\"total\":{\"requests\":30,\"unavailable\":10},\"backends\":[]}", now));
    sample->rpm = NAN;
    backends_sample(b, sample, now);
    assert_float_equal(sample->rpm, 40, 0.1);
    assert_float_equal(sample->error_pct, 25, 0.1);
    free(sample);
    free_backends(b);
}

static void test_nonsense_is_not_read(void **state)
{
    (void)state;
    struct backends *b = new_backends();
    assert_false(read_text(b, "{}", START));
    assert_false(read_text(b, "{\"total\":5,\"backends\":[]}", START));
    assert_false(read_text(b, "{\"total\":{},\"backends\":{}}", START));
    assert_true(
        read_text(b,
                  "{\"total\":{\"requests\":-5,\"in_flight\":\"x\",\"latency\":[[-1,5],[99999,5],[1],3,"
                  "[5,-5]]},\"backends\":[]}",
                  START));
    assert_int_equal(b->last.requests, 0);
    free_backends(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpm_is_the_last_sixty_seconds),
        cmocka_unit_test(test_readings_closer_than_the_marks),
        cmocka_unit_test(test_a_source_that_starts_again_loses_nothing),
        cmocka_unit_test(test_an_unknown_source_counts_from_its_first_reading),
        cmocka_unit_test(test_errors_are_a_share_of_the_recent_requests),
        cmocka_unit_test(test_latencies_age_out),
        cmocka_unit_test(test_the_set_is_absolute),
        cmocka_unit_test(test_drained_is_told_once_and_only_when_draining),
        cmocka_unit_test(test_one_that_is_out_is_not_forgotten),
        cmocka_unit_test(test_the_balancer_tells_which_it_ejects),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_stats_reach_the_sample),
        cmocka_unit_test(test_only_a_new_balancer_begins_at_zero),
        cmocka_unit_test(test_requests_nobody_could_take_count),
        cmocka_unit_test(test_nonsense_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
