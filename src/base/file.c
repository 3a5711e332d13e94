/* SPDX-License-Identifier: MIT */
/* Files as wholes. Nothing here keeps state; every descriptor is close-on-exec and closed before returning,
 * the lock's apart. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to max bytes and the end of file; sizes of stat() are not to be trusted (proc). */
static int read_all(int fd, size_t max, char **out, size_t *out_size)
{
    size_t used = 0, capacity = 4096;
    char *data = malloc(capacity + 1);
    int error = data ? 0 : -ENOMEM;
    while (!error) {
        ssize_t got = read(fd, data + used, capacity - used);
        if (got == 0)
            break;
        if (got < 0) {
            error = errno == EINTR ? 0 : -errno;
            continue;
        }
        used += (size_t)got;
        if (used > max) {
            error = -EFBIG;
        } else if (used == capacity) {
            capacity *= 2;
            char *more = realloc(data, capacity + 1);
            error = more ? 0 : -ENOMEM;
            data = more ? more : data;
        }
    }
    if (error) {
        free(data);
        return error;
    }
    data[used] = '\0';
    *out = data;
    if (out_size)
        *out_size = used;
    return 0;
}

static int check_kind(const struct stat *status, bool private)
{
    if (S_ISDIR(status->st_mode))
        return -EISDIR;
    if (!S_ISREG(status->st_mode))
        return -EINVAL;
    bool foreign = status->st_uid != geteuid() && status->st_uid != 0;
    return private && (foreign || (status->st_mode & 077)) ? -EPERM : 0;
}

static int read_checked(const char *path, size_t max, bool private, char **out, size_t *out_size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO would block */
    if (fd < 0)
        return -errno;
    int error = fstat(fd, &status) == 0 ? check_kind(&status, private) : -errno;
    if (!error)
        error = read_all(fd, max, out, out_size);
    close(fd);
    return error;
}

int file_read(const char *path, size_t max, char **out, size_t *out_size)
{
    return read_checked(path, max, false, out, out_size);
}

int file_read_stream(const char *path, size_t max, char **out, size_t *out_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int error = read_all(fd, max, out, out_size);
    close(fd);
    return error;
}

int file_read_private(const char *path, size_t max, char **out, size_t *out_size)
{
    return read_checked(path, max, true, out, out_size);
}

int file_make_directories(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    struct stat status;
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return -ENAMETOOLONG;
    for (char *slash = part + 1; part[0] && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    if (mkdir(part, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    return stat(part, &status) == 0 && S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

static pid_t read_pid(int fd)
{
    char text[32];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    long pid = strtol(text, NULL, 10);
    return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

int file_lock(const char *path, pid_t *holder)
{
    char text[32];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = -errno;
        *holder = read_pid(fd);
        close(fd);
        return error;
    }
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size) {
        int error = errno ? -errno : -EIO;
        close(fd);
        return error;
    }
    return fd;
}

void file_fill_standard(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_NOCTTY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* A stream keeps that it failed, but not why: errno still tells, as nothing that succeeds changes it. */
bool file_end_output(const char *program, const char *what)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "%s: cannot write %s to standard output: %s\n", program, what, strerror(errno));
    return false;
}
