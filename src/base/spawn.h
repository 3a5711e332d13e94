/* SPDX-License-Identifier: MIT */
/* Starts a program with a clean signal mask, default signals and a pidfd, by posix_spawn. Any thread. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FD_MAX 8

/* Child descriptor target becomes a copy of ours source. All others above 2 are closed, those of
 * libraries that forget to have it done too. */
struct spawn_fd {
    int source, target;
};

struct spawn_request {
    const char *path; /* holds a '/', or is looked for in PATH */
    char *const *argv;
    char *const *env; /* NULL: ours */
    struct spawn_fd fds[SPAWN_FD_MAX];
    int fd_count;     /* descriptors 0, 1, 2 not named are /dev/null */
    bool new_group;   /* a process group of its own */
    bool new_session; /* a session, and with it a group, of its own */
};

/* 0 or -errno (the error of exec included: ENOENT, EACCES). *pidfd is close-on-exec and the caller's. */
int spawn_process(const struct spawn_request *request, pid_t *pid, int *pidfd);

/* Sends a signal by pidfd. 0 or -errno (-ESRCH: it has ended). */
int spawn_signal(int pidfd, int signal_number);

/* Collects an ended child without waiting. True: it had ended, *status is as of waitpid(). */
bool spawn_reap(int pidfd, int *status);

/* "exit status 1", "killed by SIGKILL (9)", "killed by SIGSEGV (11), core dumped". */
void spawn_describe_status(int status, char *out, size_t size);

#endif
