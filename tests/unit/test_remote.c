/* SPDX-License-Identifier: MIT */
/* target/remote_wire on answers of every kind, and target/remote beside a loop that must never wait for it.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "core/snapshot.h"
#include "target/remote_wire.h"
#include "target/target.h"
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static void set(struct config *config, const char *section, const char *key, const char *value)
{
    char err[CONFIG_ERROR_SIZE];
    if (!config_set(config, section, key, value, err, sizeof err))
        fail_msg("%s", err);
}

struct row {
    const char *body, *type;
    int status;
    const char *why; /* NULL: good */
};

static const struct row rows[] = {
    {"{\"cpu\":{\"highPriority\":0.68},\"replicas\":10}", "application/json", 200, NULL},
    {"{\"cpu\":{\"highPriority\":1},\"replicas\":10.0}", "application/json; charset=utf-8", 200, NULL},
    {"{\"cpu\":{\"highPriority\":0.68},\"replicas\":10}", "application/problem+json", 200, NULL},
    {"{\"cpu\":{\"highPriority\":0},\"replicas\":0}", "", 200, NULL},
    {"{\"cpu\":{\"highPriority\":0.68},\"replicas\":10}", "text/html", 200, "text/html, not JSON"},
    {"{\"cpu\":{\"highPriority\":0.68},\"replicas\":10}", "application/json", 500, "status 500"},
    {"{\"cpu\":{\"highPriority\":0.68},\"replicas\":10}", "application/json", 302,
     "redirects are not followed"},
    {"{\"cpu\":{\"highPriority\":0.68},\"replicas\":10}", "application/json", 401, "is the token right"},
    {"{\"cpu\":{\"highPriority\":68},\"replicas\":10}", "application/json", 200, "68 is not a fraction of 1"},
    {"{\"cpu\":{\"highPriority\":-0.1},\"replicas\":10}", "application/json", 200, "not a fraction"},
    {"{\"cpu\":{\"highPriority\":1e400},\"replicas\":10}", "application/json", 200, "not JSON"},
    {"{\"cpu\":{\"highPriority\":NaN},\"replicas\":10}", "application/json", 200, "not JSON"},
    {"{\"cpu\":{\"highPriority\":\"0.5\"},\"replicas\":10}", "application/json", 200,
     "no number at /cpu/highPriority"},
    {"{\"cpu\":{\"highPriority\":null},\"replicas\":10}", "application/json", 200, "no number at"},
    {"{\"cpu\":0.5,\"replicas\":10}", "application/json", 200, "no number at"},
    {"{\"cpu\":{\"highPriority\":0.5},\"replicas\":-1}", "application/json", 200, "no count at /replicas"},
    {"{\"cpu\":{\"highPriority\":0.5},\"replicas\":2.5}", "application/json", 200, "no count at"},
    {"{\"cpu\":{\"highPriority\":0.5},\"replicas\":1e12}", "application/json", 200, "no count at"},
    {"{\"cpu\":{\"highPriority\":0.5}}", "application/json", 200, "no count at"},
    {"{\"cpu\":{\"highPriority\":0.5},\"replicas\":1,\"replicas\":9}", "application/json", 200, "not JSON"},
    {"{\"cpu\":{\"highPriority\":0.5},\"replicas\":10}}", "application/json", 200, "not JSON"},
    {"[]", "application/json", 200, "no number at"},
    {"", "application/json", 200, "not JSON"},
};

static void an_answer_counts_only_when_all_of_it_is_good(void **state)
{
    (void)state;
    struct config config;
    config_init(&config);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_client_result result = {.status = rows[i].status,
                                            .error = "",
                                            .body = rows[i].body,
                                            .body_size = strlen(rows[i].body),
                                            .content_type = rows[i].type};
        struct remote_status status = {-1, -1};
        char why[256] = "";
        bool good = remote_status_read(&result, &config.http, &status, why, sizeof why);
        if (good != (!rows[i].why) || (!good && !strstr(why, rows[i].why)))
            fail_msg("row %zu: %s '%s'", i, good ? "good" : "bad", why);
        if (!good)
            assert_true(status.cpu_pct < 0 && status.replicas < 0);
    }
}

