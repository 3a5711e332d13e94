/* SPDX-License-Identifier: MIT */
/* A small world in virtual time around an engine: it carries out the actions of a process target after
 * delays, answers with events, shares a load among the instances that get requests, and steps the engine. It
 * checks on the way what must never happen (world.c, take_action). */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H
#include "core/engine.h"
#include "core/random.h"
#include "core/snapshot.h"

#define WORLD_AGENTS 4096
#define WORLD_EVENTS 8192

/* One instance as the machine sees it. */
struct agent {
    bool silent; /* answers nothing any more */
    bool spawned, alive, admitted, draining, taken_out, term, removed;
    bool deaf; /* ignores TERM */
    int pid;
    int drains;
};

struct world {
    struct config config;
    struct engine *engine;
    struct snapshot *snapshot; /* as of the last world_look() */
    usec_t now, next_step;

    /* How instances behave; change them at any time. */
    usec_t boot, drain_time, stop_time;
    bool start_fails, never_ready, deaf;
    double (*demand)(const struct world *w); /* CPU percent wanted in all */
    double noise;                            /* its standard deviation, as a share */
    double top;                              /* most CPU percent an instance can use */
    bool blind;                              /* nothing is measured */
    double level;                            /* for demand functions */

    struct agent agents[WORLD_AGENTS];
    struct {
        usec_t at;
        struct event event;
    } events[WORLD_EVENTS];
    int event_count;
    struct random random;
    struct sample sample;
    int actions[ACTION_COUNT + 1]; /* how many of each kind were taken */
    int most_alive;
    int reversals; /* changes of direction between UP and DOWN */
    int last_desired, direction, lowest;
};

/* Defaults of the house, boots in 300 ms, no load. */
struct world *world_new(void);
void world_begin(struct world *w); /* after w->config is as wished */
void world_free(struct world *w);

void world_run(struct world *w, usec_t span);
/* Until that many are ready and no other is on its way; false when it did not happen within the span. */
bool world_settle(struct world *w, int ready, usec_t span);

void world_event(struct world *w, usec_t delay, enum event_kind kind, int id, const char *text);

/* Its checks are not answered any more. */
void world_silence(struct world *w, int id);
void world_crash(struct world *w, int id, const char *text);
struct answer world_command(struct world *w, enum command_kind kind, int number);
void world_take_actions(struct world *w);

const struct snapshot *world_look(struct world *w);
int world_alive(const struct world *w);
/* The newest journal decision with that verdict; fails the test when there is none. */
const struct decision *world_decision(struct world *w, enum verdict verdict);
bool world_noted(struct world *w, const char *words);
bool world_has_reason(const struct decision *d, enum reason_code code);
/* The journal to stdout, for whoever debugs a scenario. */
void world_dump(struct world *w);
double world_gauss(struct world *w);

#endif
