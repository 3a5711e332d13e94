/* SPDX-License-Identifier: MIT */
/* Finds the hierarchies in /proc/self/mounts and our own place in them in /proc/self/cgroup. A place of
 * version 2 is the nearest ancestor that hands limits to its children, since the group we are in cannot;
 * failing that, our own, which still ends everything at once. Owns nothing but what stands in the file
 * system. */
#include "target/cgroup.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 };

static const char *const controllers[CGROUP_KINDS] = {"", "pids", "memory"};

/* Whether a list like "rw,pids" has the word. */
static bool has_word(const char *list, const char *separators, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at != '\0'; at += strspn(at, separators)) {
        size_t size = strcspn(at, separators);
        if (size == length && memcmp(at, word, length) == 0)
            return true;
        at += size;
    }
    return false;
}

static bool read_text(const char *directory, const char *name, char *out, size_t size)
{
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, out, size - 1);
    close(fd);
    out[length < 0 ? 0 : length] = '\0';
    return length >= 0;
}

static bool write_text(const char *directory, const char *name, const char *text)
{
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

static bool write_number(const char *directory, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return write_text(directory, name, text);
}

/* The directory where the hierarchy of that kind is mounted. */
static bool find_mount(enum cgroup_kind kind, char *out, size_t size)
{
    FILE *stream = fopen("/proc/self/mounts", "re");
    char path[256], type[32], options[512];
    bool found = false;
    while (stream && !found && fscanf(stream, "%*s %255s %31s %511s %*[^\n]", path, type, options) == 3)
        found = kind == CGROUP_UNIFIED
                    ? strcmp(type, "cgroup2") == 0
                    : strcmp(type, "cgroup") == 0 && has_word(options, ",", controllers[kind]);
    if (stream)
        fclose(stream);
    return found && snprintf(out, size, "%s", path) < (int)size;
}

/* Where in that hierarchy the process is: "/user.slice/...". */
static bool find_membership(pid_t pid, enum cgroup_kind kind, char *out, size_t size)
{
    char name[48], line[1024];
    snprintf(name, sizeof name, "/proc/%d/cgroup", (int)pid);
    FILE *stream = fopen(name, "re");
    bool found = false;
    while (stream && !found && fgets(line, sizeof line, stream)) {
        char *list = strchr(line, ':'), *path = !list ? NULL : strchr(list + 1, ':');
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        list++;
        found = kind == CGROUP_UNIFIED ? *list == '\0' : has_word(list, ",", controllers[kind]);
        if (found)
            found = snprintf(out, size, "%s", path) < (int)size;
    }
    if (stream)
        fclose(stream);
    return found;
}

/* Our directory in the hierarchy; in a container it may be mounted from our place downwards. */
static bool find_own(enum cgroup_kind kind, char mount[CGROUP_PATH_MAX], char out[CGROUP_PATH_MAX])
{
    char path[256];
    if (!find_mount(kind, mount, CGROUP_PATH_MAX) || !find_membership(getpid(), kind, path, sizeof path))
        return false;
    if (snprintf(out, CGROUP_PATH_MAX, "%s%s", mount, strcmp(path, "/") == 0 ? "" : path) >= CGROUP_PATH_MAX)
        return false;
    if (access(out, F_OK) != 0)
        snprintf(out, CGROUP_PATH_MAX, "%s", mount);
    return true;
}

static bool can_make(const char *place)
{
    char path[CGROUP_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/ascale-try-%d", place, (int)getpid());
    return mkdir(path, 0755) == 0 && rmdir(path) == 0;
}

static bool gives_limits(const char *directory)
{
    char text[512];
    return read_text(directory, "cgroup.subtree_control", text, sizeof text) &&
           has_word(text, " \n", "memory") && has_word(text, " \n", "pids");
}

static void find_unified(struct cgroup_places *places)
{
    char mount[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX];
    if (!find_own(CGROUP_UNIFIED, mount, own))
        return;
    char *place = places->paths[CGROUP_UNIFIED];
    strcpy(place, own);
    while (strlen(place) > strlen(mount) && !gives_limits(place))
        *strrchr(place, '/') = '\0';
    places->unified_limits = gives_limits(place) && can_make(place);
    if (!places->unified_limits)
        strcpy(place, can_make(own) ? own : "");
}

/* Those whose key begins so and that are so old; only empty ones can be removed. */
static void remove_left(const struct cgroup_places *places, const char *key, int age_s)
{
    char name[80];
    struct stat status;
    int length = snprintf(name, sizeof name, "ascale-%s", key);
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        DIR *directory = places->paths[kind][0] == '\0' ? NULL : opendir(places->paths[kind]);
        const struct dirent *entry;
        while (directory && (entry = readdir(directory)))
            if (strncmp(entry->d_name, name, (size_t)length) == 0 &&
                fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                status.st_mtime + age_s <= clock_wall_us() / 1000000)
                unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
        if (directory)
            closedir(directory);
    }
}

void cgroup_remove_left(const struct cgroup_places *places, const char *mark)
{
    remove_left(places, mark, 0);
}

void cgroup_find_places(struct cgroup_places *places)
{
    enum { YOUNG_S = 60 }; /* another's, who may be about to put its first process into it */
    *places = (struct cgroup_places){0};
    find_unified(places);
    for (enum cgroup_kind kind = CGROUP_PIDS; kind < CGROUP_KINDS; kind++) {
        char mount[CGROUP_PATH_MAX], *place = places->paths[kind];
        if (places->unified_limits || !find_own(kind, mount, place) || !can_make(place))
            place[0] = '\0';
    }
    remove_left(places, "", YOUNG_S);
}

static bool limit_memory(const struct cgroup *group, int64_t limit)
{
    const char *unified = group->paths[CGROUP_UNIFIED], *memory = group->paths[CGROUP_MEMORY];
    if (unified[0] != '\0' && write_number(unified, "memory.max", limit)) {
        write_text(unified, "memory.swap.max", "0");
        write_text(unified, "memory.oom.group", "1");
        return true;
    }
    if (memory[0] == '\0' || !write_number(memory, "memory.limit_in_bytes", limit))
        return false;
    write_number(memory, "memory.memsw.limit_in_bytes", limit);
    return true;
}

static bool limit_processes(const struct cgroup *group, int limit)
{
    for (enum cgroup_kind kind = CGROUP_UNIFIED; kind <= CGROUP_PIDS; kind++)
        if (group->paths[kind][0] != '\0' && write_number(group->paths[kind], "pids.max", limit))
            return true;
    return false;
}

void cgroup_make(struct cgroup *group, const struct cgroup_places *places, const char *key,
                 int64_t memory_limit, int process_limit)
{
    const bool wanted[CGROUP_KINDS] = {true, process_limit > 0, memory_limit > 0};
    *group = (struct cgroup){0};
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        if (!wanted[kind] || places->paths[kind][0] == '\0')
            continue;
        int size = snprintf(group->paths[kind], CGROUP_PATH_MAX, "%s/ascale-%s", places->paths[kind], key);
        if (size >= CGROUP_PATH_MAX || mkdir(group->paths[kind], 0755) < 0)
            group->paths[kind][0] = '\0';
    }
    group->limits_memory = memory_limit > 0 && limit_memory(group, memory_limit);
    group->limits_processes = process_limit > 0 && limit_processes(group, process_limit);
}

