/* SPDX-License-Identifier: MIT */
#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A list of literals as exec wants it. */
#define LIST(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

static int wait_for(int pidfd)
{
    int status = -1;
    struct pollfd poll_fd = {pidfd, POLLIN, 0};
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_true(spawn_reap(pidfd, &status));
    close(pidfd);
    return status;
}

/* Runs a program with its output on a pipe; returns the output. */
static const char *run_program(char *const *argv, struct spawn_request request)
{
    static char output[8192];
    int ends[2], pidfd;
    pid_t pid;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    request.path = argv[0];
    request.argv = argv;
    request.fds[request.fd_count++] = (struct spawn_fd){ends[1], 1};
    assert_int_equal(spawn_process(&request, &pid, &pidfd), 0);
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while ((got = read(ends[0], output + used, sizeof output - 1 - used)) > 0)
        used += (size_t)got;
    output[used] = '\0';
    close(ends[0]);
    assert_int_equal(wait_for(pidfd), 0);
    return output;
}

static const char *run(const char *script, struct spawn_request request)
{
    return run_program(LIST("sh", "-c", script), request);
}

static void a_child_starts_clean(void **state)
{
    (void)state;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    const char *output =
        run_program(LIST("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"), (struct spawn_request){0});
    assert_string_equal(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void a_child_has_three_descriptors(void **state)
{
    (void)state;
    int leak = open("/dev/null", O_RDONLY); /* not close-on-exec, as libraries open theirs */
    const char *output = run("for fd in /proc/$$/fd/*; do echo ${fd##*/} $(readlink $fd); done | sort -n",
                             (struct spawn_request){0});
    assert_memory_equal(output, "0 /dev/null\n1 ", 14);
    assert_non_null(strstr(output, "\n2 /dev/null\n"));
    /* One between those that are named, one behind them. */
    int low = fcntl(leak, F_DUPFD, 10), high = fcntl(leak, F_DUPFD, 50);
    char script[128];
    snprintf(script, sizeof script,
             "cd /proc/$$/fd; for fd in %d 40 %d; do test -e $fd && echo $fd; done; :", low, high);
    assert_string_equal(run(script, (struct spawn_request){.fds = {{leak, 40}}, .fd_count = 1}), "40\n");
    close(low);
    close(high);
    close(leak);
}

/* Gives the writing ends of two pipes to a child under the given numbers and has it write there. */
static void check_places(const int source[2], const int reader[2], const int target[2])
{
    struct spawn_request request = {.fds = {{source[0], target[0]}, {source[1], target[1]}}, .fd_count = 2};
    char script[64], text[8];
    snprintf(script, sizeof script, "echo 0 >/proc/$$/fd/%d; echo 1 >/proc/$$/fd/%d", target[0], target[1]);
    run(script, request);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(reader[i], text, sizeof text), 2);
        assert_int_equal(text[0], '0' + i);
    }
}

static void descriptors_may_change_places(void **state)
{
    (void)state;
    int a[2], b[2];
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    const int source[2] = {a[1], b[1]}, reader[2] = {a[0], b[0]};
    check_places(source, reader, (const int[2]){b[1], a[1]}); /* each other's */
    int top = b[1] > a[1] ? b[1] : a[1];
    for (int first = top + 1; first < top + 5; first++) /* numbers that copies might be given */
        check_places(source, reader, (const int[2]){first + 1, first});
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void environment_and_group_are_as_asked(void **state)
{
    (void)state;
    assert_non_null(
        strstr(run("cat /proc/$$/environ", (struct spawn_request){.env = LIST("ONLY=this")}), "ONLY=this"));
    char own[16];
    snprintf(own, sizeof own, "%d\n", (int)getpgrp());
    assert_string_equal(run("cut -d' ' -f5 /proc/$$/stat", (struct spawn_request){0}), own);
    const char *output = run("cut -d' ' -f1,5 /proc/$$/stat", (struct spawn_request){.new_group = true});
    int pid = 0, group = -1;
    assert_int_equal(sscanf(output, "%d %d", &pid, &group), 2);
    assert_int_equal(pid, group);
}

static void a_missing_program_is_the_callers_to_know(void **state)
{
    (void)state;
    pid_t pid;
    int pidfd;
    assert_int_equal(
        spawn_process(&(struct spawn_request){.path = "/nonexistent/x", .argv = LIST("x")}, &pid, &pidfd),
        -ENOENT);
    assert_int_equal(
        spawn_process(&(struct spawn_request){.path = "/etc/passwd", .argv = LIST("x")}, &pid, &pidfd),
        -EACCES);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void ends_are_told_as_by_waitpid(void **state)
{
    (void)state;
    int pidfd, status;
    pid_t pid;
    assert_int_equal(spawn_process(&(struct spawn_request){.path = "sh", .argv = LIST("sh", "-c", "exit 7")},
                                   &pid, &pidfd),
                     0);
    assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    status = wait_for(pidfd);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_int_equal(
        spawn_process(&(struct spawn_request){.path = "sleep", .argv = LIST("sleep", "100")}, &pid, &pidfd),
        0);
    assert_false(spawn_reap(pidfd, &status));
    assert_int_equal(spawn_signal(pidfd, SIGKILL), 0);
    struct pollfd poll_fd = {pidfd, POLLIN, 0};
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_true(spawn_reap(pidfd, &status));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(spawn_signal(pidfd, SIGTERM), -ESRCH);
    assert_false(spawn_reap(pidfd, &status));
    close(pidfd);
}

static void ends_are_described(void **state)
{
    (void)state;
    static const struct {
        const char *script, *text;
    } rows[] = {{"exit 3", "exit status 3"},
                {"kill -TERM $$", "killed by SIGTERM (15)"},
                {"kill -40 $$", "killed by real-time signal (40)"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int pidfd;
        pid_t pid;
        char text[64];
        struct spawn_request request = {.path = "sh", .argv = LIST("sh", "-c", rows[i].script)};
        assert_int_equal(spawn_process(&request, &pid, &pidfd), 0);
        spawn_describe_status(wait_for(pidfd), text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_starts_clean),
        cmocka_unit_test(a_child_has_three_descriptors),
        cmocka_unit_test(descriptors_may_change_places),
        cmocka_unit_test(environment_and_group_are_as_asked),
        cmocka_unit_test(a_missing_program_is_the_callers_to_know),
        cmocka_unit_test(ends_are_told_as_by_waitpid),
        cmocka_unit_test(ends_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
