/* SPDX-License-Identifier: MIT */
/* Owns a pidfd while the process runs. The pid is never used for signals, so none can reach a stranger that
 * got the number later. An adopted process is another's child: its end is seen, its status is not. */
#include "control/process.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define AWAIT_MS 1000

void process_args_add(struct process_args *args, const char *format, ...)
{
    char *word = args->text + args->used;
    size_t room = sizeof args->text - args->used;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(word, room, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= room || args->count == PROCESS_ARGS_MAX) {
        args->overflow = true;
        return;
    }
    args->used += (size_t)length + 1;
    args->argv[args->count++] = word;
}

void process_release(struct process *process)
{
    if (!process_runs(process))
        return;
    loop_remove(process->loop, &process->watch);
    close(process->pidfd);
    process->identity = (struct state_process){0};
}

static void on_pidfd(struct loop_watch *watch, uint32_t events)
{
    struct process *process = watch->context;
    (void)events;
    char how[64] = "gone";
    int status = 0;
    if (spawn_reap(process->pidfd, &status))
        spawn_describe_status(status, how, sizeof how);
    process_release(process);
    process->ended(process->context, status, how);
}

static int watch_pidfd(struct process *process)
{
    process->watch = (struct loop_watch){.ready = on_pidfd, .context = process};
    return loop_add(process->loop, &process->watch, process->pidfd, EPOLLIN);
}

int process_start(struct process *process, const struct spawn_request *request)
{
    pid_t pid;
    int error = spawn_process(request, &pid, &process->pidfd);
    if (error)
        return error;
    process->identity = (struct state_process){.pid = pid, .start_ticks = state_start_ticks(pid)};
    error = watch_pidfd(process);
    if (error) {
        spawn_signal(process->pidfd, SIGKILL);
        close(process->pidfd);
        process->identity = (struct state_process){0};
    }
    return error;
}

int process_adopt(struct process *process, const struct state_process *identity)
{
    process->pidfd = pidfd_open(identity->pid, 0);
    if (process->pidfd < 0)
        return -errno;
    /* Checked with the descriptor open: from here on the pid cannot be given to another. */
    int error = state_process_alive(identity) ? watch_pidfd(process) : -ESRCH;
    if (error)
        close(process->pidfd);
    else
        process->identity = *identity;
    return error;
}

void process_await(struct process *process)
{
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    if (!process_runs(process))
        return;
    poll(&ended, 1, AWAIT_MS);
    process_release(process);
}

void process_signal(struct process *process, int signal_number)
{
    if (process_runs(process))
        spawn_signal(process->pidfd, signal_number);
}
