/* SPDX-License-Identifier: MIT */
#include "core/options.h"
#include "fake_port.h"
#include "ops/snapshot_json.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct snapshot *snapshot_new(void)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    assert_non_null(snapshot);
    return snapshot;
}

static void what_is_written_reads_back_the_same(void **ctx)
{
    static const char *const fixtures[] = {"busy", "remote", "empty"};
    (void)ctx;
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
        struct fake_port fake;
        struct snapshot *back = snapshot_new();
        char err[400] = "";
        fake_port_init(&fake, fixtures[i]);
        json_t *once = snapshot_to_json(fake.snapshot);
        assert_non_null(once);
        bool read = snapshot_from_json(once, back, err, sizeof err);
        assert_string_equal(err, "");
        assert_true(read);
        json_t *twice = snapshot_to_json(back);
        assert_true(json_equal(once, twice));
        assert_int_equal(back->journal_count, fake.snapshot->journal_count);
        assert_int_equal(back->history_count, fake.snapshot->history_count);
        json_decref(once);
        json_decref(twice);
        free(back);
        fake_port_fini(&fake);
    }
}

static void every_reason_and_state_has_a_word(void **ctx)
{
    struct snapshot *snapshot = snapshot_new();
    (void)ctx;
    config_init(&snapshot->config);
    snapshot->version = SNAPSHOT_VERSION;
    snapshot->journal_count = REASON_COUNT;
    for (int i = 0; i < REASON_COUNT; i++) {
        snapshot->journal[i].decision.reason_count = 1;
        snapshot->journal[i].decision.reasons[0].code = (enum reason_code)i;
    }
    snapshot->instance_count = INSTANCE_STATE_COUNT;
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++)
        snapshot->instances[i].state = (enum instance_state)i;
    json_t *json = snapshot_to_json(snapshot);
    assert_non_null(json);
    struct snapshot *back = snapshot_new();
    char err[400] = "";
    assert_true(snapshot_from_json(json, back, err, sizeof err));
    for (int i = 0; i < REASON_COUNT; i++)
        assert_int_equal(back->journal[i].decision.reasons[0].code, i);
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++)
        assert_int_equal(back->instances[i].state, i);
    json_decref(json);
    free(back);
    free(snapshot);
}

static void bad_bytes_of_an_application_are_written_harmless(void **ctx)
{
    struct snapshot *snapshot = snapshot_new();
    (void)ctx;
    config_init(&snapshot->config);
    snapshot->version = SNAPSHOT_VERSION;
    snprintf(snapshot->alert, sizeof snapshot->alert, "\x1b[2J \xff\xfe tail");
    json_t *json = snapshot_to_json(snapshot);
    assert_non_null(json);
    const char *alert = json_string_value(json_object_get(json, "alert"));
    assert_non_null(alert);
    assert_null(strchr(alert, '\x1b'));
    assert_non_null(strstr(alert, "tail"));
    json_decref(json);
    free(snapshot);
}

static void secrets_stay_inside(void **ctx)
{
    struct snapshot *snapshot = snapshot_new();
    (void)ctx;
    config_init(&snapshot->config);
    json_t *json = snapshot_to_json(snapshot), *config = json_object_get(json, "config");
    assert_true(json_object_size(config) > 20);
    for (size_t i = 0; i < options_count; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.%s", options[i].section, options[i].key);
        bool hidden = options[i].flags & OPTION_SECRET || options[i].type == OPTION_MAP;
        assert_int_equal(!json_object_get(config, name), hidden);
    }
    json_decref(json);
    free(snapshot);
}

static void wrong_input_is_named(void **ctx)
{
    static const struct {
        const char *json, *word;
    } cases[] = {
        {"[]", "object"},
        {"{\"seq\":-1}", "seq"},
        {"{\"ready\":1.5}", "ready"},
        {"{\"ready\":99999999999}", "ready"},
        {"{\"nonsense\":1}", "nonsense"},
        {"{\"version\":7}", "version"},
        {"{\"override\":\"roof\"}", "override"},
        {"{\"manual\":1}", "manual"},
        {"{\"cpu_pct\":\"x\"}", "cpu_pct"},
        {"{\"target\":\"a name that is far too long\"}", "target"},
        {"{\"instances\":{}}", "instances"},
        {"{\"instances\":[{\"state\":\"DEAD\"}]}", "state"},
        {"{\"config\":{\"scaling.max_instance\":\"5\"}}", "max_instances"},
        {"{\"config\":{\"scaling\":\"5\"}}", "scaling"},
        {"{\"config\":3}", "config"},
    };
    struct snapshot *snapshot = snapshot_new();
    (void)ctx;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char err[600] = "";
        json_t *json = json_loads(cases[i].json, 0, NULL);
        assert_non_null(json);
        assert_false(snapshot_from_json(json, snapshot, err, sizeof err));
        assert_non_null(strstr(err, cases[i].word));
        json_decref(json);
    }
    free(snapshot);
}

static void absent_is_not_measured(void **ctx)
{
    struct snapshot *snapshot = snapshot_new();
    char err[400];
    json_t *json = json_object();
    (void)ctx;
    assert_true(snapshot_from_json(json, snapshot, err, sizeof err));
    assert_true(isnan(snapshot->cpu_pct));
    assert_int_equal(snapshot->p95_us, -1);
    assert_int_equal(snapshot->config.scaling.max_instances, 5);
    assert_false(snapshot_from_file("/nonexistent/file.json", snapshot, err, sizeof err));
    assert_non_null(strstr(err, "/nonexistent/file.json"));
    json_decref(json);
    free(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(every_reason_and_state_has_a_word),
        cmocka_unit_test(bad_bytes_of_an_application_are_written_harmless),
        cmocka_unit_test(secrets_stay_inside),
        cmocka_unit_test(wrong_input_is_named),
        cmocka_unit_test(absent_is_not_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
