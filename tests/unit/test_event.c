/* SPDX-License-Identifier: MIT */
/* Deadlines come in time and never early, moved ones included; wakes and later tasks happen once. */
#include "http/event.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct event_loop *loop;
static unsigned woken_count, fired_count;

static void woken(void *context)
{
    (void)context;
    woken_count++;
}

struct alarm {
    struct event_timer timer;
    usec_t due, fired_at;
};

static void fired(struct event_timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    a->fired_at = event_now(loop);
    fired_count++;
}

static int begin(void **state)
{
    (void)state;
    loop = event_loop_new(woken, NULL);
    woken_count = fired_count = 0;
    return !loop;
}

static int end(void **state)
{
    (void)state;
    event_loop_free(loop);
    return 0;
}

static void deadlines_come_in_time(void **state)
{
    (void)state;
    enum { N = 500 };
    static struct alarm alarms[N];
    usec_t start = event_now(loop);
    for (int i = 0; i < N; i++) {
        alarms[i].timer.expired = fired;
        alarms[i].due = start + (i * 7919 % 300) * USEC_PER_MSEC;
        event_timer_set(loop, &alarms[i].timer, alarms[i].due);
    }
    while (fired_count < N && event_now(loop) < start + 20 * USEC_PER_SEC)
        assert_int_equal(event_turn(loop, USEC_NEVER), 0);
    for (int i = 0; i < N; i++)
        assert_true(alarms[i].fired_at >= alarms[i].due && alarms[i].fired_at - alarms[i].due < USEC_PER_SEC);
    assert_int_equal(fired_count, N);
}

static void moved_and_cleared_deadlines_are_kept(void **state)
{
    (void)state;
    struct alarm later = {.timer.expired = fired}, sooner = later, cleared = later, far = later;
    usec_t start = event_now(loop);
    event_timer_set(loop, &later.timer, start + 10 * USEC_PER_MSEC);
    event_timer_set(loop, &later.timer, start + 60 * USEC_PER_MSEC);
    event_timer_set(loop, &sooner.timer, start + USEC_PER_HOUR);
    event_timer_set(loop, &sooner.timer, start + 20 * USEC_PER_MSEC);
    event_timer_set(loop, &cleared.timer, start + 5 * USEC_PER_MSEC);
    event_timer_clear(&cleared.timer);
    /* A turn of the wheel further: it lies in a slot that is visited before. */
    event_timer_set(loop, &far.timer, start + 4096 * EVENT_TICK_US + 30 * USEC_PER_MSEC);
    while (later.fired_at == 0)
        event_turn(loop, USEC_NEVER);
    assert_true(later.fired_at >= start + 60 * USEC_PER_MSEC);
    assert_true(sooner.fired_at >= start + 20 * USEC_PER_MSEC && sooner.fired_at <= later.fired_at);
    assert_true(cleared.fired_at == 0 && far.fired_at == 0);
    event_timer_clear(&far.timer);
}

static void many_wakes_are_one_call(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        event_wake(loop);
    event_turn(loop, USEC_NEVER);
    assert_int_equal(woken_count, 1);
    event_turn(loop, 0);
    assert_int_equal(woken_count, 1);
}

struct errand {
    struct event_task task;
    unsigned runs;
    bool again;
};

static void run_errand(struct event_task *task)
{
    struct errand *e = (struct errand *)task;
    e->runs++;
    if (e->again) {
        e->again = false;
        event_later(loop, task);
    }
}

static void tasks_run_at_the_end_of_the_turn(void **state)
{
    (void)state;
    struct errand a = {.task.run = run_errand}, b = {.task.run = run_errand, .again = true};
    event_later(loop, &a.task);
    event_later(loop, &b.task);
    event_turn(loop, 0);
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 2);
}

static void ready(struct event_source *source, uint32_t events)
{
    char bytes[8];
    assert_true(events & EPOLLIN);
    assert_true(read(source->fd, bytes, sizeof bytes) > 0);
    fired_count++;
}