static void pointers_reach_anywhere(void **state)
{
    (void)state;
    struct config config;
    config_init(&config);
    set(&config, "http", "cpu_pointer", "/a~1b/1/c~0d");
    set(&config, "http", "replicas_pointer", "/a~1b/0");
    static const char body[] = "{\"a/b\": [7, {\"c~d\": 0.25}]}";
    struct http_client_result result = {.status = 200,
                                        .error = "",
                                        .body = body,
                                        .body_size = sizeof body - 1,
                                        .content_type = "application/json"};
    struct remote_status status;
    char why[256];
    assert_true(remote_status_read(&result, &config.http, &status, why, sizeof why));
    assert_true(status.cpu_pct == 25 && status.replicas == 7);
}

static void only_what_may_pass_is_tried_again(void **state)
{
    (void)state;
    static const int no[] = {301, 400, 401, 403, 404}, yes[] = {200, 408, 429, 500, 503};
    for (size_t i = 0; i < 5; i++) {
        assert_false(remote_may_retry(&(struct http_client_result){.status = no[i]}));
        assert_true(remote_may_retry(&(struct http_client_result){.status = yes[i]}));
    }
    assert_true(remote_may_retry(&(struct http_client_result){.failure = HTTP_CLIENT_TIMEOUT}));
    assert_false(remote_may_retry(&(struct http_client_result){.failure = HTTP_CLIENT_TLS}));
}

static void addresses_are_joined_and_shown_without_secrets(void **state)
{
    (void)state;
    char url[128];
    remote_url("http://h:1/api//", "/app/status", url, sizeof url);
    assert_string_equal(url, "http://h:1/api/app/status");
    remote_url_shown("https://me:secret@h:1/x@y", url, sizeof url);
    assert_string_equal(url, "https://h:1/x@y");
    remote_url_shown("https://h:1/x@y", url, sizeof url);
    assert_string_equal(url, "https://h:1/x@y");
}

static void headers_carry_the_token_of_a_private_file(void **state)
{
    (void)state;
    struct config config;
    struct remote_headers headers;
    char path[TEMPORARY_PATH_MAX], err[512];
    int fd = temporary_file(path);
    assert_int_equal(write(fd, "sesame\n", 7), 7);
    config_init(&config);
    set(&config, "http", "token_file", path);
    set(&config, "http", "header.X-Team", "web");
    assert_true(remote_headers_build(&headers, &config.http, err, sizeof err));
    bool token = false, team = false;
    for (int i = 0; headers.items[i]; i++) {
        token |= strcmp(headers.items[i], "Authorization: Bearer sesame") == 0;
        team |= strcmp(headers.items[i], "X-Team: web") == 0;
    }
    assert_true(token && team);
    fchmod(fd, 0644);
    assert_false(remote_headers_build(&headers, &config.http, err, sizeof err));
    assert_non_null(strstr(err, "others than its owner"));
    fchmod(fd, 0600);
    assert_int_equal(write(fd, "X: injected\n", 12), 12);
    assert_false(remote_headers_build(&headers, &config.http, err, sizeof err));
    assert_null(strstr(err, "sesame"));
    close(fd);
    unlink(path);
}

struct watch {
    struct loop *loop;
    struct loop_timer timer;
    int64_t worst_us;
    int notes;
};

static void tick(struct loop_timer *timer, int64_t now_us)
{
    struct watch *watch = timer->context;
    int64_t late_us = clock_now_us() - timer->at_us;
    if (late_us > watch->worst_us)
        watch->worst_us = late_us;
    loop_timer_set(watch->loop, timer, now_us + 5000);
}

static void take_note(void *context, enum journal_level level, int instance, const char *text)
{
    (void)level, (void)instance, (void)text;
    ((struct watch *)context)->notes++;
}

/* A target that accepts and never answers: the calls time out one after the other, and nobody waits for them.
 */
