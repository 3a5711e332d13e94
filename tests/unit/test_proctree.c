/* SPDX-License-Identifier: MIT */
/* target/proctree on real processes: shells that fork, leave their session, burn CPU and lose their parents.
 */
#include "base/clock.h"
#include "target/proc.h"
#include "target/proctree.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Of this run alone: another run at the same time must not be taken for ours. */
static char mark[] = PROCTREE_MARK "=0123456789abcdef0123456789abcdef";
static char *const key = mark + sizeof PROCTREE_MARK;
enum { OWNER = 7, DEADLINE_US = 20 * 1000 * 1000 };

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
}

/* Runs a script as the leader of a session, the way the launcher does. */
static pid_t start_script(const char *script)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(script), NULL};
        char *env[] = {mark, (char[]){"PATH=/usr/bin:/bin"}, NULL};
        setsid();
        /* What a failed test leaves must not keep whoever reads our output waiting. */
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        if (write(ready[1], "x", 1) == 1)
            execve("/bin/sh", argv, env);
        _exit(127);
    }
    assert_true(pid > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static struct proctree *follow(const char *script, pid_t *pid)
{
    struct proctree *tree;
    assert_int_equal(proctree_new(&tree), 0);
    *pid = start_script(script);
    assert_int_equal(proctree_add(tree, OWNER, *pid, key, false), 0);
    return tree;
}

static void wait_for_count(struct proctree *tree, int count)
{
    int64_t deadline = clock_now_us() + DEADLINE_US;
    for (;;) {
        proctree_scan(tree);
        pid_t pids[16];
        if (proctree_count(tree, OWNER) == count && proctree_pids(tree, OWNER, pids, 16) == count)
            return;
        assert_true(clock_now_us() < deadline);
        nap();
    }
}

/* KILL in rounds, reaping the leader as its owner does, until nothing is left. */
static void end_tree(struct proctree *tree, pid_t leader)
{
    int64_t deadline = clock_now_us() + DEADLINE_US;
    for (;;) {
        proctree_scan(tree);
        proctree_signal(tree, OWNER, SIGKILL);
        waitpid(leader, NULL, WNOHANG);
        if (proctree_count(tree, OWNER) == 0)
            break;
        assert_true(clock_now_us() < deadline);
        nap();
    }
    proctree_free(tree);
}

static bool is_running(pid_t pid)
{
    struct proc_stat stat;
    return proc_stat_get(pid, &stat) == 0 && stat.state != 'Z';
}

static void follows_children_and_grandchildren(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree = follow("(sleep 100 & sleep 100; true) & sleep 100; true", &pid);
    wait_for_count(tree, 5);
    pid_t pids[8];
    assert_int_equal(proctree_pids(tree, OWNER, pids, 8), 5);
    assert_true(proctree_usage(tree, OWNER).memory_bytes > 0);
    assert_int_equal(proctree_signal(tree, OWNER, 0), 5);
    end_tree(tree, pid);
    for (int i = 0; i < 5; i++)
        assert_false(is_running(pids[i]));
}

/* setsid, double fork: neither the parent nor the session leads back; the key does. */
static void follows_a_daemon(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree = follow("setsid sh -c 'setsid sleep 100 & exit' & wait; sleep 0.2", &pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    wait_for_count(tree, 1);
    pid_t daemon_pid;
    assert_int_equal(proctree_pids(tree, OWNER, &daemon_pid, 1), 1);
    assert_true(is_running(daemon_pid));
    end_tree(tree, pid);
    assert_false(is_running(daemon_pid));
}

static void takes_orphans_without_key_for_nobodys(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree =
        follow("env -i PATH=$PATH setsid sh -c '/bin/setsid -f sleep 100; sleep 0.3'; sleep 0.2", &pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    int64_t deadline = clock_now_us() + DEADLINE_US;
    pid_t left;
    int owner = OWNER;
    do {
        assert_true(clock_now_us() < deadline);
        nap();
        proctree_scan(tree);
        owner = owner == OWNER ? PROCTREE_NOBODY : OWNER;
    } while (proctree_pids(tree, owner, &left, 1) != 1);
    assert_int_equal(proctree_signal(tree, owner, SIGKILL), 1);
    while (proctree_count(tree, owner) != 0) {
        assert_true(clock_now_us() < deadline);
        proctree_scan(tree);
        nap();
    }
    assert_false(is_running(left));
    proctree_free(tree);
}

static void adopts_what_ran_before(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree, *first = follow("setsid sleep 100 & sleep 100 & i=0;"
                                           " while [ $i -lt 100000 ]; do i=$((i+1)); done; wait",
                                           &pid);
    wait_for_count(first, 3);
    while (proctree_usage(first, OWNER).cpu_us < 50000)
        proctree_scan(first);
    proctree_free(first);
    assert_int_equal(proctree_new(&tree), 0);
    assert_int_equal(proctree_add(tree, OWNER, pid, key, true), 0);
    assert_int_equal(proctree_count(tree, OWNER), 3);
    assert_int_equal(proctree_usage(tree, OWNER).cpu_us, 0);
    end_tree(tree, pid);
}

/* Workers that come, burn and are waited for: their time is neither lost nor counted twice. */
static void counts_cpu_once(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree =
        follow("n=0; while [ $n -lt 6 ]; do"
               " sh -c 'i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done'; n=$((n+1)); done",
               &pid);
    struct proc_stat stat = {0};
    uint64_t before = 0;
    int64_t deadline = clock_now_us() + DEADLINE_US;
    do {
        proctree_scan(tree);
        uint64_t now = proctree_usage(tree, OWNER).cpu_us;
        assert_true(now >= before);
        before = now;
        assert_true(clock_now_us() < deadline);
        assert_int_equal(proc_stat_get(pid, &stat), 0);
        nap();
    } while (stat.state != 'Z');
    proctree_scan(tree);
    double counted = (double)proctree_usage(tree, OWNER).cpu_us, used = (double)(stat.cpu_us + stat.child_us);
    assert_true(used > 100000);
    assert_true(counted >= 0.9 * used && counted <= 1.1 * used + 20000);
    end_tree(tree, pid);
}

static void leaves_strangers_alone(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree = follow("sleep 100; true", &pid);
    pid_t stranger = fork(); /* a child of ours in our session, as the balancer is */
    if (stranger == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        pause();
        _exit(0);
    }
    wait_for_count(tree, 2);
    assert_int_equal(proctree_count(tree, PROCTREE_NOBODY), 0);
    end_tree(tree, pid);
    assert_true(is_running(stranger));
    kill(stranger, SIGKILL);
    waitpid(stranger, NULL, 0);
}

static bool is_the_one(void *context, pid_t pid)
{
    return *(const pid_t *)context == pid;
}

static void leaves_our_own_programs_alone(void **state)
{
    (void)state;
    pid_t pid, program = 0;
    struct proctree *tree = follow("sleep 100; true", &pid);
    proctree_spare(tree, is_the_one, &program);
    program = fork(); /* in a session of its own, as the balancer is */
    if (program == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        setsid();
        pause();
        _exit(0);
    }
    while (getsid(program) != program)
        nap();
    wait_for_count(tree, 2);
    for (int i = 0; i < 3; i++)
        proctree_scan(tree);
    assert_int_equal(proctree_count(tree, PROCTREE_NOBODY), 0);
    end_tree(tree, pid);
    kill(program, SIGKILL);
    waitpid(program, NULL, 0);
}

static void ends_what_a_dead_leader_left(void **state)
{
    (void)state;
    pid_t pid;
    struct proctree *tree = follow("sleep 100 & exec sleep 100", &pid);
    struct proc_stat stat;
    assert_int_equal(proc_stat_get(pid, &stat), 0);
    wait_for_count(tree, 2);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(proctree_end_session(pid, stat.start_ticks + 100000), 0);
    assert_int_equal(proctree_end_session(pid, stat.start_ticks), 1);
    end_tree(tree, pid);
}

static void parses_odd_names(void **state)
{
    (void)state;
    struct proc_stat stat;
    assert_true(proc_stat_parse(
        "12 (a) R (b) S 3 12 9 0 -1 4194560 1 2 3 4 100 50 7 3 20 0 1 0 4321 1000 25 18446744", &stat));
    assert_int_equal(stat.pid, 12);
    assert_int_equal(stat.state, 'S');
    assert_int_equal(stat.parent, 3);
    assert_int_equal(stat.session, 9);
    assert_int_equal(stat.start_ticks, 4321);
    assert_int_equal(stat.cpu_us, 150 * (1000000 / sysconf(_SC_CLK_TCK)));
    assert_int_equal(stat.child_us, 10 * (1000000 / sysconf(_SC_CLK_TCK)));
    assert_int_equal(stat.memory_bytes, 25 * sysconf(_SC_PAGESIZE));
    assert_false(proc_stat_parse("12 (a", &stat));
    assert_false(proc_stat_parse("12 (a) S 3 4", &stat));
    assert_false(proc_stat_parse("", &stat));
}

static void knows_when_a_process_is_gone(void **state)
{
    (void)state;
    pid_t pid = start_script("sleep 100");
    int fd = proc_stat_open(pid);
    struct proc_stat stat;
    assert_int_equal(proc_stat_read(fd, &stat), 0);
    kill(-pid, SIGKILL); /* the shell may have forked already */
    waitpid(pid, NULL, 0);
    assert_int_equal(proc_stat_read(fd, &stat), -ESRCH);
    assert_int_equal(proc_stat_get(pid, &stat), -ESRCH);
    close(fd);
}

int main(void)
{
    snprintf(key, 33, "%032x", (unsigned)getpid());
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_odd_names),
        cmocka_unit_test(knows_when_a_process_is_gone),
        cmocka_unit_test(follows_children_and_grandchildren),
        cmocka_unit_test(follows_a_daemon),
        cmocka_unit_test(takes_orphans_without_key_for_nobodys),
        cmocka_unit_test(adopts_what_ran_before),
        cmocka_unit_test(counts_cpu_once),
        cmocka_unit_test(leaves_strangers_alone),
        cmocka_unit_test(leaves_our_own_programs_alone),
        cmocka_unit_test(ends_what_a_dead_leader_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