static void an_edge_is_told_once(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct event_source source = {ends[0], ready};
    assert_int_equal(event_add(loop, &source), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    event_turn(loop, USEC_NEVER);
    event_turn(loop, 0);
    assert_int_equal(fired_count, 1);
    close(ends[0]);
    close(ends[1]);
}

struct punctual {
    struct event_source source;
    struct alarm alarm;
};

static void came_in_time(struct event_source *source, uint32_t events)
{
    (void)events;
    event_timer_clear(&((struct punctual *)source)->alarm.timer);
    close(source->fd);
    source->fd = -1;
}

/* A process that was stopped finds more than one turn takes, all of it come before the deadlines. */
static void what_came_during_a_gap_is_served_before_deadlines(void **state)
{
    (void)state;
    enum { N = 600 };
    static struct punctual all[N];
    for (int i = 0; i < N; i++) {
        all[i] = (struct punctual){.source = {eventfd(1, EFD_CLOEXEC), came_in_time},
                                   .alarm.timer.expired = fired};
        assert_int_equal(event_add_as(loop, &all[i].source, EPOLLIN), 0);
        event_timer_set(loop, &all[i].alarm.timer, event_now(loop) + 200 * USEC_PER_MSEC);
    }
    usleep(250 * USEC_PER_MSEC);
    for (int turns = 0; turns < 4; turns++)
        event_turn(loop, 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(all[i].source.fd, -1);
    assert_int_equal(fired_count, 0);
}

static long sleeps(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

static void what_is_expected_is_waited_for_awake(void **state)
{
    (void)state;
    bool alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
    event_turn(loop, 0);
    long before = sleeps();
    usec_t by = event_now(loop) + 500;
    event_expect(loop, by);
    event_turn(loop, by);
    assert_true(event_now(loop) >= by);
    assert_int_equal(sleeps() - before, alone ? 1 : 0);

    event_expect(loop, 0);
    before = sleeps();
    event_turn(loop, event_now(loop) + 20 * USEC_PER_MSEC);
    assert_int_equal(sleeps() - before, 1);
}

static void a_turn_ends_in_time_whatever_is_expected(void **state)
{
    (void)state;
    event_turn(loop, 0);
    usec_t by = event_now(loop) + USEC_PER_HOUR;
    event_expect(loop, by);
    event_turn(loop, 0);
    assert_true(event_now(loop) < by);
}

/* Old kernels do not know the call; old container runtimes forbid what they do not know. */
static bool forbid_precise_waits(unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int turn_without_precise_waits(unsigned error)
{
    struct alarm a = {.timer.expired = fired};
    if (!forbid_precise_waits(error))
        return 2;
    event_expect(loop, event_now(loop) + USEC_PER_MSEC);
    event_timer_set(loop, &a.timer, event_now(loop) + 20 * USEC_PER_MSEC);
    for (int turns = 0; a.fired_at == 0; turns++)
        if (event_turn(loop, USEC_NEVER) != 0 || turns > 100)
            return 1;
    return 0;
}

static void it_waits_without_precise_waits(void **state)
{
    (void)state;
    static const unsigned errors[] = {ENOSYS, EPERM};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(turn_without_precise_waits(errors[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deadlines_come_in_time, begin, end),
        cmocka_unit_test_setup_teardown(moved_and_cleared_deadlines_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(many_wakes_are_one_call, begin, end),
        cmocka_unit_test_setup_teardown(tasks_run_at_the_end_of_the_turn, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_is_told_once, begin, end),
        cmocka_unit_test_setup_teardown(what_came_during_a_gap_is_served_before_deadlines, begin, end),
        cmocka_unit_test_setup_teardown(what_is_expected_is_waited_for_awake, begin, end),
        cmocka_unit_test_setup_teardown(a_turn_ends_in_time_whatever_is_expected, begin, end),
        cmocka_unit_test_setup_teardown(it_waits_without_precise_waits, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
