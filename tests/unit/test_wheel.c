/* SPDX-License-Identifier: MIT */
/* The timers of a loop against a list of deadlines, on a clock of our own: steps of a millisecond and gaps of
 * several turns of the wheel, timers set, moved and cleared at random, in their callbacks too. */
#include "base/clock.h"
#include "core/random.h"
#include "http/event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HORIZON (4096 * EVENT_TICK_US)

enum { TIMERS = 200, STEPS = 20000 };

struct alarm {
    struct event_timer timer; /* first */
    usec_t deadline;          /* USEC_NEVER: unset */
};

static usec_t virtual_now = USEC_PER_HOUR;
static struct event_loop *loop;
static struct alarm alarms[TIMERS];
static struct random chance = {1};
static unsigned fired_count;

int64_t clock_now_us(void)
{
    return virtual_now;
}

static void set(struct alarm *a, usec_t deadline)
{
    a->deadline = deadline;
    if (deadline == USEC_NEVER)
        event_timer_clear(&a->timer);
    else
        event_timer_set(loop, &a->timer, deadline);
}

static usec_t some_time(void)
{
    static const usec_t spans[] = {EVENT_TICK_US, USEC_PER_SEC, HORIZON, 5 * HORIZON};
    return (usec_t)random_below(&chance, (uint64_t)spans[random_below(&chance, 4)]);
}

static void fired(struct event_timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    assert_true(a->deadline <= virtual_now);
    a->deadline = USEC_NEVER;
    fired_count++;
    if (random_below(&chance, 2) == 0)
        set(&alarms[random_below(&chance, TIMERS)], virtual_now + some_time());
    if (random_below(&chance, 4) == 0)
        set(&alarms[random_below(&chance, TIMERS)], USEC_NEVER);
}

/* None is early (fired), none is late by more than a tick. */
static void timers_fire_when_they_are_due(void **state)
{
    (void)state;
    loop = event_loop_new(NULL, NULL);
    for (int i = 0; i < TIMERS; i++)
        alarms[i] = (struct alarm){.timer.expired = fired, .deadline = USEC_NEVER};
    for (int step = 0; step < STEPS; step++) {
        set(&alarms[random_below(&chance, TIMERS)],
            random_below(&chance, 5) == 0 ? USEC_NEVER : virtual_now + some_time());
        virtual_now += random_below(&chance, 100) == 0 ? some_time() : USEC_PER_MSEC;
        assert_int_equal(event_turn(loop, virtual_now), 0);
        for (int i = 0; i < TIMERS; i++)
            assert_true(alarms[i].deadline > virtual_now - EVENT_TICK_US);
    }
    assert_true(fired_count > STEPS / 4);
    event_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(timers_fire_when_they_are_due)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
