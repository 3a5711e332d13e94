/* SPDX-License-Identifier: MIT */
/* Owns a pidfd while the process runs. The pid is never used for signals, so none can reach a stranger that
 * got the number later. An adopted process is another's child: its end is seen, its status is not. */
#include "control/child.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define AWAIT_MS 1000

void child_args_add(struct child_args *args, const char *format, ...)
{
    char *word = args->text + args->used;
    size_t room = sizeof args->text - args->used;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(word, room, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= room || args->count == CHILD_ARGS_MAX) {
        args->overflow = true;
        return;
    }
    args->used += (size_t)length + 1;
    args->argv[args->count++] = word;
}

void child_release(struct child *child)
{
    if (!child_runs(child))
        return;
    loop_remove(child->loop, &child->watch);
    close(child->pidfd);
    child->identity = (struct state_process){0};
}

static void on_pidfd(struct loop_watch *watch, uint32_t events)
{
    struct child *child = watch->context;
    (void)events;
    char how[64] = "gone";
    int status = 0;
    if (spawn_reap(child->pidfd, &status))
        spawn_describe_status(status, how, sizeof how);
    child_release(child);
    child->ended(child->context, status, how);
}

static int watch_pidfd(struct child *child)
{
    child->watch = (struct loop_watch){.ready = on_pidfd, .context = child};
    return loop_add(child->loop, &child->watch, child->pidfd, EPOLLIN);
}

int child_start(struct child *child, const struct spawn_request *request)
{
    pid_t pid;
    int error = spawn_process(request, &pid, &child->pidfd);
    if (error)
        return error;
    child->identity = (struct state_process){.pid = pid, .start_ticks = state_start_ticks(pid)};
    error = watch_pidfd(child);
    if (error) {
        spawn_signal(child->pidfd, SIGKILL);
        close(child->pidfd);
        child->identity = (struct state_process){0};
    }
    return error;
}

int child_adopt(struct child *child, const struct state_process *identity)
{
    child->pidfd = pidfd_open(identity->pid, 0);
    if (child->pidfd < 0)
        return -errno;
    /* Checked with the descriptor open: from here on the pid cannot be given to another. */
    int error = state_process_alive(identity) ? watch_pidfd(child) : -ESRCH;
    if (error)
        close(child->pidfd);
    else
        child->identity = *identity;
    return error;
}

void child_await(struct child *child)
{
    struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
    if (!child_runs(child))
        return;
    poll(&ended, 1, AWAIT_MS);
    child_release(child);
}

void child_signal(struct child *child, int signal_number)
{
    if (child_runs(child))
        spawn_signal(child->pidfd, signal_number);
}
