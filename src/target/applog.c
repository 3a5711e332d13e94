/* SPDX-License-Identifier: MIT */
/* Owns the controller's descriptor of a program's log. Invariant: the file a program writes to is never
 * replaced, only cut, because the program holds it open. Lines written in the instant before the
 * cut are lost; that is the price of never making the program wait. */
#include "target/applog.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 16 * 1024, CHECK_MIN_US = 20000, CHECK_MAX_US = 1100000 };

int applog_open(struct applog *log, const char *path)
{
    *log = (struct applog){.fd = -1};
    if (snprintf(log->path, sizeof log->path, "%s", path) >= (int)sizeof log->path)
        return -ENAMETOOLONG;
    log->fd = open(log->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return log->fd < 0 ? -errno : 0;
}

void applog_close(struct applog *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

static int64_t size_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 ? status.st_size : 0;
}

/* Reads what ends at `end`, as much as fits; returns how many bytes. */
static size_t read_before(int fd, int64_t end, char *out, size_t size)
{
    int64_t from = end > (int64_t)size ? end - (int64_t)size : 0;
    ssize_t length = pread(fd, out, (size_t)(end - from), from);
    return length < 0 ? 0 : (size_t)length;
}

static bool write_whole(int fd, const char *data, size_t size)
{
    return write(fd, data, size) == (ssize_t)size;
}

/* The last bytes of what is there, and those that come while they are written. */
static bool copy_end(const struct applog *log, int64_t size, const char *path, char *buffer, size_t keep)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool written = write_whole(fd, buffer, read_before(log->fd, size, buffer, keep));
    int64_t came = size_of(log->fd) - size;
    if (written && came > 0 && came <= (int64_t)keep)
        written = write_whole(fd, buffer, read_before(log->fd, size + came, buffer, (size_t)came));
    close(fd);
    return written;
}

/* The cut happens even when the copy fails: a full disk is the worst time to keep the large file. */
static void cut(struct applog *log, int64_t size, int64_t max_bytes)
{
    size_t keep = max_bytes / 2 < APPLOG_KEEP_BYTES ? (size_t)(max_bytes / 2) : APPLOG_KEEP_BYTES;
    char old[sizeof log->path + 2];
    snprintf(old, sizeof old, "%s.1", log->path);
    char *buffer = malloc(keep);
    if (!buffer || !copy_end(log, size, old, buffer, keep))
        unlink(old);
    free(buffer);
    if (ftruncate(log->fd, 0) == 0)
        log->seen_bytes = 0;
}

/* When a file that grew by so much in span would be past half its maximum. A writer on a busy machine may
 * pause between two looks without being done, so the wait at most doubles. */
static usec_t next_check(int64_t max_bytes, int64_t grown, usec_t span)
{
    if (max_bytes <= 0)
        return CHECK_MAX_US;
    double wait = 2 * (double)span;
    if (grown > 0)
        wait = fmin(wait, 0.5 * (double)max_bytes * (double)span / (double)grown);
    return (usec_t)fmax(CHECK_MIN_US, fmin(wait, CHECK_MAX_US));
}

bool applog_went_away(struct applog *log)
{
    struct stat named, open;
    if (log->away || log->fd < 0 || fstat(log->fd, &open) != 0)
        return false;
    log->away = stat(log->path, &named) != 0 || named.st_ino != open.st_ino || named.st_dev != open.st_dev;
    return log->away;
}

usec_t applog_check(struct applog *log, int64_t max_bytes, usec_t now)
{
    int64_t size = size_of(log->fd), grown = size - log->seen_bytes;
    usec_t span = log->seen_at == 0 ? 0 : now - log->seen_at;
    log->seen_bytes = size;
    log->seen_at = now;
    if (grown != 0)
        applog_tail(log, &log->last_line, 1);
    if (max_bytes > 0 && size > max_bytes)
        cut(log, size, max_bytes);
    return now + next_check(max_bytes, grown, span);
}

/* Takes the last line off the text; NULL: none is left. */
static const char *take_last_line(const char *text, size_t *size, size_t *length)
{
    while (*size > 0 && (text[*size - 1] == '\n' || text[*size - 1] == '\r'))
        --*size;
    size_t start = *size;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    *length = *size - start;
    *size = start;
    return *length > 0 ? text + start : NULL;
}

/* Puts the last lines of the text before those that are there already; returns how many there are then. */
static int prepend_lines(const char *text, size_t size, char lines[][APPLOG_LINE_SIZE], int count, int max)
{
    const char *line;
    size_t length;
    while (count < max && (line = take_last_line(text, &size, &length))) {
        if (length >= APPLOG_LINE_SIZE)
            length = APPLOG_LINE_SIZE - 1;
        memmove(lines[1], lines[0], (size_t)count * APPLOG_LINE_SIZE);
        memcpy(lines[0], line, length);
        lines[0][length] = '\0';
        count++;
    }
    return count;
}

static int prepend_file(int fd, char lines[][APPLOG_LINE_SIZE], int count, int max)
{
    char text[TAIL_BYTES];
    return prepend_lines(text, read_before(fd, size_of(fd), text, sizeof text), lines, count, max);
}

int applog_tail(const struct applog *log, char lines[][APPLOG_LINE_SIZE], int max)
{
    int count = log->fd < 0 ? 0 : prepend_file(log->fd, lines, 0, max);
    if (count == max || size_of(log->fd) >= TAIL_BYTES)
        return count;
    char old[sizeof log->path + 2];
    snprintf(old, sizeof old, "%s.1", log->path);
    int fd = open(old, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return count;
    count = prepend_file(fd, lines, count, max);
    close(fd);
    return count;
}

/* Whose log a file name is, 0: nobody's. */
static int log_owner(const char *name)
{
    int id = 0, end = 0;
    if (sscanf(name, "i%d.log%n", &id, &end) != 1 || end == 0)
        return 0;
    return name[end] == '\0' || strcmp(name + end, ".1") == 0 ? id : 0;
}

/* Ids only grow, so the newest logs have the largest. Returns the smallest id to be kept. */
static int oldest_kept(DIR *directory, bool (*live)(void *ctx, int id), void *ctx)
{
    int newest[APPLOG_OLD_MAX + 1], count = 0; /* descending */
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        int id = log_owner(entry->d_name);
        if (id == 0 || entry->d_name[strlen(entry->d_name) - 1] == '1' || live(ctx, id))
            continue;
        int at = count;
        for (; at > 0 && newest[at - 1] < id; at--)
            newest[at] = newest[at - 1];
        newest[at] = id;
        count += count < APPLOG_OLD_MAX;
    }
    return count < APPLOG_OLD_MAX ? 0 : newest[APPLOG_OLD_MAX - 1];
}

void applog_prune(const char *path, bool (*live)(void *ctx, int id), void *ctx)
{
    DIR *directory = opendir(path);
    if (!directory)
        return;
    int oldest = oldest_kept(directory, live, ctx);
    rewinddir(directory);
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        int id = log_owner(entry->d_name);
        if (id != 0 && id < oldest && !live(ctx, id))
            unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
}
