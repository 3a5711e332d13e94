/* SPDX-License-Identifier: MIT */
/* What is made of checks and samples. Busy is not dead: one whose checks wait behind its requests stays in,
 * as the last choice. All sick is not all dead: when too few are ready, those that answer at all get requests
 * again. Only what has shown no sign of life for unresponsive_timeout, or says by its liveness check that it
 * is beyond help, is ended, one at a time. */
#include "core/fleet_turn.h"
#include <stdio.h>

enum { RISE_AGAIN = 2 };

/* One unready for so long gets a stand-in. */
#define STAND_IN_AFTER (10 * USEC_PER_SEC)

bool fleet_is_up(const struct fleet_instance *in)
{
    return in->state == INSTANCE_READY || in->state == INSTANCE_BUSY || in->state == INSTANCE_UNREADY;
}

static bool serves(const struct fleet_instance *in)
{
    return in->state == INSTANCE_READY || in->state == INSTANCE_BUSY;
}

static void take_liveness(const struct fleet_turn *t, const struct event *event)
{
    struct fleet_instance *in = t->instance;
    in->lifeless = event->check == CHECK_BAD && event->streak >= CHECK_FALL;
    if (in->lifeless)
        snprintf(in->cause, sizeof in->cause, "%s", event->text);
}

void fleet_take_check(const struct fleet_turn *t, const struct event *event)
{
    struct fleet_instance *in = t->instance;
    bool was_well = in->state == INSTANCE_READY && !in->silent;
    if (event->check == CHECK_PASSED || event->check == CHECK_BAD || was_well)
        in->alive_at = t->now;
    if (event->kind == EVENT_LIVENESS) {
        take_liveness(t, event);
        return;
    }
    in->answered = event->check == CHECK_PASSED || event->check == CHECK_BAD;
    in->silent = event->check == CHECK_SILENT ? event->streak : 0;
    if (event->kind == EVENT_UNHEALTHY && event->text[0] && !in->lifeless)
        snprintf(in->cause, sizeof in->cause, "%s", event->text);
    if (event->kind == EVENT_HEALTHY && (in->state != INSTANCE_UNREADY || event->streak >= RISE_AGAIN))
        fleet_turn(t, LIFE_HEALTHY);
    else if (event->kind == EVENT_UNHEALTHY && in->silent && in->sample.in_flight > 0)
        fleet_turn(t, LIFE_BUSY);
    else if (event->kind == EVENT_UNHEALTHY &&
             (in->state == INSTANCE_STARTING || event->streak >= CHECK_FALL))
        fleet_turn(t, LIFE_UNREADY);
}

/* The next may be ended when the one before is back. */
static bool may_end_one(struct fleet *f)
{
    const struct fleet_instance *last = fleet_find(f, f->ended_id);
    return !last || last->fate != FATE_STAY || fleet_is_up(last);
}

static void end_lifeless(const struct fleet_turn *t)
{
    if (!may_end_one(t->fleet))
        return;
    t->fleet->ended_id = t->instance->id;
    fleet_turn(t, LIFE_LIFELESS);
}

static bool is_unresponsive(const struct fleet_turn *t)
{
    return t->instance->state != INSTANCE_READY &&
           t->now - t->instance->alive_at >= t->fleet->limits.unresponsive_timeout;
}

/* What came since the last look, or is still to come, counts as life. */
static void look_for_life(const struct fleet_turn *t)
{
    struct fleet_instance *in = t->instance;
    if (in->sample.awaited || (in->state == INSTANCE_READY && !in->silent))
        in->alive_at = t->now;
    else if (in->sample.alive_at > in->alive_at)
        in->alive_at = in->sample.alive_at;
}

/* The check that waited behind its last request gets the time to be answered. */
static bool is_idle_for_long(const struct fleet_turn *t)
{
    struct fleet_instance *in = t->instance;
    if (in->state != INSTANCE_BUSY || in->sample.in_flight > 0)
        in->idle_at = 0;
    else if (!in->idle_at)
        in->idle_at = t->now;
    return in->idle_at && t->now - in->idle_at >= t->fleet->limits.check_patience;
}

static void watch(const struct fleet_turn *t)
{
    struct fleet_instance *in = t->instance;
    char span[24];
    look_for_life(t);
    if (in->silent && in->sample.in_flight > 0 && in->state != INSTANCE_BUSY)
        fleet_turn(t, LIFE_BUSY);
    else if (in->silent >= CHECK_FALL && is_idle_for_long(t))
        fleet_turn(t, LIFE_UNREADY);
    if (is_unresponsive(t)) {
        span_format(t->now - in->alive_at, span, sizeof span);
        snprintf(in->cause, sizeof in->cause, "no sign of life for %s", span);
    }
    if (in->lifeless || is_unresponsive(t))
        end_lifeless(t);
}

void fleet_watch(struct fleet *f, struct journal *j, usec_t now)
{
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        if (fleet_is_up(in) && in->fate == FATE_STAY)
            watch(&(struct fleet_turn){f, j, in, now});
    }
    fleet_lend(f, j, now);
}

int fleet_stand_ins(struct fleet *f, struct journal *j, usec_t now)
{
    int unready = 0, for_long = 0, room = f->limits.max_instances - f->wanted;
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        bool counts = in->state == INSTANCE_UNREADY && in->fate == FATE_STAY;
        unready += counts;
        for_long += counts && now - in->state_since >= STAND_IN_AFTER;
    }
    if (for_long > room)
        for_long = room;
    if (!unready || room <= 0 || f->rolling || !f->wanted) {
        f->stand_ins = 0;
    } else if (for_long > f->stand_ins) {
        f->stand_ins = for_long;
        journal_note(j, now, LEVEL_WARNING, 0, "%d unready for over 10s: as many more run until they recover",
                     for_long);
    }
    return f->stand_ins < room ? f->stand_ins : room > 0 ? room : 0;
}

/* Of those once ready: what ended and starts again is missed, too. Without one to lend it changes nothing. */
static bool too_few_are_ready(const struct fleet *f)
{
    int were = 0, are = 0, unready = 0;
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        if (in->fate != FATE_STAY)
            continue;
        were += in->was_ready;
        are += serves(in);
        unready += in->state == INSTANCE_UNREADY;
    }
    return unready > 0 && 100.0 * are < f->limits.panic_pct * were;
}

static void note_panic(const struct fleet *f, struct journal *j, usec_t now)
{
    if (f->panic)
        journal_note(j, now, LEVEL_WARNING, 0,
                     "fewer than %g%% are ready: those that are not, but answer, get requests all the same",
                     f->limits.panic_pct);
    else
        journal_note(j, now, LEVEL_INFO, 0, "enough are ready again: those that are not get no requests");
}

void fleet_lend(struct fleet *f, struct journal *j, usec_t now)
{
    bool panic = too_few_are_ready(f);
    if (panic != f->panic) {
        f->panic = panic;
        note_panic(f, j, now);
    }
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        bool lend = panic && in->state == INSTANCE_UNREADY && in->fate == FATE_STAY && in->answered;
        if (lend != in->lent && in->state == INSTANCE_UNREADY)
            fleet_set_todo(&(struct fleet_turn){f, j, in, now}, LIFE_DO(lend ? ACTION_ADMIT : ACTION_EJECT));
        in->lent = lend;
    }
}
