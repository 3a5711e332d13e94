/* SPDX-License-Identifier: MIT */
#include "control/mailbox.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct mailbox *mailbox;
    struct port port;
    struct snapshot *out, *in;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->out = calloc(1, sizeof *f->out);
    f->in = calloc(1, sizeof *f->in);
    assert_int_equal(mailbox_new(&f->mailbox), 0);
    f->port = mailbox_port(f->mailbox);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    mailbox_free(f->mailbox);
    free(f->out);
    free(f->in);
    free(f);
    return 0;
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void test_reads_each_snapshot_once(void **state)
{
    struct fixture *f = *state;
    assert_false(f->port.read(f->port.ctx, f->in));
    assert_false(is_readable(mailbox_snapshot_fd(f->mailbox)));

    f->out->desired = 3;
    f->out->instance_count = 2;
    f->out->instances[1].port = 5001;
    f->out->history_count = 1;
    f->out->history[0].cpu_pct = 42;
    f->out->journal_count = 1;
    strcpy(f->out->journal[0].text, "hello");
    mailbox_publish(f->mailbox, f->out);

    assert_true(is_readable(mailbox_snapshot_fd(f->mailbox)));
    assert_true(f->port.read(f->port.ctx, f->in));
    assert_int_equal(f->in->desired, 3);
    assert_int_equal(f->in->instances[1].port, 5001);
    assert_true(f->in->history[0].cpu_pct == 42);
    assert_string_equal(f->in->journal[0].text, "hello");
    assert_false(f->port.read(f->port.ctx, f->in));

    f->out->desired = 4;
    mailbox_publish(f->mailbox, f->out);
    f->out->desired = 5;
    mailbox_publish(f->mailbox, f->out);
    assert_true(f->port.read(f->port.ctx, f->in));
    assert_int_equal(f->in->desired, 5);
    assert_false(f->port.read(f->port.ctx, f->in));
}

static void test_commands_keep_their_order_and_get_ids(void **state)
{
    struct fixture *f = *state;
    struct command command = {.kind = CMD_SCALE, .count = 7}, taken;
    uint64_t first = f->port.post(f->port.ctx, &command);
    command.count = 8;
    uint64_t second = f->port.post(f->port.ctx, &command);
    assert_true(first != 0 && second > first);

    assert_true(is_readable(mailbox_command_fd(f->mailbox)));
    assert_true(mailbox_take(f->mailbox, &taken));
    assert_int_equal(taken.id, first);
    assert_int_equal(taken.count, 7);
    assert_true(mailbox_take(f->mailbox, &taken));
    assert_int_equal(taken.id, second);
    assert_int_equal(taken.count, 8);
    assert_false(mailbox_take(f->mailbox, &taken));
    assert_false(is_readable(mailbox_command_fd(f->mailbox)));
}

static void test_full_queue_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct command command = {.kind = CMD_AUTO}, taken;
    for (int i = 0; i < EXCHANGE_COMMANDS_MAX; i++)
        assert_true(f->port.post(f->port.ctx, &command) != 0);
    assert_true(f->port.post(f->port.ctx, &command) == 0);
    assert_true(mailbox_take(f->mailbox, &taken));
    assert_true(f->port.post(f->port.ctx, &command) != 0);
}

static void test_closed_takes_no_command_and_says_so(void **state)
{
    struct fixture *f = *state;
    struct command command = {.kind = CMD_QUIT};
    assert_false(is_readable(mailbox_end_fd(f->mailbox)));
    mailbox_publish(f->mailbox, f->out);
    mailbox_close(f->mailbox);
    assert_true(is_readable(mailbox_end_fd(f->mailbox)));
    assert_true(f->port.post(f->port.ctx, &command) == 0);
    assert_true(f->port.read(f->port.ctx, f->in));
}

#define POSTS_EACH 200

static void *post_many(void *arg)
{
    struct port *port = arg;
    struct command command = {.kind = CMD_SCALE};
    for (int i = 0; i < POSTS_EACH;) {
        command.count = i;
        if (port->post(port->ctx, &command))
            i++;
    }
    return NULL;
}

/* A reader must never see half of one snapshot and half of another. */
static void *read_many(void *arg)
{
    struct port *port = arg;
    struct snapshot *in = calloc(1, sizeof *in);
    bool torn = false;
    while (in->desired < 1000)
        if (port->read(port->ctx, in))
            torn |= in->desired != in->ready || in->instances[0].port != in->desired;
    free(in);
    return (void *)(intptr_t)torn;
}

static void test_many_threads_at_once(void **state)
{
    struct fixture *f = *state;
    pthread_t posters[2], readers[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&posters[i], NULL, post_many, &f->port);
        pthread_create(&readers[i], NULL, read_many, &f->port);
    }
    int taken_count = 0;
    struct command taken;
    f->out->instance_count = 1;
    for (int i = 1; i <= 1000 || taken_count < 2 * POSTS_EACH; i++) {
        f->out->desired = f->out->ready = f->out->instances[0].port = i;
        mailbox_publish(f->mailbox, f->out);
        while (mailbox_take(f->mailbox, &taken))
            taken_count++;
    }
    for (int i = 0; i < 2; i++) {
        void *torn;
        pthread_join(posters[i], NULL);
        pthread_join(readers[i], &torn);
        assert_null(torn);
    }
    while (mailbox_take(f->mailbox, &taken))
        taken_count++;
    assert_int_equal(taken_count, 2 * POSTS_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_each_snapshot_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commands_keep_their_order_and_get_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_queue_refuses_and_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_takes_no_command_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_threads_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
