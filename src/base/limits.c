/* SPDX-License-Identifier: MIT */
/* What was found is kept for children; nothing else. */
#include "base/limits.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

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
