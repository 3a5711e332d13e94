/* SPDX-License-Identifier: MIT */
/* One question on a connection of its own, asked while the program starts and nobody waits for the loop yet;
 * hence a loop of its own with one deadline, gone when the answer is here. */
#include "control/balancer_adopt.h"
#include "base/clock.h"
#include "control/balancer_link.h"
#include <errno.h>
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
    q->over = true;
}

int balancer_adopt_listener(const char *socket_path)
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
