/* SPDX-License-Identifier: MIT */
/* Which processes belong to which instance, and what they use together. A process belongs to an instance when
 * its parent does, when it shares a session with one that does, or when it was orphaned and carries the
 * instance's key in its environment. New ones are found by the pids given since the last scan, so a quiet
 * machine costs one read. Nothing is signalled that is not verified to be the very process that was seen. The
 * control thread only. */
#ifndef TARGET_PROCTREE_H
#define TARGET_PROCTREE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The variable that marks the processes of an instance; its value is the instance's key. */
#define PROCTREE_MARK     "ASCALE_INSTANCE_KEY"
#define PROCTREE_KEY_SIZE 33

/* The owner of orphans that are ours but carry no key. */
#define PROCTREE_NOBODY 0

struct proctree;

/* 0 or -errno. The caller is expected to be a child subreaper. */
int proctree_new(struct proctree **out);
void proctree_free(struct proctree *tree);

/* Children of ours that are no orphans of an instance though they have a session of their own. NULL: none. */
void proctree_spare(struct proctree *tree, bool (*is_own)(void *context, pid_t pid), void *context);

/* Follows a process and what comes from it. adopted: it ran before, its descendants are looked for everywhere
 * and CPU time used so far does not count. Reaping this one process stays with the caller. 0 or -errno. */
int proctree_add(struct proctree *tree, int owner, pid_t leader, const char *key, bool adopted);
void proctree_remove(struct proctree *tree, int owner);

/* Finds new processes, drops those that have ended, reaps orphans. Cheap: call it before each of the below. A
 * process that has ended is kept through one more scan, in which its last children are found. */
void proctree_scan(struct proctree *tree);

/* How many processes it has; 0 only when the last two scans saw none. */
int proctree_count(const struct proctree *tree, int owner);

/* Fills in up to max pids, returns how many. */
int proctree_pids(const struct proctree *tree, int owner, pid_t *out, int max);

/* Whether a signal has stopped one of them. */
bool proctree_is_stopped(const struct proctree *tree, int owner);

struct proctree_usage {
    uint64_t cpu_us; /* used since it was added; never goes back, ended processes included */
    int64_t memory_bytes;
};
struct proctree_usage proctree_usage(const struct proctree *tree, int owner);

/* Sends a signal to all of them; returns how many got it. */
int proctree_signal(const struct proctree *tree, int owner, int signal_number);

/* Kills what is left of the session of an instance whose leader is gone, when it carries the mark of an
 * instance and started no earlier than that leader. Returns how many. Needs no tree: for a start after a
 * crash. */
int proctree_end_session(pid_t session, uint64_t since_ticks);

#endif
