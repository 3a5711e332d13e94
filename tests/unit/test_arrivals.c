/* SPDX-License-Identifier: MIT */
/* Streams keep the rate they were asked for, follow their shapes, interleave, and end when nothing is due. */
#include "core/arrivals.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START (1000 * USEC_PER_SEC)

static struct arrivals_shape shape_of(const char *text)
{
    struct arrivals_shape shape;
    char error[128] = "";
    if (!arrivals_parse_shape(text, &shape, error, sizeof error))
        fail_msg("%s: %s", text, error);
    return shape;
}

static struct arrivals stream_of(const char *shape, double rate_rps, enum arrivals_timing timing)
{
    struct arrivals_plan plan = {.rate_rps = rate_rps, .timing = timing, .seed = 7, .shape = shape_of(shape)};
    struct arrivals stream;
    arrivals_init(&stream, &plan, START);
    return stream;
}

/* How many are due before `until`, since the start; they must come in order. */
static int count_before(struct arrivals *stream, usec_t until)
{
    usec_t last = START;
    for (int count = 0;; count++) {
        usec_t due = arrivals_next(stream);
        assert_true(due >= last);
        if (due >= START + until)
            return count;
        last = due;
    }
}

static void even_is_even(void **state)
{
    (void)state;
    struct arrivals stream = stream_of("constant", 400, ARRIVALS_EVEN);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(arrivals_next(&stream), START + i * 2500);
}

static void what_is_due_after_all_time_is_never_due(void **state)
{
    (void)state;
    for (double rate = 1e-10; rate > 1e-300; rate /= 10) {
        struct arrivals stream = stream_of("constant", rate, ARRIVALS_EVEN);
        assert_int_equal(arrivals_next(&stream), START);
        assert_true(arrivals_next(&stream) > START + 1000000 * USEC_PER_HOUR);
        assert_true(arrivals_next(&stream) > START + 1000000 * USEC_PER_HOUR);
        assert_int_equal(arrivals_count(&stream, START + 1000 * USEC_PER_HOUR), 0);
    }
}

/* However far a stream has gone, counting gives what drawing would. */
static void what_is_still_due_can_be_counted(void **state)
{
    (void)state;
    static const char *const shapes[] = {"constant", "ramp,over=5s", "sine,period=3s", "step,low=0%,at=4s",
                                         "spike,low=0%,at=1s,for=500ms,every=3s"};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct arrivals stream = stream_of(shapes[i], 100, ARRIVALS_EVEN);
        for (int taken = 0; taken < 300; taken += 60) {
            struct arrivals copy = stream;
            int64_t counted = arrivals_count(&stream, START + 20 * USEC_PER_SEC);
            int drawn = count_before(&copy, 20 * USEC_PER_SEC);
            if (counted < drawn - 1 || counted > drawn + 1) /* one on the edge may fall on either side */
                fail_msg("%s after %d: %lld counted, %d drawn", shapes[i], taken, (long long)counted, drawn);
            for (int k = 0; k < 60; k++)
                arrivals_next(&stream);
        }
    }
    struct arrivals poisson = stream_of("constant", 100, ARRIVALS_POISSON);
    arrivals_next(&poisson);
    assert_true(llabs(arrivals_count(&poisson, START + 20 * USEC_PER_SEC) - 2000) < 10);
}

/* As many as the cycles they span may be: walked one by one, these would take hours. */
static void long_gaps_and_spans_take_no_longer_than_short_ones(void **state)
{
    (void)state;
    static const char *const shapes[] = {"sine,low=50%,period=1ms", "spike,low=50%,at=0,for=1us,every=2us"};
    for (size_t i = 0; i < 2; i++) {
        struct arrivals stream = stream_of(shapes[i], 1 / 3600.0, ARRIVALS_EVEN);
        for (int k = 0; k < 3; k++)
            assert_true(llabs(arrivals_next(&stream) - START - k * 4800 * USEC_PER_SEC) <= 1000);
        assert_int_equal(arrivals_count(&stream, START + 1000000 * USEC_PER_SEC), 206);
        assert_float_equal(arrivals_mean(&stream.plan.shape, 0, ARRIVALS_DURATION_MAX), 0.75, 1e-6);
    }
}

