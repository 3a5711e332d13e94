/* SPDX-License-Identifier: MIT */
/* The supervised balancer against a program that only sleeps and a control socket the test itself answers on.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "control/balancer.h"
#include "control/balancer_adopt.h"
#include "control/listener.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

#define PATIENCE_US (10 * USEC_PER_SEC)

struct fixture {
    char directory[64], program[96], socket_path[96], log_path[96], old_log_path[96];
    struct loop *loop;
    struct config config;
    struct balancer *balancer;
    int server_fd, peer_fd; /* the fake's ends of the control socket */
    int users_fd;           /* the listening socket it has to hand over */
    char received[65536];
    size_t received_size;
    int drained, reports, bursts, errors;
    char note[256];
};

static void on_drained(void *context, int instance)
{
    ((struct fixture *)context)->drained = instance;
}

static void on_reported(void *context)
{
    ((struct fixture *)context)->reports++;
}

static void on_burst(void *context)
{
    ((struct fixture *)context)->bursts++;
}

static void on_changed(void *context)
{
    (void)context;
}

static void on_note(void *context, enum journal_level level, int instance, const char *text)
{
    struct fixture *f = context;
    (void)instance;
    f->errors += level == LEVEL_ERROR;
    snprintf(f->note, sizeof f->note, "%s", text);
}

static void write_program(const struct fixture *f, const char *body)
{
    FILE *script = fopen(f->program, "w");
    fprintf(script, "#!/bin/sh\n%s\n", body);
    fclose(script);
    chmod(f->program, 0700);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temporary_folder(f->directory);
    snprintf(f->program, sizeof f->program, "%s/program", f->directory);
    snprintf(f->socket_path, sizeof f->socket_path, "%s/socket", f->directory);
    snprintf(f->log_path, sizeof f->log_path, "%s/log", f->directory);
    snprintf(f->old_log_path, sizeof f->old_log_path, "%s/log.1", f->directory);
    write_program(f, "exec sleep 600");
    assert_int_equal(loop_new(&f->loop), 0);
    config_init(&f->config);
    strcpy(f->config.balancer.listen, "127.0.0.1:0");
    f->server_fd = f->peer_fd = f->users_fd = -1;
    *state = f;
    return 0;
}

static void drop_server(struct fixture *f)
{
    if (f->peer_fd >= 0)
        close(f->peer_fd);
    if (f->server_fd >= 0)
        close(f->server_fd);
    f->peer_fd = f->server_fd = -1;
    f->received_size = 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int64_t end = clock_now_us() + PATIENCE_US;
    if (f->balancer) {
        balancer_stop(f->balancer, true);
        while (!balancer_stopped(f->balancer) && clock_now_us() < end)
            loop_turn(f->loop, clock_now_us() + 10000);
        balancer_close(f->balancer);
    }
    drop_server(f);
    if (f->users_fd >= 0)
        close(f->users_fd);
    loop_free(f->loop);
    unlink(f->program);
    unlink(f->socket_path);
    unlink(f->log_path);
    unlink(f->old_log_path);
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

static void open_balancer(struct fixture *f)
{
    char err[256] = "";
    struct balancer_setup setup = {.loop = f->loop,
                                   .config = &f->config,
                                   .program = f->program,
                                   .socket_path = f->socket_path,
                                   .log_path = f->log_path,
                                   .context = f,
                                   .drained = on_drained,
                                   .reported = on_reported,
                                   .burst = on_burst,
                                   .changed = on_changed,
                                   .note = on_note};
    f->balancer = balancer_open(&setup, err, sizeof err);
    assert_string_equal(err, "");
    assert_non_null(f->balancer);
}

static void listen_control(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->socket_path);
    f->server_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->server_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(f->server_fd, 4), 0);
}