void cgroup_adopt(struct cgroup *group, pid_t pid, const char *key)
{
    char name[80];
    *group = (struct cgroup){0};
    snprintf(name, sizeof name, "/ascale-%s", key);
    for (enum cgroup_kind kind = CGROUP_UNIFIED; kind < CGROUP_KINDS; kind++) {
        char mount[CGROUP_PATH_MAX], path[256];
        const char *tail;
        if (!find_mount(kind, mount, sizeof mount) || !find_membership(pid, kind, path, sizeof path) ||
            !(tail = strstr(path, name)) || tail[strlen(name)] != '\0')
            continue;
        if (snprintf(group->paths[kind], CGROUP_PATH_MAX, "%s%s", mount, path) >= CGROUP_PATH_MAX)
            group->paths[kind][0] = '\0';
        char limit[24];
        if (group->paths[kind][0] != '\0' && read_text(group->paths[kind], "pids.max", limit, sizeof limit))
            group->limits_processes |= limit[0] >= '0' && limit[0] <= '9';
    }
}

int cgroup_join_files(const struct cgroup *group, char files[CGROUP_KINDS][CGROUP_PATH_MAX])
{
    int count = 0;
    for (int kind = 0; kind < CGROUP_KINDS; kind++)
        if (group->paths[kind][0] != '\0' &&
            snprintf(files[count], CGROUP_PATH_MAX, "%s/cgroup.procs", group->paths[kind]) < CGROUP_PATH_MAX)
            count++;
    return count;
}

