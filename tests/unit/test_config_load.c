/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "control/config_load.h"
#include "control/config_save.h"
#include "core/options.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static char directory[64], ini[96], path[PATH_MAX], err[CONFIG_LOAD_ERROR_SIZE];
static struct config cfg, defaults;

static int enter(void **state)
{
    (void)state;
    temporary_folder(directory);
    snprintf(ini, sizeof ini, "%s/x.ini", directory);
    config_init(&cfg);
    config_init(&defaults);
    err[0] = '\0';
    return 0;
}

static int leave(void **state)
{
    (void)state;
    unlink(ini);
    return rmdir(directory);
}

static void put(const char *text)
{
    FILE *file = fopen(ini, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static bool load(const char *text, const char *override)
{
    if (text)
        put(text);
    struct config_sources sources = {
        .file = text ? ini : "/dev/null/none", .overrides = &override, .override_count = override != NULL};
    return config_load(&sources, &cfg, path, err, sizeof err);
}

static void assert_says(const char *part)
{
    if (!strstr(err, part))
        fail_msg("'%s' does not say '%s'", err, part);
}

static void built_in_is_below_the_file_and_the_file_below_the_command_line(void **state)
{
    (void)state;
    assert_true(load("[scaling]\nmin_instances = 2\nmax_instances = 7\n[app]\nenv.A = b c\n",
                     "scaling.max_instances=9"));
    assert_string_equal(path, ini);
    assert_int_equal(cfg.scaling.min_instances, 2);
    assert_int_equal(cfg.scaling.max_instances, 9);
    assert_string_equal(cfg.app.env, "A=b c");
    assert_string_equal(cfg.balancer.listen, defaults.balancer.listen);
    assert_true(load("[app]\n", "app.env.X_Y=a=b.c"));
    assert_string_equal(cfg.app.env, "X_Y=a=b.c");
}

static void bad_files_are_refused_with_file_line_and_key(void **state)
{
    (void)state;
    static char with_long_value[1200] = "[app]\ncommand = ";
    memset(with_long_value + strlen(with_long_value), 'x', 1100);
    const struct {
        const char *text, *override, *says;
    } cases[] = {
        {"[scaling]\n\nmax_instance = 3\n", NULL,
         "/x.ini:3: scaling.max_instance is not an option; the nearest one is scaling.max_instances"},
        {"[scalling]\nmax_instances = 3\n", NULL, "/x.ini:2: scalling.max_instances is not an option"},
        {"[scaling]\nmax_instances = 3000\n", NULL,
         "/x.ini:2: scaling.max_instances = '3000': out of range; allowed: 1..1000"},
        {"[scaling]\nmax_instances = 3\nmax_instances = 4\n", NULL,
         "/x.ini:3: scaling.max_instances is set twice"},
        {"[scaling]\nmax_instances = 3 ; three\n", NULL, "/x.ini:2: scaling.max_instances = '3 ; three'"},
        {"[app]\n  command = x\n", NULL, "/x.ini:2: indented"},
        {with_long_value, NULL, "1100 bytes are too long, at most 1023 fit"},
        {"[scaling]\nmax_instances = 3\nmin_instances = 4\n", NULL,
         "/x.ini:3: scaling.min_instances (4) must not be more than"},
        {"[scaling]\nmax_instances = 3\n", "scaling.min_instances=4",
         "/x.ini:2: scaling.min_instances (4) must not be more"},
        {"[balancer]\ntrusted_proxies = 10.0.0.0/8, ::1/129\n", NULL,
         "/x.ini:2: balancer.trusted_proxies (10.0.0.0/8, ::1/129): '::1/129'"},
        {NULL, NULL, "/dev/null/none: cannot be read: Not a directory"},
    };
    struct config before = cfg;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (load(cases[i].text, cases[i].override))
            fail_msg("accepted '%s'", cases[i].text);
        assert_says(cases[i].says);
        assert_memory_equal(&cfg, &before, sizeof cfg);
    }
}

static void bad_overrides_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *override, *says;
    } cases[] = {
        {"scaling.max_instances", "-s scaling.max_instances: not of the form section.key=value"},
        {"max_instances=3", "not of the form"},
        {"=", "not of the form"},
        {"scaling.max=3", "-s: scaling.max is not an option; the nearest one is scaling.max_instances"},
        {"scaling.max_instances=x", "-s: scaling.max_instances = 'x': not a whole number"},
        {"scaling.min_instances=6",
         "scaling.min_instances (6) must not be more than scaling.max_instances (5)"},
        {"scaling.\x1b[2J=3", "scaling.?[2J is not an option"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (load("", cases[i].override))
            fail_msg("accepted '%s'", cases[i].override);
        assert_says(cases[i].says);
        assert_null(strchr(err, '\x1b'));
    }
}

