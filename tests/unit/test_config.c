/* SPDX-License-Identifier: MIT */
#include "core/config.h"
#include "core/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct config cfg;
static char err[CONFIG_ERROR_SIZE];

static int fresh(void **state)
{
    (void)state;
    config_init(&cfg);
    err[0] = '\0';
    return 0;
}

static bool set(const char *section, const char *key, const char *value)
{
    return config_set(&cfg, section, key, value, err, sizeof err);
}

static void assert_says(const char *part)
{
    if (!strstr(err, part))
        fail_msg("'%s' does not say '%s'", err, part);
}

static void defaults_are_those_of_the_first_project(void **state)
{
    (void)state;
    assert_int_equal(cfg.scaling.min_instances, 1);
    assert_int_equal(cfg.scaling.max_instances, 5);
    assert_true(cfg.scaling.scale_up_threshold == 35 && cfg.scaling.scale_down_threshold == 15);
    assert_int_equal(cfg.app.base_port, 5000);
    assert_string_equal(cfg.balancer.listen, "127.0.0.1:8000");
    assert_int_equal(cfg.balancer.algorithm, CONFIG_LEAST_IN_FLIGHT);
    assert_int_equal(cfg.scaling.polling_interval, USEC_PER_SEC);
    assert_int_equal(cfg.scaling.manual_expiry, 5 * USEC_PER_MIN);
    assert_int_equal(cfg.load.duration, 120 * USEC_PER_SEC);
    assert_true(cfg.balancer.enabled && cfg.ui.confirm && !cfg.ui.mouse);
    assert_true(config_check(&cfg, err, sizeof err));
    assert_false(config_advise(&cfg, err, sizeof err));
}

static void thresholds_of_a_signal_keep_their_order(void **state)
{
    (void)state;
    struct config_limits limits;
    assert_false(config_limits(&cfg.scaling, SIGNAL_RPM, &limits));
    assert_true(config_set(&cfg, "signals", "rpm_down", "900", err, sizeof err));
    assert_true(config_check(&cfg, err, sizeof err)); /* it is not in use */
    assert_true(config_set(&cfg, "signals", "rpm_up", "600", err, sizeof err));
    assert_false(config_check(&cfg, err, sizeof err));
    assert_string_equal(err, "signals.rpm_down (900) must be below signals.rpm_up (600)");
    assert_true(config_set(&cfg, "signals", "rpm_down", "200", err, sizeof err));
    assert_true(config_check(&cfg, err, sizeof err));
    assert_true(config_limits(&cfg.scaling, SIGNAL_RPM, &limits));
    assert_true(limits.up == 600 && limits.down == 200 && limits.target == 400);
    assert_true(config_set(&cfg, "signals", "p95_up", "250ms", err, sizeof err));
    assert_true(config_set(&cfg, "signals", "p95_target", "1s", err, sizeof err));
    assert_false(config_check(&cfg, err, sizeof err));
    assert_string_equal(
        err, "signals.p95_target (1s) must be between signals.p95_down (0) and signals.p95_up (250ms)");
}

/* A row whose type does not match its field would write past it. */
static void every_row_fits_its_field(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        [OPTION_INT] = sizeof(int),         [OPTION_BOOL] = sizeof(bool),
        [OPTION_CHOICE] = sizeof(int),      [OPTION_PERCENT] = sizeof(double),
        [OPTION_DURATION] = sizeof(usec_t), [OPTION_RATE] = sizeof(double),
        [OPTION_SIZE] = sizeof(int64_t),    [OPTION_MAP] = 0,
    };
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        if (sizes[option->type] > 0)
            assert_int_equal(option->size, sizes[option->type]);
        assert_true(option->offset + option->size <= sizeof(struct config));
        assert_non_null(option_section_help(option->section));
        assert_true(strlen(option->help) > 0 && option->help[strlen(option->help) - 1] != '.');
        assert_true((option->type == OPTION_CHOICE) == (option->choices != NULL));
        for (size_t j = 0; j < i; j++) {
            const struct option *other = &options[j];
            assert_true(option->offset >= other->offset + other->size ||
                        option->offset + option->size <= other->offset);
            assert_false(strcmp(option->section, other->section) == 0 &&
                         strcmp(option->key, other->key) == 0);
        }
    }
}

static void every_default_is_valid_and_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        struct config before = cfg;
        char text[CONFIG_TEXT_MAX];
        if (option->type == OPTION_MAP)
            continue;
        assert_true(set(option->section, option->key, option->preset));
        assert_memory_equal(&cfg, &before, sizeof cfg);
        config_get_text(&cfg, option, text, sizeof text);
        assert_true(set(option->section, option->key, text));
        assert_memory_equal(&cfg, &before, sizeof cfg);
    }
}

