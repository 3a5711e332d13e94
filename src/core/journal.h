/* SPDX-License-Identifier: MIT */
/* The newest decisions and events, in order; older ones fall out. A plain value without pointers. */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H
#include "core/snapshot.h"

struct journal {
    uint64_t seq; /* of the newest entry */
    int head, count;
    struct journal_entry entries[SNAPSHOT_JOURNAL_MAX];
};

/* An event, formatted as by printf. */
void journal_note(struct journal *j, usec_t now, enum journal_level level, int instance, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* A decision. One that only repeats, with other numbers, what was decided before folds into it. */
void journal_decide(struct journal *j, const struct decision *decision);

/* Copies all entries, oldest first; returns how many. */
int journal_copy(const struct journal *j, struct journal_entry *out);

#endif
