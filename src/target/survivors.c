/* SPDX-License-Identifier: MIT */
/* Walks /proc once, at start; keeps nothing. The environment read is the one a program was started with, so
 * it names the instance whatever the program did since. A pid is only signalled through a pidfd that was
 * opened before the environment was read: should the number be taken over meanwhile, the signal finds nobody.
 */
#include "target/survivors.h"
#include "core/units.h"
#include "target/proc.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_LENGTH (SURVIVORS_MARK_SIZE - 1)
#define MARK_FILE   "mark"

/* The file holds the mark and the directory it was written for, so that a copy of the directory has one of
 * its own. */
static bool read_mark(const char *state_dir, const struct stat *st, char mark[SURVIVORS_MARK_SIZE])
{
    char path[512], kept[SURVIVORS_MARK_SIZE];
    unsigned long long device = 0, inode = 0;
    _Static_assert(SURVIVORS_MARK_SIZE == 17, "the format below says 16");
    snprintf(path, sizeof path, "%s/" MARK_FILE, state_dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool good = fscanf(file, "%16[0-9a-f] %llu %llu", kept, &device, &inode) == 3 &&
                strlen(kept) == MARK_LENGTH && device == st->st_dev && inode == st->st_ino;
    fclose(file);
    if (good)
        strcpy(mark, kept);
    return good;
}

int survivors_keep_mark(const char *state_dir, const char *mark)
{
    char path[512];
    struct stat st;
    if (stat(state_dir, &st) < 0)
        return -errno;
    snprintf(path, sizeof path, "%s/" MARK_FILE, state_dir);
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    fprintf(file, "%s %llu %llu\n", mark, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return fclose(file) == 0 ? 0 : -errno;
}

int survivors_mark(const char *state_dir, char mark[SURVIVORS_MARK_SIZE])
{
    struct stat st;
    if (stat(state_dir, &st) < 0)
        return -errno;
    if (read_mark(state_dir, &st, mark))
        return 0;
    /* FNV-1a over what names a directory for the kernel. */
    const uint64_t parts[] = {st.st_dev, st.st_ino};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof parts; i++)
        hash = (hash ^ ((const unsigned char *)parts)[i]) * UINT64_C(0x100000001b3);
    snprintf(mark, SURVIVORS_MARK_SIZE, "%016llx", (unsigned long long)hash);
    return 0;
}

void survivors_make_key(const char *mark, char key[PROCTREE_KEY_SIZE])
{
    uint64_t chance = 0;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
        chance = 0;
    snprintf(key, PROCTREE_KEY_SIZE, "%.*s%016llx", MARK_LENGTH, mark, (unsigned long long)chance);
}

static bool carries_mark(pid_t pid, const char *mark, char key[PROCTREE_KEY_SIZE])
{
    return proc_environment(pid, PROCTREE_MARK, key, PROCTREE_KEY_SIZE) &&
           strncmp(key, mark, MARK_LENGTH) == 0;
}

static int read_number(pid_t pid, const char *name)
{
    char text[16];
    int64_t value;
    if (!proc_environment(pid, name, text, sizeof text) || !units_parse_int(text, &value) || value < 1 ||
        value > INT32_MAX)
        return 0;
    return (int)value;
}

static bool describe(pid_t pid, const char *mark, struct target_adoption *out)
{
    char key[PROCTREE_KEY_SIZE];
    struct proc_stat stat;
    if (!carries_mark(pid, mark, key) || proc_stat_get(pid, &stat) != 0 || stat.session != pid ||
        stat.state == 'Z')
        return false;
    *out = (struct target_adoption){.id = read_number(pid, "ASCALE_INSTANCE"),
                                    .pid = pid,
                                    .port = read_number(pid, "ASCALE_PORT"),
                                    .start_ticks = stat.start_ticks};
    return out->id > 0 && out->port > 0 && out->port < 65536;
}

/* The next process of the listing; 0 at its end. */
static pid_t next_pid(DIR *directory)
{
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 1)
            return (pid_t)pid;
    }
    return 0;
}

int survivors_find(const char *mark, struct target_adoption *out, int max)
{
    DIR *directory = opendir("/proc");
    int count = 0;
    pid_t pid;
    if (!directory)
        return 0;
    while (count < max && (pid = next_pid(directory)) != 0)
        if (describe(pid, mark, &out[count]))
            count++;
    closedir(directory);
    return count;
}

int survivors_end_rest(const char *mark, bool (*is_known)(void *context, const char *key), void *context)
{
    DIR *directory = opendir("/proc");
    int count = 0;
    pid_t pid;
    if (!directory)
        return 0;
    while ((pid = next_pid(directory)) != 0) {
        char key[PROCTREE_KEY_SIZE];
        if (!carries_mark(pid, mark, key))
            continue;
        int pidfd = pidfd_open(pid, 0);
        if (pidfd < 0)
            continue;
        if (carries_mark(pid, mark, key) && !is_known(context, key) &&
            pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0)
            count++;
        close(pidfd);
    }
    closedir(directory);
    return count;
}