static void every_number_stops_at_its_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        char text[64];
        if (option->max <= option->min)
            continue;
        option_format_number(option, option->min, text, sizeof text);
        assert_true(set(option->section, option->key, text));
        option_format_number(option, option->max, text, sizeof text);
        assert_true(set(option->section, option->key, text));
        struct config before = cfg;
        option_format_number(option, option->max * 2, text, sizeof text);
        assert_false(set(option->section, option->key, text));
        assert_says(option->key);
        assert_says(text);
        assert_says("out of range");
        char range[128];
        option_range_text(option, range, sizeof range);
        assert_says(range);
        assert_memory_equal(&cfg, &before, sizeof cfg);
    }
}

static void refusals_name_key_value_and_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *value, *says;
    } cases[] = {
        {"scaling", "max_instances", "many",
         "scaling.max_instances = 'many': not a whole number; allowed: 1..1000"},
        {"scaling", "max_instances", "0", "out of range"},
        {"scaling", "max_instances", "99999999999999999999", "not a whole number"},
        {"scaling", "strategy", "treshold", "allowed: threshold, tracking"},
        {"scaling", "strategy", "", "no such choice"},
        {"scaling", "strategy", "thresh", "no such choice"},
        {"scaling", "scale_up_threshold", "1", "1% or 100%?"},
        {"scaling", "scale_up_threshold", "nan", "not a percentage"},
        {"scaling", "polling_interval", "5", "needs its unit"},
        {"scaling", "polling_interval", "-5s", "not a duration"},
        {"app", "memory_limit", "1.5G", "not a size"},
        {"app", "health_path", "health", "begins with '/'"},
        {"app", "health_path", "/a b", "not a path"},
        {"app", "command", "", "must not be empty"},
        {"app", "command", "a\nb", "control byte"},
        {"app", "command", "\x1b[2J", "'?[2J'"},
        {"balancer", "listen", "8000", "HOST:PORT"},
        {"balancer", "listen", "127.0.0.1:65536", "HOST:PORT"},
        {"balancer", "listen", "::1:8000", "HOST:PORT"},
        {"balancer", "enabled", "maybe", "allowed: yes, no"},
        {"load", "url", "ftp://x/", "not a URL"},
        {"load", "url", "http:///x", "not a URL"},
        {"load", "url", "", "must not be empty"},
        {"load", "rate", "fast", "not a rate"},
        {"app", "env.A=B", "x", "the name may hold"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config before = cfg;
        if (set(cases[i].section, cases[i].key, cases[i].value))
            fail_msg("accepted %s = '%s'", cases[i].key, cases[i].value);
        assert_says(cases[i].says);
        assert_memory_equal(&cfg, &before, sizeof cfg);
    }
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    assert_false(set("scaling", "max_instance", "3"));
    assert_string_equal(err,
                        "scaling.max_instance is not an option; the nearest one is scaling.max_instances");
    assert_false(set("scale", "max_instances", "3"));
    assert_says("scaling.max_instances");
    assert_false(set("scaling", "listen", "3"));
    assert_says("balancer.listen");
    assert_false(set("", "", "3"));
    assert_says("nearest");
    assert_false(set("app", "env.", "3"));
    assert_says("app.env.*");
    assert_false(set("scaling", "max\x1b[2J", "3"));
    assert_null(strchr(err, '\x1b'));
}