/* One turn of the balancer's loop and of the fake's side. */
static void turn(struct fixture *f)
{
    assert_int_equal(loop_turn(f->loop, clock_now_us() + 5000), 0);
    balancer_flush(f->balancer);
    if (f->server_fd >= 0 && f->peer_fd < 0)
        f->peer_fd = accept4(f->server_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (f->peer_fd < 0)
        return;
    ssize_t count =
        read(f->peer_fd, f->received + f->received_size, sizeof f->received - 1 - f->received_size);
    if (count > 0)
        f->received_size += (size_t)count;
    f->received[f->received_size] = '\0';
}

#define TURN_UNTIL(f, condition)                                                                             \
    do {                                                                                                     \
        int64_t end_ = clock_now_us() + PATIENCE_US;                                                         \
        while (!(condition) && clock_now_us() < end_)                                                        \
            turn(f);                                                                                         \
        assert_true(condition);                                                                              \
    } while (0)

static bool was_sent(const struct fixture *f, const char *text)
{
    return f->received_size && strstr(f->received, text);
}

static void answer(struct fixture *f, const char *line)
{
    assert_int_equal(send(f->peer_fd, line, strlen(line), MSG_NOSIGNAL), (int)strlen(line));
}

static struct balancer_view view_of(const struct fixture *f)
{
    struct balancer_view view = {0};
    balancer_view(f->balancer, &view, loop_now(f->loop));
    return view;
}

static void test_tells_the_program_everything_on_connect(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    assert_int_equal(strncmp(balancer_url(f->balancer), "http://127.0.0.1:", 17), 0);
    balancer_admit(f->balancer, 1, 5000);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    assert_true(was_sent(f, "\"cmd\":\"hello\""));
    assert_true(was_sent(f, "{\"id\":\"i1\",\"address\":\"127.0.0.1:5000\",\"state\":\"ready\"}"));
    assert_true(view_of(f).connected);

    f->received_size = 0;
    balancer_admit(f->balancer, 2, 5001);
    balancer_remove(f->balancer, 1);
    TURN_UNTIL(f, was_sent(f, "}\n"));
    assert_true(
        was_sent(f, "\"backends\":[{\"id\":\"i2\",\"address\":\"127.0.0.1:5001\",\"state\":\"ready\"}]"));
}

static void test_events_come_through(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    balancer_admit(f->balancer, 1, 5000);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));

    answer(f,
           "{\"event\":\"drained\",\"backend\":\"i1\"}\n{\"event\":\"burst\",\"in_flight\":9,\"queue\":1}\n");
    TURN_UNTIL(f, f->bursts == 1);
    assert_int_equal(f->drained, 0); /* nobody asked for it */
    assert_int_equal(view_of(f).in_flight, 9);
    assert_int_equal(view_of(f).queue, 1);

    balancer_drain(f->balancer, 1);
    TURN_UNTIL(f, was_sent(f, "\"drain\""));
    answer(f, "{\"event\":\"drained\",\"ba");
    turn(f);
    answer(f, "ckend\":\"i1\"}\n");
    TURN_UNTIL(f, f->drained == 1);

    /* The event can get lost with a connection; the statistics tell it as well. */
    balancer_admit(f->balancer, 2, 5001);
    balancer_drain(f->balancer, 2);
    answer(f, "{\"event\":\"stats\",\"total\":{},\"backends\":[{\"id\":\"i2\",\"state\":\"drain\",\"in_"
              "flight\":1}]}\n"
              "{\"event\":\"burst\"}\n");
    TURN_UNTIL(f, f->bursts == 2);
    assert_int_equal(f->drained, 1);
    answer(f, "{\"event\":\"stats\",\"total\":{},\"backends\":[{\"id\":\"i2\",\"state\":\"drain\",\"in_"
              "flight\":0}]}\n");
    TURN_UNTIL(f, f->drained == 2);
    /* Requests wait and nobody takes any: as good as a burst. */
    answer(f, "{\"event\":\"stats\",\"total\":{\"queue\":3},\"backends\":[]}\n");
    TURN_UNTIL(f, f->bursts == 3);
    assert_int_equal(f->reports, 3); /* bursts are none */

    answer(f, "{\"event\":\"ejected\",\"backend\":\"i1\",\"cause\":\"connection refused\"}\n");
    TURN_UNTIL(f, strstr(f->note, "connection refused"));
    answer(f, "{\"reply\":3,\"ok\":false,\"error\":\"no such thing\"}\n");
    TURN_UNTIL(f, strstr(f->note, "no such thing"));
}

static void test_draining_what_it_never_had_is_over_at_once(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    balancer_drain(f->balancer, 7);
    assert_int_equal(f->drained, 7);
}