/* The group that lists all members, NULL: there is none. */
static const char *any_path(const struct cgroup *group)
{
    for (int kind = 0; kind < CGROUP_KINDS; kind++)
        if (group->paths[kind][0] != '\0')
            return group->paths[kind];
    return NULL;
}

/* A pid of the list may have been given to somebody else since: it must still be in the group once we hold
 * it. */
static bool kill_member(pid_t pid, const char *group)
{
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return false;
    char path[256];
    bool killed = false;
    for (enum cgroup_kind kind = CGROUP_UNIFIED; kind < CGROUP_KINDS && !killed; kind++)
        killed = find_membership(pid, kind, path, sizeof path) &&
                 strcmp(strrchr(path, '/'), strrchr(group, '/')) == 0 &&
                 pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
    close(pidfd);
    return killed;
}

static char *read_members(const char *group)
{
    char *text = malloc(FILE_MAX);
    if (text && !read_text(group, "cgroup.procs", text, FILE_MAX))
        text[0] = '\0';
    return text;
}

bool cgroup_kill(const struct cgroup *group)
{
    const char *path = any_path(group);
    if (!path || !cgroup_is_populated(group))
        return false;
    if (group->paths[CGROUP_UNIFIED][0] != '\0' &&
        write_text(group->paths[CGROUP_UNIFIED], "cgroup.kill", "1"))
        return true;
    char *members = read_members(path);
    bool any = false;
    for (char *at = members, *end; at && *at != '\0'; at = end + 1) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at || *end != '\n')
            break;
        any |= kill_member(pid, path);
    }
    free(members);
    return any;
}

/* The number after a word in a text like that of memory.events; -1 when it is not there. */
static int64_t find_count(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *line = text; line && *line != '\0';) {
        if (strncmp(line, word, length) == 0 && line[length] == ' ')
            return strtoll(line + length, NULL, 10);
        line = strchr(line, '\n');
        line = !line ? NULL : line + 1;
    }
    return -1;
}

static int64_t read_count(const char *directory, const char *name, const char *word)
{
    char text[1024];
    if (directory[0] == '\0' || !read_text(directory, name, text, sizeof text))
        return -1;
    return find_count(text, word);
}

static const char cpu_file[] = "cpu.stat", cpu_word[] = "usage_usec";

int cgroup_cpu_open(const struct cgroup *group)
{
    const char *directory = group->paths[CGROUP_UNIFIED];
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", directory, cpu_file);
    return directory[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

bool cgroup_cpu(const struct cgroup *group, int fd, uint64_t *cpu_us)
{
    char text[1024];
    int64_t count = -1;
    if (fd < 0) {
        count = read_count(group->paths[CGROUP_UNIFIED], cpu_file, cpu_word);
    } else {
        ssize_t length = pread(fd, text, sizeof text - 1, 0);
        text[length < 0 ? 0 : length] = '\0';
        count = find_count(text, cpu_word);
    }
    *cpu_us = count < 0 ? 0 : (uint64_t)count;
    return count >= 0;
}

bool cgroup_is_populated(const struct cgroup *group)
{
    if (group->paths[CGROUP_UNIFIED][0] != '\0')
        return read_count(group->paths[CGROUP_UNIFIED], "cgroup.events", "populated") > 0;
    char text[16];
    const char *path = any_path(group);
    return path && read_text(path, "cgroup.procs", text, sizeof text) && text[0] != '\0';
}

/* The count of whichever of two files is there. */
static int64_t hits_of(const char *unified, const char *unified_name, const char *other,
                       const char *other_name, const char *word)
{
    int64_t count = read_count(unified, unified_name, word);
    if (count < 0)
        count = read_count(other, other_name, word);
    return count < 0 ? 0 : count;
}

struct cgroup_hits cgroup_hits(const struct cgroup *group)
{
    const char *unified = group->paths[CGROUP_UNIFIED];
    return (struct cgroup_hits){
        .memory =
            hits_of(unified, "memory.events", group->paths[CGROUP_MEMORY], "memory.oom_control", "oom_kill"),
        .processes = hits_of(unified, "pids.events", group->paths[CGROUP_PIDS], "pids.events", "max"),
    };
}

void cgroup_remove(struct cgroup *group)
{
    for (int kind = 0; kind < CGROUP_KINDS; kind++)
        if (group->paths[kind][0] != '\0' && (rmdir(group->paths[kind]) == 0 || errno == ENOENT))
            group->paths[kind][0] = '\0';
}
