/* SPDX-License-Identifier: MIT */
/* Adding up workers, the summary and its expectations, and the orders that come in. */
#include "load/commands.h"
#include "load/output.h"
#include "load/table.h"
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct load_stats stats_of(int good, int bad, int refused)
{
    struct load_stats stats = {0};
    for (int i = 0; i < good; i++)
        load_stats_answer(&stats, 200, 1000 + i, true);
    for (int i = 0; i < bad; i++)
        load_stats_answer(&stats, 503, 50, false);
    stats.errors[LOAD_ERROR_CONNECT] += (uint64_t)refused;
    stats.bytes = 1000;
    return stats;
}

static void workers_add_up_and_intervals_subtract(void **state)
{
    (void)state;
    struct load_stats a = stats_of(10, 2, 1), b = stats_of(5, 0, 3), sum = {0};
    load_stats_merge(&sum, &a);
    load_stats_merge(&sum, &b);
    assert_int_equal(sum.answered, 17);
    assert_int_equal(sum.codes[200], 15);
    assert_int_equal(sum.codes[503], 2);
    assert_int_equal(load_stats_errors(&sum), 6);
    assert_int_equal(sum.max_us, 1009);
    assert_int_equal(sum.latency.count, 17);
    load_stats_subtract(&sum, &a);
    assert_int_equal(sum.answered, 5);
    assert_int_equal(sum.codes[503], 0);
    assert_int_equal(load_stats_errors(&sum), 3);
    assert_int_equal(sum.latency.count, 5);
}

static void causes_add_up_and_subtract(void **state)
{
    (void)state;
    struct load_stats a = {0}, b = {0};
    load_stats_failed(&a, LOAD_ERROR_CONNECT, EMFILE);
    load_stats_failed(&a, LOAD_ERROR_CLOSED, 100000); /* no errno */
    load_stats_failed(&b, LOAD_ERROR_CONNECT, EMFILE);
    struct load_stats sum = a;
    load_stats_merge(&sum, &b);
    assert_int_equal(sum.causes[LOAD_ERROR_CONNECT][EMFILE], 2);
    assert_int_equal(sum.causes[LOAD_ERROR_CLOSED][0], 1);
    assert_int_equal(load_stats_errors(&sum), 3);
    assert_int_equal(load_stats_limited_by_any(&sum), 2);
    load_stats_subtract(&sum, &a);
    assert_int_equal(sum.causes[LOAD_ERROR_CONNECT][EMFILE], 1);
    assert_int_equal(sum.causes[LOAD_ERROR_CLOSED][0], 0);
}

static char *summary_text(const struct output_summary *summary)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    output_summary_text(out, summary);
    fclose(out);
    return text;
}

static json_t *summary_json(const struct output_summary *summary, const char *event)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_true(output_summary_json(out, summary, event));
    fclose(out);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    free(text);
    return object;
}

static void the_summary_holds_its_keys(void **state)
{
    (void)state;
    struct load_options options = {0};
    struct load_stats stats = stats_of(98, 2, 5);
    struct output_summary summary = {
        .options = &options, .stats = &stats, .elapsed = 2 * USEC_PER_SEC, .cpu = 500, .asked_rps = 60};
    json_t *object = summary_json(&summary, "summary");
    double rps, cpu, seconds;
    json_int_t requests, errors, status, connect, good, p50, max;
    const char *event;
    assert_int_equal(json_unpack(object,
                                 "{s:s, s:F, s:I, s:I, s:{s:I, s:I}, s:{s:I}, s:{s:I, s:I}, s:F, s:F}",
                                 "event", &event, "requests_per_second", &rps, "requests", &requests,
                                 "errors", &errors, "errors_by_kind", "status", &status, "connect", &connect,
                                 "codes", "200", &good, "latency_us", "p50", &p50, "max", &max,
                                 "cpu_us_per_request", &cpu, "duration_s", &seconds),
                     0);
    assert_string_equal(event, "summary");
    assert_float_equal(rps, 50, 1e-9);
    assert_int_equal(requests, 100);
    assert_int_equal(errors, 7);
    assert_int_equal(status, 2);
    assert_int_equal(connect, 5);
    assert_int_equal(good, 98);
    assert_true(p50 > 1000 && p50 < 1080);
    assert_int_equal(max, 1097);
    assert_float_equal(cpu, 5, 1e-9);
    assert_float_equal(seconds, 2, 1e-9);
    json_decref(object);
}

