/* SPDX-License-Identifier: MIT */
/* The cheapest backend for measuring what stands before it: answers every request on a connection with the
 * same bytes. It looks for empty lines only, so it is for requests without bodies, on loopback.
 *
 *     bench_answer PORT BODY_BYTES */
#include "http/conn.h"
#include "http/slab.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct client {
    struct conn conn;
    struct event_task buried;
    unsigned matched; /* bytes of "\r\n\r\n" seen */
    uint64_t owed;    /* bytes still to be written */
};

static struct event_loop *loop;
static struct slab clients;
static char *answer;
static size_t answer_len;

static void bury(struct event_task *task)
{
    slab_give(&clients, (char *)task - offsetof(struct client, buried));
}

static void end(struct client *c)
{
    conn_close(&c->conn);
    c->buried.run = bury;
    event_later(loop, &c->buried);
}

static unsigned count_heads(struct client *c, const char *text, size_t len)
{
    static const char line_ends[] = "\r\n\r\n";
    unsigned heads = 0;
    for (size_t i = 0; i < len; i++) {
        c->matched = text[i] == line_ends[c->matched] ? c->matched + 1 : text[i] == '\r';
        if (c->matched == 4) {
            heads++;
            c->matched = 0;
        }
    }
    return heads;
}

static void write_owed(struct client *c)
{
    while (c->owed > 0 && c->conn.writable) {
        size_t left = (size_t)((c->owed - 1) % answer_len + 1);
        struct iovec part = {answer + (answer_len - left), left};
        ssize_t n = conn_write(&c->conn, &part, 1);
        if (n < 0 && n != -EAGAIN) {
            end(c);
            return;
        }
        c->owed -= n > 0 ? (uint64_t)n : 0;
    }
}

static void client_ready(struct event_source *source, uint32_t events)
{
    static char text[65536];
    struct client *c = (struct client *)source;
    conn_note(&c->conn, events);
    while (c->conn.source.fd >= 0 && c->conn.readable) {
        ssize_t n = conn_read(&c->conn, text, sizeof text);
        if (n == -EAGAIN)
            break;
        if (n <= 0) {
            end(c);
            return;
        }
        c->owed += count_heads(c, text, (size_t)n) * answer_len;
    }
    write_owed(c);
}

static void listener_ready(struct event_source *source, uint32_t events)
{
    (void)events;
    int fd;
    while ((fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *c = slab_take(&clients);
        if (!c || conn_adopt(&c->conn, loop, fd, client_ready) < 0)
            close(fd);
    }
}

static bool make_answer(size_t body)
{
    answer = malloc(body + 256);
    if (!answer)
        return false;
    int head = snprintf(answer, 256,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", body);
    memset(answer + head, 'x', body);
    answer_len = (size_t)head + body;
    return true;
}

int main(int argc, char **argv)
{
    struct sockaddr_storage address;
    socklen_t len;
    if (argc != 3 || !conn_parse_address(argv[1], &address, &len) ||
        !make_answer(strtoul(argv[2], NULL, 10))) {
        fprintf(stderr, "usage: bench_answer PORT BODY_BYTES\n");
        return 2;
    }
    loop = event_loop_new(NULL, NULL);
    slab_init(&clients, sizeof(struct client));
    struct event_source listener = {conn_listen((struct sockaddr *)&address, len, 4096), listener_ready};
    if (!loop || listener.fd < 0 || event_add_as(loop, &listener, EPOLLIN) < 0) {
        fprintf(stderr, "bench_answer: cannot listen on %s\n", argv[1]);
        return 1;
    }
    while (event_turn(loop, USEC_NEVER) == 0)
        ;
    return 1;
}
