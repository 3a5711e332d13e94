/* SPDX-License-Identifier: MIT */
/* The log file of an instance, or of another program of ours. It appends to it itself (so it survives our
 * end); we keep it below its cap by copying its last part to FILE.1 and cutting the file to nothing, which an
 * appending writer does not notice. The control thread. */
#ifndef TARGET_APPLOG_H
#define TARGET_APPLOG_H
#include "core/units.h"

/* So much of one that is cut stays in FILE.1, at most half its maximum; and what came during the copy. */
#define APPLOG_KEEP_BYTES (1 << 20)
#define APPLOG_OLD_MAX    16
#define APPLOG_LINE_SIZE  200

struct applog {
    char path[512];
    int fd; /* -1: closed */
    int64_t seen_bytes;
    usec_t seen_at;
    bool away;
    char last_line[APPLOG_LINE_SIZE]; /* as the program wrote it */
};

/* Makes the file or goes on with it. 0 or -errno; usable (empty) even then. */
int applog_open(struct applog *log, const char *path);
void applog_close(struct applog *log);

/* True once when the file is not where it was: the program goes on writing to what was moved or removed. */
bool applog_went_away(struct applog *log);

/* Cuts it when it is larger than max_bytes (0: never) and reads its last line; returns when to call again:
 * soon while it grows fast. */
usec_t applog_check(struct applog *log, int64_t max_bytes, usec_t now);

/* The last lines, oldest first; returns how many. */
int applog_tail(const struct applog *log, char lines[][APPLOG_LINE_SIZE], int max);

/* Deletes the logs (iID.log) of instances that are gone, but for the newest APPLOG_OLD_MAX. */
void applog_prune(const char *directory, bool (*live)(void *ctx, int id), void *ctx);

#endif
