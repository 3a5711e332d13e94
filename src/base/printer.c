/* SPDX-License-Identifier: MIT */
/* A ring of bytes between whoever prints and the thread that writes. Invariants: it holds whole lines;
 * `queued` is their number; `lost` only grows, and `told` of it has been written. The lock is never held
 * while writing. */
#include "base/printer.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 256 * 1024, NOTE_MAX = 160 };

struct printer {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *waiting, *writing; /* ROOM each: they change places */
    size_t used;             /* of waiting */
    uint64_t lost, told;
    int error; /* why the last write failed; 0 = it did not */
    bool torn; /* the last line written has no end: what follows begins with one */
    bool ending, ended;
};

static size_t count_lines(const char *text, size_t size)
{
    size_t lines = 0;
    for (const char *at = text; (at = memchr(at, '\n', size - (size_t)(at - text))); at++)
        lines++;
    return lines;
}

/* 0 or -errno; *written says how much went out all the same. */
static int write_all(struct printer *printer, const char *text, size_t size, size_t *written)
{
    *written = 0;
    while (*written < size) {
        ssize_t n = write(printer->fd, text + *written, size - *written);
        if (n > 0) {
            *written += (size_t)n;
            printer->torn = text[*written - 1] != '\n';
        } else if (n < 0 && errno == EAGAIN) { /* made non-blocking by somebody else */
            poll(&(struct pollfd){printer->fd, POLLOUT, 0}, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* What was lost comes before what follows it. */
static size_t write_note(const struct printer *printer, char out[NOTE_MAX])
{
    uint64_t lost = printer->lost - printer->told;
    if (!lost)
        return 0;
    return (size_t)snprintf(out, NOTE_MAX, "%s(%llu line%s lost here: standard output %s%s)\n",
                            printer->torn ? "\n" : "", (unsigned long long)lost, lost == 1 ? "" : "s",
                            printer->error ? "could not be written: " : "was not read in time",
                            printer->error ? strerror(printer->error) : "");
}

/* Called with the lock held, and gives it up while it writes. */
static void write_waiting(struct printer *printer)
{
    char note[NOTE_MAX], *text = printer->waiting;
    size_t size = printer->used, noted = write_note(printer, note), written;
    uint64_t told = printer->lost;
    printer->waiting = printer->writing;
    printer->writing = text;
    printer->used = 0;
    pthread_mutex_unlock(&printer->lock);
    int error = noted ? write_all(printer, note, noted, &written) : 0;
    written = 0;
    if (!error)
        error = write_all(printer, text, size, &written);
    else
        told = 0;
    pthread_mutex_lock(&printer->lock);
    if (told > printer->told)
        printer->told = told;
    if (error && !printer->error)
        log_warning("standard output cannot be written: %s; lines are dropped, all else goes on",
                    strerror(-error));
    printer->error = -error;
    printer->lost += error ? count_lines(text + written, size - written) : 0;
}

static void *run(void *context)
{
    struct printer *printer = context;
    pthread_mutex_lock(&printer->lock);
    while (printer->used > 0 || !printer->ending) {
        if (printer->used > 0)
            write_waiting(printer);
        else
            pthread_cond_wait(&printer->changed, &printer->lock);
    }
    printer->ended = true;
    pthread_cond_broadcast(&printer->changed);
    pthread_mutex_unlock(&printer->lock);
    return NULL;
}

static void destroy(struct printer *printer)
{
    pthread_cond_destroy(&printer->changed);
    pthread_mutex_destroy(&printer->lock);
    free(printer->waiting);
    free(printer->writing);
    free(printer);
}

int printer_new(struct printer **out, int fd)
{
    struct printer *printer = calloc(1, sizeof *printer);
    pthread_condattr_t monotonic;
    if (!printer)
        return -ENOMEM;
    printer->fd = fd;
    printer->waiting = malloc(ROOM);
    printer->writing = malloc(ROOM);
    pthread_mutex_init(&printer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&printer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int error =
        printer->waiting && printer->writing ? pthread_create(&printer->thread, NULL, run, printer) : ENOMEM;
    if (error)
        destroy(printer);
    else
        *out = printer;
    return -error;
}

void printer_put(struct printer *printer, const char *line)
{
    size_t size = strlen(line);
    pthread_mutex_lock(&printer->lock);
    if (printer->used + size + 1 > ROOM) {
        printer->lost++;
    } else {
        memcpy(printer->waiting + printer->used, line, size);
        printer->waiting[printer->used + size] = '\n';
        printer->used += size + 1;
        pthread_cond_broadcast(&printer->changed);
    }
    pthread_mutex_unlock(&printer->lock);
}

uint64_t printer_lost(struct printer *printer)
{
    pthread_mutex_lock(&printer->lock);
    uint64_t lost = printer->lost;
    pthread_mutex_unlock(&printer->lock);
    return lost;
}

void printer_end(struct printer *printer, int64_t patience_us)
{
    int64_t until = clock_now_us() + patience_us;
    struct timespec deadline = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
    int error = 0;
    if (!printer)
        return;
    pthread_mutex_lock(&printer->lock);
    printer->ending = true;
    pthread_cond_broadcast(&printer->changed);
    while (!printer->ended && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&printer->changed, &printer->lock, &deadline);
    bool ended = printer->ended;
    pthread_mutex_unlock(&printer->lock);
    if (!ended) {
        pthread_detach(printer->thread);
        return;
    }
    pthread_join(printer->thread, NULL);
    destroy(printer);
}
