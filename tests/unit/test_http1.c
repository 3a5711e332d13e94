/* SPDX-License-Identifier: MIT */
/* Requests, responses and bodies: what is taken, what is refused and with which status, and that it makes no
 * difference in how many pieces the bytes come. */
#include "core/http1.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define H "Host: a\r\n"

struct request_case {
    const char *text;
    unsigned status; /* 0: taken */
};

static const struct request_case request_cases[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", 0},
    {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://a/x HTTP/1.1\r\n" H "\r\n", 0},
    {"GET HTTP://A:80/x HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://a?q HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://b/x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://u@a/x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ftp://a/x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET a HTTP/1.1\r\n" H "\r\n", 400},
    {"CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 501},
    {"PROPFIND / HTTP/1.1\r\n" H "\r\n", 0},
    {"get / HTTP/1.1\r\n" H "\r\n", 501},
    {"GE(T / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
    {"GET /\r\n\r\n", 400},
    {" GET / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"PRI * HTTP/2.0\r\n\r\n", 505},
    {"GET / HTTP/1.2\r\n" H "\r\n", 505},
    {"GET / http/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.10\r\n" H "\r\n", 400},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /%zz HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /%00 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /?100% HTTP/1.1\r\n" H "\r\n", 0},
    {"GET /\tx HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1\n" H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: \xc3\xa9\tb\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n " H "\r\n", 400},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [x]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [:::]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [:::1]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [:1::2]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1::2:]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [12345::]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4::5:6:7:8]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1.2.3]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::256.1.1.1]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::01.1.1.1]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1.2.3.4:5]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1.2.3.4::]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:1.2.3.4]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [1::]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8]:1\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7::]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::2:3:4:5:6:7:8]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [FE80::a]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:255.0.0.1]\r\n\r\n", 0},
    {"GET / HTTP/1.0\r\nHost: a@b\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 03\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content_Length: 3\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X_Forwarded_For: 1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "x_other: 1\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: CHUNKED \r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" H "Expect: more\r\nContent-Length: 3\r\n\r\n", 417},
    {"TRACE / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Connection: a b\r\n\r\n", 400},
};

static enum http1_result parse_whole(struct http1_request *r, const char *text, size_t len)
{
    http1_request_init(r);
    return http1_request_parse(r, text, len, &http1_limits_default);
}

static enum http1_result parse_bytewise(struct http1_request *r, const char *text, size_t len)
{
    enum http1_result result = HTTP1_MORE;
    http1_request_init(r);
    for (size_t n = 1; n <= len && result == HTTP1_MORE; n++) {
        char *exact = malloc(n); /* so that a read past the end is seen */
        memcpy(exact, text, n);
        result = http1_request_parse(r, exact, n, &http1_limits_default);
        free(exact);
    }
    return result;
}

static void requests_are_taken_or_refused_with_their_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof request_cases / sizeof request_cases[0]; i++) {
        const struct request_case *c = &request_cases[i];
        struct http1_request whole, bytes;
        enum http1_result a = parse_whole(&whole, c->text, strlen(c->text));
        enum http1_result b = parse_bytewise(&bytes, c->text, strlen(c->text));
        if (a != (c->status ? HTTP1_BAD : HTTP1_DONE) || whole.head.status != c->status)
            fail_msg("%s: result %d, status %u", c->text, a, whole.head.status);
        if (a != b || whole.head.status != bytes.head.status)
            fail_msg("byte by byte it differs: %s: result %d, status %u", c->text, b, bytes.head.status);
    }
}

static void nul_is_refused_anywhere(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\n" H "X: ab\r\n\r\n";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char copy[sizeof text];
        struct http1_request r;
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        assert_int_equal(parse_whole(&r, copy, sizeof text - 1), HTTP1_BAD);
        assert_int_equal(r.head.status, 400);
    }
}

/* Wherever it stands in a value of more than two words; a tab and what is no ASCII may. */
static void control_bytes_are_refused_anywhere_in_a_value(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 19; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            char head[] = "GET / HTTP/1.1\r\n" H "X: abcdefghijklmnopqrs\r\n\r\n";
            *(strstr(head, "abc") + at) = (char)byte;
            struct http1_request r;
            http1_request_init(&r);
            bool good = http1_request_parse(&r, head, strlen("GET / HTTP/1.1\r\n" H) + 26,
                                            &http1_limits_default) == HTTP1_DONE;
            if (good != ((byte >= 0x20 && byte != 0x7f) || byte == '\t'))
                fail_msg("byte 0x%02x at %u: %s", byte, at, good ? "taken" : "refused");
        }
}

static void what_a_request_says(void **state)
{
    (void)state;
    static const char text[] = "GET http://Example.org:80?q=1 HTTP/1.1\r\nHost: example.ORG\r\n"
                               "Connection: upgrade, X-Mine, close\r\nUpgrade: websocket\r\nx-mine: 1\r\n"
                               "x-theirs: 2\r\n\r\nnext";
    struct http1_request r;
    assert_int_equal(parse_whole(&r, text, sizeof text - 1), HTTP1_DONE);
    assert_int_equal(r.head.length, sizeof text - 1 - 4);
    assert_int_equal(r.method, HTTP1_GET);
    assert_true(r.path_missing);
    assert_memory_equal(text + r.target.at, "?q=1", r.target.len);
    assert_memory_equal(text + r.host.at, "Example.org:80", r.host.len);
    assert_true(r.upgrade);
    assert_false(r.head.keep_alive);
    assert_int_equal(r.head.field_count, 5);
    assert_true(r.head.fields[3].hop);
    assert_false(r.head.fields[4].hop);
    assert_true(r.head.fields[1].hop && r.head.fields[2].hop);
}

static void h2c_is_not_passed_on(void **state)
{
    (void)state;
    static const char text[] =
        "GET / HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    struct http1_request r;
    assert_int_equal(parse_whole(&r, text, sizeof text - 1), HTTP1_DONE);
    assert_false(r.upgrade);
}

static unsigned status_of_long(const char *before, char fill, size_t count, const char *after)
{
    static char text[70000];
    struct http1_request r;
    size_t n = strlen(before);
    memcpy(text, before, n);
    memset(text + n, fill, count);
    n += count;
    memcpy(text + n, after, strlen(after));
    n += strlen(after);
    enum http1_result result = parse_whole(&r, text, n);
    return result == HTTP1_BAD ? r.head.status : result == HTTP1_DONE ? 0 : 1;
}

static void too_much_has_its_own_status(void **state)
{
    (void)state;
    static const char end[] = " HTTP/1.1\r\n" H "\r\n";
    assert_int_equal(status_of_long("GET /", 'a', 8000, end), 0);
    assert_int_equal(status_of_long("GET /", 'a', 9000, end), 414);
    assert_int_equal(status_of_long("GET /", 'a', 9000, ""), 414);
    assert_int_equal(status_of_long("", 'A', 9000, " / HTTP/1.1\r\n" H "\r\n"), 501);
    assert_int_equal(status_of_long("", 'A', 40, " / HTTP/1.1\r\n" H "\r\n"), 501);
    assert_int_equal(status_of_long("GET / HTTP/1.1\r\n" H "X: ", 'a', 16000, "\r\n\r\n"), 0);
    assert_int_equal(status_of_long("GET / HTTP/1.1\r\n" H "X: ", 'a', 17000, "\r\n\r\n"), 431);
    assert_int_equal(status_of_long("GET / HTTP/1.1\r\n" H "X: ", 'a', 17000, ""), 431);
    static char many[4096] = "GET / HTTP/1.1\r\n" H;
    for (int i = 0; i < 99; i++)
        strcat(many, "X: 1\r\n");
    assert_int_equal(status_of_long(many, ' ', 0, "\r\n"), 0);
    assert_int_equal(status_of_long(many, ' ', 0, "Y: 1\r\n\r\n"), 431);
}

/* Cut anywhere in two, and byte by byte. */
static void expect_in_every_split(const char *text, size_t len, const struct http1_limits *limits,
                                  unsigned status)
{
    for (size_t cut = 0; cut <= len; cut++) {
        struct http1_request r;
        http1_request_init(&r);
        enum http1_result result = http1_request_parse(&r, text, cut, limits);
        for (size_t n = cut == 0 ? 1 : len; n <= len && result == HTTP1_MORE; n++)
            result = http1_request_parse(&r, text, n, limits);
        if (result != (status ? HTTP1_BAD : HTTP1_DONE) || r.head.status != status)
            fail_msg("%zu bytes cut at %zu: result %d, status %u instead of %u", len, cut, result,
                     r.head.status, status);
    }
}

static void limits_are_exact_in_every_split(void **state)
{
    (void)state;
    static const struct http1_limits limits = {.line = 60, .field = 70, .head = 300, .fields = 5};
    char text[400], fill[200];
    memset(fill, 'a', sizeof fill);
    for (int over = -1; over <= 1; over++) {
        int n = snprintf(text, sizeof text, "GET /%.*s HTTP/1.1\r\n" H "\r\n", 46 + over, fill);
        expect_in_every_split(text, (size_t)n, &limits, over > 0 ? 414 : 0);
        n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "X: %.*s\r\n\r\n", 67 + over, fill);
        expect_in_every_split(text, (size_t)n, &limits, over > 0 ? 431 : 0);
        n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "A: %.*s\r\nB: %.*s\r\nC: %.*s\r\nD: ", 66,
                     fill, 66, fill, 57, fill);
        n += snprintf(text + n, sizeof text - (size_t)n, "%.*s\r\n\r\n", 300 - n - 4 + over, fill);
        assert_int_equal(n, 300 + over);
        expect_in_every_split(text, (size_t)n, &limits, over > 0 ? 431 : 0);
    }
    expect_in_every_split(
        text, (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "A:\r\nA:\r\nA:\r\nA:\r\n\r\n"),
        &limits, 0);
    expect_in_every_split(
        text,
        (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n"),
        &limits, 431);
}

