/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/loop.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;

static int open_loop(void **state)
{
    (void)state;
    return loop_new(&loop);
}

static int close_loop(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

/* Turns until *done or five seconds have passed; how long it takes is the machine's affair. */
static void turn_until(const int *done)
{
    int64_t deadline = clock_now_us() + 5000000;
    while (!*done && clock_now_us() < deadline)
        assert_int_equal(loop_turn(loop, deadline), 0);
    assert_true(*done);
}

static int fired[256], fired_count;

struct numbered {
    struct loop_timer timer;
    int number;
};

static void note_fired(struct loop_timer *timer, int64_t now_us)
{
    assert_true(now_us >= timer->at_us);
    assert_false(timer->armed);
    fired[fired_count++] = ((struct numbered *)timer)->number;
}

static void timers_fire_in_order_of_their_deadlines(void **state)
{
    (void)state;
    static struct numbered timers[200];
    int64_t start = clock_now_us();
    uint32_t seed = 5;
    int cancelled = 0;
    fired_count = 0;
    for (int i = 0; i < 200; i++) {
        timers[i] = (struct numbered){{.due = note_fired}, i};
        seed = seed * 1664525u + 1013904223u;
        loop_timer_set(loop, &timers[i].timer, start - (seed >> 16));
    }
    for (int i = 0; i < 200; i += 3) { /* moves and cancels shake the heap */
        loop_timer_set(loop, &timers[i].timer, start - 65536 - i);
        if (i % 2) {
            loop_timer_cancel(loop, &timers[i].timer);
            loop_timer_cancel(loop, &timers[i].timer);
            cancelled++;
        }
    }
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(fired_count, 200 - cancelled);
    for (int i = 1; i < fired_count; i++)
        assert_true(timers[fired[i - 1]].timer.at_us <= timers[fired[i]].timer.at_us);
}

static void a_timer_waits_for_its_time(void **state)
{
    (void)state;
    struct numbered timer = {{.due = note_fired}, 1};
    int64_t start = clock_now_us();
    fired_count = 0;
    loop_timer_set(loop, &timer.timer, start + 20000);
    turn_until(&fired_count);
    assert_true(clock_now_us() >= start + 20000);
}

static void set_again(struct loop_timer *timer, int64_t now_us)
{
    fired_count++;
    loop_timer_set(loop, timer, now_us - 1000);
}

static void a_timer_set_in_the_past_by_itself_fires_once_a_turn(void **state)
{
    (void)state;
    struct loop_timer timer = {.due = set_again};
    fired_count = 0;
    loop_timer_set(loop, &timer, 0);
    for (int turn = 1; turn <= 5; turn++) {
        assert_int_equal(loop_turn(loop, INT64_MAX), 0);
        assert_int_equal(fired_count, turn);
    }
    loop_timer_cancel(loop, &timer);
}

static struct loop_timer *victim;

static void cancel_victim(struct loop_timer *timer, int64_t now_us)
{
    (void)timer, (void)now_us;
    fired_count++;
    loop_timer_cancel(loop, victim);
}

static void a_timer_may_cancel_another_that_is_due(void **state)
{
    (void)state;
    struct loop_timer first = {.due = cancel_victim}, second = {.due = cancel_victim};
    victim = &second;
    fired_count = 0;
    loop_timer_set(loop, &first, 1);
    loop_timer_set(loop, &second, 2);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(fired_count, 1);
}

static int ready_count;
static struct loop_watch pair[2];

/* Which of the two comes first is the kernel's choice: each strikes the other out. */
static void remove_other(struct loop_watch *watch, uint32_t events)
{
    assert_true(events & EPOLLIN);
    ready_count++;
    loop_remove(loop, watch == &pair[0] ? &pair[1] : &pair[0]);
}

static void a_watch_removed_in_its_batch_is_not_called(void **state)
{
    (void)state;
    int pipes[2][2];
    for (int i = 0; i < 2; i++) {
        pair[i] = (struct loop_watch){.ready = remove_other};
        assert_int_equal(pipe(pipes[i]), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
        assert_int_equal(loop_add(loop, &pair[i], pipes[i][0], EPOLLIN), 0);
    }
    ready_count = 0;
    for (int turn = 1; turn <= 3; turn++) {
        assert_int_equal(loop_turn(loop, 0), 0);
        assert_int_equal(ready_count, turn); /* the one that is left stays readable */
    }
    for (int i = 0; i < 2; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

static void adding_a_closed_descriptor_is_an_error(void **state)
{
    (void)state;
    struct loop_watch watch = {.ready = remove_other};
    assert_int_equal(loop_add(loop, &watch, -1, EPOLLIN), -EBADF);
}

static int woken_count;

static void count_wake(void *context)
{
    ++*(int *)context;
}

static void *wake_often(void *context)
{
    for (int i = 0; i < 1000; i++)
        loop_wake(context);
    return NULL;
}

static void a_wake_from_another_thread_arrives(void **state)
{
    (void)state;
    pthread_t thread;
    woken_count = 0;
    loop_on_wake(loop, count_wake, &woken_count);
    assert_int_equal(pthread_create(&thread, NULL, wake_often, loop), 0);
    turn_until(&woken_count);
    pthread_join(thread, NULL);
    assert_true(woken_count <= 1000);
}

static void *stop_it(void *context)
{
    loop_stop(context);
    return NULL;
}

static void stop_ends_run_even_before_it_began(void **state)
{
    (void)state;
    pthread_t thread;
    loop_stop(loop);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_it, loop), 0);
    assert_int_equal(loop_run(loop), 0);
    pthread_join(thread, NULL);
}

static int signal_seen;

static void note_signal(void *context, const struct signalfd_siginfo *info)
{
    *(int *)context = (int)info->ssi_signo;
}

static void signals_come_through_the_loop(void **state)
{
    (void)state;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal_seen = 0;
    assert_int_equal(loop_on_signals(loop, &set, note_signal, &signal_seen), 0);
    kill(getpid(), SIGUSR1);
    turn_until(&signal_seen);
    assert_int_equal(signal_seen, SIGUSR1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_loop, close_loop)
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_order_of_their_deadlines),
        TEST(a_timer_waits_for_its_time),
        TEST(a_timer_set_in_the_past_by_itself_fires_once_a_turn),
        TEST(a_timer_may_cancel_another_that_is_due),
        TEST(a_watch_removed_in_its_batch_is_not_called),
        TEST(adding_a_closed_descriptor_is_an_error),
        TEST(a_wake_from_another_thread_arrives),
        TEST(stop_ends_run_even_before_it_began),
        TEST(signals_come_through_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