static void texts_keep_what_they_hold(void **state)
{
    (void)state;
    assert_true(set("app", "command", "  sh -c \"a ; b # c\"  "));
    assert_string_equal(cfg.app.command, "sh -c \"a ; b # c\"");
    char value[CONFIG_TEXT_MAX + 1];
    memset(value, 'x', sizeof value);
    value[sizeof cfg.app.command - 1] = '\0';
    assert_true(set("app", "command", value));
    value[sizeof cfg.app.command - 1] = 'x';
    value[sizeof cfg.app.command] = '\0';
    assert_false(set("app", "command", value));
    assert_says("1024 bytes are too long, at most 1023 fit");
    assert_int_equal(strlen(cfg.app.command), 1023);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    char host[64];
    int port = -1;
    assert_true(config_parse_address("127.0.0.1:0", host, sizeof host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 0);
    assert_true(config_parse_address("[::1]:8000", host, sizeof host, &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 8000);
    static const char *const bad[] = {"",     ":",    ":80",  "a",      "a:",    "a:b",  "a:-1",
                                      "a:+1", "a:1x", "[]:1", "[::1:1", "a b:1", "a/b:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (config_parse_address(bad[i], host, sizeof host, &port))
            fail_msg("accepted '%s'", bad[i]);
    assert_false(config_parse_address("abcd:1", host, 4, &port));
    assert_string_equal(host, "::1");
}

static void maps_replace_append_and_refuse_overflow(void **state)
{
    (void)state;
    assert_true(set("app", "env.A", "1"));
    assert_true(set("app", "env.LONGER", "two words = x"));
    assert_true(set("app", "env.A", "three"));
    const char *entry = config_map_next(cfg.app.env, NULL);
    assert_string_equal(entry, "LONGER=two words = x");
    entry = config_map_next(cfg.app.env, entry);
    assert_string_equal(entry, "A=three");
    assert_null(config_map_next(cfg.app.env, entry));
    char value[1001], key[32];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    int count = 0;
    do
        snprintf(key, sizeof key, "env.N%d", count++);
    while (count < 100 && set("app", key, value));
    assert_int_equal(count, 9); /* eight fit beside the two above */
    assert_says("no room");
    assert_null(strstr(err, "vvv")); /* values are secret */
    assert_true(set("app", "env.A", ""));
    char text[32];
    config_get_text(&cfg, option_find("app", "env.A"), text, sizeof text);
    assert_string_equal(text, "10 set");
}

static void rules_between_keys_name_both(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *value, *says;
    } cases[] = {
        {"scaling", "min_instances", "6",
         "scaling.min_instances (6) must not be more than scaling.max_instances (5)"},
        {"scaling", "scale_down_threshold", "35%", "must be below scaling.scale_up_threshold (35%)"},
        {"app", "base_port", "65532", "leaves too few ports"},
        {"scaling", "max_instances", "257", "scaling.max_instances (257) must not be more than 256 with"},
        {"scaling", "target", "http", "http.app_url () must not be empty with scaling.target (http)"},
        {"http", "cert_file", "/x", "needs http.key_file"},
        {"http", "key_file", "/x", "needs http.cert_file"},
        {"http", "retry_base", "6s", "must not be more than http.retry_max (5s)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config_init(&cfg);
        assert_true(set(cases[i].section, cases[i].key, cases[i].value));
        assert_false(config_check(&cfg, err, sizeof err));
        assert_says(cases[i].says);
    }
    config_init(&cfg);
    assert_true(set("scaling", "target_cpu", "40%"));
    assert_true(config_check(&cfg, err, sizeof err)); /* only tracking looks at it */
    assert_true(set("scaling", "strategy", "tracking"));
    assert_false(config_check(&cfg, err, sizeof err));
    assert_says("scaling.target_cpu (40%) must be below scaling.scale_up_threshold (35%)");
    assert_true(set("app", "base_port", "65531"));
    assert_true(set("scaling", "target_cpu", "20%"));
    assert_true(config_check(&cfg, err, sizeof err));
}

static void near_thresholds_are_advised_against(void **state)
{
    (void)state;
    assert_true(set("scaling", "scale_down_threshold", "20%"));
    assert_true(config_check(&cfg, err, sizeof err));
    assert_true(config_advise(&cfg, err, sizeof err));
    assert_says("17.5%");
    assert_true(set("scaling", "min_instances", "3"));
    assert_false(config_advise(&cfg, err, sizeof err));
}

static void note(void *context, const struct option *option)
{
    char *list = context;
    strcat(strcat(list, option->key), " ");
}

static void differences_are_found_by_row(void **state)
{
    (void)state;
    struct config other = cfg;
    char list[256] = "";
    assert_int_equal(config_diff(&cfg, &other, note, list), 0);
    assert_true(set("scaling", "max_instances", "7"));
    assert_true(set("app", "command", "x"));
    assert_true(set("app", "env.A", "b"));
    assert_int_equal(config_diff(&cfg, &other, note, list), 3);
    assert_string_equal(list, "command env.* max_instances ");
    /* A longer text before leaves no trace. */
    assert_true(set("app", "command", "a very long command that is replaced"));
    assert_true(set("app", "command", other.app.command));
    assert_int_equal(config_diff(&cfg, &other, NULL, NULL), 2);
}

static void rows_are_found_and_say_what_they_take(void **state)
{
    (void)state;
    char range[64];
    option_range_text(option_find("scaling", "max_instances"), range, sizeof range);
    assert_string_equal(range, "1..1000");
    option_range_text(option_find("ui", "palette"), range, sizeof range);
    assert_string_equal(range, "auto, dark, light, mono");
    assert_int_equal(option_range_text(option_find("ui", "palette"), range, 5), 23);
    assert_string_equal(range, "auto");
    assert_ptr_equal(option_find("app", "env.PATH"), option_find("app", "env.*"));
    assert_null(option_find("app", "env"));
    assert_null(option_section_help("nothing"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, fresh)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_first_project),
        TEST(every_row_fits_its_field),
        TEST(thresholds_of_a_signal_keep_their_order),
        TEST(every_default_is_valid_and_reads_back),
        TEST(every_number_stops_at_its_range),
        TEST(refusals_name_key_value_and_what_is_allowed),
        TEST(unknown_keys_name_the_nearest),
        TEST(texts_keep_what_they_hold),
        TEST(addresses_are_taken_apart),
        TEST(maps_replace_append_and_refuse_overflow),
        TEST(rules_between_keys_name_both),
        TEST(near_thresholds_are_advised_against),
        TEST(differences_are_found_by_row),
        TEST(rows_are_found_and_say_what_they_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