static void means_are_those_of_the_factors(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        usec_t from_ms, to_ms;
        double mean;
    } cases[] = {
        {"constant", 5, 50, 1},
        {"ramp,low=0%,over=10s", 2000, 4000, 0.3},
        {"ramp,low=0%,over=10s", 0, 20000, 0.75},
        {"step,low=0%,at=1s", 0, 4000, 0.75},
        {"spike,low=0%,at=1s,for=200ms", 500, 1500, 0.2},
        {"spike,low=0%,at=1s,for=1s,every=4s", 1500, 81500, 0.25},
        {"sine,low=0%,period=1s", 250, 750, 0.818},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arrivals_shape shape = shape_of(cases[i].shape);
        double mean = arrivals_mean(&shape, cases[i].from_ms * USEC_PER_MSEC, cases[i].to_ms * USEC_PER_MSEC);
        assert_float_equal(mean, cases[i].mean, 1e-3);
    }
}

static void only_a_single_spike_from_nothing_ends(void **state)
{
    (void)state;
    static const char *const endless[] = {"constant", "ramp,low=0%",  "sine,low=0%",           "step,low=0%",
                                          "spike",    "spike,low=1%", "spike,low=0%,every=15s"};
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        struct arrivals_shape shape = shape_of(endless[i]);
        assert_int_equal(arrivals_end(&shape), USEC_NEVER);
    }
    struct arrivals_shape shape = shape_of("spike,low=0%");
    assert_int_equal(arrivals_end(&shape), 15 * USEC_PER_SEC);
}

static void streams_with_turns_interleave(void **state)
{
    (void)state;
    struct arrivals_plan plan = {.rate_rps = 100, .shape = shape_of("constant")};
    struct arrivals streams[4];
    for (int i = 0; i < 4; i++) {
        plan.turns = (struct arrivals_turns){4, 4, i};
        arrivals_init(&streams[i], &plan, START);
    }
    for (int i = 0; i < 4000; i++)
        assert_int_equal(arrivals_next(&streams[i % 4]), START + i * 2500);
}

/* Of every ten, four are those of the first, three of each other: 0 3 6 9, 1 4 7 and 2 5 8. */
static void turns_can_be_counted(void **state)
{
    (void)state;
    static const int owners[] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
    for (int64_t i = 0; i < 3; i++) {
        struct arrivals_plan plan = {
            .rate_rps = 10 * (i == 0 ? 4 : 3), .shape = shape_of("constant"), .turns = {10, 3, i}};
        struct arrivals stream;
        arrivals_init(&stream, &plan, START);
        int64_t own = 0;
        for (int k = 0; k < 100; k++) {
            usec_t at = START + k * 10 * USEC_PER_MSEC;
            assert_int_equal(arrivals_turns_below(&plan.turns, k), own);
            if (owners[k % 10] != i)
                continue;
            assert_true(llabs(arrivals_next(&stream) - at) <= 1);
            own++;
            assert_int_equal(arrivals_count(&stream, START + 995 * USEC_PER_MSEC) + own,
                             arrivals_turns_below(&plan.turns, 100));
        }
    }
}

static void poisson_has_the_mean_and_spread_of_one(void **state)
{
    (void)state;
    struct arrivals stream = stream_of("constant", 1000, ARRIVALS_POISSON);
    enum { SECONDS = 400 };
    double sum = 0, squares = 0;
    usec_t due = arrivals_next(&stream);
    for (int second = 0; second < SECONDS; second++) {
        int count = 0;
        for (; due < START + (second + 1) * USEC_PER_SEC; due = arrivals_next(&stream))
            count++;
        sum += count;
        squares += (double)count * count;
    }
    double mean = sum / SECONDS, variance = squares / SECONDS - mean * mean;
    assert_true(fabs(mean - 1000) < 5 * sqrt(1000.0 / SECONDS));
    assert_true(variance > 750 && variance < 1300);
}

