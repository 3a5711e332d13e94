/* SPDX-License-Identifier: MIT */
/* Writes log lines at a set rate on a detached thread of its own, so that a full pipe holds up no request. */
#include "app/chatter.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static double bytes_per_us;

static void *chatter_run(void *unused)
{
    static const char line[] =
        "chatter: all work and no play makes an application a dull thing to watch ......\n";
    static char block[64 * (sizeof line - 1)];
    for (size_t at = 0; at < sizeof block; at += sizeof line - 1)
        memcpy(block + at, line, sizeof line - 1);
    int64_t started = clock_now_us();
    for (double written = 0;;) {
        double due = (double)(clock_now_us() - started) * bytes_per_us;
        if (written >= due) {
            poll(NULL, 0, 10);
            continue;
        }
        ssize_t size = write(STDOUT_FILENO, block, sizeof block);
        if (size < 0)
            return unused; /* nobody reads, or the disk is full */
        written += (double)size;
    }
}

int chatter_start(double megabytes_a_second)
{
    bytes_per_us = megabytes_a_second; /* a megabyte a second is a byte a microsecond */
    pthread_t thread;
    int status = pthread_create(&thread, NULL, chatter_run, NULL);
    if (status == 0)
        pthread_detach(thread);
    return -status;
}
