/* SPDX-License-Identifier: MIT */
/* The whole control thread while its target hangs, drips one byte a second, or sends a body without end:
 * it must go on as if nothing were the matter. Prints what it measured. */
#include "base/clock.h"
#include "control/control.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

enum { STEPS = 2, ORDERS = 100, CALLERS_MAX = 64 };

#define PATIENCE_US (60 * USEC_PER_SEC)

enum fault { HANGS, DRIPS, NEVER_ENDS };

/* A server with that fault, on a thread of its own. */
struct server {
    enum fault fault;
    int listen_fd, stop_fds[2], port;
    int fds[CALLERS_MAX], count;
    size_t sent[CALLERS_MAX];
    pthread_t thread;
};

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

/* False: the caller has gone. */
static bool serve_one(struct server *server, int i)
{
    static const char blanks[4096] = {' '};
    size_t *sent = &server->sent[i];
    ssize_t got = 0;
    char byte;
    if (recv(server->fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
        return false;
    if (server->fault == HANGS)
        return true;
    if (*sent + 1 < sizeof head)
        got = send(server->fds[i], head + *sent, server->fault == DRIPS ? 1 : sizeof head - 1 - *sent,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
    else if (server->fault == NEVER_ENDS)
        got = send(server->fds[i], blanks, sizeof blanks, MSG_NOSIGNAL | MSG_DONTWAIT);
    *sent += got > 0 ? (size_t)got : 0;
    return true;
}

static void *serve(void *context)
{
    struct server *server = context;
    int pause_ms = server->fault == DRIPS ? 1000 : 5;
    struct pollfd stop = {.fd = server->stop_fds[0], .events = POLLIN};
    while (poll(&stop, 1, pause_ms) == 0) {
        int fd;
        while (server->count < CALLERS_MAX &&
               (fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
            server->sent[server->count] = 0;
            server->fds[server->count++] = fd;
        }
        for (int i = 0; i < server->count; i++) {
            if (serve_one(server, i))
                continue;
            close(server->fds[i]);
            server->count--;
            server->fds[i] = server->fds[server->count];
            server->sent[i] = server->sent[server->count];
            i--;
        }
    }
    return NULL;
}

static void server_start(struct server *server, enum fault fault)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct server){.fault = fault};
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listen_fd, 64), 0);
    getsockname(server->listen_fd, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pipe(server->stop_fds), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    close(server->stop_fds[1]);
    pthread_join(server->thread, NULL);
    close(server->stop_fds[0]);
    close(server->listen_fd);
    for (int i = 0; i < server->count; i++)
        close(server->fds[i]);
}

struct fixture {
    char directory[64];
    struct config config;
    struct state state;
    struct control *control;
    struct snapshot *snapshot;
};

static void set(struct config *config, const char *section, const char *key, const char *value)
{
    char err[CONFIG_ERROR_SIZE];
    if (!config_set(config, section, key, value, err, sizeof err))
        fail_msg("%s", err);
}

static void start(struct fixture *f, int port)
{
    static const struct control_programs programs = {"/", "/nonexistent", "/nonexistent", "/nonexistent"};
    struct control_setup setup = {
        .config = &f->config, .config_path = "", .state = &f->state, .programs = &programs};
    char err[512] = "", url[64], path[96];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    config_init(&f->config);
    set(&f->config, "scaling", "target", "http");
    set(&f->config, "scaling", "polling_interval", "1s");
    set(&f->config, "http", "app_url", url);
    set(&f->config, "http", "timeout", "1s");
    set(&f->config, "http", "retries", "0");
    set(&f->config, "http", "breaker_failures", "1000");
    temporary_folder(f->directory);
    snprintf(path, sizeof path, "%s/state", f->directory);
    assert_true(state_open(&f->state, path, err, sizeof err));
    f->snapshot = calloc(1, sizeof *f->snapshot);
    f->control = control_new(&setup, err, sizeof err);
    assert_string_equal(err, "");
    assert_int_equal(control_start(f->control), 0);
}

static void finish(struct fixture *f)
{
    struct port port = control_port(f->control);
    struct pollfd end = {.fd = control_end_fd(f->control), .events = POLLIN};
    char command[96];
    port.post(port.ctx, &(struct command){.kind = CMD_QUIT});
    assert_int_equal(poll(&end, 1, 20000), 1);
    assert_true(control_join(f->control));
    control_free(f->control);
    state_close(&f->state);
    free(f->snapshot);
    snprintf(command, sizeof command, "rm -r %s", f->directory);
    assert_int_equal(system(command), 0);
}

static void wait_for_news(struct fixture *f)
{
    struct pollfd news = {.fd = control_wake_fd(f->control), .events = POLLIN};
    struct port port = control_port(f->control);
    uint64_t count;
    if (poll(&news, 1, 50) == 1)
        assert_int_equal(read(news.fd, &count, sizeof count), sizeof count);
    port.read(port.ctx, f->snapshot);
}

static void wait_for_steps(struct fixture *f)
{
    int64_t end = clock_now_us() + PATIENCE_US;
    while (f->snapshot->history_count <= STEPS) {
        assert_true(clock_now_us() < end);
        wait_for_news(f);
    }
}

/* A load that does not run cannot be stopped: an answer that costs nothing. */
static void order_and_wait(struct fixture *f)
{
    struct port port = control_port(f->control);
    int64_t end = clock_now_us() + PATIENCE_US;
    uint64_t id = port.post(port.ctx, &(struct command){.kind = CMD_LOAD_STOP});
    while (f->snapshot->answers[SNAPSHOT_ANSWERS_MAX - 1].id != id) {
        assert_true(id != 0 && clock_now_us() < end);
        wait_for_news(f);
    }
}

static usec_t last_step_at(const struct fixture *f)
{
    return f->snapshot->history[f->snapshot->history_count - 1].at;
}

/* Orders one after the other, each sent when the one before has been answered. A thread that waits for its
 * target answers one or two between two steps; one that does not answers a thousand, and a few dozen on a
 * machine that has hardly any time for it. */
static void the_thread_never_waits_for_its_target(void **context)
{
    static const char *const names[] = {"hangs", "drips", "never ends"};
    (void)context;
    for (enum fault fault = HANGS; fault <= NEVER_ENDS; fault++) {
        struct server server;
        struct fixture f = {0};
        server_start(&server, fault);
        start(&f, server.port);
        wait_for_steps(&f);
        usec_t began = last_step_at(&f);
        for (int i = 0; i < ORDERS; i++)
            order_and_wait(&f);
        usec_t took = last_step_at(&f) - began;
        print_message("%s: %d orders in %.1f s of steps, %d calls, all failed\n", names[fault], ORDERS,
                      (double)took / 1e6, (int)f.snapshot->remote.calls);
        assert_true(f.snapshot->remote.calls > 0 && !f.snapshot->remote.reachable);
        assert_true(took < ORDERS / 4 * f.config.scaling.polling_interval);
        finish(&f);
        server_stop(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_thread_never_waits_for_its_target)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
