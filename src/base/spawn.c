/* SPDX-License-Identifier: MIT */
/* posix_spawn() with what it does not do by itself: an empty signal mask, default signals, descriptors 0, 1
 * and 2 always there, and the child held by a pidfd, so that its number being used again can never hit a
 * stranger. */
#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct plan {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int copies[SPAWN_FD_MAX];
    int copy_count;
};

static int plan_attributes(struct plan *plan, const struct spawn_request *request)
{
    sigset_t none, all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    memset(&all, 0xFF,
           sizeof all); /* sigfillset() leaves out 32 and 33, which glibc would then have ignored */
    int error = posix_spawnattr_setsigmask(&plan->attributes, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(&plan->attributes, &all);
    if (request->new_session)
        flags |= POSIX_SPAWN_SETSID;
    else if (!error && request->new_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        error = posix_spawnattr_setpgroup(&plan->attributes, 0);
    }
    return error ? error : posix_spawnattr_setflags(&plan->attributes, flags);
}

static bool is_named(const struct spawn_request *request, int target)
{
    for (int i = 0; i < request->fd_count; i++)
        if (request->fds[i].target == target)
            return true;
    return false;
}

/* Everything that is not named, be it close-on-exec or not. */
static int plan_closing(struct plan *plan, const struct spawn_request *request)
{
    int error = 0, last = STDERR_FILENO;
    for (int i = 0; i < request->fd_count; i++)
        last = request->fds[i].target > last ? request->fds[i].target : last;
    for (int fd = STDERR_FILENO + 1; fd < last && !error; fd++)
        if (!is_named(request, fd))
            error = posix_spawn_file_actions_addclose(&plan->actions, fd);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(&plan->actions, last + 1);
}

/* Sources are copied above the targets first, so that no dup2 overwrites one still needed; no higher than
 * that, as the limit of open files may be low. */
static int lowest_safe(const struct spawn_request *request)
{
    int safe = STDERR_FILENO + 1;
    for (int i = 0; i < request->fd_count; i++)
        safe = request->fds[i].target >= safe ? request->fds[i].target + 1 : safe;
    return safe;
}

static int plan_fds(struct plan *plan, const struct spawn_request *request)
{
    int error = 0, safe = lowest_safe(request);
    for (int i = 0; i < request->fd_count && !error; i++) {
        int copy = fcntl(request->fds[i].source, F_DUPFD_CLOEXEC, safe);
        if (copy < 0)
            return errno;
        plan->copies[plan->copy_count++] = copy;
        error = posix_spawn_file_actions_adddup2(&plan->actions, copy, request->fds[i].target);
    }
    for (int fd = 0; fd <= 2 && !error; fd++)
        if (!is_named(request, fd))
            error = posix_spawn_file_actions_addopen(&plan->actions, fd, "/dev/null", O_RDWR, 0);
    return error ? error : plan_closing(plan, request);
}

static int plan_init(struct plan *plan)
{
    plan->copy_count = 0;
    int error = posix_spawnattr_init(&plan->attributes);
    if (error)
        return error;
    error = posix_spawn_file_actions_init(&plan->actions);
    if (error)
        posix_spawnattr_destroy(&plan->attributes);
    return error;
}

static void plan_fini(struct plan *plan)
{
    for (int i = 0; i < plan->copy_count; i++)
        close(plan->copies[i]);
    posix_spawn_file_actions_destroy(&plan->actions);
    posix_spawnattr_destroy(&plan->attributes);
}

/* A child without a pidfd cannot be supervised: it is ended at once. */
static int hold(pid_t pid, int *pidfd)
{
    *pidfd = pidfd_open(pid, 0);
    if (*pidfd >= 0)
        return 0;
    int error = errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}

int spawn_process(const struct spawn_request *request, pid_t *pid, int *pidfd)
{
    struct plan plan;
    if (request->fd_count > SPAWN_FD_MAX)
        return -EINVAL;
    int error = plan_init(&plan);
    if (error)
        return -error;
    error = plan_attributes(&plan, request);
    if (!error)
        error = plan_fds(&plan, request);
    if (!error)
        error = posix_spawnp(pid, request->path, &plan.actions, &plan.attributes, request->argv,
                             request->env ? request->env : environ);
    plan_fini(&plan);
    if (!error)
        error = hold(*pid, pidfd);
    return -error;
}

int spawn_signal(int pidfd, int signal_number)
{
    return pidfd_send_signal(pidfd, signal_number, NULL, 0) == 0 ? 0 : -errno;
}

bool spawn_reap(int pidfd, int *status)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
        return false;
    *status = info.si_code == CLD_EXITED ? (info.si_status & 0xFF) << 8 : info.si_status;
    if (info.si_code == CLD_DUMPED)
        *status |= 0x80;
    return true;
}

void spawn_describe_status(int status, char *out, size_t size)
{
    int number = WTERMSIG(status);
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(number) : NULL;
    if (!WIFSIGNALED(status))
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
    else
        snprintf(out, size, "killed by %s%s (%d)%s", name ? "SIG" : "real-time signal", name ? name : "",
                 number, WCOREDUMP(status) ? ", core dumped" : "");
}