/* 1/m is no 0.0, wherever it is told. */
static void a_slow_rate_keeps_its_digits(void **state)
{
    (void)state;
    struct load_options options = {.urls.count = 1, .duration = USEC_PER_MIN};
    struct load_stats stats = stats_of(1, 0, 0);
    struct output_summary summary = {
        .options = &options, .stats = &stats, .elapsed = 60 * USEC_PER_SEC, .asked_rps = 1 / 60.0};
    struct output_interval interval = {.options = &options,
                                       .url = "",
                                       .elapsed = 60 * USEC_PER_SEC,
                                       .length = 60 * USEC_PER_SEC,
                                       .total = &stats,
                                       .interval = &stats,
                                       .asked_rps = 1 / 60.0};
    struct table table = {.columns = 100, .rows = 40};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    output_summary_text(out, &summary);
    output_csv_row(out, &interval);
    table_draw(out, &table, &interval);
    fclose(out);
    assert_non_null(strstr(text, " 0.0167 requests/s of 0.0167 asked for ("));
    assert_non_null(strstr(text, "\n60.000,1,0.0167,0,0,0.0167,1000,1000,1000\n"));
    assert_non_null(strstr(text, " of 0.0167 asked, "));
    free(text);
}

static void errors_are_told_with_their_causes(void **state)
{
    (void)state;
    struct load_options options = {0};
    struct load_stats stats = stats_of(10, 0, 0);
    for (int i = 0; i < 7; i++)
        load_stats_failed(&stats, LOAD_ERROR_CONNECT, i < 4 ? ECONNREFUSED : EADDRNOTAVAIL);
    load_stats_failed(&stats, LOAD_ERROR_CLOSED, ECONNRESET);
    load_stats_failed(&stats, LOAD_ERROR_CLOSED, 0);
    load_stats_failed(&stats, LOAD_ERROR_TIMEOUT, 0);
    struct output_summary summary = {
        .options = &options, .stats = &stats, .elapsed = USEC_PER_SEC, .generator_limited = true};
    char *text = summary_text(&summary);
    static const char *const lines[] = {
        "  errors      10 connect: 7 timeout: 1 closed: 2\n",
        "              4 connect: Connection refused\n",
        "              3 connect: Cannot assign requested address\n",
        "              1 closed: Connection reset by peer\n",
        "              1 closed: closed before the whole answer\n",
        "  WARNING     the generator itself was the limit: no local port was free (see "
        "net.ipv4.ip_local_port_range), 3 times\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(text, lines[i]))
            fail_msg("%s is not in %s", lines[i], text);
    assert_null(strstr(text, "may be able to do more"));
    free(text);
    json_t *object = summary_json(&summary, NULL), *causes = json_object_get(object, "causes"), *cause;
    size_t at;
    json_int_t sum = 0;
    json_array_foreach(causes, at, cause) sum += json_integer_value(json_object_get(cause, "count"));
    assert_int_equal(sum, 9);
    cause = json_array_get(causes, 0);
    assert_string_equal(json_string_value(json_object_get(cause, "kind")), "connect");
    assert_non_null(json_object_get(cause, "errno"));
    json_t *limits = json_object_get(object, "generator_limits");
    assert_int_equal(json_array_size(limits), 1);
    assert_string_equal(json_string_value(json_array_get(limits, 0)), "ports");
    json_decref(object);
}

/* Who waited longest comes first. */
static void time_outs_are_told_before_any_latency(void **state)
{
    (void)state;
    struct load_options options = {.timeout = 10 * USEC_PER_SEC};
    struct load_stats stats = stats_of(98, 0, 0);
    struct output_summary summary = {.options = &options, .stats = &stats, .elapsed = USEC_PER_SEC};
    char *text = summary_text(&summary);
    assert_non_null(strstr(text, "  latency     of 98 answers: mean "));
    assert_null(strstr(text, "time-outs"));
    free(text);
    for (int i = 0; i < 12; i++)
        load_stats_failed(&stats, LOAD_ERROR_TIMEOUT, 0);
    text = summary_text(&summary);
    const char *first = strstr(
        text,
        "  time-outs   12 of 110 requests (10.9%) had no answer in 10 s; no latency below counts them\n");
    assert_non_null(first);
    assert_true(first < strstr(text, "  latency     of 98 answers: mean "));
    free(text);
    json_t *object = summary_json(&summary, NULL), *latency = json_object_get(object, "latency_us");
    assert_string_equal(json_object_iter_key(json_object_iter(latency)), "timeouts");
    assert_int_equal(json_integer_value(json_object_get(latency, "timeouts")), 12);
    assert_int_equal(json_integer_value(json_object_get(latency, "answers")), 98);
    json_decref(object);
}

/* What busy connections held up is no less of a warning where in the end all of it has started. */
static void a_rate_that_was_not_kept_is_said(void **state)
{
    (void)state;
    struct load_options options = {0};
    struct load_stats stats = stats_of(100, 0, 0);
    static const struct {
        uint64_t missed, held;
        bool warns;
    } cases[] = {{0, 0, false}, {1, 0, false}, {2, 0, true}, {0, 4, false}, {0, 5, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct output_summary summary = {.options = &options,
                                         .stats = &stats,
                                         .elapsed = USEC_PER_SEC,
                                         .asked_rps = 100,
                                         .missed = cases[i].missed,
                                         .held = cases[i].held};
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        output_summary_text(out, &summary);
        fclose(out);
        assert_int_equal(strstr(text, "the rate was not kept") != NULL, cases[i].warns);
        free(text);
    }
}

static void nothing_measured_is_null_not_a_number(void **state)
{
    (void)state;
    struct load_options options = {0};
    struct load_stats stats = {0};
    struct output_summary summary = {.options = &options, .stats = &stats};
    json_t *object = summary_json(&summary, NULL);
    json_t *latency = json_object_get(object, "latency_us");
    assert_true(json_is_null(json_object_get(latency, "p9999")));
    assert_true(json_is_null(json_object_get(latency, "mean")));
    assert_null(json_object_get(object, "event"));
    assert_float_equal(json_number_value(json_object_get(object, "requests_per_second")), 0, 0);
    json_decref(object);
}

static void expectations_are_checked_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        usec_t p99;
        double max_errors;
        bool said, share;
        int good, bad, refused;
        bool met;
        uint64_t unfinished;
    } cases[] = {
        {0, 0, false, false, 10, 5, 5, true},       {0, 0, false, false, 0, 0, 5, false},
        {2000, 0, false, false, 10, 0, 0, true},    {900, 0, false, false, 10, 0, 0, false},
        {2000, 0, false, false, 0, 0, 0, false},    {0, 0, true, false, 10, 0, 0, true},
        {0, 0, true, false, 10, 1, 0, false},       {0, 3, true, false, 10, 1, 2, true},
        {0, 3, true, false, 10, 2, 2, false},       {0, 0.25, true, true, 15, 2, 3, true},
        {0, 0.24, true, true, 15, 2, 3, false},     {2000, 0, false, false, 99, 0, 1, true},
        {2000, 0, false, false, 98, 0, 2, false},   {2000, 0, false, false, 90, 10, 0, true},
        {0, 0, false, false, 0, 0, 0, true},        {0, 0, false, false, 0, 0, 0, false, 1},
        {0, 0, false, false, 1, 0, 0, true, 1},     {2000, 0, false, false, 98, 0, 0, false, 2},
        {2000, 0, false, false, 99, 0, 0, true, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_options options = {.expect_p99 = cases[i].p99,
                                       .max_errors = cases[i].max_errors,
                                       .max_errors_said = cases[i].said,
                                       .max_errors_share = cases[i].share};
        struct load_stats stats = stats_of(cases[i].good, cases[i].bad, cases[i].refused);
        stats.unfinished = cases[i].unfinished;
        struct output_summary summary = {.options = &options, .stats = &stats, .elapsed = USEC_PER_SEC};
        char why[160] = "";
        bool met = output_expectations_met(&summary, why, sizeof why);
        if (met != cases[i].met || (!met && why[0] == '\0'))
            fail_msg("case %zu: %s", i, why);
    }
}

/* A share of N is met by exactly so many, whatever its fraction is in binary. */
static void a_share_is_met_by_exactly_so_many(void **state)
{
    (void)state;
    for (int tenths = 1; tenths < 1000; tenths++) {
        struct load_stats stats = {0};
        struct load_options options = {
            .max_errors = tenths / 10.0 / 100, .max_errors_said = true, .max_errors_share = true};
        struct output_summary summary = {.options = &options, .stats = &stats};
        char why[200];
        stats.answered = 1000;
        stats.errors[LOAD_ERROR_STATUS] = (uint64_t)tenths;
        assert_true(output_expectations_met(&summary, why, sizeof why));
        stats.errors[LOAD_ERROR_STATUS]++;
        assert_false(output_expectations_met(&summary, why, sizeof why));
    }
}

/* Two of 150 are not "expected at most 2". */
static void what_is_allowed_is_told_in_whole_errors(void **state)
{
    (void)state;
    struct load_stats stats = stats_of(148, 2, 0);
    struct load_options options = {.max_errors = 0.0119, .max_errors_said = true, .max_errors_share = true};
    struct output_summary summary = {.options = &options, .stats = &stats};
    char why[200];
    assert_false(output_expectations_met(&summary, why, sizeof why));
    assert_string_equal(why, "2 errors in 150 requests, expected at most 1");
}

static void a_latency_is_told_in_three_digits(void **state)
{
    (void)state;
    static const struct {
        usec_t value;
        const char *text;
    } cases[] = {
        {-1, "-"},           {0, "0 us"},          {999, "999 us"},       {1000, "1 ms"},
        {12345, "12.3 ms"},  {999499, "999 ms"},   {999500, "1 s"},       {999999, "1 s"},
        {1234567, "1.23 s"}, {999499999, "999 s"}, {999500000, "1000 s"}, {68719476735, "68719 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[24];
        assert_string_equal(output_latency(text, sizeof text, cases[i].value), cases[i].text);
    }
}

static void orders_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool good;
        enum load_command_kind kind;
        double value;
    } cases[] = {
        {"{\"cmd\":\"rate\",\"value\":500}", true, LOAD_COMMAND_RATE, 500},
        {"{\"cmd\":\"rate\",\"value\":0.5}", true, LOAD_COMMAND_RATE, 0.5},
        {"{\"value\": 30, \"cmd\": \"threads\", \"id\": 7}", true, LOAD_COMMAND_THREADS, 30},
        {"{\"cmd\":\"stop\"}", true, LOAD_COMMAND_STOP, 0},
        {"{\"cmd\":\"threads\",\"value\":1.5}", false, 0, 0},
        {"{\"cmd\":\"threads\",\"value\":\"3\"}", false, 0, 0},
        {"{\"cmd\":\"threads\",\"value\":1e9}", false, 0, 0},
        {"{\"cmd\":\"rate\",\"value\":-1}", false, 0, 0},
        {"{\"cmd\":\"rate\"}", false, 0, 0},
        {"{\"cmd\":7}", false, 0, 0},
        {"{}", false, 0, 0},
        {"[]", false, 0, 0},
        {"", false, 0, 0},
        {"{\"cmd\":\"stop\",\"cmd\":\"rate\"}", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_command command;
        char why[160] = "";
        bool good = load_command_parse(cases[i].line, &command, why, sizeof why);
        if (good != cases[i].good || (!good && why[0] == '\0'))
            fail_msg("%s: %s", cases[i].line, why);
        if (good) {
            assert_int_equal(command.kind, cases[i].kind);
            assert_float_equal(command.value, cases[i].value, 0);
        }
    }
}

static char *draw(struct table *table, const struct load_stats *stats)
{
    struct load_options options = {.urls.count = 1, .duration = USEC_PER_MIN};
    struct output_interval what = {.options = &options,
                                   .url = "http://127.0.0.1:8000/a/rather/long/path",
                                   .elapsed = USEC_PER_SEC,
                                   .length = USEC_PER_SEC,
                                   .total = stats,
                                   .interval = stats,
                                   .asked_rps = 50};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    table_draw(out, table, &what);
    fclose(out);
    return text;
}

/* Each line ends by clearing the rest; what goes before that must fit, or the next table misses its place. */
static void a_table_keeps_within_its_terminal(void **state)
{
    (void)state;
    struct load_stats stats = stats_of(1000, 10, 3);
    for (int i = 0; i < 40; i++)
        load_stats_answer(&stats, 200, INT64_C(1) << i, true);
    for (unsigned rows = 1; rows <= 60; rows++) {
        for (unsigned columns = 1; columns <= 200; columns += 9) {
            struct table table = {.columns = columns, .rows = rows};
            char *text = draw(&table, &stats), *line = strchr(text, '\r');
            unsigned lines = 0;
            for (char *end; (end = strstr(line, "\x1b[K\n")); line = end + 4, lines++)
                assert_true(end - line - (lines == 0) < (columns > 1 ? columns : 2));
            assert_int_equal(lines, table.drawn);
            assert_true(lines < rows || rows == 1);
            assert_int_equal(strchr(text, '#') != NULL, rows >= 14 && columns > 20);
            free(text);
        }
    }
}

static void a_histogram_shows_every_answer_once(void **state)
{
    (void)state;
    struct table table = {.columns = 100, .rows = 40};
    struct load_stats stats = {0};
    for (int i = 0; i < 300; i++)
        load_stats_answer(&stats, 200, i < 225 ? 15 : 1500, true);
    char *text = draw(&table, &stats);
    assert_non_null(strstr(text, "  < 20 us    75.0% #############"));
    assert_non_null(strstr(text, "  < 50 us     0.0% \x1b[K"));
    assert_non_null(strstr(text, "  < 2 ms     25.0% ####"));
    assert_null(strstr(text, "< 10 us"));
    assert_null(strstr(text, "< 5 ms"));
    free(text);
    text = draw(&table, &stats);
    assert_memory_equal(text, "\r\x1b[", 3); /* over the one before */
    free(text);
}

/* A bucket that 500 ms lies within: percentiles, bands and the largest value tell the same of it. */
static void a_table_does_not_contradict_itself(void **state)
{
    (void)state;
    static const struct {
        usec_t value, max;
        const char *p50, *band, *most;
    } cases[] = {
        {504000, 504000, "504 ms", "  < 1 s     100.0% #", "504 ms"},
        {496000, 496000, "496 ms", "  < 500 ms  100.0% #", "496 ms"},
        {499900, 900000, "508 ms", "  < 1 s     100.0% #", "900 ms"},
        {65, 65, "65 us", "  < 100 us  100.0% #", "65 us"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table table = {.columns = 100, .rows = 40};
        struct load_stats stats = {0};
        for (int k = 0; k < 3; k++)
            load_stats_answer(&stats, 200, cases[i].value, true);
        if (cases[i].max != cases[i].value)
            load_stats_answer(&stats, 200, cases[i].max, true);
        char *text = draw(&table, &stats), row[64];
        snprintf(row, sizeof row, "%10s%14s%14s", "p50", cases[i].p50, cases[i].p50);
        assert_non_null(strstr(text, row));
        snprintf(row, sizeof row, "%10s%14s%14s", "max", cases[i].most, cases[i].most);
        assert_non_null(strstr(text, row));
        if (!strstr(text, cases[i].band))
            fail_msg("case %zu: %s", i, text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_add_up_and_intervals_subtract),
        cmocka_unit_test(causes_add_up_and_subtract),
        cmocka_unit_test(errors_are_told_with_their_causes),
        cmocka_unit_test(time_outs_are_told_before_any_latency),
        cmocka_unit_test(the_summary_holds_its_keys),
        cmocka_unit_test(a_slow_rate_keeps_its_digits),
        cmocka_unit_test(a_rate_that_was_not_kept_is_said),
        cmocka_unit_test(nothing_measured_is_null_not_a_number),
        cmocka_unit_test(expectations_are_checked_at_their_edges),
        cmocka_unit_test(a_table_keeps_within_its_terminal),
        cmocka_unit_test(a_histogram_shows_every_answer_once),
        cmocka_unit_test(a_table_does_not_contradict_itself),
        cmocka_unit_test(a_share_is_met_by_exactly_so_many),
        cmocka_unit_test(what_is_allowed_is_told_in_whole_errors),
        cmocka_unit_test(a_latency_is_told_in_three_digits),
        cmocka_unit_test(orders_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