static void connection_strips_no_field_of_every_hop(void **state)
{
    (void)state;
    static const char text[] =
        "GET / HTTP/1.1\r\n" H "Connection: host, content-length, cookie, forwarded, x-forwarded-for, "
        "x-forwarded-host, x-forwarded-proto, x-real-ip, via, expect, x-mine\r\nContent-Length: 0\r\n"
        "Cookie: a\r\nForwarded: for=1.1.1.1\r\nX-Forwarded-For: 1\r\nX-Forwarded-Host: 1\r\n"
        "X-Forwarded-Proto: 1\r\nX-Real-IP: 1\r\nVia: 1.1 a\r\nExpect: 100-continue\r\nX-Mine: 1\r\n\r\n";
    struct http1_request r;
    assert_int_equal(parse_whole(&r, text, sizeof text - 1), HTTP1_DONE);
    for (unsigned i = 0; i < r.head.field_count; i++) {
        const struct http1_field *f = &r.head.fields[i];
        assert_int_equal(f->hop, f->id == HTTP1_CONNECTION || f->id == HTTP1_OTHER);
    }
}

static bool granted(const char *asked, const char *answer)
{
    char text[2][300];
    struct http1_request q;
    struct http1_response r;
    int n = snprintf(text[0], sizeof text[0], "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n%s\r\n", asked);
    int m = snprintf(text[1], sizeof text[1], "%s\r\n", answer);
    http1_response_init(&r);
    assert_int_equal(parse_whole(&q, text[0], (size_t)n), HTTP1_DONE);
    assert_int_equal(http1_response_parse(&r, text[1], (size_t)m, HTTP1_GET, &http1_limits_default),
                     HTTP1_DONE);
    return http1_upgrade_granted(&q, text[0], &r, text[1]);
}