static void test_a_killed_program_is_replaced_on_the_same_socket(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    balancer_admit(f->balancer, 1, 5000);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    int first = view_of(f).pid;
    char url[96];
    snprintf(url, sizeof url, "%s", balancer_url(f->balancer));
    drop_server(f);
    int64_t killed_at = clock_now_us();
    kill(first, SIGKILL);
    TURN_UNTIL(f, view_of(f).pid != 0 && view_of(f).pid != first);
    assert_true(clock_now_us() - killed_at < 5 * USEC_PER_SEC); /* promised: one second */
    assert_int_equal(view_of(f).restarts, 1);
    assert_string_equal(balancer_url(f->balancer), url);
    assert_int_equal(f->errors, 1);
    assert_non_null(strstr(f->note, "SIGKILL"));

    /* Users who come now wait in the backlog: nobody accepts, nobody is refused. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int user = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(user, (struct sockaddr *)&address, sizeof address), 0);
    close(user);

    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"address\":\"127.0.0.1:5000\""));
}

/* Looks are counted, not time: after a long sleep of ours it still has as many to show that it lives. */
static void test_a_silent_program_is_replaced_unless_it_was_us_who_slept(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    int first = view_of(f).pid;
    answer(f, "{\"event\":\"stats\",\"same\":true}\n");
    turn(f);
    sleep(6);
    for (int i = 0; i < 10; i++)
        turn(f);
    assert_int_equal(f->errors, 0);

    TURN_UNTIL(f, f->errors == 1);
    assert_non_null(
        strstr(f->note, "the balancer hung (no report for 5 s) and was killed; starting it again"));
    drop_server(f);
    TURN_UNTIL(f, view_of(f).pid != 0 && view_of(f).pid != first);
    assert_int_equal(view_of(f).restarts, 1);
}

static void test_one_that_ends_at_once_is_tried_ever_less_often(void **state)
{
    struct fixture *f = *state;
    write_program(f, "exit 3");
    open_balancer(f);
    TURN_UNTIL(f, view_of(f).restarts >= 8);
    assert_int_equal(f->errors, 4); /* for the first, second, fourth and eighth */
    assert_non_null(strstr(f->note, "(exit status 3), 8 times in a row now; next try in "));
}

static void test_draining_ends_with_the_program(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    balancer_admit(f->balancer, 1, 5000);
    balancer_admit(f->balancer, 2, 5001);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    balancer_drain(f->balancer, 2);
    TURN_UNTIL(f, was_sent(f, "\"drain\""));
    assert_int_equal(f->drained, 0);
    write_program(f, "echo why >&2; exit 3");
    kill(view_of(f).pid, SIGKILL);
    TURN_UNTIL(f, f->drained == 2);
    TURN_UNTIL(f, view_of(f).restarts > 2 && view_of(f).pid == 0);
    assert_non_null(strstr(f->note, "(exit status 3: why)"));
    balancer_drain(f->balancer, 1);
    assert_int_equal(f->drained, 1);
}

static void test_its_log_is_capped(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    f->config.log.max_size = 4096;
    write_program(f, "head -c 10000 /dev/zero; exec sleep 600");
    open_balancer(f);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    TURN_UNTIL(f, stat(f->log_path, &status) == 0 && status.st_size == 10000);
    answer(f, "{\"event\":\"stats\",\"same\":true}\n");
    TURN_UNTIL(f, stat(f->log_path, &status) == 0 && status.st_size == 0);
    TURN_UNTIL(f, stat(f->old_log_path, &status) == 0 && status.st_size == 2048);
}

static void test_rubbish_ends_the_connection_and_it_comes_back(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    answer(f, "[1,2]\n");
    TURN_UNTIL(f, !view_of(f).connected);
    close(f->peer_fd);
    f->peer_fd = -1;
    f->received_size = 0;
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    assert_int_equal(view_of(f).restarts, 0);
}

static void test_live_settings_reach_the_program(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    f->received_size = 0;
    char err[CONFIG_ERROR_SIZE];
    struct config changed = f->config;
    assert_true(config_set(&changed, "balancer", "algorithm", "round_robin", err, sizeof err));
    assert_true(config_set(&changed, "scaling", "max_instances", "9", err, sizeof err));
    balancer_reconfigure(f->balancer, &changed);
    TURN_UNTIL(f, was_sent(f, "\"key\":\"algorithm\",\"value\":\"round_robin\""));
    assert_false(was_sent(f, "max_instances"));
}

static void test_stops_in_order_then_by_force(void **state)
{
    struct fixture *f = *state;
    f->config.balancer.drain_timeout = 0;
    open_balancer(f);
    listen_control(f);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"subscribe\""));
    balancer_stop(f->balancer, false);
    TURN_UNTIL(f, was_sent(f, "\"cmd\":\"stop\""));
    TURN_UNTIL(f, balancer_stopped(f->balancer)); /* it never listens: TERM ends it */
    assert_int_equal(view_of(f).pid, 0);
    assert_int_equal(f->errors, 0);
}

