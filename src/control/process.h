/* SPDX-License-Identifier: MIT */
/* One program of ours that control runs beside the instances, watched by its pidfd. The loop's thread. */
#ifndef CONTROL_PROCESS_H
#define CONTROL_PROCESS_H
#include "base/loop.h"
#include "base/spawn.h"
#include "control/state.h"

#define PROCESS_ARGS_MAX  128
#define PROCESS_ARGS_TEXT 16384

/* The words of a command line; a zeroed one is empty. What does not fit is left out and sets overflow. */
struct process_args {
    int count;
    size_t used;
    bool overflow;
    char *argv[PROCESS_ARGS_MAX + 1];
    char text[PROCESS_ARGS_TEXT];
};

void process_args_add(struct process_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Zero it, then fill in loop, ended and context. */
struct process {
    struct loop *loop;
    /* It has ended; how is as of spawn_describe_status(), or "gone" for an adopted one. */
    void (*ended)(void *context, int status, const char *how);
    void *context;

    struct state_process identity; /* pid 0 = none runs; the rest is the module's own */
    int pidfd;
    struct loop_watch watch;
};

/* 0 or -errno. */
int process_start(struct process *process, const struct spawn_request *request);

/* Watches a process that is not our child. 0 or -errno (-ESRCH: it has ended, or is not the same one). */
int process_adopt(struct process *process, const struct state_process *identity);

static inline bool process_runs(const struct process *process)
{
    return process->identity.pid != 0;
}

/* Nothing happens when none runs. */
void process_signal(struct process *process, int signal_number);

/* Waits (a second at most) for the end of a process that was killed, and forgets it. Only before the loop
 * runs.
 */
void process_await(struct process *process);

/* Forgets it without touching it. */
void process_release(struct process *process);

#endif
