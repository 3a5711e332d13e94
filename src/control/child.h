/* SPDX-License-Identifier: MIT */
/* One program of ours that control runs beside the instances, watched by its pidfd. The loop's thread. */
#ifndef CONTROL_CHILD_H
#define CONTROL_CHILD_H
#include "base/loop.h"
#include "base/spawn.h"
#include "control/state.h"

#define CHILD_ARGS_MAX  128
#define CHILD_ARGS_TEXT 16384

/* The words of a command line; a zeroed one is empty. What does not fit is left out and sets overflow. */
struct child_args {
    int count;
    size_t used;
    bool overflow;
    char *argv[CHILD_ARGS_MAX + 1];
    char text[CHILD_ARGS_TEXT];
};

void child_args_add(struct child_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Zero it, then fill in loop, ended and context. */
struct child {
    struct loop *loop;
    /* It has ended; how is as of spawn_describe_status(), or "gone" for an adopted one. */
    void (*ended)(void *context, int status, const char *how);
    void *context;

    struct state_process identity; /* pid 0 = none runs; the rest is the module's own */
    int pidfd;
    struct loop_watch watch;
};

/* 0 or -errno. */
int child_start(struct child *child, const struct spawn_request *request);

/* Watches a process that is not our child. 0 or -errno (-ESRCH: it has ended, or is not the same one). */
int child_adopt(struct child *child, const struct state_process *identity);

static inline bool child_runs(const struct child *child)
{
    return child->identity.pid != 0;
}

/* Nothing happens when none runs. */
void child_signal(struct child *child, int signal_number);

/* Waits (a second at most) for the end of a process that was killed, and forgets it. Only before the loop
 * runs.
 */
void child_await(struct child *child);

/* Forgets it without touching it. */
void child_release(struct child *child);

#endif
