/* SPDX-License-Identifier: MIT */
/* Wraps one non-blocking socket each. The invariant that saves system calls: readable (writable) is false
 * only when the kernel has said so, by EAGAIN or a short count, after which an edge is sure to come. */
#include "http/conn.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

static void conn_begin(struct conn *c, int fd, void (*ready)(struct event_source *, uint32_t))
{
    *c = (struct conn){.source = {fd, ready}};
}

/* A new connection can be written to: being told so would be an event for nothing, and for most the only one.
 */
int conn_adopt(struct conn *c, struct event_loop *loop, int fd,
               void (*ready)(struct event_source *, uint32_t))
{
    conn_begin(c, fd, ready);
    c->readable = c->writable = true;
    c->unwatched = loop;
    int error = event_add_as(loop, &c->source, EPOLLIN | EPOLLRDHUP | EPOLLET);
    if (error < 0)
        c->source.fd = -1;
    return error;
}

static void wait_to_write(struct conn *c)
{
    c->writable = false;
    if (c->unwatched &&
        event_change(c->unwatched, &c->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0)
        c->unwatched = NULL;
}

int conn_connect(struct conn *c, struct event_loop *loop, const struct sockaddr *to, socklen_t to_len,
                 void (*ready)(struct event_source *, uint32_t))
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        c->source.fd = -1;
        return -errno;
    }
    int on = 1, error = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_stop_pacing(fd, to);
    conn_begin(c, fd, ready);
    if (connect(fd, to, to_len) < 0 && errno != EINPROGRESS)
        error = -errno;
    else
        error = event_add(loop, &c->source);
    if (error < 0)
        conn_close(c);
    return error;
}

void conn_note(struct conn *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        c->failed = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->peer_done = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        c->writable = true;
}

/* Straight to the kernel: as a point of cancellation the C library's calls cost two atomic operations each
 * once a process has threads, a twentieth of a proxied request; nothing here is ever cancelled. */
static ssize_t plain_recv(int fd, char *into, size_t room)
{
    return syscall(SYS_recvfrom, fd, into, room, 0, NULL, NULL);
}

static ssize_t plain_send(int fd, const void *from, size_t len)
{
    return syscall(SYS_sendto, fd, from, len, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t plain_sendmsg(int fd, const struct msghdr *m)
{
    return syscall(SYS_sendmsg, fd, m, MSG_NOSIGNAL);
}

ssize_t conn_read(struct conn *c, char *into, size_t room)
{
    ssize_t n;
    do
        n = plain_recv(c->source.fd, into, room);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno == EWOULDBLOCK)
            c->readable = false;
        return -errno;
    }
    if ((size_t)n < room && n > 0 && !c->peer_done)
        c->readable = false;
    return n;
}

ssize_t conn_write(struct conn *c, const struct iovec *parts, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    ssize_t n;
    if (count == 1) {
        do
            n = plain_send(c->source.fd, parts[0].iov_base, total);
        while (n < 0 && errno == EINTR);
    } else {
        struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
        do
            n = plain_sendmsg(c->source.fd, &m);
        while (n < 0 && errno == EINTR);
    }
    if (n < 0) {
        /* A connect that is still under way says ENOTCONN on some families. */
        if (errno != EWOULDBLOCK && errno != ENOTCONN)
            return -errno;
        wait_to_write(c);
        return -EAGAIN;
    }
    if ((size_t)n < total)
        wait_to_write(c);
    return n;
}

int conn_error(const struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(c->source.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

void conn_close(struct conn *c)
{
    if (c->source.fd >= 0)
        close(c->source.fd);
    c->source.fd = -1;
    c->readable = c->writable = false;
}
