/* SPDX-License-Identifier: MIT */
/* The whole control thread with a remote target that is not there, driven through its port: every command
 * that control itself answers. */
#include "base/clock.h"
#include "control/control.h"
#include <poll.h>
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

#define PATIENCE_US (20 * USEC_PER_SEC)

struct fixture {
    char directory[64], ini[96], load[96], state_directory[96], path[4096];
    struct config config;
    struct config_sources sources;
    struct control_programs programs;
    struct control_setup setup;
    struct state state;
    struct control *control;
    struct port port;
    struct snapshot *snapshot;
    struct answer answer; /* to the newest command */
};

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static const char ini_text[] =
    "# kept\n[scaling]\ntarget = http\nmin_instances = 2\nmax_instances = 9\n"
    "polling_interval = 100ms\n[http]\napp_url = http://127.0.0.1:1\nretries = 0\nbreaker_failures = 1000\n";

/* Says one line of progress, then how it is told to change, until its commands end. */
static const char load_text[] = "#!/bin/sh\n"
                                "trap '' TERM\n"
                                "echo "
                                "'{\"event\":\"progress\",\"requests\":42,\"errors\":1,\"rps\":7.5,\"latency_"
                                "us\":{\"p50\":10,\"p95\":20,\"p99\":30}}'\n"
                                "while read line; do echo \"$line\" >> \"$(dirname \"$0\")/heard\"; done\n"
                                "echo '{\"event\":\"summary\"}'\n";

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char err[CONFIG_LOAD_ERROR_SIZE];
    temporary_folder(f->directory);
    snprintf(f->ini, sizeof f->ini, "%s/a.ini", f->directory);
    snprintf(f->load, sizeof f->load, "%s/load", f->directory);
    snprintf(f->state_directory, sizeof f->state_directory, "%s/state", f->directory);
    write_text(f->ini, ini_text, 0600);
    write_text(f->load, load_text, 0700);
    f->sources.file = f->ini;
    assert_true(config_load(&f->sources, &f->config, f->path, err, sizeof err));
    assert_true(state_open(&f->state, f->state_directory, err, sizeof err));
    f->programs = (struct control_programs){
        .directory = f->directory, .launcher = "/nonexistent", .balancer = "/nonexistent", .load = f->load};
    f->setup = (struct control_setup){.config = &f->config,
                                      .sources = &f->sources,
                                      .config_path = f->path,
                                      .state = &f->state,
                                      .programs = &f->programs};
    f->snapshot = calloc(1, sizeof *f->snapshot);
    *state = f;
    return 0;
}

static void start(struct fixture *f)
{
    char err[512] = "";
    f->control = control_new(&f->setup, err, sizeof err);
    assert_string_equal(err, "");
    assert_non_null(f->control);
    f->port = control_port(f->control);
    assert_int_equal(control_start(f->control), 0);
}

#define WAIT_FOR(f, condition)                                                                               \
    do {                                                                                                     \
        int64_t end_ = clock_now_us() + PATIENCE_US;                                                         \
        while (!(f->port.read(f->port.ctx, f->snapshot), (condition)) && clock_now_us() < end_) {            \
            struct pollfd wait_ = {.fd = control_wake_fd(f->control), .events = POLLIN};                     \
            uint64_t count_;                                                                                 \
            if (poll(&wait_, 1, 20) == 1 && read(wait_.fd, &count_, sizeof count_) < 0)                      \
                continue;                                                                                    \
        }                                                                                                    \
        assert_true(condition);                                                                              \
    } while (0)

static bool find_answer(struct fixture *f, uint64_t id)
{
    for (int i = 0; i < SNAPSHOT_ANSWERS_MAX; i++)
        if (f->snapshot->answers[i].id == id)
            f->answer = f->snapshot->answers[i];
    return f->answer.id == id;
}

