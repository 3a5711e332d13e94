/* SPDX-License-Identifier: MIT */
/* What makes a crash of the controller harmless: every change of the processes that run is recorded at once,
 * and the next start takes over those of them that still live, checked by pid and start time. Control thread,
 * or the one that opens it. */
#include "base/limits.h"
#include "base/log.h"
#include "control/control_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The instant a process started, from the kernel's ticks since boot. */
static usec_t start_instant(uint64_t ticks, usec_t now)
{
    usec_t at = (usec_t)ticks * USEC_PER_SEC / sysconf(_SC_CLK_TCK);
    return at < now ? at : now;
}

static bool adopt_one(struct control *c, const struct target_adoption *found)
{
    usec_t now = loop_now(c->loop);
    char err[160] = "there is no room for it";
    bool alive = c->ops->adopt(c->target, found, now, err, sizeof err);
    bool adopted = alive && engine_adopt(c->engine, found->id, found->pid, found->port, found->ready,
                                         start_instant(found->start_ticks, now), now);
    if (alive && !adopted)
        c->ops->apply(c->target, &(struct action){.kind = ACTION_KILL, .id = found->id}, now);
    if (!adopted) {
        log_info("i%d (pid %d) of an earlier controller is not taken over: %s", found->id, found->pid, err);
        return false;
    }
    control_track(c, found->id, found->port, found->pid);
    if (found->ready)
        control_admit(c, found->id);
    return true;
}

static bool is_tracked(const struct control *c, int pid)
{
    for (int i = 0; i < c->live_count; i++)
        if (c->live[i].pid == pid)
            return true;
    return false;
}

/* Those the record does not name: started in the very moment of the crash, or the record is damaged. */
static int adopt_unrecorded(struct control *c)
{
    struct target_adoption *found = calloc(INSTANCES_MAX, sizeof *found);
    int count = found && c->ops->survivors ? c->ops->survivors(c->target, found, INSTANCES_MAX) : 0,
        adopted = 0;
    for (int i = 0; i < count; i++)
        if (!is_tracked(c, found[i].pid))
            adopted += adopt_one(c, &found[i]);
    free(found);
    return adopted;
}

static void resume_roll(struct control *c, const struct state_record *left)
{
    int old[INSTANCES_MAX], count = 0;
    for (int i = 0; i < left->instance_count; i++)
        if (left->instances[i].old)
            old[count++] = left->instances[i].id;
    if (!left->roll || !count)
        return;
    if (c->setup.dry_run)
        control_note(c, LEVEL_WARNING, "a roll was under way, %d not replaced: a dry run leaves it at that",
                     count);
    else
        engine_roll_resume(c->engine, old, count, left->roll, loop_now(c->loop));
}

/* The names in `had` that `has` lacks; both as config_name_sections() writes them. */
static void find_lost(const char *had, const char *has, char *out, size_t size)
{
    *out = '\0';
    for (size_t length; *had; had += length + (had[length] == ' ')) {
        char name[64];
        length = strcspn(had, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, had);
        if (!strstr(has, name) && strlen(out) + length + 2 < size)
            snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? " " : "", name);
    }
}

/* Of the ini that was recorded: "" = nothing is. A file that was named on the command line instead is the
 * operator's word. */
static void what_is_missing(const struct control *c, const struct state_record *left, char *out, size_t size)
{
    char has[STATE_SECTIONS_SIZE], lost[STATE_SECTIONS_SIZE];
    bool named = c->setup.sources && c->setup.sources->file, same = strcmp(c->ini, left->ini) == 0;
    *out = '\0';
    if (!c->setup.sources || !left->ini[0] || (named && !same))
        return;
    config_name_sections(c->setup.config_sections, has, sizeof has);
    find_lost(left->sections, has, lost, sizeof lost);
    if (!named && access(left->ini, F_OK) < 0 && errno == ENOENT)
        snprintf(out, size, "is gone");
    else if (same && lost[0])
        snprintf(out, size, "has no %s any more", lost);
}

