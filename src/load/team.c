/* SPDX-License-Identifier: MIT */
/* Makes one worker a CPU at most and starts them together. Invariant: what is dealt out adds up to the whole,
 * whatever their number. */
#include "load/team.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define START_LEAD USEC_PER_MSEC
#define LAG_LEAST  (50 * USEC_PER_MSEC) /* a last request that starts so late says nothing of the rate */

static int cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < TEAM_MAX ? count : TEAM_MAX;
}

/* The share of worker i when total is dealt out as evenly as whole numbers go. */
static int64_t share(const struct team *team, int64_t total, int i)
{
    return total / team->count + (i < total % team->count);
}

/* How much each can do goes by its users or, in open loop, by its connections: so do rate and requests, or
 * one would still be at it long after the others. They take turns as share() deals, by ones. */
static struct arrivals_turns turns_of(const struct team *team, int i)
{
    return (struct arrivals_turns){team->rate_rps > 0 ? team->connections : team->users, team->count, i};
}

static double rate_of(const struct team *team, double rate_rps, int i)
{
    return rate_rps * (double)share(team, team->connections, i) / (double)team->connections;
}

static struct pacer make_pacer(const struct team *team, int i)
{
    struct arrivals_plan arrivals = team->plan->arrivals;
    arrivals.rate_rps = rate_of(team, arrivals.rate_rps, i);
    arrivals.turns = (struct arrivals_turns){team->connections, team->count, i};
    arrivals.seed += (uint64_t)i * 0x9e3779b9u;
    struct pacer pacer;
    pacer_init(&pacer, &arrivals);
    pacer.users = share(team, team->users, i);
    pacer.in_flight_max = share(team, team->connections, i);
    struct arrivals_turns turns = turns_of(team, i);
    if (team->plan->options->requests > 0)
        pacer.left = arrivals_turns_below(&turns, team->plan->options->requests);
    if (team->plan->options->duration != USEC_NEVER)
        pacer.stop_at = team->plan->options->duration;
    return pacer;
}

/* At most one a CPU, and none that could never have anything to do: orders may add users, but no connections.
 * As they may take users away, too, requests are not dealt out then: those of a worker without users would
 * never be sent. */
static int count_workers(const struct team *team)
{
    const struct load_options *options = team->plan->options;
    int64_t most = team->rate_rps > 0 ? team->connections : team->users;
    if (options->control && options->requests > 0)
        most = 1;
    else if (options->control)
        most = team->connections;
    else if (options->threads < most)
        most = options->threads;
    return most < cpu_count() ? (int)most : cpu_count();
}

static int make_worker(struct team *team, int i, int done_fd)
{
    struct pacer pacer = make_pacer(team, i);
    /* Not the numbers of its arrivals again, or a gap would tell which URL follows it. */
    struct random choices = {(uint64_t)team->plan->options->seed + (uint64_t)i};
    int64_t open_max = share(team, team->open_max, i);
    team->workers[i] = load_thread_new(team->plan, &pacer, open_max, random_next(&choices), done_fd);
    return team->workers[i] ? load_thread_wait_ready(team->workers[i]) : -errno;
}

static bool make_workers(struct team *team, int done_fd)
{
    team->count = count_workers(team);
    for (int i = 0; i < team->count; i++) {
        int error = make_worker(team, i, done_fd);
        if (error == 0)
            continue;
        fprintf(stderr, "ascale-load: cannot start worker %d of %d: %s; nothing was sent\n", i + 1,
                team->count, strerror(-error));
        team->count = team->workers[i] ? i + 1 : i;
        return false;
    }
    return true;
}

/* The schedule begins when all workers wait for it, and a moment later for them to wake up in: what is late
 * from there on is late. */
bool team_start(struct team *team, int done_fd)
{
    bool made = make_workers(team, done_fd);
    if (!made)
        team_stop(team, 0);
    team->start = clock_now_us() + START_LEAD;
    for (int i = 0; i < team->count; i++)
        load_thread_start(team->workers[i], team->start);
    return made;
}

/* They show themselves now and then; of those at work the one that did so first counts, else the last to end.
 */
static void note_when_seen(struct team *team, usec_t at, bool first)
{
    bool ended = team->view.done;
    at = at > team->start ? at : team->start;
    if (first || (team->done && !ended) || (team->done ? at > team->seen_at : !ended && at < team->seen_at))
        team->seen_at = at;
}

