/* SPDX-License-Identifier: MIT */
/* One log a process, behind one mutex; a message is formatted and made harmless before it is taken, and
 * written by a single write(2), so lines of several threads never mix. */
#include "base/log.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 2048

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int fd;
    char path[PATH_MAX];
    int64_t size, max_size;
    bool torn; /* the last line was written in part */
} log_file = {.fd = STDERR_FILENO};
static _Atomic(enum log_level) wanted = LOG_LEVEL_INFO;
static atomic_uint_fast64_t dropped;
static size_t (*clean_text)(char *out, size_t out_size, const char *text);

static int open_file(const char *path, int64_t *size)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *size = status.st_size;
    return fd;
}

static void use_file(int fd, const char *path, int64_t size)
{
    if (log_file.fd != STDERR_FILENO)
        close(log_file.fd);
    log_file.fd = fd;
    log_file.size = size;
    log_file.torn = false;
    if (path != log_file.path)
        snprintf(log_file.path, sizeof log_file.path, "%s", path);
}

int log_open(const char *path, enum log_level level, int64_t max_size)
{
    bool named = path && *path;
    int64_t size = 0;
    if (named && strlen(path) + sizeof ".1" > sizeof log_file.path)
        return -ENAMETOOLONG;
    int fd = named ? open_file(path, &size) : STDERR_FILENO;
    if (fd < 0)
        return fd;
    pthread_mutex_lock(&mutex);
    use_file(fd, named ? path : "", size);
    log_file.max_size = max_size;
    pthread_mutex_unlock(&mutex);
    log_set_level(level);
    return 0;
}

void log_set_level(enum log_level level)
{
    atomic_store(&wanted, level);
}

void log_clean_with(size_t (*clean)(char *out, size_t out_size, const char *text))
{
    clean_text = clean;
}

uint64_t log_dropped(void)
{
    return atomic_load(&dropped);
}

static void make_harmless(char *out, size_t size, const char *text)
{
    if (clean_text) {
        clean_text(out, size, text);
        return;
    }
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++)
        out[i] = text[i] >= ' ' && text[i] < 0x7F ? text[i] : '?';
    out[i] = '\0';
}

static size_t stamp(char *out, size_t size)
{
    int64_t now = clock_wall_us();
    time_t seconds = now / 1000000;
    struct tm local;
    localtime_r(&seconds, &local);
    size_t used = strftime(out, size, "%Y-%m-%d %H:%M:%S", &local);
    return used + (size_t)snprintf(out + used, size - used, ".%03d", (int)(now / 1000 % 1000));
}

/* A file that cannot be moved aside or opened anew goes on growing rather than losing messages. */
static void rotate(void)
{
    char old[PATH_MAX + 2];
    int64_t size;
    snprintf(old, sizeof old, "%s.1", log_file.path);
    if (rename(log_file.path, old) != 0)
        return;
    int fd = open_file(log_file.path, &size);
    if (fd >= 0)
        use_file(fd, log_file.path, size);
}

static void reopen(void)
{
    int64_t size;
    int fd = log_file.path[0] ? open_file(log_file.path, &size) : -1;
    if (fd >= 0)
        use_file(fd, log_file.path, size);
}

/* Somebody has moved or removed it: what is written now would be read by nobody. */
static bool is_elsewhere(void)
{
    struct stat named, open;
    if (!log_file.path[0] || fstat(log_file.fd, &open) != 0)
        return false;
    return stat(log_file.path, &named) != 0 || named.st_ino != open.st_ino || named.st_dev != open.st_dev;
}

void log_reopen(void)
{
    pthread_mutex_lock(&mutex);
    reopen();
    pthread_mutex_unlock(&mutex);
}

static void write_line(const char *line, size_t size)
{
    if (is_elsewhere())
        reopen();
    if (log_file.torn)
        line--, size++; /* the newline in front of it */
    if (log_file.max_size > 0 && log_file.path[0] && log_file.size > 0 &&
        log_file.size + (int64_t)size > log_file.max_size)
        rotate();
    ssize_t written = write(log_file.fd, line, size);
    if (written != (ssize_t)size) {
        atomic_fetch_add(&dropped, 1);
        log_file.torn = log_file.torn || written > 0;
    } else {
        log_file.torn = false;
    }
    if (written > 0)
        log_file.size += written;
}

static void message(enum log_level level, const char *format, va_list args)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char raw[MESSAGE_MAX], text[MESSAGE_MAX], line[MESSAGE_MAX + 64] = "\n";
    if (level > atomic_load(&wanted))
        return;
    int error = errno;
    vsnprintf(raw, sizeof raw, format, args);
    make_harmless(text, sizeof text, raw);
    size_t used = 1 + stamp(line + 1, sizeof line - 1);
    used += (size_t)snprintf(line + used, sizeof line - used, " %-7s %s\n", names[level], text);
    pthread_mutex_lock(&mutex);
    write_line(line + 1, used - 1);
    pthread_mutex_unlock(&mutex);
    errno = error;
}

#define DEFINE_LEVEL(name, level)                                                                            \
    void name(const char *format, ...)                                                                       \
    {                                                                                                        \
        va_list args;                                                                                        \
        va_start(args, format);                                                                              \
        message(level, format, args);                                                                        \
        va_end(args);                                                                                        \
    }

DEFINE_LEVEL(log_error, LOG_LEVEL_ERROR)
DEFINE_LEVEL(log_warning, LOG_LEVEL_WARNING)
DEFINE_LEVEL(log_info, LOG_LEVEL_INFO)
DEFINE_LEVEL(log_debug, LOG_LEVEL_DEBUG)
