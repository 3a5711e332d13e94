/* SPDX-License-Identifier: MIT */
/* What the operator asks of the brain: a row a command. Each is carried out or refused at once, and the
 * answer says which and why. */
#include "core/engine_state.h"
#include <stdarg.h>
#include <stdio.h>

static bool answer(struct answer *a, bool accepted, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool answer(struct answer *a, bool accepted, const char *format, ...)
{
    va_list args;
    a->accepted = accepted;
    va_start(args, format);
    vsnprintf(a->text, sizeof a->text, format, args);
    va_end(args);
    return accepted;
}

static bool within_bounds(const struct engine *e, int count, struct answer *a)
{
    const struct config_scaling *c = &e->config.scaling;
    if (count > c->max_instances)
        return answer(a, false, "%d is the maximum (scaling.max_instances)", c->max_instances);
    if (count < c->min_instances)
        return answer(a, false, "%d is the minimum (scaling.min_instances)", c->min_instances);
    return true;
}

/* Until when a count ordered by hand holds in the present mode. */
static void say_hold(const struct engine *e, usec_t now, char *out, size_t size)
{
    const struct hold *h = &e->guard.hold;
    char span[24];
    span_format(h->override_until == USEC_NEVER ? USEC_NEVER : h->override_until - now, span, sizeof span);
    if (h->manual)
        snprintf(out, size, "held until changed");
    else
        snprintf(out, size, "%s of %d for %s", h->override == OVERRIDE_FLOOR ? "floor" : "ceiling",
                 h->override_count, span);
}

static void decide_manually(struct engine *e, int from, int to, usec_t now)
{
    struct decision *d = &e->last;
    *d = (struct decision){.at = now,
                           .last_at = now,
                           .repeats = 1,
                           .verdict = VERDICT_MANUAL,
                           .cause = CAUSE_OPERATOR,
                           .from = from,
                           .to = to};
    decision_add(d, (struct reason){.code = REASON_OPERATOR, .value = to});
    guard_take_over(&e->guard, &e->config.scaling, from, to, now);
    guard_changed(&e->guard, &e->situation, d, now);
    journal_decide(&e->journal, d);
    e->mark = VERDICT_MANUAL;
}

/* May a count target be given another order now? Only when it has been read since the last one. */
static bool may_order(const struct engine *e)
{
    return !engine_counts(e) || e->orders.ordered < 0 || e->orders.seen_at > e->orders.ordered_at;
}

static void scale(struct engine *e, const struct command *command, struct answer *a, usec_t now)
{
    int from = engine_desired(e, now), to = command->count;
    bool at_once = may_order(e);
    char held[64];
    if (engine_counts(e) && e->orders.seen < 0) {
        answer(a, false, "the target has not said yet how many replicas it has");
        return;
    }
    if (!within_bounds(e, to, a))
        return;
    if (to == from) {
        answer(a, true, "it is %d already", to);
        return;
    }
    decide_manually(e, from, to, now);
    say_hold(e, now, held, sizeof held);
    if (at_once)
        engine_carry_out(e, to, now);
    answer(a, true, "%d -> %d%s; %s", from, to, at_once ? "" : " at the next answer of the target", held);
}

static void set_mode(struct engine *e, const struct command *command, struct answer *a, usec_t now)
{
    bool manual = command->kind == CMD_MANUAL;
    int desired = engine_desired(e, now);
    if (manual && engine_counts(e) && e->orders.seen < 0) {
        answer(a, false, "the target has not said yet how many replicas it has");
        return;
    }
    guard_set_manual(&e->guard, manual, desired);
    if (manual)
        answer(a, true, "MANUAL: %d is held until changed", desired);
    else
        answer(a, true, "AUTO: the strategy decides again");
    journal_note(&e->journal, now, LEVEL_INFO, 0, "operator: %s", a->text);
}

/* Drain and stop: one fewer from now on, unless the minimum asks for another in its place. */
static void dismiss(struct engine *e, const struct command *command, struct answer *a, usec_t now)
{
    int desired = e->desired, left = desired - 1;
    char held[64], why[64];
    bool replaced = left < e->config.scaling.min_instances;
    if (!fleet_order(&e->fleet, &e->journal, command->instance, ORDER_LEAVE, replaced ? desired : left, now,
                     why, sizeof why)) {
        answer(a, false, "%s", why);
        return;
    }
    if (replaced) {
        journal_note(&e->journal, now, LEVEL_INFO, command->instance, "leaves as the operator asked");
        answer(a, true, "i%d leaves, another takes its place: %d is the minimum", command->instance, desired);
        return;
    }
    decide_manually(e, desired, left, now);
    e->desired = left;
    e->unsettled = true;
    say_hold(e, now, held, sizeof held);
    answer(a, true, "i%d leaves, %d -> %d; %s", command->instance, desired, left, held);
}

/* What a restart is, for one in this state. */
static const char *restart_course(enum instance_state state)
{
    if (state == INSTANCE_READY || state == INSTANCE_BUSY || state == INSTANCE_UNREADY)
        return "drains, stops and starts again";
    if (state == INSTANCE_BACKOFF || state == INSTANCE_FAILED)
        return "starts again now";
    return "stops and starts again";
}

static void restart_or_kill(struct engine *e, const struct command *command, struct answer *a, usec_t now)
{
    bool kill = command->kind == CMD_INSTANCE_KILL;
    const struct fleet_instance *in = fleet_find(&e->fleet, command->instance);
    const char *course = kill ? "is killed" : in ? restart_course(in->state) : "";
    char why[64];
    if (fleet_order(&e->fleet, &e->journal, command->instance, kill ? ORDER_KILL : ORDER_RESTART, e->desired,
                    now, why, sizeof why))
        answer(a, true, "i%d %s", command->instance, course);
    else
        answer(a, false, "%s", why);
}

static void roll(struct engine *e, const struct command *command, struct answer *a, usec_t now)
{
    char why[64];
    (void)command;
    if (!fleet_roll(&e->fleet, &e->journal, now, why, sizeof why)) {
        answer(a, false, "%s", why);
        return;
    }
    answer(a, true, "rolling: %d to replace one at a time, each when a new one is ready",
           fleet_roll_left(&e->fleet));
    journal_note(&e->journal, now, LEVEL_INFO, 0, "operator: %s", a->text);
}

static const struct {
    enum command_kind kind;
    bool on_instances; /* of ours */
    void (*run)(struct engine *e, const struct command *command, struct answer *a, usec_t now);
} commands[] = {
    {CMD_SCALE, false, scale},
    {CMD_AUTO, false, set_mode},
    {CMD_MANUAL, false, set_mode},
    {CMD_INSTANCE_DRAIN, true, dismiss},
    {CMD_INSTANCE_STOP, true, dismiss},
    {CMD_INSTANCE_RESTART, true, restart_or_kill},
    {CMD_INSTANCE_KILL, true, restart_or_kill},
    {CMD_ROLL, true, roll},
};

bool engine_command(struct engine *e, const struct command *command, struct answer *a, usec_t now)
{
    size_t i = 0, count = sizeof commands / sizeof *commands;
    while (i < count && commands[i].kind != command->kind)
        i++;
    if (i == count)
        return false;
    *a = (struct answer){.id = command->id};
    engine_watch_time(e, now);
    if (e->stopping && command->kind != CMD_INSTANCE_KILL)
        answer(a, false, "all instances are being stopped");
    else if (e->dry_run)
        answer(a, false, "dry run: nothing is carried out");
    else if (commands[i].on_instances && engine_counts(e))
        answer(a, false, "this target takes only a count, its replicas are not ours to act on");
    else
        commands[i].run(e, command, a, now);
    return true;
}

const struct hold *engine_hold(const struct engine *e)
{
    return &e->guard.hold;
}

void engine_resume(struct engine *e, const struct hold *hold, usec_t now)
{
    char held[64];
    if (!hold->manual && (hold->override == OVERRIDE_NONE || hold->override_until <= now))
        return;
    e->guard.hold = *hold;
    say_hold(e, now, held, sizeof held);
    journal_note(&e->journal, now, LEVEL_INFO, 0, "the operator's order stands: %s%s",
                 hold->manual ? "MANUAL, " : "", held);
}

int engine_roll_wanted(const struct engine *e)
{
    return e->fleet.rolling ? e->desired : 0;
}

bool engine_roll_has(const struct engine *e, int id)
{
    for (int i = 0; e->fleet.rolling && i < e->fleet.count; i++)
        if (e->fleet.instances[i].id == id)
            return e->fleet.instances[i].old;
    return false;
}

void engine_roll_resume(struct engine *e, const int *old, int count, int wanted, usec_t now)
{
    if (!fleet_roll_resume(&e->fleet, old, count, wanted))
        return;
    e->desired = wanted;
    e->unsettled = true;
    journal_note(&e->journal, now, LEVEL_INFO, 0, "the roll goes on, %d to replace",
                 fleet_roll_left(&e->fleet));
}