#define SWITCH "HTTP/1.1 101 Go\r\nConnection: upgrade\r\n"

static void only_an_upgrade_that_was_asked_for_is_granted(void **state)
{
    (void)state;
    assert_true(granted("Upgrade: websocket\r\n", SWITCH "Upgrade: WebSocket\r\n"));
    assert_true(granted("Upgrade: a/1\r\nUpgrade: b , websocket\r\n", SWITCH "Upgrade: websocket\r\n"));
    assert_false(granted("Upgrade: websocket\r\n", SWITCH));
    assert_false(granted("Upgrade: websocket\r\n", SWITCH "Upgrade:\r\n"));
    assert_false(granted("Upgrade: websocket\r\n", SWITCH "Upgrade: h2c\r\n"));
    assert_false(granted("Upgrade: websocket\r\n", SWITCH "Upgrade: websocket, h2c\r\n"));
    assert_false(granted("Upgrade: websocket\r\n", SWITCH "Upgrade: web\r\n"));
    assert_false(granted("Upgrade: h2c\r\n", SWITCH "Upgrade: h2c\r\n"));
    assert_false(granted("", SWITCH "Upgrade: websocket\r\n"));
    assert_false(granted("Upgrade: websocket\r\n", "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n"));
    assert_false(granted("Upgrade: websocket\r\n",
                         "HTTP/1.0 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"));
}

