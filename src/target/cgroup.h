/* SPDX-License-Identifier: MIT */
/* Control groups for instances, where the machine lets us make them: a limit of memory and of processes for
 * the whole instance, an end that nothing escapes, and the kernel's own word on which limit was hit.
 * Hierarchies of version 1 and 2 may be mixed; each file is tried by itself and what is missing is done
 * without. Any thread. */
#ifndef TARGET_CGROUP_H
#define TARGET_CGROUP_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PATH_MAX 320

enum cgroup_kind { CGROUP_UNIFIED, CGROUP_PIDS, CGROUP_MEMORY, CGROUP_KINDS };

/* Where groups can be made. Plain value; "" = not there. */
struct cgroup_places {
    char paths[CGROUP_KINDS][CGROUP_PATH_MAX];
    bool unified_limits; /* the unified one limits memory and processes */
};

/* Finds them by trying, and removes what crashes of others have left there. */
void cgroup_find_places(struct cgroup_places *places);

/* Removes empty groups whose key begins with the mark: those that an earlier run left. */
void cgroup_remove_left(const struct cgroup_places *places, const char *mark);

/* The groups of one instance. Plain value; all "" = none. */
struct cgroup {
    char paths[CGROUP_KINDS][CGROUP_PATH_MAX];
    bool limits_memory, limits_processes;
};

/* Makes what can be made, named after the key; limits of 0 are none. */
void cgroup_make(struct cgroup *group, const struct cgroup_places *places, const char *key,
                 int64_t memory_limit, int process_limit);

/* The groups of a process that was put into them under this key earlier. */
void cgroup_adopt(struct cgroup *group, pid_t pid, const char *key);

/* Fills in paths of files that a process joins by writing "0" to them; returns how many. */
int cgroup_join_files(const struct cgroup *group, char files[CGROUP_KINDS][CGROUP_PATH_MAX]);

/* Kills whatever is in it; returns whether anything was. */
bool cgroup_kill(const struct cgroup *group);

/* Whether it has processes, zombies apart. */
bool cgroup_is_populated(const struct cgroup *group);

/* The file that counts its CPU time, to be read again and again: a descriptor, the caller's; -1: none. */
int cgroup_cpu_open(const struct cgroup *group);

/* CPU time that all its processes have used, the ended ones included; false: not counted here. From fd, or
 * when that is -1 from the file, opened for this reading. */
bool cgroup_cpu(const struct cgroup *group, int fd, uint64_t *cpu_us);

struct cgroup_hits {
    int64_t memory, processes; /* kills for want of memory, forks refused */
};
struct cgroup_hits cgroup_hits(const struct cgroup *group);

/* Removes the groups once they are empty. */
void cgroup_remove(struct cgroup *group);

#endif
