/* SPDX-License-Identifier: MIT */
#include "control/state.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

struct fixture {
    char parent[64], directory[80], file[100];
    struct state state;
    struct state_record record, loaded;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char err[400];
    temporary_folder(f->parent);
    snprintf(f->directory, sizeof f->directory, "%s/a/b", f->parent);
    snprintf(f->file, sizeof f->file, "%s/state.json", f->directory);
    assert_true(state_open(&f->state, f->directory, err, sizeof err));
    f->record.balancer = (struct state_process){.pid = 4242, .start_ticks = 77};
    f->record.hold = (struct hold){
        .manual = true, .count = 2, .override = OVERRIDE_FLOOR, .override_count = 3, .override_until = 99};
    f->record.roll = 5;
    f->record.instance_count = 1;
    f->record.instances[0] =
        (struct state_instance){.id = 3,
                                .port = 5002,
                                .ready = true,
                                .old = true,
                                .process = {.pid = getpid(), .start_ticks = state_start_ticks(getpid())}};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[128];
    state_forget(&f->state);
    state_close(&f->state);
    snprintf(path, sizeof path, "%s/lock", f->directory);
    unlink(path);
    assert_int_equal(rmdir(f->directory), 0);
    snprintf(path, sizeof path, "%s/a", f->parent);
    rmdir(path);
    rmdir(f->parent);
    free(f);
    return 0;
}

static void write_file(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->file, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_the_directory_is_ours_alone(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_a_socket_has_a_path_however_long_the_directory(void **state)
{
    struct fixture *f = *state;
    char long_name[240], path[STATE_PATH_MAX + 16], err[400];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct state deep;
    assert_true(state_socket_path(&f->state, "s", path, sizeof path));
    assert_int_equal(strncmp(path, f->state.directory, strlen(f->state.directory)), 0);

    snprintf(long_name, sizeof long_name, "%s/%0*d", f->directory, 120, 0);
    assert_true(state_open(&deep, long_name, err, sizeof err));
    assert_true(state_socket_path(&deep, "s", path, sizeof path));
    assert_true(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    state_close(&deep);
    snprintf(path, sizeof path, "%s/s", long_name);
    assert_int_equal(unlink(path), 0); /* it really is there */
    snprintf(path, sizeof path, "%s/lock", long_name);
    unlink(path);
    assert_int_equal(rmdir(long_name), 0);

    char *too_long = calloc(1, 400);
    memset(too_long, 'x', 399);
    assert_false(state_find_directory(too_long, path, err, sizeof err));
    free(too_long);
}

static void test_a_second_controller_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct state second;
    char err[400], pid[32];
    assert_false(state_open(&second, f->directory, err, sizeof err));
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_non_null(strstr(err, pid));
    assert_non_null(strstr(err, f->directory));
    state_close(&second);
}

/* A child caught between fork and exec keeps the lock of the controller that was killed. */
static void test_a_dead_holder_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct state second;
    char err[400], path[128];
    snprintf(path, sizeof path, "%s/lock", f->directory);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    FILE *lock = fopen(path, "w");
    fprintf(lock, "%d\n", (int)dead);
    fclose(lock);
    int closed = inotify_init1(IN_CLOEXEC);
    assert_true(inotify_add_watch(closed, path, IN_CLOSE) >= 0);
    pid_t child = fork();
    if (child == 0) {
        struct inotify_event event;
        alarm(60);                                          /* should nobody try */
        bool seen = read(closed, &event, sizeof event) > 0; /* who cannot have the lock closes the file */
        _exit(seen ? 0 : 1);                                /* and its copy of the descriptor closes */
    }
    close(f->state.lock_fd);
    f->state.lock_fd = -1;
    assert_true(state_open(&second, f->directory, err, sizeof err));
    state_close(&second);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(closed);
}

static void test_what_was_saved_is_read_back(void **state)
{
    struct fixture *f = *state;
    char err[400];
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    assert_string_equal(err, "");
    assert_int_equal(state_save(&f->state, &f->record), 0);
    assert_true(state_load(&f->state, &f->loaded, err, sizeof err));
    assert_int_equal(f->loaded.balancer.pid, 4242);
    assert_int_equal(f->loaded.balancer.start_ticks, 77);
    assert_true(f->loaded.hold.manual);
    assert_int_equal(f->loaded.hold.count, 2);
    assert_int_equal(f->loaded.hold.override, OVERRIDE_FLOOR);
    assert_int_equal(f->loaded.hold.override_count, 3);
    assert_int_equal(f->loaded.hold.override_until, 99);
    assert_int_equal(f->loaded.instance_count, 1);
    assert_int_equal(f->loaded.instances[0].id, 3);
    assert_int_equal(f->loaded.instances[0].port, 5002);
    assert_true(f->loaded.instances[0].ready);
    assert_int_equal(f->loaded.roll, 5);
    assert_true(f->loaded.instances[0].old);
    assert_true(state_process_alive(&f->loaded.instances[0].process));

    state_forget(&f->state);
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    assert_string_equal(err, "");
}

static void test_the_same_record_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    assert_int_equal(state_save(&f->state, &f->record), 0);
    stat(f->file, &before);
    assert_int_equal(state_save(&f->state, &f->record), 0);
    stat(f->file, &after);
    assert_true(before.st_ino == after.st_ino);
    f->record.instances[0].port++;
    assert_int_equal(state_save(&f->state, &f->record), 0);
    stat(f->file, &after);
    assert_true(before.st_ino != after.st_ino);
}

