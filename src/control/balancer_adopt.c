/* SPDX-License-Identifier: MIT */
/* One question on a connection of its own, asked while the program starts and nobody waits for the loop yet;
 * hence a loop of its own with one deadline, gone when the answer is here. The control socket lies in our
 * state directory, where nobody else can listen: who does is ours, whatever the record says. */
#include "control/balancer_adopt.h"
#include "base/clock.h"
#include "control/balancer_link.h"
#include "control/child.h"
#include "control/listener.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_US 1000000

struct question {
    int listen_fd; /* -errno until it is here */
    bool over;
};

static void on_message(void *context, json_t *message, int passed_fd)
{
    struct question *q = context;
    if (passed_fd >= 0 && q->listen_fd < 0 && json_is_true(json_object_get(message, "ok"))) {
        q->listen_fd = passed_fd;
        q->over = true;
    } else if (passed_fd >= 0) {
        close(passed_fd);
    } else if (json_is_false(json_object_get(message, "ok"))) {
        q->listen_fd = -EPROTO;
        q->over = true;
    }
}

static void on_closed(void *context, const char *why)
{
    struct question *q = context;
    (void)why;
    if (q->listen_fd < 0)
        q->listen_fd = -ECONNRESET;
    q->over = true;
}

static int ask_for_listener(const char *socket_path)
{
    struct question q = {.listen_fd = -ETIMEDOUT};
    struct balancer_link link = {.message = on_message, .closed = on_closed, .context = &q};
    int error = loop_new(&link.loop);
    if (error)
        return error;
    error = balancer_link_connect(&link, socket_path);
    if (error)
        q.listen_fd = error;
    balancer_link_send(&link, json_pack("{s:s, s:i}", "cmd", "hello", "version", 1));
    balancer_link_send(&link, json_pack("{s:s}", "cmd", "listener"));
    int64_t deadline = clock_now_us() + PATIENCE_US;
    while (!error && !q.over && clock_now_us() < deadline)
        error = loop_turn(link.loop, deadline);
    balancer_link_close(&link);
    loop_free(link.loop);
    return q.listen_fd;
}

int balancer_adopt_listener(const char *socket_path, const char *address)
{
    int fd = ask_for_listener(socket_path);
    if (fd >= 0 && !listener_is_bound_to(fd, address)) {
        close(fd);
        return -EADDRNOTAVAIL;
    }
    return fd;
}

/* Who listens there, by the word of the kernel. */
static struct state_process find_listening(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (strlen(socket_path) >= sizeof address.sun_path)
        return (struct state_process){0};
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return (struct state_process){0};
    bool found = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                 getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 1;
    close(fd);
    return found ? (struct state_process){.pid = peer.pid, .start_ticks = state_start_ticks(peer.pid)}
                 : (struct state_process){0};
}

struct state_process balancer_adopt_find(const char *socket_path, const struct state_process *recorded)
{
    return state_process_alive(recorded) ? *recorded : find_listening(socket_path);
}

void balancer_adopt_end(struct loop *loop, const struct state_process *balancer)
{
    struct child child = {.loop = loop};
    if (!balancer->pid || child_adopt(&child, balancer) != 0)
        return;
    child_signal(&child, SIGKILL);
    child_await(&child);
}
