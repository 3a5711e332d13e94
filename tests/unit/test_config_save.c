/* SPDX-License-Identifier: MIT */
/* What 'w' writes, whatever has become of the file since it was read. */
#include "base/file.h"
#include "control/config_save.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static char directory[TEMPORARY_PATH_MAX], ini[96], path[PATH_MAX], err[CONFIG_LOAD_ERROR_SIZE];
static const char *override;
static struct config_sources sources;
static struct config read_settings, now;
static struct config_save save;
static struct config_plan plan;

static int enter(void **state)
{
    (void)state;
    temporary_folder(directory);
    snprintf(ini, sizeof ini, "%s/x.ini", directory);
    sources = (struct config_sources){.file = ini, .overrides = &override};
    memset(&plan, 0, sizeof plan);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    config_plan_free(&plan);
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

/* The program reads this file. */
static void begin(const char *text)
{
    save = (struct config_save){.path = ini, .sources = &sources, .read = &read_settings, .now = &now};
    put(text);
    if (!config_load_sections(&sources, &read_settings, path, &save.sections, err, sizeof err))
        fail_msg("%s", err);
    now = read_settings;
}

static bool plan_it(void)
{
    config_plan_free(&plan);
    return config_plan_save(&save, &plan, err, sizeof err);
}

static void assert_plans(const char *expected)
{
    if (!plan_it())
        fail_msg("%s", err);
    assert_string_equal(plan.text, expected);
}

static void assert_says(const char *part)
{
    if (!strstr(err, part))
        fail_msg("'%s' does not say '%s'", err, part);
}

static void what_the_operator_changed_is_written_and_nothing_else(void **state)
{
    char *text;
    (void)state;
    sources.override_count = 1;
    override = "app.base_port=6000";
    begin("# mine\n[scaling]\nmax_instances = 7\n# keep\nscale_up_threshold = 0.35\n");
    now.scaling.scale_up_threshold = 60;
    now.ui.mouse = true;
    const char *expected =
        "# mine\n[scaling]\nmax_instances = 7\n# keep\nscale_up_threshold = 60%\n\n[ui]\nmouse = yes\n";
    assert_plans(expected);
    assert_non_null(strstr(plan.diff, "-scale_up_threshold = 0.35\n+scale_up_threshold = 60%\n"));
    assert_string_equal(plan.note, "");
    assert_true(config_save(ini, &plan, err, sizeof err));
    assert_int_equal(file_read(ini, 4096, &text, NULL), 0);
    assert_string_equal(text, expected);
    free(text);
    read_settings = now;
    assert_plans(expected);
    assert_string_equal(plan.diff, "");
}

static void what_an_editor_changed_is_compared_with_what_runs(void **state)
{
    (void)state;
    begin("[scaling]\nmax_instances = 7\n");
    put("[scaling]\nmax_instances = 9\n# theirs\ncooldown_up = 9s\n");
    assert_plans("[scaling]\nmax_instances = 7\n# theirs\ncooldown_up = 3s\n"); /* what runs, shown first */
    now.scaling.max_instances = 9; /* the same change on both sides */
    now.scaling.cooldown_up = 9000000;
    assert_plans("[scaling]\nmax_instances = 9\n# theirs\ncooldown_up = 9s\n");
    assert_string_equal(plan.diff, "");
    /* What waits there for a reload or the next start is not taken back. */
    put("[scaling]\nmax_instances = 9\ncooldown_up = 9s\n[app]\ncommand = other\n[balancer]\nthreads = 3\n");
    now.scaling.max_step = 2;
    assert_true(plan_it());
    assert_string_equal(plan.text, "[scaling]\nmax_instances = 9\ncooldown_up = 9s\nmax_step = 2\n"
                                   "[app]\ncommand = other\n[balancer]\nthreads = 3\n");
}

static void what_the_command_line_says_is_not_a_difference(void **state)
{
    (void)state;
    sources.override_count = 1;
    override = "scaling.max_instances=8";
    begin("[scaling]\nmax_step = 2\n");
    assert_plans("[scaling]\nmax_step = 2\n");
    now.scaling.max_instances = 6;
    assert_plans("[scaling]\nmax_step = 2\nmax_instances = 6\n");
}

/* Good with the 5 of the running program, not with the 3 of the file. */
static void the_running_values_can_be_saved_together(void **state)
{
    (void)state;
    begin("[scaling]\nmin_instances = 1\n");
    now.scaling.min_instances = 4;
    put("[scaling]\nmax_instances = 3\nmin_instances = 1\n");
    assert_plans("[scaling]\nmax_instances = 5\nmin_instances = 4\n");
    put("[scaling]\nmin_instances = 1\n[app]\nbase_port = 65534\n"); /* for the next start, and no good */
    now.scaling.max_instances = 9;
    assert_true(plan_it());
    assert_null(strstr(plan.text, "65534"));
    assert_non_null(strstr(plan.text, "max_instances = 9\n"));
}

static void a_file_that_is_gone_is_made_of_all_settings(void **state)
{
    struct config again;
    (void)state;
    begin("[app]\ncommand = mine --port {port}\nenv.KEY = a = b\nenv.NONE =\n[scaling]\nmax_instances = 7\n");
    now.scaling.max_step = 2;
    assert_int_equal(unlink(ini), 0);
    assert_true(plan_it());
    assert_non_null(strstr(plan.note, "gone"));
    assert_true(plan.secret);
    assert_non_null(strstr(plan.diff, "+command = mine --port {port}\n"));
    assert_true(config_save(ini, &plan, err, sizeof err));
    assert_true(config_load(&sources, &again, path, err, sizeof err));
    assert_memory_equal(&again, &now, sizeof again);
    struct stat status;
    assert_int_equal(stat(ini, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    begin("[scaling]\nmax_instances = 9\n");
    assert_int_equal(unlink(ini), 0);
    assert_plans("[scaling]\nmax_instances = 9\n");
    assert_false(plan.secret);
}

static void sections_that_were_lost_are_written_again(void **state)
{
    struct config again;
    (void)state;
    static const char *const left[] = {"", "# emptied\n", "[scaling]\nmax_instances = 7\n"};
    begin("[app]\ncommand = mine --port {port}\nenv.KEY = x\n[scaling]\nmax_instances = 7\n");
    now.scaling.max_step = 2;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        put(left[i]);
        assert_true(plan_it());
        assert_non_null(strstr(plan.note, "[app]"));
        put(plan.text);
        assert_true(config_load(&sources, &again, path, err, sizeof err));
        assert_memory_equal(&again, &now, sizeof again);
    }
}

static void a_file_that_changed_since_the_plan_is_left_alone(void **state)
{
    char *text;
    (void)state;
    begin("[scaling]\nmax_instances = 7\n");
    now.scaling.max_step = 2;
    assert_true(plan_it());
    uint64_t mark = config_plan_mark(&plan);
    put("# edited\n[scaling]\nmax_instances = 7\n");
    assert_false(config_save(ini, &plan, err, sizeof err));
    assert_memory_equal(err, "not saved: ", 11);
    assert_says("edited by somebody else");
    assert_int_equal(file_read(ini, 4096, &text, NULL), 0);
    assert_string_equal(text, "# edited\n[scaling]\nmax_instances = 7\n");
    free(text);
    assert_true(plan_it());
    assert_true(config_plan_mark(&plan) != mark);
    mark = config_plan_mark(&plan);
    assert_true(plan_it());
    assert_true(config_plan_mark(&plan) == mark);
    assert_int_equal(unlink(ini), 0);
    assert_false(config_save(ini, &plan, err, sizeof err));
    assert_says("edited by somebody else");
    assert_true(plan_it());
    put("# somebody made it again\n");
    assert_false(config_save(ini, &plan, err, sizeof err));
}

static void a_read_only_file_is_asked_about(void **state)
{
    struct stat status;
    (void)state;
    begin("[scaling]\nmax_instances = 7\n");
    now.scaling.max_step = 2;
    assert_int_equal(chmod(ini, 0444), 0);
    assert_true(plan_it());
    assert_non_null(strstr(plan.note, "read-only (mode 0444)"));
    assert_true(config_save(ini, &plan, err, sizeof err));
    assert_int_equal(stat(ini, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0444);
}

static void what_cannot_be_saved_says_the_reason_first(void **state)
{
    (void)state;
    begin("[scaling]\nmax_instances = 7\n");
    now.scaling.max_step = 2;
    put("[scaling]\nmax_stp = 7\n");
    assert_false(plan_it());
    assert_says("not saved, the file is no good as it is: ");
    assert_says("x.ini:2: scaling.max_stp");
    unlink(ini);
    save.path = directory;
    assert_false(plan_it());
    assert_memory_equal(err, "not saved: Is a directory: ", 27);
    save.path = "/nonexistent/x.ini";
    assert_true(plan_it());
    assert_false(config_save(save.path, &plan, err, sizeof err));
    assert_says("not saved: No such file or directory; the file is as it was: /nonexistent/x.ini");
}

/* Windows' line ends, no last line end, a commented-out key, a key of the same name in another section. */
static void the_rest_of_the_file_is_kept(void **state)
{
    (void)state;
    begin("[app]\r\nhost = ::1\r\n[scaling]\r\n# max_step = 9\r\n; max_step = 8\r\nmax_instances = 7");
    now.scaling.max_instances = 8;
    now.scaling.max_step = 2;
    assert_true(plan_it());
    assert_non_null(strstr(plan.text, "host = ::1\r\n"));
    assert_non_null(strstr(plan.text, "# max_step = 9\r\n; max_step = 8\r\n"));
    assert_non_null(strstr(plan.text, "max_instances = 8"));
    assert_non_null(strstr(plan.text, "\nmax_step = 2"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(what_the_operator_changed_is_written_and_nothing_else),
        TEST(what_an_editor_changed_is_compared_with_what_runs),
        TEST(what_the_command_line_says_is_not_a_difference),
        TEST(the_running_values_can_be_saved_together),
        TEST(a_file_that_is_gone_is_made_of_all_settings),
        TEST(sections_that_were_lost_are_written_again),
        TEST(a_file_that_changed_since_the_plan_is_left_alone),
        TEST(a_read_only_file_is_asked_about),
        TEST(what_cannot_be_saved_says_the_reason_first),
        TEST(the_rest_of_the_file_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