static void networks_are_understood(void **state)
{
    (void)state;
    assert_true(load("", "balancer.trusted_proxies=10.0.0.0/8,192.168.1.1, ::1 ,fe80::/10"));
    static const char *const bad[] = {
        "10.0.0.0/33", "localhost",
        /* More than the balancer holds: it would not start with them. */
        "::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,"
        "::1,::1,::1,::1,::1,::1,::1,::1,::1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char override[256];
        snprintf(override, sizeof override, "balancer.trusted_proxies=%s", bad[i]);
        if (load("", override))
            fail_msg("accepted '%s'", bad[i]);
    }
}

static void files_are_found_in_order(void **state)
{
    (void)state;
    char home[PATH_MAX], found[PATH_MAX], expected[PATH_MAX];
    assert_non_null(getcwd(home, sizeof home));
    assert_int_equal(chdir(directory), 0);
    setenv("XDG_CONFIG_HOME", "relative", 1);
    setenv("HOME", directory, 1);
    bool anywhere = access("/etc/ascale/autoscaler.ini", F_OK) == 0;
    assert_int_equal(config_find_file(found, sizeof found), anywhere);
    assert_int_equal(mkdir(".config", 0700), 0);
    assert_int_equal(mkdir(".config/ascale", 0700), 0);
    put("");
    assert_int_equal(link("x.ini", ".config/ascale/autoscaler.ini"), 0);
    assert_true(config_find_file(found, sizeof found));
    snprintf(expected, sizeof expected, "%s/.config/ascale/autoscaler.ini", directory);
    assert_string_equal(found, expected);
    setenv("XDG_CONFIG_HOME", expected, 1); /* a file: nothing can be below it */
    assert_int_equal(config_find_file(found, sizeof found), anywhere);
    assert_int_equal(link("x.ini", "autoscaler.ini"), 0);
    assert_true(config_find_file(found, sizeof found));
    assert_string_equal(found, "autoscaler.ini");
    unlink("autoscaler.ini");
    unlink(".config/ascale/autoscaler.ini");
    rmdir(".config/ascale");
    rmdir(".config");
    assert_int_equal(chdir(home), 0);
}

static char *written(bool (*write)(const struct config *, FILE *), const struct config *from)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_true(write(from, out));
    fclose(out);
    return text;
}

static void a_dump_reads_back_to_the_same_settings(void **state)
{
    (void)state;
    static const char *const changes[][3] = {
        {"app", "command", "sh -c \"exec x; y\" # z"},
        {"app", "env.PATH", "/bin:/usr/bin"},
        {"app", "env.EMPTY", ""},
        {"http", "header.X-Key", "a b"},
        {"scaling", "scale_up_threshold", "71.5%"},
        {"scaling", "polling_interval", "1500ms"},
        {"load", "rate", "90/m"},
        {"ui", "palette", "mono"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        assert_true(config_set(&cfg, changes[i][0], changes[i][1], changes[i][2], err, sizeof err));
    struct config expected = cfg;
    char *text = written(config_dump, &cfg);
    config_init(&cfg);
    if (!load(text, NULL))
        fail_msg("%s", err);
    assert_memory_equal(&cfg, &expected, sizeof cfg);
    free(text);
}

static bool write_manual(const struct config *from, FILE *out)
{
    (void)from;
    return config_print_manual(out);
}

/* What ships and is made from the option table. */
static const struct {
    const char *name;
    bool (*write)(const struct config *from, FILE *out);
} made[] = {
    {"autoscaler.ini", config_dump},
    {"assets/man/autoscaler.ini.5", write_manual},
};

static const char *in_source(const char *name)
{
    static char found[PATH_MAX];
    const char *source = getenv("srcdir");
    snprintf(found, sizeof found, "%s/%s", source ? source : "..", name);
    return found;
}

/* Byte for byte: ranges, help and defaults can never fall behind the table. */
static void what_ships_follows_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char *text, *expected = written(made[i].write, &defaults);
        assert_int_equal(file_read(in_source(made[i].name), 1 << 20, &text, NULL), 0);
        if (strcmp(text, expected) != 0)
            fail_msg("%s does not follow the option table: write it anew by test_config_load --write",
                     made[i].name);
        free(text);
        free(expected);
    }
}

static void the_sample_file_holds_every_option_and_reads_as_the_defaults(void **state)
{
    (void)state;
    struct config_sources sources = {.file = in_source("autoscaler.ini")};
    char *text;
    if (!config_load(&sources, &cfg, path, err, sizeof err))
        fail_msg("%s", err);
    assert_memory_equal(&cfg, &defaults, sizeof cfg);
    assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
    for (size_t i = 0; i < options_count; i++) {
        char line[128];
        int size = (int)strcspn(options[i].key, "*");
        snprintf(line, sizeof line, options[i].type == OPTION_MAP ? "# %.*sNAME" : "\n%.*s =", size,
                 options[i].key);
        if (!strstr(text, line))
            fail_msg("%s is missing", options[i].key);
    }
    free(text);
}

