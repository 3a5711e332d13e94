/* SPDX-License-Identifier: MIT */
/* Reads and parses files of /proc. Owns nothing; keeps nothing between calls but two constants of the system.
 */
#include "target/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields of /proc/PID/stat after the name, counted from the state as 0. */
enum {
    FIELD_STATE = 0,
    FIELD_PARENT = 1,
    FIELD_SESSION = 3,
    FIELD_UTIME = 11,
    FIELD_STIME,
    FIELD_CUTIME,
    FIELD_CSTIME,
    FIELD_START = 19,
    FIELD_RSS = 21,
    FIELD_COUNT
};

static uint64_t ticks_to_us(uint64_t ticks)
{
    return ticks * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool proc_stat_parse(const char *text, struct proc_stat *out)
{
    /* The name is in parentheses and may itself hold any of " )(": the last one ends it. */
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return false;
    at += 2;
    char state = *at;
    int64_t field[FIELD_COUNT] = {0};
    for (int i = FIELD_STATE + 1; i < FIELD_COUNT; i++) {
        at = strchr(at, ' ');
        if (!at)
            return false;
        field[i] = strtoll(++at, NULL, 10);
    }
    *out = (struct proc_stat){
        .pid = (pid_t)strtol(text, NULL, 10),
        .parent = (pid_t)field[FIELD_PARENT],
        .session = (pid_t)field[FIELD_SESSION],
        .state = state,
        .cpu_us = ticks_to_us((uint64_t)(field[FIELD_UTIME] + field[FIELD_STIME])),
        .child_us = ticks_to_us((uint64_t)(field[FIELD_CUTIME] + field[FIELD_CSTIME])),
        .start_ticks = (uint64_t)field[FIELD_START],
        .memory_bytes = field[FIELD_RSS] * sysconf(_SC_PAGESIZE),
    };
    return out->pid > 0;
}

/* Reads a small file from its beginning; the length, or -errno. */
static ssize_t read_text(int fd, char *out, size_t size)
{
    ssize_t length;
    do
        length = pread(fd, out, size - 1, 0);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    out[length] = '\0';
    return length;
}

static ssize_t read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read_text(fd, out, size);
    close(fd);
    return length;
}

int proc_stat_open(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int proc_stat_read(int fd, struct proc_stat *out)
{
    char text[1024];
    ssize_t length = read_text(fd, text, sizeof text);
    if (length <= 0)
        return length < 0 ? (int)length : -ESRCH;
    return proc_stat_parse(text, out) ? 0 : -EPROTO;
}

int proc_stat_get(pid_t pid, struct proc_stat *out)
{
    int fd = proc_stat_open(pid);
    if (fd < 0)
        return fd == -ENOENT ? -ESRCH : fd;
    int error = proc_stat_read(fd, out);
    close(fd);
    return error;
}

bool proc_is_process(pid_t pid)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (read_file(path, text, sizeof text) <= 0)
        return false;
    const char *group = strstr(text, "\nTgid:");
    return group && strtol(group + 6, NULL, 10) == pid;
}

/* Finds NAME=VALUE in what is left of a stream of NUL-terminated strings. */
static bool find_variable(FILE *stream, const char *name, char *out, size_t size)
{
    size_t length = strlen(name), capacity = 0;
    char *entry = NULL;
    bool found = false;
    while (!found && getdelim(&entry, &capacity, '\0', stream) > 0) {
        found = strncmp(entry, name, length) == 0 && entry[length] == '=';
        if (found)
            snprintf(out, size, "%s", entry + length + 1);
    }
    free(entry);
    return found;
}

bool proc_environment(pid_t pid, const char *name, char *out, size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return false;
    bool found = find_variable(stream, name, out, size);
    fclose(stream);
    return found;
}

bool proc_boot_id(char *out, size_t size)
{
    ssize_t length = read_file("/proc/sys/kernel/random/boot_id", out, size);
    if (length <= 0)
        return false;
    out[strcspn(out, "\n")] = '\0';
    return true;
}

pid_t proc_last_pid(int loadavg_fd)
{
    char text[128];
    ssize_t length = read_text(loadavg_fd, text, sizeof text);
    if (length < 0)
        return (pid_t)length;
    const char *last = strrchr(text, ' ');
    return !last ? -EPROTO : (pid_t)strtol(last, NULL, 10);
}

bool proc_host_read(int stat_fd, struct proc_host *out)
{
    char text[256];
    uint64_t user, nice, system, idle, wait, irq, soft_irq, steal;
    if (read_text(stat_fd, text, sizeof text) <= 0)
        return false;
    if (sscanf(text,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64,
               &user, &nice, &system, &idle, &wait, &irq, &soft_irq, &steal) != 8)
        return false;
    out->busy_ticks = user + nice + system + irq + soft_irq + steal;
    out->total_ticks = out->busy_ticks + idle + wait;
    return true;
}

double proc_host_percent(const struct proc_host *before, const struct proc_host *after)
{
    if (after->total_ticks <= before->total_ticks)
        return NAN;
    /* The kernel lets idle and wait go back a little now and then. */
    double busy =
        after->busy_ticks > before->busy_ticks ? (double)(after->busy_ticks - before->busy_ticks) : 0;
    double percent = 100 * busy / (double)(after->total_ticks - before->total_ticks);
    return percent > 100 ? 100 : percent;
}
