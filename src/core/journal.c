/* SPDX-License-Identifier: MIT */
/* A ring of entries with a growing number each. Equal HOLDs fold, also when another HOLD or an event came in
 * between: a signal that plays about its threshold must not push the real changes out of the ring. */
#include "core/journal.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How many decisions back a HOLD looks for its like. */
#define FOLD_DEPTH 6

static struct journal_entry *entry(struct journal *j, int back)
{
    return &j->entries[(j->head - 1 - back + 2 * JOURNAL_MAX) % JOURNAL_MAX];
}

static struct journal_entry *push(struct journal *j, usec_t at, enum journal_kind kind)
{
    struct journal_entry *e;
    j->head = (j->head + 1) % JOURNAL_MAX;
    if (j->count < JOURNAL_MAX)
        j->count++;
    e = entry(j, 0);
    memset(e, 0, sizeof *e);
    e->seq = ++j->seq;
    e->at = at;
    e->kind = kind;
    return e;
}

void journal_note(struct journal *j, usec_t now, enum journal_level level, int instance, const char *format,
                  ...)
{
    struct journal_entry *e = push(j, now, JOURNAL_EVENT);
    va_list args;
    e->level = level;
    e->instance = instance;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
}

/* The decision this one repeats; NULL when it says something new. */
static struct journal_entry *find_like(struct journal *j, const struct decision *d)
{
    int depth = d->verdict == VERDICT_HOLD ? FOLD_DEPTH : 1;
    for (int i = 0; i < j->count && depth > 0; i++) {
        struct journal_entry *e = entry(j, i);
        if (e->kind != JOURNAL_DECISION)
            continue;
        if (decision_same(&e->decision, d))
            return e;
        if (e->decision.verdict != VERDICT_HOLD)
            return NULL;
        depth--;
    }
    return NULL;
}

void journal_decide(struct journal *j, const struct decision *d)
{
    struct journal_entry *e = d->verdict != VERDICT_MANUAL ? find_like(j, d) : NULL;
    int repeats = 1;
    usec_t first = d->at;
    if (e) {
        repeats = e->decision.repeats + 1;
        first = e->decision.at;
    } else {
        e = push(j, d->at, JOURNAL_DECISION);
    }
    e->decision = *d;
    e->decision.at = first;
    e->decision.last_at = d->at;
    e->decision.repeats = repeats;
}

int journal_entry_format(const struct journal_entry *entry, char *out, size_t size)
{
    if (entry->kind == JOURNAL_DECISION)
        return decision_line(&entry->decision, out, size);
    if (entry->instance > 0)
        return snprintf(out, size, "i%d %s", entry->instance, entry->text);
    return snprintf(out, size, "%s", entry->text);
}

int journal_copy(const struct journal *j, struct journal_entry *out)
{
    int first = (j->head - j->count + JOURNAL_MAX) % JOURNAL_MAX;
    int run = j->count < JOURNAL_MAX - first ? j->count : JOURNAL_MAX - first;
    memcpy(out, j->entries + first, (size_t)run * sizeof *out);
    memcpy(out + run, j->entries, (size_t)(j->count - run) * sizeof *out);
    return j->count;
}