static void a_seed_repeats_and_another_differs(void **state)
{
    (void)state;
    struct arrivals_plan plan = {
        .rate_rps = 50, .timing = ARRIVALS_POISSON, .seed = 1, .shape = shape_of("sine")};
    struct arrivals a, b, c;
    arrivals_init(&a, &plan, START);
    arrivals_init(&b, &plan, START);
    plan.seed = 2;
    arrivals_init(&c, &plan, START);
    int different = 0;
    for (int i = 0; i < 100; i++) {
        usec_t due = arrivals_next(&a);
        assert_int_equal(due, arrivals_next(&b));
        different += due != arrivals_next(&c);
    }
    assert_true(different > 90);
}

/* The number due must be the area under the factor, whatever the shape. */
static void counts_follow_every_shape(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "constant",
        "ramp,low=0%,over=10s",
        "ramp,low=50%,over=100s",
        "sine,low=20%,period=7s",
        "sine,low=0%,period=40s",
        "step,low=0%,at=5s",
        "step,low=30%,at=0",
        "spike,low=0%,at=3s,for=2s",
        "spike,low=10%,at=1s,for=500ms,every=4s",
        "spike,low=25%,at=0,for=4s,every=4s",
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int seconds = 1; seconds <= 31; seconds += 6) {
            struct arrivals_shape shape = shape_of(shapes[i]);
            double area = 0;
            for (usec_t at = 500; at < seconds * USEC_PER_SEC; at += 1000)
                area += arrivals_factor(&shape, at) / 1000;
            struct arrivals stream = stream_of(shapes[i], 1000, ARRIVALS_EVEN);
            int count = count_before(&stream, seconds * USEC_PER_SEC);
            if (fabs(count - 1000 * area) > 2 + 0.002 * 1000 * area)
                fail_msg("%s: %d in %d s, the area is %g", shapes[i], count, seconds, 1000 * area);
        }
    }
}

static void factors_are_what_the_words_say(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        usec_t at;
        double factor;
    } cases[] = {
        {"constant", 5 * USEC_PER_SEC, 1},
        {"ramp", 0, 0.1},
        {"ramp", 30 * USEC_PER_SEC, 0.55},
        {"ramp", 61 * USEC_PER_SEC, 1},
        {"sine", 0, 0.2},
        {"sine", USEC_PER_MIN, 1},
        {"sine", 2 * USEC_PER_MIN, 0.2},
        {"step", 29 * USEC_PER_SEC, 0.5},
        {"step", 30 * USEC_PER_SEC, 1},
        {"spike", 9 * USEC_PER_SEC, 0.1},
        {"spike", 12 * USEC_PER_SEC, 1},
        {"spike", 15 * USEC_PER_SEC, 0.1},
        {"spike", 100 * USEC_PER_SEC, 0.1},
        {"spike,every=20s", 112 * USEC_PER_SEC, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arrivals_shape shape = shape_of(cases[i].shape);
        double factor = arrivals_factor(&shape, cases[i].at);
        if (fabs(factor - cases[i].factor) > 1e-9)
            fail_msg("%s at %lld us: %g", cases[i].shape, (long long)cases[i].at, factor);
    }
}

static void a_trace_is_interpolated_and_repeats(void **state)
{
    (void)state;
    static const struct arrivals_point points[] = {
        {0, 0}, {2 * USEC_PER_SEC, 1}, {3 * USEC_PER_SEC, 0.5}, {4 * USEC_PER_SEC, 0.5}};
    struct arrivals_plan plan = {.rate_rps = 1000, .shape = {ARRIVALS_TRACE, 1, 0, 0, 0, points, 4}};
    assert_float_equal(arrivals_factor(&plan.shape, USEC_PER_SEC), 0.5, 1e-9);
    assert_float_equal(arrivals_factor(&plan.shape, 2500 * USEC_PER_MSEC), 0.75, 1e-9);
    assert_float_equal(arrivals_factor(&plan.shape, 5 * USEC_PER_SEC), 0.5, 1e-9);
    struct arrivals stream;
    arrivals_init(&stream, &plan, START);
    int count = count_before(&stream, 8 * USEC_PER_SEC);
    assert_true(count >= 4498 && count <= 4502);
}

