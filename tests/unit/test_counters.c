/* SPDX-License-Identifier: MIT */
/* What one thread counts, another reads whole. */
#include "balance/counters.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MANY = 1000, CHANGES = 200000 };
#define APART USEC_PER_HOUR /* so that what is read half is far off */

static struct presence shared;
static _Atomic usec_t shared_now;
static _Atomic bool over;

static void the_sum_is_the_number_over_time(void **state)
{
    (void)state;
    struct presence p = {0};
    presence_add(&p, 2, 1000);
    presence_add(&p, 1, 1500);
    assert_int_equal(presence_sum(&p, 1500), 2 * 500);
    assert_int_equal(presence_sum(&p, 1700), 2 * 500 + 3 * 200);
    presence_add(&p, -3, 2000);
    assert_int_equal(presence_sum(&p, 9000), 2 * 500 + 3 * 500);
    assert_int_equal(counter_read(&p.count), 0);
}

static void *change(void *context)
{
    (void)context;
    for (usec_t i = 1; i <= CHANGES; i++) {
        atomic_store(&shared_now, i * APART);
        presence_add(&shared, i % 2 != 0 ? MANY : -MANY, i * APART);
    }
    atomic_store(&over, true);
    return NULL;
}

/* MANY are there every other hour: neither may the sum fall, nor be more than an hour ahead of that. */
static void a_sum_read_in_the_middle_of_a_change_is_right(void **state)
{
    (void)state;
    pthread_t writer;
    uint64_t last = 0;
    assert_int_equal(pthread_create(&writer, NULL, change, NULL), 0);
    while (!atomic_load(&over)) {
        usec_t now = atomic_load(&shared_now);
        uint64_t sum = presence_sum(&shared, now), later = (uint64_t)atomic_load(&shared_now);
        assert_true(sum >= last);
        assert_true(sum <= (later / 2 + APART) * MANY);
        last = sum;
    }
    pthread_join(writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_the_number_over_time),
        cmocka_unit_test(a_sum_read_in_the_middle_of_a_change_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