static void note_its_end(struct team *team, const struct load_thread_view *view)
{
    usec_t stop_at = view->at > 0 ? view->stop_at : USEC_NEVER;
    team->stop_at = stop_at > team->stop_at ? stop_at : team->stop_at;
    team->due_until = view->due_until > team->due_until ? view->due_until : team->due_until;
    team->ran_out = team->ran_out && view->ran_out;
}

void team_look(struct team *team)
{
    team->stats = (struct load_stats){0};
    team->in_flight = 0;
    team->late = team->held = team->missed = 0;
    team->lag = 0;
    team->stop_at = team->due_until = 0;
    team->done = team->ran_out = true;
    team->busy = false;
    for (int i = 0; i < team->count; i++) {
        load_thread_look(team->workers[i], &team->view);
        note_when_seen(team, team->view.at, i == 0);
        load_stats_merge(&team->stats, &team->view.stats);
        team->in_flight += team->view.in_flight;
        note_its_end(team, &team->view);
        team->late += team->view.late;
        team->held += team->view.held;
        team->lag = team->view.lag > team->lag ? team->view.lag : team->lag;
        team->missed += team->view.missed;
        team->busy = team->busy || (team->view.seconds > 0 && team->view.busy * 2 > team->view.seconds);
        team->done = team->done && team->view.done;
        if (team->view.last_answer_at > team->last_answer_at)
            team->last_answer_at = team->view.last_answer_at;
    }
}

double team_asked_mean(const struct team *team)
{
    if (team->rate_rps <= 0)
        return 0;
    const struct arrivals_plan *arrivals = &team->plan->arrivals;
    usec_t sending = team->due_until - team->start;
    /* Up to an end that was set, the number that was due has one at 0 and so up to one more than the rate. */
    if (arrivals->timing == ARRIVALS_EVEN && !team->rate_changed && !team->ran_out && sending > 0)
        return team->rate_rps * arrivals_mean(&arrivals->shape, 0, sending);
    uint64_t due = load_stats_tried(&team->stats) + team->stats.unfinished + team->missed;
    /* Where their number ended it, the last one was due at the end and not a gap before. */
    uint64_t gaps = due - (team->ran_out && due > 0);
    return sending > 0 ? (double)gaps * 1e6 / (double)sending : team->rate_rps;
}

double team_asked_rps(const struct team *team, usec_t from, usec_t to)
{
    if (team->rate_rps <= 0)
        return 0;
    usec_t end = team->stop_at < to ? team->stop_at : to;
    if (end < from || (end == from && to > from))
        return 0;
    const struct arrivals_shape *shape = &team->plan->arrivals.shape;
    if (to == from)
        return team->rate_rps * arrivals_factor(shape, from - team->start);
    double sending = (double)(end - from) / (double)(to - from);
    return team->rate_rps * sending * arrivals_mean(shape, from - team->start, end - team->start);
}

/* Something that was due never started, or at last no longer in time. */
static bool rate_was_missed(const struct team *team)
{
    usec_t allowed = (team->due_until - team->start) / 100;
    return load_stats_many(&team->stats, team->missed) ||
           team->lag > (allowed > LAG_LEAST ? allowed : LAG_LEAST);
}

bool team_was_limit(const struct team *team)
{
    if (load_stats_limited_by_any(&team->stats) > 0)
        return true;
    if (team->rate_rps <= 0)
        return team->busy && team->stats.answered > 0;
    bool late = team->late > team->held && load_stats_many(&team->stats, team->late);
    return (team->busy || late) && rate_was_missed(team);
}

void team_set_users(struct team *team, int64_t users)
{
    team->users = users;
    for (int i = 0; i < team->count; i++)
        load_thread_set_users(team->workers[i], share(team, users, i));
}

void team_set_rate(struct team *team, double rate_rps)
{
    team->rate_rps = rate_rps;
    team->rate_changed = true;
    for (int i = 0; i < team->count; i++)
        load_thread_set_rate(team->workers[i], rate_of(team, rate_rps, i));
}

void team_stop(struct team *team, usec_t drain_until)
{
    for (int i = 0; i < team->count; i++)
        load_thread_stop(team->workers[i], drain_until);
}

void team_free(struct team *team)
{
    for (int i = 0; i < team->count; i++)
        load_thread_free(team->workers[i]);
}