static bool ask(struct fixture *f, enum command_kind kind, const char *text)
{
    struct command command = {.kind = kind};
    snprintf(command.text, sizeof command.text, "%s", text);
    uint64_t id = f->port.post(f->port.ctx, &command);
    assert_true(id != 0);
    WAIT_FOR(f, find_answer(f, id));
    return f->answer.accepted;
}

static bool says(const struct fixture *f, const char *text)
{
    return strstr(f->answer.text, text) != NULL;
}

static void stop(struct fixture *f)
{
    struct pollfd end = {.fd = control_end_fd(f->control), .events = POLLIN};
    f->port.post(f->port.ctx, &(struct command){.kind = CMD_QUIT});
    assert_int_equal(poll(&end, 1, 20000), 1);
    assert_true(control_join(f->control));
    control_free(f->control);
    f->control = NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    if (f->control)
        stop(f);
    state_close(&f->state);
    snprintf(command, sizeof command, "rm -r '%s'", f->directory);
    assert_int_equal(system(command), 0);
    free(f->snapshot);
    free(f);
    return 0;
}

static void read_ini(const struct fixture *f, char *out, size_t size)
{
    FILE *file = fopen(f->ini, "r");
    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void test_settings_change_all_or_none(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=7\nscaling.cooldown_up=9s"));
    assert_int_equal(f->snapshot->config.scaling.max_instances, 7);
    assert_int_equal(f->snapshot->config.scaling.cooldown_up, 9 * USEC_PER_SEC);
    assert_int_equal(f->snapshot->unsaved, 2);

    assert_false(ask(f, CMD_SET, "scaling.max_instances=8\nscaling.max_step=0"));
    assert_true(says(f, "max_step") && says(f, "nothing was changed"));
    assert_false(ask(f, CMD_SET, "scaling.max_instances=1")); /* below the minimum */
    assert_true(says(f, "min_instances"));
    assert_false(ask(f, CMD_SET, "scaling.target=process"));
    assert_true(says(f, "next start"));
    assert_false(ask(f, CMD_SET, "balancer.trusted_proxies=10.0.0.0/99"));
    assert_true(says(f, "trusted_proxies"));
    assert_false(ask(f, CMD_SET, "rubbish"));
    assert_false(ask(f, CMD_SET, "scaling.mx_instances=3"));
    assert_true(says(f, "max_instances"));
    assert_int_equal(f->snapshot->config.scaling.max_instances, 7);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=7"));
    assert_true(says(f, "nothing to change"));
}

static void test_preview_changes_nothing(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_true(ask(f, CMD_PREVIEW, "scaling.max_instances=3"));
    assert_true(f->snapshot->detail.command_id == f->answer.id);
    assert_int_equal(f->snapshot->detail.line_count, 1);
    assert_int_equal(f->snapshot->config.scaling.max_instances, 9);
    assert_false(ask(f, CMD_PREVIEW, "scaling.max_instances=x"));
}

static void test_save_shows_and_then_writes(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    start(f);
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    assert_int_equal(f->snapshot->detail.line_count, 0);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=7"));
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    assert_true(f->snapshot->detail.line_count > 2);
    read_ini(f, text, sizeof text);
    assert_string_equal(text, ini_text);

    assert_true(ask(f, CMD_SAVE, ""));
    read_ini(f, text, sizeof text);
    assert_non_null(strstr(text, "max_instances = 7"));
    assert_non_null(strstr(text, "# kept"));
    WAIT_FOR(f, f->snapshot->unsaved == 0);
}

static void test_what_was_shown_is_what_is_saved(void **state)
{
    struct fixture *f = *state;
    char text[4096], shown[24];
    start(f);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=7"));
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    snprintf(shown, sizeof shown, "%llu", (unsigned long long)f->answer.id);
    snprintf(text, sizeof text, "# edited\n%s", ini_text);
    write_text(f->ini, text, 0600);
    assert_false(ask(f, CMD_SAVE, shown));
    assert_memory_equal(f->answer.text, "not saved: ", 11);
    assert_true(says(f, "have changed since the difference was shown"));
    read_ini(f, text, sizeof text);
    assert_null(strstr(text, "max_instances = 7"));
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    snprintf(shown, sizeof shown, "%llu", (unsigned long long)f->answer.id);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=6")); /* by another onlooker */
    assert_false(ask(f, CMD_SAVE, shown));
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    snprintf(shown, sizeof shown, "%llu", (unsigned long long)f->answer.id);
    assert_true(ask(f, CMD_SAVE, shown));
    read_ini(f, text, sizeof text);
    assert_non_null(strstr(text, "max_instances = 6"));
    assert_non_null(strstr(text, "# edited"));
}

static void test_an_ini_that_is_gone_is_asked_about(void **state)
{
    struct fixture *f = *state;
    char text[4096], shown[24];
    start(f);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=7"));
    assert_int_equal(unlink(f->ini), 0);
    assert_false(ask(f, CMD_SAVE, ""));
    assert_true(says(f, "not saved: The file is gone"));
    assert_int_equal(access(f->ini, F_OK), -1);
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    assert_non_null(strstr(f->snapshot->detail.lines[0], "The file is gone"));
    snprintf(shown, sizeof shown, "%llu", (unsigned long long)f->answer.id);
    assert_true(ask(f, CMD_SAVE, shown));
    read_ini(f, text, sizeof text);
    assert_non_null(strstr(text, "app_url = http://127.0.0.1:1\n"));
    assert_non_null(strstr(text, "max_instances = 7\n"));
}

static void test_reload_takes_the_good_and_keeps_the_old(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    start(f);
    snprintf(text, sizeof text, "%s[balancer]\nthreads = 3\n[scaling]\nmax_step = 4\n", ini_text);
    write_text(f->ini, text, 0600);
    assert_true(ask(f, CMD_RELOAD, ""));
    assert_true(says(f, "max_step = 4") && says(f, "balancer.threads"));
    assert_int_equal(f->snapshot->config.scaling.max_step, 4);
    assert_int_equal(f->snapshot->config.balancer.threads, 1);
    /* What waits for the next start is in the file already: saving does not take it back. */
    assert_int_equal(f->snapshot->unsaved, 0);
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    assert_int_equal(f->snapshot->detail.line_count, 0);

    write_text(f->ini, "[scaling]\nmax_stp = 5\n", 0600);
    assert_false(ask(f, CMD_RELOAD, ""));
    assert_true(says(f, "max_stp"));
    assert_int_equal(f->snapshot->config.scaling.max_step, 4);
    WAIT_FOR(f, strstr(f->snapshot->alert, "max_stp"));
    assert_true(ask(f, CMD_ALERT_ACK, ""));
    WAIT_FOR(f, f->snapshot->alert[0] == '\0');
}

/* At the start it was ours; whoever may write to it since must not run a command by a reload. */
static void test_a_found_ini_is_judged_at_each_reload(void **state)
{
    struct fixture *f = *state;
    f->sources.file = NULL;
    start(f);
    assert_true(ask(f, CMD_RELOAD, ""));
    assert_int_equal(chmod(f->ini, 0666), 0);
    assert_false(ask(f, CMD_RELOAD, ""));
    assert_true(says(f, "others may write to it; name it with -c"));
    assert_false(ask(f, CMD_RELOAD_PREVIEW, ""));
}

static void test_a_reload_is_shown_before_it_is_done(void **state)
{
    struct fixture *f = *state;
    const struct detail *detail = &f->snapshot->detail;
    char text[1024];
    start(f);
    assert_true(ask(f, CMD_RELOAD_PREVIEW, ""));
    assert_true(detail->command_id == f->answer.id);
    assert_int_equal(detail->line_count, 0);

    snprintf(text, sizeof text, "%s[balancer]\nthreads = 3\n[scaling]\nmax_step = 4\n[app]\nuser = nobody\n",
             ini_text);
    write_text(f->ini, text, 0600);
    assert_true(ask(f, CMD_SET, "scaling.max_instances=7")); /* not saved: it would be lost */
    assert_true(ask(f, CMD_RELOAD_PREVIEW, ""));
    static const char *const lines[] = {"At once:",
                                        "  scaling.max_instances: 7 -> 9",
                                        "  scaling.max_step: 1 -> 4",
                                        "By instances started from now on:",
                                        "  app.user: none -> nobody",
                                        "At the next start only:",
                                        "  balancer.threads: 1 -> 3"};
    assert_int_equal(detail->line_count, sizeof lines / sizeof *lines);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_string_equal(detail->lines[i], lines[i]);
    assert_int_equal(f->snapshot->config.scaling.max_instances, 7);
    assert_int_equal(f->snapshot->config.scaling.max_step, 1);

    write_text(f->ini, "[scaling]\nmax_stp = 5\n", 0600);
    assert_false(ask(f, CMD_RELOAD_PREVIEW, ""));
    assert_true(says(f, "max_stp"));
    assert_string_equal(f->snapshot->alert, "");
}

static void test_secrets_are_not_told(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    start(f);
    snprintf(text, sizeof text, "%sheader.Token = hush\n[app]\nenv.KEY = hush\n", ini_text);
    write_text(f->ini, text, 0600);
    assert_true(ask(f, CMD_RELOAD_PREVIEW, ""));
    for (int i = 0; i < f->snapshot->detail.line_count; i++)
        assert_null(strstr(f->snapshot->detail.lines[i], "hush"));
    assert_int_equal(f->snapshot->detail.line_count, 4);
    assert_true(ask(f, CMD_RELOAD, ""));
    assert_true(says(f, "app.env.* = (hidden)") && says(f, "http.header.* = (hidden)"));
    assert_false(says(f, "hush"));
    for (int i = 0; i < f->snapshot->journal_count; i++)
        assert_null(strstr(f->snapshot->journal[i].text, "hush"));
    assert_true(ask(f, CMD_SET, "app.health_interval=300ms")); /* a neighbor of the key in the file */
    assert_true(ask(f, CMD_SAVE_PREVIEW, ""));
    assert_true(f->snapshot->detail.line_count > 4);
    for (int i = 0; i < f->snapshot->detail.line_count; i++)
        assert_null(strstr(f->snapshot->detail.lines[i], "hush"));
    assert_true(ask(f, CMD_SAVE, ""));
    read_ini(f, text, sizeof text);
    assert_non_null(strstr(text, "env.KEY = hush"));
}

/* The first line that the load was told. */
static bool has_heard(const struct fixture *f, const char *expected)
{
    char path[96], line[128] = "";
    snprintf(path, sizeof path, "%s/heard", f->directory);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool heard = fgets(line, sizeof line, file) && strcmp(line, expected) == 0;
    fclose(file);
    return heard;
}

static void test_load_is_started_changed_and_stopped(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_false(ask(f, CMD_LOAD_STOP, ""));
    assert_false(ask(f, CMD_LOAD_SET, "load.rate=5/s"));
    assert_false(ask(f, CMD_LOAD_START, "scaling.max_instances=3"));
    assert_true(
        ask(f, CMD_LOAD_START,
            "load.rate=50/s\nload.threads=4\nload.connections=9\nload.shape=step\nload.duration=25s"));
    assert_false(ask(f, CMD_LOAD_START, ""));
    assert_true(says(f, "runs already"));
    WAIT_FOR(f, f->snapshot->load.requests == 42);
    assert_true(f->snapshot->load.running);
    assert_int_equal(f->snapshot->load.p95_us, 20);
    assert_true(f->snapshot->load.rate_rps == 50);
    assert_int_equal(f->snapshot->load.threads, 4);
    assert_int_equal(f->snapshot->load.connections, 9);
    assert_int_equal(f->snapshot->load.shape, CONFIG_SHAPE_STEP);
    assert_int_equal(f->snapshot->load.duration, 25 * USEC_PER_SEC);

    assert_true(ask(f, CMD_LOAD_SET, "load.rate=80/s"));
    assert_true(f->snapshot->load.rate_rps == 80);
    assert_false(ask(f, CMD_LOAD_SET, "load.url=http://127.0.0.1:9/"));
    WAIT_FOR(f, has_heard(f, "{\"cmd\":\"rate\",\"value\":80}\n"));
    assert_true(ask(f, CMD_LOAD_STOP, ""));
    WAIT_FOR(f, !f->snapshot->load.running);
    assert_string_equal(f->snapshot->load.last, "42 requests, 1 errors");
}

static void test_a_load_that_fails_says_why(void **state)
{
    struct fixture *f = *state;
    write_text(f->load, "#!/bin/sh\necho 'ascale-load: no such host' >&2\nexit 1\n", 0700);
    start(f);
    assert_true(ask(f, CMD_LOAD_START, ""));
    WAIT_FOR(f, strstr(f->snapshot->load.last, "no such host"));
    unlink(f->load);
    assert_false(ask(f, CMD_LOAD_START, ""));
    assert_true(says(f, "No such file"));
    write_text(f->load, "", 0600);
}

static bool in_journal(const struct fixture *f, const char *text)
{
    for (int i = 0; i < f->snapshot->journal_count; i++)
        if (strstr(f->snapshot->journal[i].text, text))
            return true;
    return false;
}

static void test_an_order_that_the_load_refuses_is_told(void **state)
{
    struct fixture *f = *state;
    write_text(f->load, "#!/bin/sh\nread line\necho 'ascale-load: order refused: too many' >&2\nread line\n",
               0700);
    start(f);
    assert_true(ask(f, CMD_LOAD_START, ""));
    assert_true(ask(f, CMD_LOAD_SET, "load.threads=30"));
    WAIT_FOR(f, in_journal(f, "order refused: too many"));
    assert_true(f->snapshot->load.running);
}

static void test_a_running_load_ends_with_us(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_true(ask(f, CMD_LOAD_START, ""));
    WAIT_FOR(f, f->snapshot->load.requests == 42);
    int pid = f->snapshot->load.pid;
    stop(f);
    assert_int_equal(state_start_ticks(pid), 0);
}

static void test_read_only_looks_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    f->setup.read_only = true;
    start(f);
    static const enum command_kind refused[] = {CMD_SCALE, CMD_AUTO,       CMD_MANUAL,       CMD_SET,
                                                CMD_SAVE,  CMD_LOAD_START, CMD_INSTANCE_KILL};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_false(ask(f, refused[i], "scaling.max_instances=3"));
        assert_true(says(f, "read-only"));
    }
    assert_true(ask(f, CMD_PREVIEW, "scaling.max_instances=3"));
    assert_true(ask(f, CMD_RELOAD, "")); /* from SIGHUP; the screen refuses its key itself */
    assert_true(f->snapshot->read_only);
}

static void test_nonsense_is_answered(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_false(ask(f, CMD_NONE, ""));
    assert_false(ask(f, (enum command_kind)999, ""));
    assert_false(ask(f, CMD_DETAIL_INSTANCE, ""));
    assert_true(says(f, "no instances"));
}

static void test_ends_after_the_asked_duration(void **state)
{
    struct fixture *f = *state;
    f->setup.duration = 300 * USEC_PER_MSEC;
    start(f);
    struct pollfd end = {.fd = control_end_fd(f->control), .events = POLLIN};
    assert_int_equal(poll(&end, 1, 20000), 1);
    assert_true(control_join(f->control));
    f->port.read(f->port.ctx, f->snapshot);
    assert_true(f->snapshot->stopping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_settings_change_all_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_preview_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_save_shows_and_then_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_shown_is_what_is_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_ini_that_is_gone_is_asked_about, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload_takes_the_good_and_keeps_the_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_found_ini_is_judged_at_each_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reload_is_shown_before_it_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_secrets_are_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_load_is_started_changed_and_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_load_that_fails_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_order_that_the_load_refuses_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_running_load_ends_with_us, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_only_looks_and_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nonsense_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ends_after_the_asked_duration, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
