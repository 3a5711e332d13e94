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

/* Runs a shell script with its output on a pipe; returns the output. */
static const char *run(const char *script, struct spawn_request request)
{
    static char output[8192];
    int ends[2], pidfd;
    pid_t pid;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    request.path = "/bin/sh";
    request.argv = LIST("sh", "-c", script);
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
    const char *output = run("grep -E '^Sig(Blk|Ign)' /proc/self/status", (struct spawn_request){0});
    assert_string_equal(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void a_child_has_three_descriptors(void **state)
{
    (void)state;
    int leak = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const char *output = run("for fd in /proc/$$/fd/*; do echo ${fd##*/} $(readlink $fd); done | sort -n",
                             (struct spawn_request){0});
    assert_memory_equal(output, "0 /dev/null\n1 ", 14);
    assert_non_null(strstr(output, "\n2 /dev/null\n"));
    close(leak);
}

static void descriptors_may_change_places(void **state)
{
    (void)state;
    int a[2], b[2];
    char text[8] = "";
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    struct spawn_request request = {.fds = {{a[1], b[1]}, {b[1], a[1]}}, .fd_count = 2};
    char script[64];
    snprintf(script, sizeof script, "echo A >&%d; echo B >&%d", a[1], b[1]);
    run(script, request);
    assert_int_equal(read(a[0], text, sizeof text), 2);
    assert_memory_equal(text, "B\n", 2);
    assert_int_equal(read(b[0], text, sizeof text), 2);
    assert_memory_equal(text, "A\n", 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_starts_clean),
        cmocka_unit_test(a_child_has_three_descriptors),
        cmocka_unit_test(descriptors_may_change_places),
        cmocka_unit_test(environment_and_group_are_as_asked),
        cmocka_unit_test(a_missing_program_is_the_callers_to_know),
        cmocka_unit_test(ends_are_told_as_by_waitpid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
