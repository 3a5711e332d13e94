/* SPDX-License-Identifier: MIT */
/* What /proc says of one process and of the machine. A descriptor of /proc/PID/stat stays bound to the
 * process it was opened for: once that is gone it reads -ESRCH, even when its pid is in use again. Any
 * thread. */
#ifndef TARGET_PROC_H
#define TARGET_PROC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
    pid_t pid, parent, session;
    char state;           /* 'R', 'S', 'Z', ... */
    uint64_t cpu_us;      /* user and system */
    uint64_t child_us;    /* the same of children it has waited for, and of theirs */
    uint64_t start_ticks; /* since boot; with the pid it names a process for good */
    int64_t memory_bytes; /* resident */
};

/* The text of a stat file; false when it is not one. */
bool proc_stat_parse(const char *text, struct proc_stat *out);

/* A descriptor (close-on-exec, the caller's) or -errno; -ENOENT: no such process. */
int proc_stat_open(pid_t pid);
/* 0 or -errno; -ESRCH: it is gone. */
int proc_stat_read(int fd, struct proc_stat *out);
/* Both at once; gone is -ESRCH here too. */
int proc_stat_get(pid_t pid, struct proc_stat *out);

/* Whether pid is a process rather than one of the threads of another. */
bool proc_is_process(pid_t pid);

/* The value of a variable in the environment a process was started with; false: not there or not readable. */
bool proc_environment(pid_t pid, const char *name, char *out, size_t size);

/* A string of the boot this is: start_ticks mean nothing across boots. False when the kernel does not tell.
 */
bool proc_boot_id(char *out, size_t size);

/* The pid given last, from a descriptor of /proc/loadavg: unchanged means no process has come since. -errno.
 */
pid_t proc_last_pid(int loadavg_fd);

/* CPU time of the whole machine so far, all cores together, from a descriptor of /proc/stat. */
struct proc_host {
    uint64_t busy_ticks, total_ticks;
};
bool proc_host_read(int stat_fd, struct proc_host *out);
/* Percent busy between two readings, 0..100; NaN when no time has passed. */
double proc_host_percent(const struct proc_host *before, const struct proc_host *after);

#endif
