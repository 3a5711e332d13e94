/* SPDX-License-Identifier: MIT */
/* The newest decisions and events, in order; older ones fall out. A plain value without pointers. */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H
#include "core/decision.h"
#include "core/units.h"

#define JOURNAL_MAX      256
#define JOURNAL_TEXT_MAX 400 /* a path, a line, a key and the nearest one must fit */

enum journal_kind { JOURNAL_DECISION, JOURNAL_EVENT };
enum journal_level { LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

struct journal_entry {
    uint64_t seq; /* grows by one an entry; never reused */
    usec_t at;
    enum journal_kind kind;
    enum journal_level level;
    int instance;                /* 0 = none */
    struct decision decision;    /* of JOURNAL_DECISION */
    char text[JOURNAL_TEXT_MAX]; /* of JOURNAL_EVENT; may quote an application: sanitise before showing */
};

struct journal {
    uint64_t seq; /* of the newest entry */
    int head, count;
    struct journal_entry entries[JOURNAL_MAX];
};

/* An event, formatted as by printf. */
void journal_note(struct journal *j, usec_t now, enum journal_level level, int instance, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* A decision. One that only repeats, with other numbers, what was decided before folds into it. */
void journal_decide(struct journal *j, const struct decision *decision);

/* Copies all entries, oldest first; returns how many. */
int journal_copy(const struct journal *j, struct journal_entry *out);

/* An entry as one line without its time, as screen, log and --plain say it: "UP 3>4 cpu ...", "i3 ready in
 * 0.4s". As snprintf. */
int journal_entry_format(const struct journal_entry *entry, char *out, size_t size);

#endif