static void a_silent_target_holds_nobody_up(void **state)
{
    (void)state;
    struct watch watch = {0};
    static struct sample sample;
    struct config config;
    char url[64], err[256];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 64), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    config_init(&config);
    set(&config, "http", "app_url", url);
    set(&config, "http", "timeout", "2s");
    set(&config, "http", "retries", "1");
    set(&config, "http", "retry_base", "5ms");
    set(&config, "http", "breaker_failures", "1");
    set(&config, "scaling", "polling_interval", "2s");
    assert_int_equal(loop_new(&watch.loop), 0);
    watch.timer = (struct loop_timer){.due = tick, .context = &watch};
    loop_timer_set(watch.loop, &watch.timer, clock_now_us());
    struct target_setup setup = {.loop = watch.loop, .config = &config, .ctx = &watch, .note = take_note};
    void *target = target_http.open(&setup, err, sizeof err);
    assert_non_null(target);
    int64_t deadline = clock_now_us() + 60000000, step_us = clock_now_us();
    while (watch.notes == 0) { /* the breaker has opened */
        int64_t now = clock_now_us();
        assert_true(now < deadline);
        if (now >= step_us) {
            sample.cpu_pct = NAN;
            sample.replicas = -1;
            target_http.sample(target, &sample, now);
            assert_true(isnan(sample.cpu_pct) && sample.replicas == -1);
            assert_true(clock_now_us() - now < 1000000);
            step_us += 2000000;
        }
        loop_turn(watch.loop, step_us);
    }
    assert_true(watch.worst_us < 1000000); /* a wait for one call would be twice that */
    target_http.close(target);
    loop_free(watch.loop);
    close(fd);
}

/* An application that answers readings at once and holds its first write back until it is told. */
struct slow_writer {
    int listen_fd, fds[16], count;
    char texts[16][2048];
    int replicas, writes, held_fd;
    bool holds;
};

static void respond(int fd, int replicas)
{
    char body[80], text[200];
    snprintf(body, sizeof body, "{\"cpu\":{\"highPriority\":0.5},\"replicas\":%d}", replicas);
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                        "Connection: close\r\n\r\n%s",
                        strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
    close(fd);
}

/* False: the request is not whole yet. */
static bool serve_request(struct slow_writer *w, int fd, const char *text)
{
    const char *body = strstr(text, "\r\n\r\n{\"replicas\":");
    bool writes = strncmp(text, "PUT ", 4) == 0;
    if (writes ? !body || !strchr(body, '}') : !strstr(text, "\r\n\r\n"))
        return false;
    if (writes) {
        w->replicas = atoi(body + strlen("\r\n\r\n{\"replicas\":"));
        w->writes++;
    }
    if (writes && w->holds)
        w->held_fd = fd;
    else
        respond(fd, w->replicas);
    return true;
}

