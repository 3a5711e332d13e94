/* SPDX-License-Identifier: MIT */
/* Puts the snapshot together: the engine's part, the target's, the balancer's and what control itself knows
 * (settings, answers, the detail somebody asked for, the alert). What is new in the journal also goes to the
 * log here, so that the log tells the same story as the screen. Control thread. */
#include "base/clock.h"
#include "base/log.h"
#include "control/control_private.h"
#include "core/options.h"
#include <stdio.h>
#include <string.h>

/* Everything that never changes while we run. */
void publish_prepare(struct control *c)
{
    struct snapshot *s = &c->snapshot;
    s->version = SNAPSHOT_VERSION;
    s->started_at = c->started_at;
    s->target_flags = c->ops->flags;
    snprintf(s->target, sizeof s->target, "%s", c->ops->name);
    s->dry_run = c->setup.dry_run;
    s->read_only = c->setup.read_only;
    snprintf(s->config_path, sizeof s->config_path, "%s", c->setup.config_path);
    publish_config(c);
}

void publish_config(struct control *c)
{
    struct config *shown = &c->snapshot.config;
    *shown = c->config;
    for (size_t i = 0; i < options_count; i++)
        if (options[i].flags & OPTION_SECRET)
            memset((char *)shown + options[i].offset, 0, options[i].size);
    c->unsaved = (int)config_diff(&c->config, &c->on_file, NULL, NULL);
    c->dirty = true;
}

void publish_answer(struct control *c, uint64_t id, bool accepted, const char *text)
{
    struct answer *answers = c->snapshot.answers;
    memmove(answers, answers + 1, (SNAPSHOT_ANSWERS_MAX - 1) * sizeof answers[0]);
    struct answer *newest = &answers[SNAPSHOT_ANSWERS_MAX - 1];
    *newest = (struct answer){.id = id, .accepted = accepted};
    snprintf(newest->text, sizeof newest->text, "%s", text);
    c->dirty = true;
}

void publish_detail_instance(struct control *c)
{
    struct detail *detail = &c->snapshot.detail;
    detail->instance = c->detail_instance;
    detail->line_count = 0;
    if (c->ops->log_tail)
        detail->line_count =
            c->ops->log_tail(c->target, c->detail_instance, detail->lines, SNAPSHOT_DETAIL_LINES);
    c->dirty = true;
}

static void log_entry(const struct journal_entry *entry)
{
    char text[500];
    journal_entry_format(entry, text, sizeof text);
    if (entry->level == LEVEL_ERROR)
        log_error("%s", text);
    else if (entry->level == LEVEL_WARNING)
        log_warning("%s", text);
    else
        log_info("%s", text);
}

/* An error is also an alert: it stays in sight until the operator has acknowledged it. */
static void follow_journal(struct control *c)
{
    struct snapshot *s = &c->snapshot;
    for (int i = 0; i < s->journal_count; i++) {
        const struct journal_entry *entry = &s->journal[i];
        if (entry->seq <= c->logged_seq)
            continue;
        if (entry->seq > c->logged_seq + 1) /* the ring went round since the last time */
            log_warning("%llu events came too fast to be told one by one",
                        (unsigned long long)(entry->seq - c->logged_seq - 1));
        log_entry(entry);
        c->logged_seq = entry->seq;
        if (entry->kind == JOURNAL_EVENT && entry->level == LEVEL_ERROR)
            journal_entry_format(entry, s->alert, sizeof s->alert);
    }
}

void publish_snapshot(struct control *c, usec_t now)
{
    struct snapshot *s = &c->snapshot;
    s->at = now;
    s->wall_offset_us = clock_wall_us() - clock_now_us();
    s->stopping = c->stage != STAGE_RUN;
    s->unsaved = c->unsaved;
    s->dropped = (int64_t)log_dropped();
    engine_snapshot(c->engine, s, now);
    s->outlook.next_step_at = c->next_step_at;
    loadgen_view(c->loadgen, &s->load);
    if (c->balancer)
        balancer_view(c->balancer, &s->balancer, now);
    c->ops->view(c->target, s, now);
    follow_journal(c);
    mailbox_publish(c->mailbox, s);
}