static void help_names_every_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print_help(out);
    fclose(out);
    for (size_t i = 0; i < options_count; i++) {
        char name[128];
        snprintf(name, sizeof name, "\n  %s.%s =", options[i].section, options[i].key);
        if (!strstr(text, name))
            fail_msg("%s is missing", name);
    }
    free(text);
}

/* Whatever the field holds reads back from what is dumped and what is saved. */
static void values_of_any_length_are_dumped_and_saved(void **state)
{
    (void)state;
    char *text;
    for (size_t length = 150; length < sizeof cfg.app.command; length += 97) {
        put("[scaling]\nmax_instances = 5\n[app]\ncommand = one\n  two\n");
        struct config now = defaults;
        memset(now.app.command, 'x', length);
        now.app.command[length / 2] = ' ';
        text = written(config_dump, &now);
        put(text);
        free(text);
        assert_true(config_load(&(struct config_sources){.file = ini}, &cfg, path, err, sizeof err));
        assert_string_equal(cfg.app.command, now.app.command);
        put("[scaling]\nmax_instances = 5\n[app]\ncommand = one\n  two\n");
        struct config_save save = {ini, &(struct config_sources){.file = ini}, &defaults, &now, 0};
        struct config_plan plan;
        assert_true(config_plan_save(&save, &plan, err, sizeof err));
        put(plan.text);
        config_plan_free(&plan);
        assert_true(config_load(&(struct config_sources){.file = ini}, &cfg, path, err, sizeof err));
        assert_string_equal(cfg.app.command, now.app.command);
    }
}

/* One in the working directory may be a stranger's, and its command would run as us. */
static void a_file_that_was_found_must_be_ours(void **state)
{
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(directory), 0);
    FILE *file = fopen("autoscaler.ini", "w");
    fputs("[scaling]\nmax_instances = 3\n", file);
    fclose(file);
    struct config_sources found = {0}, named = {.file = "autoscaler.ini"};
    assert_int_equal(chmod("autoscaler.ini", 0644), 0);
    assert_true(config_load(&found, &cfg, path, err, sizeof err));
    assert_int_equal(chmod("autoscaler.ini", 0646), 0);
    assert_false(config_load(&found, &cfg, path, err, sizeof err));
    assert_says("autoscaler.ini: others may write to it; name it with -c if you trust it");
    assert_true(config_load(&named, &cfg, path, err, sizeof err));
    named.found = true; /* as a reload has it */
    assert_false(config_load(&named, &cfg, path, err, sizeof err));
    if (geteuid() == 0) {
        assert_int_equal(chmod("autoscaler.ini", 0644), 0);
        assert_int_equal(chown("autoscaler.ini", 1, 1), 0);
        assert_false(config_load(&found, &cfg, path, err, sizeof err));
        assert_says("autoscaler.ini: it belongs to another user");
        assert_int_equal(chown("autoscaler.ini", 0, 0), 0);
        assert_int_equal(rename("autoscaler.ini", "real.ini"), 0);
        assert_int_equal(symlink("real.ini", "autoscaler.ini"), 0);
        assert_true(config_load(&found, &cfg, path, err, sizeof err));
        assert_int_equal(lchown("autoscaler.ini", 1, 1), 0);
        assert_false(config_load(&found, &cfg, path, err, sizeof err));
        assert_says("autoscaler.ini: it is a link of another user's; name it with -c if you trust it");
        named.found = false;
        assert_true(config_load(&named, &cfg, path, err, sizeof err));
        assert_int_equal(unlink("real.ini"), 0);
    }
    unlink("autoscaler.ini");
    assert_int_equal(chdir(before), 0);
}

static int write_anew(void)
{
    bool good = true;
    config_init(&defaults);
    for (size_t i = 0; i < sizeof made / sizeof *made && good; i++) {
        FILE *out = fopen(in_source(made[i].name), "w");
        good = out && made[i].write(&defaults, out);
        good = out && fclose(out) == 0 && good;
    }
    return !good;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--write") == 0)
        return write_anew();
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(built_in_is_below_the_file_and_the_file_below_the_command_line),
        TEST(bad_files_are_refused_with_file_line_and_key),
        TEST(bad_overrides_are_refused),
        TEST(networks_are_understood),
        TEST(files_are_found_in_order),
        TEST(a_dump_reads_back_to_the_same_settings),
        TEST(what_ships_follows_the_table),
        TEST(the_sample_file_holds_every_option_and_reads_as_the_defaults),
        TEST(help_names_every_option),
        TEST(values_of_any_length_are_dumped_and_saved),
        TEST(a_file_that_was_found_must_be_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
