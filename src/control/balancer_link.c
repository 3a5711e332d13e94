/* SPDX-License-Identifier: MIT */
/* Owns one connection to the balancer's control socket and its two buffers. What cannot be written at once
 * waits in `out` for EPOLLOUT; a peer that lets it grow past its maximum has hung and is cut off. A message
 * that is no JSON object ends the connection, because nothing after it could be trusted to be in step.
 * Control thread. */
#include "control/balancer_link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_MAX    (16u << 20) /* 1000 backends with full histograms stay below */
#define OUT_MAX   (1u << 20)
#define READ_SIZE 65536

static void drop_passed_fd(struct balancer_link *link)
{
    if (link->passed_fd >= 0)
        close(link->passed_fd);
    link->passed_fd = -1;
}

void balancer_link_close(struct balancer_link *link)
{
    if (!link->open)
        return;
    int fd = link->watch.fd;
    loop_remove(link->loop, &link->watch);
    close(fd);
    drop_passed_fd(link);
    bytes_fini(&link->in);
    bytes_fini(&link->out);
    link->open = false;
}

static void fail(struct balancer_link *link, const char *why)
{
    balancer_link_close(link);
    link->closed(link->context, why);
}

/* The descriptor that came beside the bytes, if any; a second one replaces the first. */
static void take_passed_fd(struct balancer_link *link, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        drop_passed_fd(link);
        memcpy(&link->passed_fd, CMSG_DATA(c), sizeof link->passed_fd);
    }
}

/* As read(2), into the buffer. */
static ssize_t receive(struct balancer_link *link)
{
    char *room = bytes_reserve(&link->in, READ_SIZE);
    if (!room) {
        errno = EMSGSIZE;
        return -1;
    }
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = room, .iov_len = READ_SIZE};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count = recvmsg(link->watch.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count > 0) {
        bytes_commit(&link->in, (size_t)count);
        take_passed_fd(link, &header);
    }
    return count;
}

/* False when the link was closed on the way. */
static bool deliver_lines(struct balancer_link *link)
{
    char *line;
    while (link->open && (line = bytes_take_line(&link->in))) {
        json_t *message = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(message)) {
            json_decref(message);
            fail(link, "it sent something that is not a JSON object");
            return false;
        }
        int fd = -1;
        if (json_object_get(message, "reply")) { /* events may come between; only a reply brings one */
            fd = link->passed_fd;
            link->passed_fd = -1;
        }
        link->message(link->context, message, fd);
        json_decref(message);
    }
    return link->open;
}

static void read_messages(struct balancer_link *link)
{
    for (;;) {
        ssize_t count = receive(link);
        if (count == 0) {
            fail(link, "it closed the control socket");
            return;
        }
        if (count < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail(link, strerror(errno));
            return;
        }
        if (!deliver_lines(link) || count < READ_SIZE)
            return;
    }
}

static bool write_waiting(struct balancer_link *link)
{
    while (link->out.size) {
        ssize_t count = send(link->watch.fd, link->out.data + link->out.start, link->out.size,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        bytes_consume(&link->out, (size_t)count);
    }
    return true;
}

static void want_events(struct balancer_link *link)
{
    loop_change(link->loop, &link->watch, link->out.size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct balancer_link *link = watch->context;
    if (link->broken) {
        fail(link, "it does not take our commands");
        return;
    }
    if (events & EPOLLOUT) {
        if (!write_waiting(link)) {
            fail(link, strerror(errno));
            return;
        }
        want_events(link);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_messages(link);
}

int balancer_link_connect(struct balancer_link *link, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int error = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        error = -errno;
        goto out;
    }
    link->in = (struct bytes){.max = IN_MAX};
    link->out = (struct bytes){.max = OUT_MAX};
    link->passed_fd = -1;
    link->broken = false;
    link->watch = (struct loop_watch){.ready = on_ready, .context = link};
    error = loop_add(link->loop, &link->watch, fd, EPOLLIN);
    link->open = error == 0;
out:
    if (error)
        close(fd);
    return error;
}

int64_t balancer_link_send(struct balancer_link *link, json_t *command)
{
    int64_t id = 0;
    char *text = NULL;
    if (!link->open || link->broken)
        goto out;
    json_object_set_new(command, "id", json_integer(++link->next_id));
    text = json_dumps(command, JSON_COMPACT);
    if (!text)
        goto out;
    if (!bytes_append(&link->out, text, strlen(text)) || !bytes_append(&link->out, "\n", 1) ||
        !write_waiting(link)) {
        /* Closing here would surprise the caller: the next turn of the loop reports it. */
        link->broken = true;
        loop_change(link->loop, &link->watch, EPOLLIN | EPOLLOUT);
        goto out;
    }
    want_events(link);
    id = link->next_id;
out:
    free(text);
    json_decref(command);
    return id;
}

int64_t balancer_link_send_with(struct balancer_link *link, json_t *command, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    int64_t id = 0;
    char *text = NULL;
    if (!link->open || link->broken || link->out.size)
        goto out;
    json_object_set_new(command, "id", json_integer(link->next_id + 1));
    text = json_dumps(command, JSON_COMPACT);
    if (!text)
        goto out;
    char end[] = "\n";
    struct iovec parts[] = {{text, strlen(text)}, {end, 1}};
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    /* A line this short goes out whole or not at all. */
    if (sendmsg(link->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        id = ++link->next_id;
out:
    free(text);
    json_decref(command);
    return id;
}