static void test_a_shorter_record_leaves_nothing_of_a_longer_one(void **state)
{
    struct fixture *f = *state;
    char err[400];
    for (int count = 9; count >= 0; count--) {
        f->record.instance_count = count;
        for (int i = 0; i < count; i++)
            f->record.instances[i] =
                (struct state_instance){.id = i + 1, .port = 5000 + i, .process = {.pid = 100 + i}};
        assert_int_equal(state_save(&f->state, &f->record), 0);
        assert_true(state_load(&f->state, &f->loaded, err, sizeof err));
        assert_int_equal(f->loaded.instance_count, count);
    }
}

static void test_what_could_not_be_written_is_written_the_next_time(void **state)
{
    struct fixture *f = *state;
    char in_the_way[128], err[400];
    snprintf(in_the_way, sizeof in_the_way, "%s.new", f->file);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    assert_int_equal(state_save(&f->state, &f->record), -EISDIR);
    assert_int_equal(rmdir(in_the_way), 0);
    assert_int_equal(state_save(&f->state, &f->record), 0);
    assert_true(state_load(&f->state, &f->loaded, err, sizeof err));
}

static void test_damaged_records_are_told_and_left_alone(void **state)
{
    struct fixture *f = *state;
    static const char *const damaged[] = {
        "", "{", "[]", "{\"version\":1}", "{\"version\":99,\"boot\":\"x\"}", "\377\376 nonsense",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        char err[400];
        write_file(f, damaged[i]);
        assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
        assert_non_null(strstr(err, "state.json"));
        assert_int_equal(f->loaded.instance_count, 0);
    }
}

/* Our own file with one thing changed. */
static void write_changed(struct fixture *f, const char *from, const char *to)
{
    char text[4096], changed[4096];
    f->state.has_saved = false;
    assert_int_equal(state_save(&f->state, &f->record), 0);
    FILE *file = fopen(f->file, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    char *at = strstr(text, from);
    assert_non_null(at);
    *at = '\0';
    snprintf(changed, sizeof changed, "%s%s%s", text, to, at + strlen(from));
    write_file(f, changed);
}

static void test_values_out_of_their_range_are_refused(void **state)
{
    struct fixture *f = *state;
    char err[400];
    write_changed(f, "\"port\": 5002", "\"port\": 5003");
    assert_true(state_load(&f->state, &f->loaded, err, sizeof err));
    write_changed(f, "\"port\": 5002", "\"port\": 70000");
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    write_changed(f, "\"id\": 3", "\"id\": -3");
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    write_changed(f, "\"pid\": 4242", "\"pid\": -1");
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    write_changed(f, "\"roll\": 5", "\"roll\": -5");
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    write_changed(f, "\"roll\": 5,", ""); /* of a controller that recorded none */
    assert_true(state_load(&f->state, &f->loaded, err, sizeof err));
    assert_int_equal(f->loaded.roll, 0);
    write_changed(f, "\"ready\": true", "\"ready\": \"yes\"");
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    assert_non_null(strstr(err, "damaged"));
}

static void test_a_record_of_another_boot_is_silently_stale(void **state)
{
    struct fixture *f = *state;
    char err[400];
    write_changed(f, "\"boot\": \"", "\"boot\": \"x");
    assert_false(state_load(&f->state, &f->loaded, err, sizeof err));
    assert_string_equal(err, "");
}

static void test_a_pid_alone_is_not_believed(void **state)
{
    (void)state;
    struct state_process self = {.pid = getpid(), .start_ticks = state_start_ticks(getpid())};
    assert_true(state_process_alive(&self));
    self.start_ticks++;
    assert_false(state_process_alive(&self));

    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    struct state_process zombie = {.pid = child, .start_ticks = state_start_ticks(child)};
    assert_true(zombie.start_ticks != 0);
    assert_false(state_process_alive(&zombie));
    waitpid(child, NULL, 0);
    assert_int_equal(state_start_ticks(child), 0);
}

static void test_directory_names(void **state)
{
    (void)state;
    char out[STATE_PATH_MAX], err[400];
    setenv("XDG_STATE_HOME", "/x/state", 1);
    assert_true(state_find_directory("", out, err, sizeof err));
    assert_string_equal(out, "/x/state/ascale");
    assert_true(state_find_directory("/given", out, err, sizeof err));
    assert_string_equal(out, "/given");
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/home/me", 1);
    assert_true(state_find_directory("", out, err, sizeof err));
    assert_string_equal(out, "/home/me/.local/state/ascale");
    unsetenv("HOME");
    assert_false(state_find_directory("", out, err, sizeof err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_directory_is_ours_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_socket_has_a_path_however_long_the_directory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_controller_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_dead_holder_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_saved_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_record_is_not_written_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_shorter_record_leaves_nothing_of_a_longer_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_could_not_be_written_is_written_the_next_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_records_are_told_and_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_out_of_their_range_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_record_of_another_boot_is_silently_stale, set_up, tear_down),
        cmocka_unit_test(test_a_pid_alone_is_not_believed),
        cmocka_unit_test(test_directory_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