struct response_case {
    const char *text;
    enum http1_method asked;
    enum http1_result result;
    enum http1_framing framing;
    bool keep_alive;
};

static const struct response_case response_cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_LENGTH, true},
    {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_NO_BODY, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_CHUNKED, true},
    {"HTTP/1.1 200 OK\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_UNTIL_CLOSE, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", HTTP1_HEAD, HTTP1_DONE, HTTP1_NO_BODY, true},
    {"HTTP/1.1 304 Not\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_NO_BODY, true},
    {"HTTP/1.1 204 No\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_NO_BODY, true},
    {"HTTP/1.1 100 Continue\r\n\r\n", HTTP1_POST, HTTP1_DONE, HTTP1_NO_BODY, true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_LENGTH, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_DONE,
     HTTP1_LENGTH, true},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_DONE, HTTP1_LENGTH,
     false},
    {"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 200\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 2000 OK\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 099 OK\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 600 OK\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/2 200 OK\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"ICY 200 OK\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 200 OK\n\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0,
     false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_GET, HTTP1_BAD, 0, false},
};

static void responses_are_taken_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof response_cases / sizeof response_cases[0]; i++) {
        const struct response_case *c = &response_cases[i];
        struct http1_response r;
        http1_response_init(&r);
        enum http1_result result =
            http1_response_parse(&r, c->text, strlen(c->text), c->asked, &http1_limits_default);
        if (result != c->result)
            fail_msg("%s: result %d (%s)", c->text, result, r.head.why ? r.head.why : "");
        if (result == HTTP1_BAD) {
            assert_int_equal(r.head.status, 502);
            continue;
        }
        assert_int_equal(r.head.framing, c->framing);
        assert_int_equal(r.head.keep_alive, c->keep_alive);
        assert_int_equal(r.head.length, strlen(c->text));
    }
}

/* Feeds a chunked body in pieces of `step` bytes; the data goes to out, the bytes left over are returned. */
static enum http1_result read_chunked(const char *text, size_t step, char *out, size_t *left)
{
    struct http1_head head = {.framing = HTTP1_CHUNKED};
    struct http1_body b;
    http1_body_init(&b, &head);
    size_t at = 0, have = 0, len = strlen(text), total = 0;
    enum http1_result result = HTTP1_MORE;
    while (result == HTTP1_MORE || result == HTTP1_DATA) {
        size_t used, data_at, data_len;
        result = http1_body_next(&b, text + at, have - at, &used, &data_at, &data_len);
        if (result == HTTP1_DATA) {
            memcpy(out + total, text + at + data_at, data_len);
            total += data_len;
        }
        at += used;
        if (result == HTTP1_MORE) {
            if (have == len)
                break;
            have = have + step < len ? have + step : len;
        }
    }
    out[total] = '\0';
    *left = len - at;
    return result;
}

struct chunked_case {
    const char *text;
    enum http1_result result;
    const char *data;
    size_t left;
};

