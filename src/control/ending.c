/* SPDX-License-Identifier: MIT */
/* How it all ends: the load first, then the instances, the balancer last, each stage bounded in time by the
 * timeouts of what it waits for. Asked again, the same order without the patience. Leaving instead ends the
 * load alone. Control thread. */
#include "control/control_private.h"

#define LOAD_PATIENCE (4 * USEC_PER_SEC)
#define STOP_SLACK    (5 * USEC_PER_SEC)

static void enter_stage(struct control *c, enum stage stage, usec_t patience)
{
    c->stage = stage;
    c->stage_deadline = loop_now(c->loop) + patience;
    c->dirty = true;
}

static void kill_instances(struct control *c, usec_t now)
{
    for (int i = 0; i < c->live_count; i++) {
        struct command kill = {.kind = CMD_INSTANCE_KILL, .instance = c->live[i].id};
        struct answer answer;
        engine_command(c->engine, &kill, &answer, now);
    }
}

/* The first time in order; asked again, the same order without the patience. */
void ending_quit(struct control *c)
{
    if (c->stage == STAGE_RUN) {
        control_note(c, LEVEL_INFO, "stopping: load, then instances, then the balancer");
        loadgen_stop(c->loadgen, false);
        enter_stage(c, STAGE_STOP_LOAD, LOAD_PATIENCE);
        return;
    }
    if (c->hurried)
        return;
    c->hurried = true;
    control_note(c, LEVEL_INFO, "stopping at once, without waiting for requests");
    loadgen_stop(c->loadgen, true);
    if (c->stage == STAGE_STOP_INSTANCES)
        kill_instances(c, loop_now(c->loop));
    if (c->stage == STAGE_STOP_BALANCER)
        balancer_stop(c->balancer, true);
}

void ending_leave(struct control *c)
{
    control_note(c, LEVEL_INFO, "leaving: balancer and instances serve on, the next start takes them over");
    c->leaving = true;
    loadgen_stop(c->loadgen, false);
    enter_stage(c, STAGE_STOP_LOAD, LOAD_PATIENCE);
}

static void stop_instances(struct control *c, usec_t now)
{
    usec_t patience = c->config.app.drain_timeout + c->config.app.stop_timeout + STOP_SLACK;
    enter_stage(c, STAGE_STOP_INSTANCES, patience);
    engine_set_dry_run(c->engine, false); /* what was started is ended for real */
    engine_stop(c->engine, now);
    if (c->hurried)
        kill_instances(c, now);
}

static void stop_balancer(struct control *c)
{
    enter_stage(c, STAGE_STOP_BALANCER, c->config.balancer.drain_timeout + STOP_SLACK);
    if (c->balancer)
        balancer_stop(c->balancer, c->hurried);
}

static bool stage_is_over(const struct control *c)
{
    switch (c->stage) {
    case STAGE_STOP_LOAD:
        return !loadgen_runs(c->loadgen);
    case STAGE_STOP_INSTANCES:
        return engine_stopped(c->engine);
    case STAGE_STOP_BALANCER:
        return !c->balancer || balancer_stopped(c->balancer);
    default:
        return false;
    }
}

static void enter_next(struct control *c, usec_t now)
{
    if (c->stage == STAGE_STOP_LOAD && !c->leaving)
        stop_instances(c, now);
    else if (c->stage == STAGE_STOP_INSTANCES)
        stop_balancer(c);
    else
        enter_stage(c, STAGE_DONE, 0);
}

void ending_advance(struct control *c, usec_t now)
{
    while (c->stage != STAGE_RUN && c->stage != STAGE_DONE) {
        bool over = stage_is_over(c);
        if (!over && now < c->stage_deadline)
            return;
        if (!over) {
            c->orderly = false;
            control_note(c, LEVEL_ERROR, "stopping took longer than its timeouts allow; going on regardless");
        }
        enter_next(c, now);
    }
}
