/* SPDX-License-Identifier: MIT */
/* The instances and their lives: which exist, in what state, what is to be done with them next. It keeps as
 * many as it is told to; deadlines are absolute. A plain value without pointers; one thread at a time.
 * After every call, take the actions with fleet_next_action() until there is none. */
#ifndef CORE_FLEET_H
#define CORE_FLEET_H
#include "core/action.h"
#include "core/config.h"
#include "core/event.h"
#include "core/journal.h"
#include "core/random.h"
#include "core/sample.h"

/* What becomes of an instance that is on its way out. */
enum fleet_fate {
    FATE_STAY,    /* it was not asked to go: its end is a failure, and it is started again */
    FATE_RESTART, /* asked to stop and start again under the same id */
    FATE_LEAVE,   /* asked to go for good */
};

struct fleet_instance {
    int id, pid, port;
    enum instance_state state;
    enum fleet_fate fate;
    unsigned todo;  /* bit per enum action_kind, not yet taken */
    bool was_ready; /* ever */
    bool old;       /* a roll has yet to replace it */
    int failures;   /* starts that failed in a row */
    int silent;     /* checks in a row that were not answered */
    bool answered;  /* its last check, however badly */
    bool lifeless;  /* by its liveness checks */
    bool lent;      /* UNREADY, but gets requests as too few are ready */
    int restarts;
    usec_t started_at, ready_at, state_since, deadline;
    usec_t alive_at;  /* the last sign of life */
    usec_t idle_at;   /* BUSY, and since then nothing is in flight; 0 = something is */
    usec_t failed_at; /* when its failure was last told; while it goes on, once a minute */
    char cause[128];
    struct instance_sample sample; /* the newest; NaN or -1 = not measured */
};

struct fleet_limits {
    usec_t start_timeout, stop_timeout, drain_timeout;
    usec_t restart_delay_max;
    usec_t check_patience;       /* a check begun now has ended by then */
    usec_t unresponsive_timeout; /* without a sign of life */
    double panic_pct; /* fewer ready than this, of those that have been: the unready that answer help */
    int max_instances;
};

struct fleet {
    struct fleet_limits limits;
    struct random random;
    int wanted;             /* how many are to stay */
    bool rolling, one_more; /* a roll is under way; it wants one more just now */
    int stand_ins;          /* more than wanted, for instances that have been unready for long */
    int ended_id;           /* the one ended as lifeless; the next may go when it is ready again; 0 = none */
    bool panic;             /* too few are ready */
    int next_id;
    int count;
    int todo_count;                                 /* instances with something to do */
    struct fleet_instance instances[INSTANCES_MAX]; /* by id */
};

struct fleet_counts {
    int ready; /* those that are busy included */
    int busy, unready;
    int starting, draining, failed; /* as a snapshot shows them */
    int trying;                     /* not ready yet or again, and not given up */
    int sick;                       /* have been ready, and fail or are killed for it */
    int pending;                    /* those of them that are new */
};

void fleet_init(struct fleet *f, uint64_t seed);
void fleet_configure(struct fleet *f, const struct config *config);

/* Start what gave up or waits for its next try. */
void fleet_revive(struct fleet *f, struct journal *j, usec_t now);

/* From now on keep this many; 0 ends all. Returns at once, the rest follows by events. */
void fleet_scale(struct fleet *f, struct journal *j, int wanted, usec_t now);

bool fleet_adopt(struct fleet *f, int id, int pid, int port, bool ready, usec_t started_at, usec_t now);
void fleet_event(struct fleet *f, struct journal *j, const struct event *event, usec_t now);

/* Orders for one instance, after which `wanted` are to stay. False when it makes no sense in its state: why
 * says so and nothing has changed. */
enum fleet_order { ORDER_LEAVE, ORDER_RESTART, ORDER_KILL };
bool fleet_order(struct fleet *f, struct journal *j, int id, enum fleet_order order, int wanted, usec_t now,
                 char *why, size_t why_size);

/* Replaces every instance that runs by a new one, one at a time, each ready before an old one goes. False:
 * why says what is against it. fleet_roll_left() is how many old ones are left; 0 = no roll. */
bool fleet_roll(struct fleet *f, struct journal *j, usec_t now, char *why, size_t why_size);
int fleet_roll_left(const struct fleet *f);

/* Goes on with the roll of an earlier controller, at the next tick: these of the adopted are old, and so many
 * are to stay. False: none of them is here. */
bool fleet_roll_resume(struct fleet *f, const int *old, int count, int wanted);

/* What the newest samples say: who is busy, and who is ended for want of any sign of life. */
void fleet_watch(struct fleet *f, struct journal *j, usec_t now);

/* Runs deadlines that have passed; fleet_deadline() is the next one or USEC_NEVER. */
void fleet_tick(struct fleet *f, struct journal *j, usec_t now);
usec_t fleet_deadline(const struct fleet *f);

/* Time stood still for everybody: all deadlines move by as much. */
void fleet_postpone(struct fleet *f, usec_t span);

bool fleet_next_action(struct fleet *f, struct action *out);

struct fleet_instance *fleet_find(struct fleet *f, int id);
struct fleet_counts fleet_count(const struct fleet *f);

#endif