static const struct chunked_case chunked_cases[] = {
    {"5\r\nhello\r\n0\r\n\r\n", HTTP1_TRAILERS, "hello", 2},
    {"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", HTTP1_TRAILERS, "abcde", 2},
    {"a\r\n0123456789\r\n0\r\n\r\n", HTTP1_TRAILERS, "0123456789", 2},
    {"5;x=\"y\"\r\nhello\r\n0;z\r\n\r\n", HTTP1_TRAILERS, "hello", 2},
    {"5 \t;x\r\nhello\r\n0 ;\r\n\r\n", HTTP1_TRAILERS, "hello", 2},
    {"5 5;x\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"5\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"5\rhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"5 \r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"0x5\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"+5\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"-5\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"5\r\nhelloX\r\n0\r\n\r\n", HTTP1_BAD, "hello", 0},
    {"5\r\nhello\n0\r\n\r\n", HTTP1_BAD, "hello", 0},
    {"5\r\nhello\r0\r\n\r\n", HTTP1_BAD, "hello", 0},
    {"FFFFFFFFFFFFFFFF\r\nhello", HTTP1_BAD, "", 0},
    {"10000000000000005\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
    {"5;a\nb\r\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
};

static void chunks_are_read_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chunked_cases / sizeof chunked_cases[0]; i++) {
        const struct chunked_case *c = &chunked_cases[i];
        for (size_t step = 1; step < 40; step++) {
            char out[64];
            size_t left;
            enum http1_result result = read_chunked(c->text, step, out, &left);
            if (result != c->result)
                fail_msg("%s in pieces of %zu: result %d", c->text, step, result);
            assert_string_equal(out, c->data);
            if (result == HTTP1_TRAILERS)
                assert_int_equal(left, c->left);
        }
    }
}

static void extensions_have_a_budget(void **state)
{
    (void)state;
    struct http1_head head = {.framing = HTTP1_CHUNKED};
    struct http1_body b;
    enum http1_result result = HTTP1_MORE;
    size_t used, at, len, fed = 0;
    http1_body_init(&b, &head);
    http1_body_next(&b, "1;", 2, &used, &at, &len);
    for (; fed < 100000 && result == HTTP1_MORE; fed++)
        result = http1_body_next(&b, "x", 1, &used, &at, &len);
    assert_int_equal(result, HTTP1_BAD);
    assert_in_range(fed, 8000, 9000);
}

static void trailers_are_fields(void **state)
{
    (void)state;
    struct http1_head h;
    static const char good[] = "X-Sum: 1\r\nY: 2\r\n\r\nGET";
    http1_trailers_init(&h);
    assert_int_equal(http1_trailers_parse(&h, good, 9, &http1_limits_default), HTTP1_MORE);
    assert_int_equal(http1_trailers_parse(&h, good, sizeof good - 1, &http1_limits_default), HTTP1_DONE);
    assert_int_equal(h.length, sizeof good - 1 - 3);
    assert_int_equal(h.field_count, 2);
    http1_trailers_init(&h);
    assert_int_equal(http1_trailers_parse(&h, "\r\n", 2, &http1_limits_default), HTTP1_DONE);
    http1_trailers_init(&h);
    assert_int_equal(http1_trailers_parse(&h, "X : 1\r\n\r\n", 9, &http1_limits_default), HTTP1_BAD);
    http1_trailers_init(&h);
    assert_int_equal(http1_trailers_parse(&h, "\n", 1, &http1_limits_default), HTTP1_BAD);
}

static void a_length_ends_where_it_says(void **state)
{
    (void)state;
    struct http1_head head = {.framing = HTTP1_LENGTH, .content_length = 5};
    struct http1_body b;
    size_t used, at, len;
    http1_body_init(&b, &head);
    assert_int_equal(http1_body_next(&b, "abc", 3, &used, &at, &len), HTTP1_DATA);
    assert_int_equal(len, 3);
    assert_int_equal(http1_body_next(&b, "", 0, &used, &at, &len), HTTP1_MORE);
    assert_int_equal(http1_body_next(&b, "deGET", 5, &used, &at, &len), HTTP1_DATA);
    assert_int_equal(used, 2);
    assert_int_equal(http1_body_next(&b, "GET", 3, &used, &at, &len), HTTP1_DONE);
    assert_int_equal(used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_taken_or_refused_with_their_status),
        cmocka_unit_test(nul_is_refused_anywhere),
        cmocka_unit_test(control_bytes_are_refused_anywhere_in_a_value),
        cmocka_unit_test(what_a_request_says),
        cmocka_unit_test(h2c_is_not_passed_on),
        cmocka_unit_test(too_much_has_its_own_status),
        cmocka_unit_test(limits_are_exact_in_every_split),
        cmocka_unit_test(connection_strips_no_field_of_every_hop),
        cmocka_unit_test(only_an_upgrade_that_was_asked_for_is_granted),
        cmocka_unit_test(responses_are_taken_or_refused),
        cmocka_unit_test(chunks_are_read_in_any_pieces),
        cmocka_unit_test(extensions_have_a_budget),
        cmocka_unit_test(trailers_are_fields),
        cmocka_unit_test(a_length_ends_where_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
