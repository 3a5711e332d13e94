/* SPDX-License-Identifier: MIT */
/* Addresses as text both ways; reads and writes that know when the next one would be in vain. */
#include "http/conn.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void addresses_are_read_and_written(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"127.0.0.1:8000", "127.0.0.1:8000"},
        {"localhost:1", "127.0.0.1:1"},
        {":80", "127.0.0.1:80"},
        {"5000", "127.0.0.1:5000"},
        {"[::1]:8000", "[::1]:8000"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"[::ffff:10.0.0.1]:7", "10.0.0.1:7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage address;
        socklen_t len;
        char text[80];
        assert_true(conn_parse_address(cases[i][0], &address, &len));
        conn_format_address((struct sockaddr *)&address, true, text, sizeof text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void an_ipv4_peer_of_an_ipv6_socket_is_written_as_ipv4(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    socklen_t len;
    char text[80];
    assert_true(conn_parse_address("[::ffff:10.1.2.3]:80", &address, &len));
    conn_format_address((struct sockaddr *)&address, false, text, sizeof text);
    assert_string_equal(text, "10.1.2.3");
    conn_format_address((struct sockaddr *)&address, true, text, sizeof text);
    assert_string_equal(text, "10.1.2.3:80");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",       "x",           "127.0.0.1",    "127.0.0.1:",     "127.0.0.1:65536", "::1:80",
        "[x]:80", "[127.0.0.1]", "[1.2.3.4]:80", "example.org:80", "127.0.0.1:8o",    "[:80"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage address;
        socklen_t len;
        if (conn_parse_address(cases[i], &address, &len))
            fail_msg("'%s' was taken", cases[i]);
    }
}

static void noted(struct event_source *source, uint32_t events)
{
    conn_note((struct conn *)source, events);
}

static void pair(struct event_loop *loop, struct conn *c, int *other)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(conn_adopt(c, loop, ends[0], noted), 0);
    *other = ends[1];
}

static void a_short_read_waits_for_the_edge(void **state)
{
    (void)state;
    struct event_loop *loop = event_loop_new(NULL, NULL);
    struct conn c;
    char bytes[16];
    int other;
    pair(loop, &c, &other);
    assert_int_equal(write(other, "hello", 5), 5);
    assert_int_equal(conn_read(&c, bytes, 3), 3);
    assert_true(c.readable);
    assert_int_equal(conn_read(&c, bytes, sizeof bytes), 2);
    assert_false(c.readable);
    assert_int_equal(write(other, "x", 1), 1);
    close(other);
    event_turn(loop, USEC_NEVER);
    assert_true(c.readable && c.peer_done);
    assert_int_equal(conn_read(&c, bytes, sizeof bytes), 1);
    assert_true(c.readable); /* the end is still to be read */
    assert_int_equal(conn_read(&c, bytes, sizeof bytes), 0);
    conn_close(&c);
    event_loop_free(loop);
}

static void a_short_write_waits_for_the_edge(void **state)
{
    (void)state;
    static char many[1 << 20];
    struct event_loop *loop = event_loop_new(NULL, NULL);
    struct conn c;
    int other;
    pair(loop, &c, &other);
    struct iovec parts[2] = {{many, sizeof many}, {many, sizeof many}};
    ssize_t n = conn_write(&c, parts, 2);
    assert_true(n > 0 && n < 2 << 20);
    assert_false(c.writable);
    assert_int_equal(conn_write(&c, parts, 1), -EAGAIN);
    while (read(other, many, sizeof many) > 0)
        ;
    event_turn(loop, USEC_NEVER);
    assert_true(c.writable);
    close(other);
    assert_int_equal(conn_write(&c, parts, 1), -EPIPE);
    conn_close(&c);
    event_loop_free(loop);
}

static void a_refused_connect_is_said(void **state)
{
    (void)state;
    struct event_loop *loop = event_loop_new(NULL, NULL);
    struct sockaddr_storage address;
    socklen_t len;
    struct conn c;
    assert_true(conn_parse_address("127.0.0.1:0", &address, &len));
    int listener = conn_listen((struct sockaddr *)&address, len, 1);
    assert_true(listener >= 0);
    getsockname(listener, (struct sockaddr *)&address, &len);
    close(listener);
    int error = conn_connect(&c, loop, (struct sockaddr *)&address, len, noted);
    if (error == 0) {
        event_turn(loop, USEC_NEVER);
        error = conn_error(&c);
        conn_close(&c);
    }
    assert_int_equal(error, -ECONNREFUSED);
    event_loop_free(loop);
}

static void congestion_of(int fd, char *name, socklen_t size)
{
    memset(name, 0, size);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
}

static void nothing_paces_what_stays_on_this_machine(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    socklen_t len;
    char here[16], anywhere[16], usual[16];
    assert_true(conn_parse_address("127.0.0.1:0", &address, &len));
    int local = conn_listen((struct sockaddr *)&address, len, 1);
    assert_true(conn_parse_address("0.0.0.0:0", &address, &len));
    int open = conn_listen((struct sockaddr *)&address, len, 1);
    int untouched = socket(AF_INET, SOCK_STREAM, 0);
    congestion_of(local, here, sizeof here);
    congestion_of(open, anywhere, sizeof anywhere);
    congestion_of(untouched, usual, sizeof usual);
    assert_string_equal(here, "reno");
    assert_string_equal(anywhere, usual);
    close(local);
    close(open);
    close(untouched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(an_ipv4_peer_of_an_ipv6_socket_is_written_as_ipv4),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_short_read_waits_for_the_edge),
        cmocka_unit_test(a_short_write_waits_for_the_edge),
        cmocka_unit_test(a_refused_connect_is_said),
        cmocka_unit_test(nothing_paces_what_stays_on_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
