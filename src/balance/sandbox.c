/* SPDX-License-Identifier: MIT */
/* Landlock with no rules at all denies every path and every bind; seccomp answers EPERM to what is not in the
 * list, so that a call forgotten here fails like a missing permission instead of ending the process.
 * Sanitizers need calls of their own: builds with them go without. */
#include "balance/sandbox.h"
#include "base/log.h"
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

bool sandbox_drop_user(const char *user)
{
    if (user[0] == '\0' || geteuid() != 0)
        return true;
    const struct passwd *who = getpwnam(user);
    if (!who) {
        fprintf(stderr, "ascale-balance: there is no user '%s' to become; not started\n", user);
        return false;
    }
    if (setgroups(0, NULL) < 0 || setgid(who->pw_gid) < 0 || setuid(who->pw_uid) < 0) {
        fprintf(stderr, "ascale-balance: cannot become user '%s': %s; not started\n", user, strerror(errno));
        return false;
    }
    return true;
}

/* The kernel's rule set grew with its versions; headers may be older than the kernel. */
struct ruleset {
    uint64_t files, net;
};

#define FILES_V1 ((UINT64_C(1) << 13) - 1)
#define FILES_V2 (UINT64_C(1) << 13) /* linking and renaming between directories */
#define FILES_V3 (UINT64_C(1) << 14) /* truncating */
#define NET_BIND UINT64_C(1)         /* since version 4 */

static int restrict_files(void)
{
    struct ruleset rules = {.files = FILES_V1};
    size_t size = sizeof rules.files;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 0)
        return -errno;
    if (version >= 2)
        rules.files |= FILES_V2;
    if (version >= 3)
        rules.files |= FILES_V3;
    if (version >= 4) {
        rules.net = NET_BIND;
        size = sizeof rules;
    }
    long fd = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return -errno;
    int error = syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
    close((int)fd);
    return error;
}

void sandbox_close_files(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (SANITIZED)
        return;
    int error = restrict_files();
    if (error < 0)
        log_info("landlock: %s; going on without", strerror(-error));
}

#if defined(__x86_64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64
#endif

#ifdef AUDIT_ARCH_OURS
static const unsigned short allowed[] = {
    SYS_recvfrom,
    SYS_sendto,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_accept4,
    SYS_close,
    SYS_read,
    SYS_write,
    SYS_socket,
    SYS_connect,
    SYS_shutdown,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_futex,
    SYS_clock_gettime,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_mprotect,
    SYS_brk,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
    SYS_getpid,
    SYS_gettid,
    SYS_tgkill,
    SYS_sched_yield,
    SYS_getrandom,
    SYS_fcntl,
    SYS_writev,
    SYS_getpriority,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_epoll_pwait2
    SYS_epoll_pwait2,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
    SYS_set_robust_list,
};
#define ALLOWED_COUNT (sizeof allowed / sizeof allowed[0])

static struct sock_filter statement(unsigned code, uint32_t value)
{
    return (struct sock_filter){(unsigned short)code, 0, 0, value};
}

static struct sock_filter jump_if(uint32_t equal, unsigned char skip_then, unsigned char skip_else)
{
    return (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, skip_then, skip_else, equal};
}

static int restrict_calls(void)
{
    struct sock_filter code[ALLOWED_COUNT + 6];
    unsigned n = 0;
    code[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = jump_if(AUDIT_ARCH_OURS, 1, 0);
    code[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < ALLOWED_COUNT; i++)
        code[n++] = jump_if(allowed[i], (unsigned char)(ALLOWED_COUNT - i), 0);
    code[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)n, code};
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return result < 0 ? -errno : result > 0 ? -ESRCH : 0; /* above 0: a thread that cannot follow */
}
#else
static int restrict_calls(void)
{
    return -ENOSYS;
}
#endif

void sandbox_close_calls(void)
{
    if (SANITIZED)
        return;
    int error = restrict_calls();
    if (error < 0)
        log_info("seccomp: %s; going on without", strerror(-error));
}
