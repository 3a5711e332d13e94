/* SPDX-License-Identifier: MIT */
/* All workers of a run as one: users, rate and connections are dealt out among them, and what each shows is
 * added up. For the main thread. */
#ifndef LOAD_TEAM_H
#define LOAD_TEAM_H
#include "load/thread.h"

enum { TEAM_MAX = 256 };

struct team {
    const struct load_plan *plan;
    int64_t users;       /* closed loop */
    int64_t connections; /* the most at once in open loop */
    double rate_rps;     /* 0: closed loop */
    bool rate_changed;   /* by an order */
    int64_t open_max; /* connections that may be open, idle ones to other hosts included; as many at least */

    struct load_thread *workers[TEAM_MAX];
    int count;
    usec_t start;

    /* Of all, as of team_look(). */
    struct load_stats stats;
    int64_t in_flight;
    uint64_t late, held, missed;
    usec_t lag;       /* the longest of theirs */
    usec_t seen_at;   /* until when they had counted */
    usec_t stop_at;   /* when the last of them starts nothing more; USEC_NEVER: no end is known */
    usec_t due_until; /* the latest of them, and whether all ran out */
    bool ran_out;
    usec_t last_answer_at; /* 0: none yet */
    bool busy;             /* one of them was on the CPU nearly all the time */
    bool done;

    struct load_thread_view view; /* scratch: too large for a stack that is called often */
};

/* Starts them with what plan, users, connections and rate say; false after an error on stderr, and nothing
 * was sent then. The end of each is told to the eventfd. */
bool team_start(struct team *team, int done_fd);

void team_look(struct team *team);

/* Whether the workers or their machine kept the load down, so that the server may be able to do more: where
 * the rate was kept, or there was nothing to do but to wait for answers, they did not. */
bool team_was_limit(const struct team *team);

/* What was asked for a second: in the mean of a run that is done, and between two times. 0: closed loop. */
double team_asked_mean(const struct team *team);
double team_asked_rps(const struct team *team, usec_t from, usec_t to);

void team_set_users(struct team *team, int64_t users);
void team_set_rate(struct team *team, double rate_rps);
/* Starts nothing more; what is in flight at drain_until is given up. */
void team_stop(struct team *team, usec_t drain_until);

void team_free(struct team *team); /* waits for their end: stop them first */

#endif