static void nothing_due_is_never(void **state)
{
    (void)state;
    struct arrivals none = stream_of("constant", 0, ARRIVALS_EVEN);
    assert_int_equal(arrivals_next(&none), USEC_NEVER);
    static const struct arrivals_point flat[] = {{0, 0}, {USEC_PER_SEC, 0}, {2 * USEC_PER_SEC, 0}};
    struct arrivals_plan plan = {
        .rate_rps = 10, .timing = ARRIVALS_POISSON, .shape = {ARRIVALS_TRACE, 1, 0, 0, 0, flat, 3}};
    struct arrivals stream;
    arrivals_init(&stream, &plan, START);
    assert_int_equal(arrivals_next(&stream), USEC_NEVER);
    struct arrivals once = stream_of("spike,low=0%,at=1s,for=1s", 2, ARRIVALS_EVEN);
    assert_int_equal(arrivals_next(&once), START + USEC_PER_SEC);
    assert_int_equal(arrivals_next(&once), START + 1500 * USEC_PER_MSEC);
    assert_int_equal(arrivals_next(&once), USEC_NEVER);
}

static void a_new_rate_counts_from_its_time_on(void **state)
{
    (void)state;
    struct arrivals stream = stream_of("constant", 10, ARRIVALS_EVEN);
    for (int i = 0; i < 3; i++)
        arrivals_next(&stream);
    arrivals_set_rate(&stream, 1000, START + 5 * USEC_PER_SEC);
    assert_int_equal(arrivals_next(&stream), START + 5 * USEC_PER_SEC);
    assert_int_equal(arrivals_next(&stream), START + 5001 * USEC_PER_MSEC);
    arrivals_set_rate(&stream, 0, START + 6 * USEC_PER_SEC);
    assert_int_equal(arrivals_next(&stream), USEC_NEVER);
    arrivals_set_rate(&stream, 2, START + 9 * USEC_PER_SEC);
    assert_int_equal(arrivals_next(&stream), START + 9 * USEC_PER_SEC);
    assert_int_equal(arrivals_next(&stream), START + 9500 * USEC_PER_MSEC);
}

static void bad_shapes_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "no such shape"},
        {"zigzag", "no such shape"},
        {"constant,low=3%", "no setting of constant"},
        {"ramp,low", "no setting of ramp"},
        {"ramp,over=fast", "over=fast"},
        {"ramp,over=0", "above 0"},
        {"ramp,over=1000000001s", "at most 1000000000s"},
        {"spike,at=2562047788h,for=2562047788h,every=1h", "at=2562047788h"},
        {"sine,period=0", "1ms or more"},
        {"sine,period=1us", "1ms or more"},
        {"sine,low=101%", "0% to 100%"},
        {"spike,at=5s,for=6s,every=10s", "longer than every"},
        {"spike,low=0,for=0", "nothing would ever be due"},
        {"sine,period=3s;low=2%", "period=3s;low=2%"},
        {"sine,a_very_long_name_of_a_key=3", "no setting"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arrivals_shape shape;
        char error[128] = "";
        assert_false(arrivals_parse_shape(cases[i].text, &shape, error, sizeof error));
        if (!strstr(error, cases[i].says))
            fail_msg("'%s': %s", cases[i].text, error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_is_even),
        cmocka_unit_test(what_is_due_after_all_time_is_never_due),
        cmocka_unit_test(what_is_still_due_can_be_counted),
        cmocka_unit_test(long_gaps_and_spans_take_no_longer_than_short_ones),
        cmocka_unit_test(means_are_those_of_the_factors),
        cmocka_unit_test(only_a_single_spike_from_nothing_ends),
        cmocka_unit_test(streams_with_turns_interleave),
        cmocka_unit_test(turns_can_be_counted),
        cmocka_unit_test(poisson_has_the_mean_and_spread_of_one),
        cmocka_unit_test(a_seed_repeats_and_another_differs),
        cmocka_unit_test(counts_follow_every_shape),
        cmocka_unit_test(factors_are_what_the_words_say),
        cmocka_unit_test(a_trace_is_interpolated_and_repeats),
        cmocka_unit_test(nothing_due_is_never),
        cmocka_unit_test(a_new_rate_counts_from_its_time_on),
        cmocka_unit_test(bad_shapes_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