static void test_one_deaf_to_TERM_is_killed(void **state)
{
    struct fixture *f = *state;
    f->config.balancer.drain_timeout = 0;
    struct stat log = {0};
    write_program(f, "trap '' TERM; echo deaf; exec sleep 600");
    open_balancer(f);
    listen_control(f);
    TURN_UNTIL(f, stat(f->log_path, &log) == 0 && log.st_size > 0);
    int64_t began = clock_now_us();
    balancer_stop(f->balancer, false);
    TURN_UNTIL(f, balancer_stopped(f->balancer));
    assert_true(clock_now_us() - began < 4000000); /* not only for its silence */
    assert_int_equal(view_of(f).pid, 0);
}

static void test_a_taken_address_is_named(void **state)
{
    struct fixture *f = *state;
    open_balancer(f);
    struct config second = f->config;
    snprintf(second.balancer.listen, sizeof second.balancer.listen, "%s", balancer_url(f->balancer) + 7);
    struct balancer_setup setup = {.loop = f->loop,
                                   .config = &second,
                                   .program = f->program,
                                   .socket_path = f->socket_path,
                                   .log_path = f->log_path,
                                   .context = f,
                                   .changed = on_changed,
                                   .note = on_note};
    char err[256];
    assert_null(balancer_open(&setup, err, sizeof err));
    assert_non_null(strstr(err, second.balancer.listen));
    assert_non_null(strstr(err, strerror(EADDRINUSE)));
}

/* The other side of the handover: sends a descriptor beside the reply. */
static void *hand_over(void *arg)
{
    struct fixture *f = arg;
    struct pollfd wait = {.fd = f->server_fd, .events = POLLIN};
    if (poll(&wait, 1, 10000) != 1)
        return NULL;
    f->peer_fd = accept4(f->server_fd, NULL, NULL, SOCK_CLOEXEC);
    while (!strstr(f->received, "listener")) {
        ssize_t count = read(f->peer_fd, f->received + f->received_size, 1000);
        if (count <= 0)
            return NULL;
        f->received_size += (size_t)count;
    }
    char text[] = "{\"event\":\"burst\"}\n{\"reply\":1,\"ok\":true}\n{\"reply\":2,\"ok\":true}\n",
         control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &f->users_fd, sizeof(int));
    sendmsg(f->peer_fd, &header, MSG_NOSIGNAL);
    return NULL;
}

static int adopt_listener(struct fixture *f, const char *bound, const char *wanted)
{
    char err[256];
    pthread_t thread;
    f->users_fd = listener_open(bound, err, sizeof err);
    listen_control(f);
    pthread_create(&thread, NULL, hand_over, f);
    int fd = balancer_adopt_listener(f->socket_path, wanted);
    pthread_join(thread, NULL);
    return fd;
}

static void test_the_listening_socket_is_handed_over(void **state)
{
    struct fixture *f = *state;
    struct stat ours, theirs;
    int fd = adopt_listener(f, "127.0.0.1:0", "127.0.0.1:0");
    assert_true(fd >= 0);
    fstat(fd, &ours);
    fstat(f->users_fd, &theirs);
    assert_true(ours.st_ino == theirs.st_ino);
    close(fd);
}

static void test_a_socket_bound_elsewhere_is_not_taken(void **state)
{
    assert_int_equal(adopt_listener(*state, "127.0.0.1:0", "127.0.0.1:1"), -EADDRNOTAVAIL);
}

static void test_who_listens_is_found_without_a_record(void **state)
{
    struct fixture *f = *state;
    struct state_process unknown = {0}, dead = {.pid = getpid(), .start_ticks = 1};
    assert_int_equal(balancer_adopt_find(f->socket_path, &unknown).pid, 0);
    listen_control(f);
    struct state_process found = balancer_adopt_find(f->socket_path, &dead);
    assert_int_equal(found.pid, getpid());
    assert_true(state_process_alive(&found));
}

static void test_a_silent_balancer_hands_nothing_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(balancer_adopt_listener(f->socket_path, "127.0.0.1:0"), -ENOENT);
    listen_control(f);
    assert_int_equal(balancer_adopt_listener(f->socket_path, "127.0.0.1:0"), -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tells_the_program_everything_on_connect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events_come_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_draining_what_it_never_had_is_over_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_killed_program_is_replaced_on_the_same_socket, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_silent_program_is_replaced_unless_it_was_us_who_slept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_ends_at_once_is_tried_ever_less_often, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_draining_ends_with_the_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_log_is_capped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rubbish_ends_the_connection_and_it_comes_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_live_settings_reach_the_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stops_in_order_then_by_force, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_deaf_to_TERM_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_taken_address_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_listening_socket_is_handed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_socket_bound_elsewhere_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_listens_is_found_without_a_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_silent_balancer_hands_nothing_over, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
