/* SPDX-License-Identifier: MIT */
/* What was found is kept for children; nothing else. */
#include "base/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* The control room itself and its balancer, about. */
enum { FILES_OWN = 48, FILES_AN_INSTANCE = 5, PROCESSES_OWN = 12 };

static int64_t found;
static int reserve = -1;

static int64_t count_of(rlim_t limit)
{
    return limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
}

int64_t limits_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return INT64_MAX;
    int64_t before = count_of(limit.rlim_cur);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return before;
    if (before < count_of(limit.rlim_max))
        found = before;
    return count_of(limit.rlim_max);
}

int64_t limits_found_files(void)
{
    return found;
}

int64_t limits_files_needed(int instances)
{
    return FILES_OWN + (int64_t)FILES_AN_INSTANCE * instances;
}

int64_t limits_processes_needed(int instances)
{
    return PROCESSES_OWN + (int64_t)instances;
}

static void explain_files(int instances, char *out, size_t size)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    getrlimit(RLIMIT_NOFILE, &limit);
    snprintf(out, size,
             "no descriptor left: %lld open files allowed, about %lld needed for %d instances "
             "(ulimit -n, LimitNOFILE=)",
             (long long)count_of(limit.rlim_cur), (long long)limits_files_needed(instances), instances);
}

/* The limit of a user counts threads, and those of other programs of that user, too. */
static void explain_processes(int instances, char *out, size_t size)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    getrlimit(RLIMIT_NPROC, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        snprintf(out, size, "no process left: at least %lld needed for %d instances (TasksMax=, pids.max)",
                 (long long)limits_processes_needed(instances), instances);
    else
        snprintf(out, size,
                 "no process left: %lld allowed to this user, at least %lld needed for %d instances "
                 "(ulimit -u, TasksMax=)",
                 (long long)count_of(limit.rlim_cur), (long long)limits_processes_needed(instances),
                 instances);
}

bool limits_explain(int error, int instances, char *out, size_t size)
{
    if (error == EMFILE)
        explain_files(instances, out, size);
    else if (error == EAGAIN)
        explain_processes(instances, out, size);
    return error == EMFILE || error == EAGAIN;
}

void limits_take_reserve(void)
{
    if (reserve < 0)
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void limits_give_reserve(void)
{
    if (reserve >= 0)
        close(reserve);
    reserve = -1;
}