bool adopt_is_orphaned(const struct control *c, const struct state_record *left, char *err, size_t err_size)
{
    char missing[160];
    int alive = 0;
    what_is_missing(c, left, missing, sizeof missing);
    for (int i = 0; missing[0] && i < left->instance_count; i++)
        alive += state_process_alive(&left->instances[i].process);
    if (alive)
        snprintf(err, err_size,
                 "%d instance%s of '%s' still serve%s, and that file %s: put it back, or name their settings "
                 "by -c FILE",
                 alive, alive == 1 ? "" : "s", left->ini, alive == 1 ? "s" : "", missing);
    return alive > 0;
}

void adopt_survivors(struct control *c, const struct state_record *left)
{
    int adopted = 0;
    engine_resume(c->engine, &left->hold, loop_now(c->loop));
    if (!c->ops->adopt)
        return;
    for (int i = 0; i < left->instance_count; i++) {
        const struct state_instance *recorded = &left->instances[i];
        const struct target_adoption adoption = {.id = recorded->id,
                                                 .pid = recorded->process.pid,
                                                 .port = recorded->port,
                                                 .start_ticks = recorded->process.start_ticks,
                                                 .ready = recorded->ready};
        adopted += adopt_one(c, &adoption);
    }
    int gone = left->instance_count - adopted, unrecorded = adopt_unrecorded(c);
    int ended = c->ops->end_rest ? c->ops->end_rest(c->target) : 0;
    resume_roll(c, left);
    if (adopted + gone + unrecorded + ended)
        control_note(c, left->left && !gone && !ended ? LEVEL_INFO : LEVEL_WARNING,
                     "an earlier controller %s: %d of its instances taken over, %d were gone; "
                     "%d other processes of its ended",
                     left->left ? "left them serving" : "ended without stopping", adopted + unrecorded, gone,
                     ended);
}

static const struct state_instance *find_recorded(const struct state_record *record, int id, int pid)
{
    for (int i = 0; i < record->instance_count; i++)
        if (record->instances[i].id == id && record->instances[i].process.pid == pid)
            return &record->instances[i];
    return NULL;
}

/* A failure is told once, and tried again until the record is true. */
static void conclude_record(struct control *c, int error)
{
    bool failed_before = c->record_backoff.failures > 0;
    c->record_due = error != 0;
    if (error)
        c->record_at = loop_now(c->loop) + backoff_failed(&c->record_backoff);
    else
        backoff_succeeded(&c->record_backoff);
    if (error && !failed_before)
        control_note(
            c, LEVEL_WARNING,
            "cannot record what runs in %s: %s; trying again, a crash meanwhile would leave instances "
            "behind",
            c->setup.state->directory, strerror(-error));
    else if (!error && failed_before)
        control_note(c, LEVEL_INFO, "what runs is recorded again in %s", c->setup.state->directory);
}

void adopt_record(struct control *c)
{
    struct state_record *next = &c->next_record;
    memset(next, 0, sizeof *next);
    if (c->balancer)
        next->balancer = balancer_process(c->balancer);
    next->hold = *engine_hold(c->engine);
    next->left = c->leaving;
    memcpy(next->ini, c->ini, sizeof next->ini);
    config_name_sections(c->sections, next->sections, sizeof next->sections);
    next->roll = engine_roll_wanted(c->engine);
    for (int i = 0; i < c->live_count; i++) {
        const struct live_instance *live = &c->live[i];
        const struct state_instance *known = find_recorded(&c->record, live->id, live->pid);
        struct state_instance *instance = &next->instances[next->instance_count++];
        instance->id = live->id;
        instance->port = live->port;
        instance->ready = live->ready;
        instance->old = engine_roll_has(c->engine, live->id);
        instance->process.pid = live->pid;
        instance->process.start_ticks = known ? known->process.start_ticks : state_start_ticks(live->pid);
    }
    c->record = *next;
    limits_give_reserve(); /* with none left a crash would leave instances behind */
    int error = state_save(c->setup.state, next);
    limits_take_reserve();
    conclude_record(c, error);
}