static void serve(struct slow_writer *w)
{
    int fd;
    while (w->count < 16 && (fd = accept4(w->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        w->texts[w->count][0] = '\0';
        w->fds[w->count++] = fd;
    }
    for (int i = 0; i < w->count; i++) {
        size_t used = strlen(w->texts[i]);
        ssize_t got = recv(w->fds[i], w->texts[i] + used, sizeof w->texts[i] - 1 - used, 0);
        if (got > 0)
            w->texts[i][used + (size_t)got] = '\0';
        if (!serve_request(w, w->fds[i], w->texts[i]))
            continue;
        w->count--;
        w->fds[i] = w->fds[w->count];
        memmove(w->texts[i], w->texts[w->count], sizeof w->texts[i]);
        i--;
    }
}

/* Opens the target on a port of the loopback that serve() answers. */
static void *open_on(struct slow_writer *writer, struct watch *watch, struct config *config)
{
    char url[64], err[256];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    writer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(writer->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(writer->listen_fd, 16), 0);
    getsockname(writer->listen_fd, (struct sockaddr *)&address, &size);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    set(config, "http", "app_url", url);
    assert_int_equal(loop_new(&watch->loop), 0);
    struct target_setup setup = {.loop = watch->loop, .config = config, .ctx = watch, .note = take_note};
    void *target = target_http.open(&setup, err, sizeof err);
    assert_non_null(target);
    return target;
}

static void a_newer_order_outlives_the_write_of_an_older_one(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct slow_writer writer = {.replicas = 4, .holds = true, .held_fd = -1};
    struct config config;
    config_init(&config);
    set(&config, "http", "timeout", "30s");
    void *target = open_on(&writer, &watch, &config);
    int64_t deadline = clock_now_us() + 20000000;
    target_http.apply(target, &(struct action){.kind = ACTION_COUNT, .count = 5}, clock_now_us());
    while (writer.replicas != 6) {
        assert_true(clock_now_us() < deadline);
        loop_turn(watch.loop, clock_now_us() + 5000);
        serve(&writer);
        if (writer.held_fd < 0)
            continue;
        target_http.apply(target, &(struct action){.kind = ACTION_COUNT, .count = 6}, clock_now_us());
        writer.holds = false;
        respond(writer.held_fd, 5);
        writer.held_fd = -1;
    }
    assert_int_equal(writer.writes, 2);
    target_http.close(target);
    loop_free(watch.loop);
    for (int i = 0; i < writer.count; i++)
        close(writer.fds[i]);
    close(writer.listen_fd);
}

/* A reading that hangs must not cost the steps after it theirs, however patient http.timeout is. */
static void a_reading_waits_no_longer_than_a_step(void **state)
{
    (void)state;
    static struct snapshot shown;
    struct watch watch = {0};
    struct slow_writer writer = {0};
    struct config config;
    config_init(&config);
    set(&config, "scaling", "polling_interval", "200ms");
    set(&config, "http", "timeout", "1h");
    void *target = open_on(&writer, &watch, &config);
    int64_t deadline = clock_now_us() + 20000000;
    while (shown.remote.failures == 0) {
        assert_true(clock_now_us() < deadline);
        loop_turn(watch.loop, clock_now_us() + 5000);
        target_http.view(target, &shown, clock_now_us());
    }
    target_http.close(target);
    loop_free(watch.loop);
    close(writer.listen_fd);
}

/* It came too late for its own step; by the next one it is old. */
static void a_late_reading_is_not_given_to_the_step_after(void **state)
{
    (void)state;
    static struct snapshot shown;
    struct watch watch = {0};
    struct slow_writer writer = {.replicas = 4, .held_fd = -1};
    struct sample sample = {.cpu_pct = NAN, .replicas = -1};
    struct config config;
    config_init(&config);
    set(&config, "scaling", "polling_interval", "200ms");
    set(&config, "http", "retries", "0");
    void *target = open_on(&writer, &watch, &config);
    int64_t deadline = clock_now_us() + 20000000;
    while (shown.remote.failures == 0) {
        assert_true(clock_now_us() < deadline);
        loop_turn(watch.loop, clock_now_us() + 5000);
        target_http.view(target, &shown, clock_now_us());
        if (writer.listen_fd >= 0)
            serve(&writer);
        if (shown.remote.reachable && writer.listen_fd >= 0) {
            close(writer.listen_fd); /* the next round meets nobody */
            writer.listen_fd = -1;
        }
    }
    assert_int_equal(shown.remote.replicas, 4);
    target_http.sample(target, &sample, clock_now_us());
    assert_true(isnan(sample.cpu_pct) && sample.replicas == -1);
    target_http.close(target);
    loop_free(watch.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_counts_only_when_all_of_it_is_good),
        cmocka_unit_test(pointers_reach_anywhere),
        cmocka_unit_test(only_what_may_pass_is_tried_again),
        cmocka_unit_test(addresses_are_joined_and_shown_without_secrets),
        cmocka_unit_test(headers_carry_the_token_of_a_private_file),
        cmocka_unit_test(a_silent_target_holds_nobody_up),
        cmocka_unit_test(a_reading_waits_no_longer_than_a_step),
        cmocka_unit_test(a_late_reading_is_not_given_to_the_step_after),
        cmocka_unit_test(a_newer_order_outlives_the_write_of_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
