/* SPDX-License-Identifier: MIT */
/* What makes a crash of the controller harmless: every change of the processes that run is recorded at once,
 * and the next start takes over those of them that still live, checked by pid and start time. Control thread,
 * or the one that opens it. */
#include "base/log.h"
#include "control/control_private.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The instant a process started, from the kernel's ticks since boot. */
static usec_t start_instant(uint64_t ticks, usec_t now)
{
    usec_t at = (usec_t)ticks * USEC_PER_SEC / sysconf(_SC_CLK_TCK);
    return at < now ? at : now;
}

static bool adopt_one(struct control *c, const struct state_instance *left, char *err, size_t err_size)
{
    usec_t now = loop_now(c->loop);
    struct target_adoption adoption = {.id = left->id,
                                       .pid = left->process.pid,
                                       .port = left->port,
                                       .start_ticks = left->process.start_ticks,
                                       .ready = left->ready};
    if (!c->ops->adopt(c->target, &adoption, now, err, err_size))
        return false;
    if (!engine_adopt(c->engine, left->id, left->process.pid, left->port, left->ready,
                      start_instant(left->process.start_ticks, now), now)) {
        snprintf(err, err_size, "there is no room for it");
        return false;
    }
    control_track(c, left->id, left->port, left->process.pid);
    if (left->ready)
        control_admit(c, left->id);
    return true;
}

void adopt_survivors(struct control *c, const struct state_record *left)
{
    int adopted = 0, gone = 0;
    if (!c->ops->adopt)
        return;
    for (int i = 0; i < left->instance_count; i++) {
        const struct state_instance *instance = &left->instances[i];
        char err[160];
        if (adopt_one(c, instance, err, sizeof err)) {
            adopted++;
            continue;
        }
        gone++;
        log_info("i%d (pid %d) of an earlier controller is not taken over: %s", instance->id,
                 instance->process.pid, err);
    }
    if (adopted + gone)
        control_note(c, LEVEL_WARNING,
                     "an earlier controller ended without stopping: %d of its instances taken "
                     "over, %d were gone",
                     adopted, gone);
}

static const struct state_instance *find_recorded(const struct state_record *record, int id, int pid)
{
    for (int i = 0; i < record->instance_count; i++)
        if (record->instances[i].id == id && record->instances[i].process.pid == pid)
            return &record->instances[i];
    return NULL;
}

void adopt_record(struct control *c)
{
    struct state_record *next = &c->next_record;
    memset(next, 0, sizeof *next);
    if (c->balancer)
        next->balancer = balancer_process(c->balancer);
    snprintf(next->balancer_listen, sizeof next->balancer_listen, "%s", c->config.balancer.listen);
    for (int i = 0; i < c->live_count; i++) {
        const struct live_instance *live = &c->live[i];
        const struct state_instance *known = find_recorded(&c->record, live->id, live->pid);
        struct state_instance *instance = &next->instances[next->instance_count++];
        instance->id = live->id;
        instance->port = live->port;
        instance->ready = live->ready;
        instance->process.pid = live->pid;
        instance->process.start_ticks = known ? known->process.start_ticks : state_start_ticks(live->pid);
    }
    c->record = *next;
    c->record_due = false;
    int error = state_save(c->setup.state, next);
    if (error)
        control_note(c, LEVEL_WARNING,
                     "cannot record what runs in %s: %s; a crash now would leave instances "
                     "behind",
                     c->setup.state->directory, strerror(-error));
}
