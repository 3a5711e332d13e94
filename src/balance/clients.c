/* SPDX-License-Identifier: MIT */
/* Owns the control socket and its clients. Lines are bounded both ways, so that no client can make us grow.
 */
#include "balance/clients.h"
#include "base/log.h"
#include "core/units.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define OUT_MAX     (16u << 20) /* 1000 backends with full histograms stay below */
#define ACCEPT_SOON (100 * USEC_PER_MSEC)

static void client_close(struct client *client)
{
    if (!client->open)
        return;
    int fd = client->watch.fd;
    loop_remove(client->owner->loop, &client->watch);
    close(fd);
    if (client->passed_fd >= 0)
        close(client->passed_fd);
    bytes_fini(&client->in);
    bytes_fini(&client->out);
    client->open = false;
}

static bool flush(struct client *client)
{
    struct bytes *out = &client->out;
    while (out->size > 0) {
        ssize_t n = send(client->watch.fd, out->data + out->start, out->size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            client_close(client);
            return false;
        }
        if (n < 0)
            break;
        bytes_consume(out, (size_t)n);
    }
    loop_change(client->owner->loop, &client->watch, out->size > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return true;
}

/* A descriptor travels with the first byte of its line, so nothing may wait before it. */
static bool send_with(struct client *client, const char *text, size_t len, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    ssize_t n = client->out.size > 0 ? -1 : sendmsg(client->watch.fd, &m, MSG_NOSIGNAL);
    if (n < 0 || !bytes_append(&client->out, text + n, len - (size_t)n)) {
        client_close(client);
        return false;
    }
    return flush(client);
}

bool client_send(struct client *client, const char *text, size_t len, int fd)
{
    if (fd >= 0)
        return send_with(client, text, len, fd);
    if (!bytes_append(&client->out, text, len)) {
        log_warning("control socket: a client does not read what it is sent; closed");
        client_close(client);
        return false;
    }
    return flush(client);
}

static void take_lines(struct client *client)
{
    char *line;
    while (client->open && (line = bytes_take_line(&client->in)))
        client->owner->line(client->owner->context, client, line);
}

/* As recv(); a descriptor that comes along is kept until a command takes it or another comes. */
static ssize_t receive(struct client *client, char *out, size_t size)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = out, .iov_len = size};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(client->watch.fd, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return n;
    for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len;
         at += sizeof(int)) { /* the last one is kept */
        if (client->passed_fd >= 0)
            close(client->passed_fd);
        memcpy(&client->passed_fd, CMSG_DATA(c) + at, sizeof(int));
    }
    return n;
}

static void client_ready(struct loop_watch *watch, uint32_t events)
{
    struct client *client = watch->context;
    if ((events & EPOLLOUT) && !flush(client))
        return;
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    char *room = bytes_reserve(&client->in, 4096);
    ssize_t n = !room ? 0 : receive(client, room, 4096);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_close(client);
        return;
    }
    bytes_commit(&client->in, (size_t)n);
    take_lines(client);
}

static bool may_connect(const struct clients *c, int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == c->owner);
}

static struct client *free_slot(struct clients *c)
{
    for (size_t i = 0; i < PROTOCOL_CLIENTS_MAX; i++)
        if (!c->slots[i].open)
            return &c->slots[i];
    return NULL;
}

static void accept_again(struct loop_timer *timer, int64_t now)
{
    (void)now;
    struct clients *c = timer->context;
    loop_change(c->loop, &c->watch, EPOLLIN);
}

/* Who waits is told of again and again: without a descriptor to take it, the loop would spin. */
static void pause_accepting(struct clients *c)
{
    loop_change(c->loop, &c->watch, 0);
    loop_timer_set(c->loop, &c->again, loop_now(c->loop) + ACCEPT_SOON);
}

static void socket_ready(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    struct clients *c = watch->context;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            pause_accepting(c);
        return;
    }
    struct client *client = free_slot(c);
    if (!client || !may_connect(c, fd)) {
        log_warning("control socket: a connection was refused: %s",
                    !client ? "too many clients" : "it is another user's");
        close(fd);
        return;
    }
    *client = (struct client){.owner = c, .passed_fd = -1, .in.max = PROTOCOL_LINE_MAX, .out.max = OUT_MAX};
    client->watch.ready = client_ready;
    client->watch.context = client;
    client->open = loop_add(c->loop, &client->watch, fd, EPOLLIN) == 0;
    if (!client->open)
        close(fd);
}

/* A path nobody answers on is a leftover. */
static bool is_leftover(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_path(int fd, const struct sockaddr_un *address)
{
    if (is_leftover(address))
        unlink(address->sun_path);
    mode_t mask = umask(0177);
    int error = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
    umask(mask);
    if (error == 0 && listen(fd, PROTOCOL_CLIENTS_MAX) < 0)
        error = -errno;
    return error;
}

int clients_open(struct clients *c, struct loop *loop, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = bind_path(fd, &address);
    c->loop = loop;
    c->owner = geteuid();
    c->watch.ready = socket_ready;
    c->watch.context = c;
    c->again = (struct loop_timer){.due = accept_again, .context = c};
    if (error == 0)
        error = loop_add(loop, &c->watch, fd, EPOLLIN);
    c->listening = error == 0;
    if (error < 0)
        close(fd);
    return error;
}

static bool is_listening(int fd)
{
    int listening = 0, domain = 0;
    socklen_t size = sizeof listening, domain_size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 && domain == AF_UNIX;
}

int clients_move(struct clients *c, int fd)
{
    int old = c->watch.fd;
    if (!c->listening || !is_listening(fd))
        return -EINVAL;
    loop_timer_cancel(c->loop, &c->again);
    loop_remove(c->loop, &c->watch);
    int error = loop_add(c->loop, &c->watch, fd, EPOLLIN);
    if (error == 0) {
        close(old);
        return 0;
    }
    loop_add(c->loop, &c->watch, old, EPOLLIN);
    return error;
}

void clients_close(struct clients *c)
{
    for (size_t i = 0; i < PROTOCOL_CLIENTS_MAX; i++)
        client_close(&c->slots[i]);
    if (!c->listening)
        return;
    int fd = c->watch.fd;
    loop_timer_cancel(c->loop, &c->again);
    loop_remove(c->loop, &c->watch);
    close(fd);
    c->listening = false;
}
