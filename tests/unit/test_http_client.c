/* SPDX-License-Identifier: MIT */
/* A server thread that answers one connection after the other as its path says, well or badly; the client
 * under test runs in the main thread on a loop. */
#include "base/clock.h"
#include "base/http_client.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* No name server is asked about a label of more than 63 bytes. */
#define TOO_LONG_A_LABEL                                                                                     \
    "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/"

static int listener = -1, port;
static pthread_t server;
static atomic_bool server_ends;
static atomic_int connections;
static char last_request[4096];

static struct loop *loop;
static struct http_client *client;

static void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Waits until the other side closes or the test is over. */
static void wait_for_close(int fd)
{
    char byte;
    struct pollfd poll_fd = {fd, POLLIN, 0};
    while (!server_ends)
        if (poll(&poll_fd, 1, 20) > 0 && read(fd, &byte, 1) <= 0)
            break;
}

static void send_endless(int fd)
{
    char block[4096];
    memset(block, 'x', sizeof block);
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (!server_ends && send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        ;
}

static void send_endless_head(int fd)
{
    say(fd, "HTTP/1.1 200 OK\r\n");
    while (!server_ends &&
           send(fd, "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 52, MSG_NOSIGNAL) > 0)
        ;
}

static const struct {
    const char *path, *answer; /* NULL: not said in one go */
    void (*act)(int fd);
} answers[] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", NULL},
    {"/fail", "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", NULL},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", NULL},
    {"/short", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", NULL},
    {"/rubbish", "SSH-2.0-OpenSSH\r\n", NULL},
    {"/empty", "", NULL},
    {"/hang", NULL, wait_for_close},
    {"/endless-head", NULL, send_endless_head},
    {"/endless", NULL, send_endless},
};

static void serve(int fd)
{
    size_t used = 0;
    while (used + 1 < sizeof last_request) {
        ssize_t got = read(fd, last_request + used, sizeof last_request - 1 - used);
        if (got <= 0)
            return;
        used += (size_t)got;
        last_request[used] = '\0';
        const char *end = strstr(last_request, "\r\n\r\n");
        if (end && (!strstr(last_request, "PUT") || end[4] != '\0'))
            break;
    }
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (!strstr(last_request, answers[i].path))
            continue;
        if (answers[i].answer)
            say(fd, answers[i].answer);
        else
            answers[i].act(fd);
        return;
    }
}

static void *run_server(void *context)
{
    (void)context;
    while (!server_ends) {
        struct pollfd poll_fd = {listener, POLLIN, 0};
        if (poll(&poll_fd, 1, 20) <= 0)
            continue;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        connections++;
        serve(fd);
        close(fd);
    }
    return NULL;
}

static int open_all(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    server_ends = false;
    connections = 0;
    assert_int_equal(pthread_create(&server, NULL, run_server, NULL), 0);
    assert_int_equal(loop_new(&loop), 0);
    return http_client_new(loop, &client);
}

static int close_all(void **state)
{
    (void)state;
    http_client_free(client);
    loop_free(loop);
    server_ends = true;
    pthread_join(server, NULL);
    close(listener);
    return 0;
}

/* What a call ended with, copied out of the callback. */
struct answer {
    int count;
    struct http_client_result result;
    char body[256], content_type[64], error[256];
};

static void keep(void *context, const struct http_client_result *result)
{
    struct answer *answer = context;
    answer->count++;
    answer->result = *result;
    snprintf(answer->body, sizeof answer->body, "%.*s",
             (int)(result->body_size < 255 ? result->body_size : 255), result->body);
    snprintf(answer->content_type, sizeof answer->content_type, "%s", result->content_type);
    snprintf(answer->error, sizeof answer->error, "%s", result->error);
}

static struct http_client_call *start(struct answer *answer, const char *path,
                                      struct http_client_request request)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    if (!request.url)
        request.url = url;
    request.done = keep;
    request.context = answer;
    memset(answer, 0, sizeof *answer);
    struct http_client_call *call = http_client_start(client, &request);
    assert_non_null(call);
    assert_int_equal(answer->count, 0);
    return call;
}

static void turn_until_done(const struct answer *answer)
{
    int64_t deadline = clock_now_us() + 10000000;
    while (answer->count == 0 && clock_now_us() < deadline)
        assert_int_equal(loop_turn(loop, deadline), 0);
    assert_int_equal(answer->count, 1);
}

static struct answer get(const char *path, struct http_client_request request)
{
    struct answer answer;
    start(&answer, path, request);
    turn_until_done(&answer);
    return answer;
}

static void an_answer_comes_whole(void **state)
{
    (void)state;
    struct answer answer = get("/ok", (struct http_client_request){0});
    assert_int_equal(answer.result.failure, HTTP_CLIENT_OK);
    assert_int_equal(answer.result.status, 200);
    assert_string_equal(answer.body, "hello");
    assert_string_equal(answer.content_type, "text/plain");
    assert_string_equal(answer.error, "");
    assert_true(answer.result.connect_us > 0 && answer.result.total_us >= answer.result.first_byte_us);
}

static void any_status_is_an_answer_and_redirects_are_not_followed(void **state)
{
    (void)state;
    assert_int_equal(get("/fail", (struct http_client_request){0}).result.status, 500);
    struct answer answer = get("/redirect", (struct http_client_request){0});
    assert_int_equal(answer.result.failure, HTTP_CLIENT_OK);
    assert_int_equal(answer.result.status, 302);
    assert_int_equal(connections, 2);
}

static void method_headers_and_body_are_sent(void **state)
{
    (void)state;
    const char *const headers[] = {"Content-Type: application/json", "Authorization: Bearer t", NULL};
    struct answer answer =
        get("/ok", (struct http_client_request){
                       .method = "PUT", .headers = headers, .body = "{\"replicas\":3}", .body_size = 14});
    assert_int_equal(answer.result.status, 200);
    assert_memory_equal(last_request, "PUT /ok HTTP/1.1\r\n", 18);
    assert_non_null(strstr(last_request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(last_request, "\r\nAuthorization: Bearer t\r\n"));
    assert_non_null(strstr(last_request, "\r\nContent-Length: 14\r\n"));
    assert_non_null(strstr(last_request, "\r\n\r\n{\"replicas\":3}"));
    assert_null(strstr(last_request, "Expect"));
}

static void every_bad_end_has_its_name(void **state)
{
    (void)state;
    const struct {
        const char *path;
        struct http_client_request request;
        enum http_client_failure expected;
    } cases[] = {
        {"/short", {0}, HTTP_CLIENT_BROKEN},
        {"/rubbish", {0}, HTTP_CLIENT_BROKEN},
        {"/empty", {0}, HTTP_CLIENT_BROKEN},
        {"/hang", {.timeout_us = 50000}, HTTP_CLIENT_TIMEOUT},
        {"/endless", {.body_max = 10000}, HTTP_CLIENT_TOO_LARGE},
        {"/endless", {.timeout_us = 5000000}, HTTP_CLIENT_TOO_LARGE}, /* the preset cap */
        {"/endless-head", {0}, HTTP_CLIENT_TOO_LARGE},
        {"", {.url = "file:///etc/passwd"}, HTTP_CLIENT_REQUEST},
        {"", {.url = "http://"}, HTTP_CLIENT_REQUEST},
        {"", {.url = TOO_LONG_A_LABEL}, HTTP_CLIENT_RESOLVE},
        {"/ok", {.unix_socket = "/nonexistent/socket"}, HTTP_CLIENT_CONNECT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = get(cases[i].path, cases[i].request);
        if (answer.result.failure != cases[i].expected)
            fail_msg("%s %s ended as %d (%s)", cases[i].path,
                     cases[i].request.url ? cases[i].request.url : "", (int)answer.result.failure,
                     answer.error);
        assert_true(answer.error[0] != '\0');
    }
}

static void a_body_of_exactly_the_cap_passes(void **state)
{
    (void)state;
    assert_int_equal(get("/ok", (struct http_client_request){.body_max = 5}).result.failure, HTTP_CLIENT_OK);
    assert_int_equal(get("/ok", (struct http_client_request){.body_max = 4}).result.failure,
                     HTTP_CLIENT_TOO_LARGE);
}

static void nobody_listening_is_a_refused_connect(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, not listening: nobody else can take it */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    struct answer answer = get("", (struct http_client_request){.url = url});
    assert_int_equal(answer.result.failure, HTTP_CLIENT_CONNECT);
    assert_int_equal(answer.result.status, 0);
    close(fd);
}

static void a_plain_server_fails_the_tls_handshake(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok", port);
    struct answer answer = get("", (struct http_client_request){.url = url, .timeout_us = 300000});
    assert_true(answer.result.failure == HTTP_CLIENT_TLS || answer.result.failure == HTTP_CLIENT_TIMEOUT);
}

static void a_cancelled_call_says_nothing_more(void **state)
{
    (void)state;
    struct answer cancelled, other;
    struct http_client_call *call = start(&cancelled, "/hang", (struct http_client_request){0});
    int64_t deadline = clock_now_us() + 10000000;
    while (connections == 0 && clock_now_us() < deadline)
        loop_turn(loop, clock_now_us() + 1000);
    http_client_cancel(call);
    start(&other, "/ok", (struct http_client_request){0});
    turn_until_done(&other);
    assert_int_equal(cancelled.count, 0);
    start(&cancelled, "/hang", (struct http_client_request){0}); /* left running: freed with the client */
    loop_turn(loop, 0);
}

struct chain {
    struct answer answer;
    int left;
};

static void start_next(void *context, const struct http_client_result *result)
{
    struct chain *chain = context;
    char url[64];
    assert_int_equal(result->status, 200);
    if (--chain->left == 0) {
        chain->answer.count = 1;
        return;
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d/ok", port);
    struct http_client_request next = {.url = url, .fresh = true, .done = start_next, .context = chain};
    assert_non_null(http_client_start(client, &next));
}

static void a_callback_may_start_the_next_call(void **state)
{
    (void)state;
    struct chain chain = {.left = 20};
    struct http_client_result first = {.status = 200};
    chain.left++;
    start_next(&chain, &first);
    turn_until_done(&chain.answer);
    assert_int_equal(connections, 20);
}

/* Looks for sockets a child would inherit while a call is under way. */
static void sockets_are_close_on_exec(void **state)
{
    (void)state;
    struct answer answer;
    start(&answer, "/hang", (struct http_client_request){0});
    int64_t deadline = clock_now_us() + 10000000;
    while (connections == 0 && clock_now_us() < deadline)
        loop_turn(loop, clock_now_us() + 1000);
    int ours = 0;
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || peer.sin_family != AF_INET)
            continue;
        ours += ntohs(peer.sin_port) == port;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    assert_int_equal(ours, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_all, close_all)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_comes_whole),
        TEST(any_status_is_an_answer_and_redirects_are_not_followed),
        TEST(method_headers_and_body_are_sent),
        TEST(every_bad_end_has_its_name),
        TEST(a_body_of_exactly_the_cap_passes),
        TEST(nobody_listening_is_a_refused_connect),
        TEST(a_plain_server_fails_the_tls_handshake),
        TEST(a_cancelled_call_says_nothing_more),
        TEST(a_callback_may_start_the_next_call),
        TEST(sockets_are_close_on_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
