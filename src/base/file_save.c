/* SPDX-License-Identifier: MIT */
/* Two ways to the same content. A rename is atomic, but makes another file: it would change the owner of one
 * that is not ours, cut hard links, drop an ACL, and cannot be done to a mount point or in a folder that is
 * not ours. Those are written in place. Nothing here keeps state. */
#include "base/file_save.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

static size_t folder_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The name of the file itself: realpath(), but of a file that need not be there. */
static int follow(const char *path, char *target)
{
    char link[PATH_MAX], next[PATH_MAX];
    if (snprintf(target, PATH_MAX, "%s", path) >= PATH_MAX)
        return -ENAMETOOLONG;
    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t size = readlink(target, link, sizeof link - 1);
        if (size < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : -errno;
        link[size] = '\0';
        int folder = link[0] == '/' ? 0 : (int)folder_size(target);
        if (snprintf(next, sizeof next, "%.*s%s", folder, target, link) >= (int)sizeof next)
            return -ENAMETOOLONG;
        memcpy(target, next, sizeof next);
    }
    return -ELOOP;
}

static int write_at(int fd, struct file_text text)
{
    for (size_t done = 0; done < text.size;) {
        ssize_t written = pwrite(fd, text.data + done, text.size - done, (off_t)done);
        if (written < 0 && errno != EINTR)
            return -errno;
        done += written > 0 ? (size_t)written : 0;
    }
    return ftruncate(fd, (off_t)text.size) == 0 && fsync(fd) == 0 ? 0 : -errno;
}

/* 0: the file holds exactly this. */
static int compare(int fd, struct file_text expected)
{
    char part[4096];
    size_t done = 0;
    for (;;) {
        ssize_t got = pread(fd, part, sizeof part, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return done == expected.size ? 0 : -ESTALE;
        if ((size_t)got > expected.size - done || memcmp(part, expected.data + done, (size_t)got) != 0)
            return -ESTALE;
        done += (size_t)got;
    }
}

/* Opens the file when it is a regular one that holds old. A descriptor or -errno. */
static int open_checked(const char *path, int access, struct file_text old)
{
    struct stat status;
    int fd = open(path, access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW); /* a FIFO would block */
    if (fd < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    int error = fstat(fd, &status) == 0 ? 0 : -errno;
    if (!error && !S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    if (!error)
        error = compare(fd, old);
    if (!error)
        return fd;
    close(fd);
    return error;
}

static int check(const char *path, struct file_text old)
{
    int fd = open_checked(path, O_RDONLY, old);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* A full disk is found out before anything is overwritten, where the file system can tell. */
static int reserve(int fd, size_t size)
{
    if (size == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0)
        return 0;
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? 0 : -errno;
}

static int write_in_place(const char *target, struct file_text old, struct file_text new)
{
    int fd = open_checked(target, O_RDWR, old);
    if (fd < 0)
        return fd;
    int error = reserve(fd, new.size);
    if (!error && (error = write_at(fd, new)) && write_at(fd, old))
        error = -ENOTRECOVERABLE;
    close(fd);
    return error;
}

static bool has_acl(int fd)
{
    return fgetxattr(fd, "system.posix_acl_access", NULL, 0) > 0;
}

static bool is_only_here(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_nlink == 1 && !has_acl(fd);
}

/* Owner and mode of the file to be replaced, for the one that replaces it. False: it cannot have them. */
static bool take_over_rights(int fd, int old_fd)
{
    struct stat status;
    return fstat(old_fd, &status) == 0 && fchown(fd, status.st_uid, status.st_gid) == 0 &&
           fchmod(fd, status.st_mode & 07777) == 0;
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    size_t size = folder_size(path);
    snprintf(folder, sizeof folder, "%.*s", size ? (int)size : 1, size ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -errno;                    /* it may be written, but not read */
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno; /* some file systems cannot */
    close(fd);
    return error;
}

/* A file beside it, whole and on the disk. A descriptor, to be closed, or -errno. */
static int write_beside(const char *target, struct file_text text, char *name)
{
    if (snprintf(name, PATH_MAX, "%.*s.ascale.XXXXXX", (int)folder_size(target), target) >= PATH_MAX)
        return -ENAMETOOLONG;
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = write_at(fd, text);
    if (!error)
        return fd;
    unlink(name);
    close(fd);
    return error;
}

/* A file that came in the meantime is not replaced. */
static int make(const char *target, struct file_text new, mode_t mode)
{
    char name[PATH_MAX];
    int fd = write_beside(target, new, name), error = 0;
    if (fd < 0)
        return fd;
    if (fchmod(fd, mode) != 0)
        error = -errno;
    if (!error && link(name, target) != 0)
        error = errno == EEXIST ? -ESTALE : -errno;
    if (error == -EPERM || error == -EOPNOTSUPP) /* a file system without links */
        error = renameat2(AT_FDCWD, name, AT_FDCWD, target, RENAME_NOREPLACE) == 0 ? 0
                : errno == EEXIST                                                  ? -ESTALE
                                                                                   : -errno;
    unlink(name);
    close(fd);
    return error ? error : sync_folder_of(target);
}

/* What a rename may fail of that writing in place need not. */
static bool is_only_renaming(int error)
{
    return error == -EACCES || error == -EPERM || error == -EROFS || error == -EBUSY || error == -EXDEV;
}

/* The rename, by a file beside it that is at fd. */
static int rename_over(const char *target, struct file_text old, const char *name, int fd, int old_fd,
                       bool *in_place)
{
    if (!take_over_rights(fd, old_fd)) {
        *in_place = true;
        return 0;
    }
    int error = check(target, old); /* again: writing to a disk takes time */
    if (!error && rename(name, target) != 0) {
        error = -errno;
        *in_place = is_only_renaming(error);
    }
    return error;
}

/* *in_place: nothing was done, as it would not be the same file or is not allowed. */
static int replace(const char *target, struct file_text old, struct file_text new, bool *in_place)
{
    char name[PATH_MAX];
    int old_fd = open_checked(target, O_RDONLY, old);
    if (old_fd < 0)
        return old_fd;
    *in_place = !is_only_here(old_fd);
    int fd = *in_place ? -1 : write_beside(target, new, name), error = 0;
    if (fd >= 0) {
        error = rename_over(target, old, name, fd, old_fd, in_place);
        if (error || *in_place)
            unlink(name);
        close(fd);
    } else if (!*in_place) {
        error = fd;
        *in_place = is_only_renaming(error);
    }
    close(old_fd);
    return error || *in_place ? error : sync_folder_of(target);
}

int file_save(const char *path, struct file_text old, struct file_text new, mode_t mode)
{
    char target[PATH_MAX];
    bool in_place = false;
    int error = follow(path, target);
    if (error)
        return error;
    if (!old.data)
        return make(target, new, mode);
    error = replace(target, old, new, &in_place);
    return in_place ? write_in_place(target, old, new) : error;
}
