/* SPDX-License-Identifier: MIT */
/* What a team deals out to its workers, and what it makes of what they show: with workers that only note what
 * they were given, on as many CPUs as the test says. */
#include "load/team.h"
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START (10 * USEC_PER_SEC)

struct load_thread {
    struct pacer pacer;
    int64_t open_max;
    uint64_t seed;
    struct load_thread_view view;
    int64_t users;
    double rate_rps;
};

static struct load_thread workers[TEAM_MAX];
static int made, cpus;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    (void)pid;
    CPU_ZERO_S(size, set);
    for (int i = 0; i < cpus; i++)
        CPU_SET_S((size_t)i, size, set);
    return 0;
}

struct load_thread *load_thread_new(const struct load_plan *plan, const struct pacer *pacer, int64_t open_max,
                                    uint64_t seed, int done_fd)
{
    (void)plan, (void)done_fd;
    workers[made] = (struct load_thread){.pacer = *pacer, .open_max = open_max, .seed = seed};
    return &workers[made++];
}

int load_thread_wait_ready(struct load_thread *worker)
{
    (void)worker;
    return 0;
}

void load_thread_start(struct load_thread *worker, usec_t start)
{
    (void)worker, (void)start;
}

void load_thread_look(struct load_thread *worker, struct load_thread_view *out)
{
    *out = worker->view;
}

void load_thread_set_users(struct load_thread *worker, int64_t users)
{
    worker->users = users;
}

void load_thread_set_rate(struct load_thread *worker, double rate_rps)
{
    worker->rate_rps = rate_rps;
}

void load_thread_stop(struct load_thread *worker, usec_t drain_until)
{
    (void)worker, (void)drain_until;
}

void load_thread_free(struct load_thread *worker)
{
    (void)worker;
}

static struct load_plan plan;
static struct team team;

/* A team on that many CPUs, as run.c makes one of these options. */
static void start_team(const struct load_options *options, int on_cpus)
{
    cpus = on_cpus;
    made = 0;
    plan = (struct load_plan){.options = options,
                              .arrivals = {.rate_rps = options->rate_rps,
                                           .seed = (uint64_t)options->seed,
                                           .shape = options->shape}};
    team = (struct team){.plan = &plan,
                         .users = options->connections > 0 ? options->connections : options->threads,
                         .connections = options->connections > 0 ? options->connections : 1000,
                         .rate_rps = options->rate_rps,
                         .open_max = 1023};
    assert_true(team_start(&team, -1));
    assert_int_equal(team.count, made);
}

static struct load_options options_of(int64_t connections, int64_t requests, double rate_rps)
{
    return (struct load_options){.threads = 20,
                                 .connections = connections,
                                 .requests = requests,
                                 .rate_rps = rate_rps,
                                 .duration = USEC_NEVER,
                                 .shape = {.kind = ARRIVALS_CONSTANT, .low = 1}};
}

/* Who has twice the users would need twice the time for as many requests, alone at the end. */
static void requests_are_dealt_by_users(void **state)
{
    (void)state;
    struct load_options options = options_of(3, 60, 0);
    start_team(&options, 2);
    assert_int_equal(made, 2);
    assert_int_equal(workers[0].pacer.users, 2);
    assert_int_equal(workers[1].pacer.users, 1);
    assert_int_equal(workers[0].pacer.left, 40);
    assert_int_equal(workers[1].pacer.left, 20);
}

static void a_rate_and_its_requests_are_dealt_by_connections(void **state)
{
    (void)state;
    struct load_options options = options_of(3, 61, 28);
    start_team(&options, 2);
    assert_int_equal(workers[0].pacer.in_flight_max, 2);
    assert_int_equal(workers[1].pacer.in_flight_max, 1);
    assert_float_equal(workers[0].pacer.rate_rps, 28 * 2 / 3.0, 1e-9);
    assert_float_equal(workers[1].pacer.rate_rps, 28 / 3.0, 1e-9);
    assert_int_equal(workers[0].pacer.left, 41);
    assert_int_equal(workers[1].pacer.left, 20);
    team_set_rate(&team, 60);
    assert_float_equal(workers[0].rate_rps, 40, 1e-9);
    assert_float_equal(workers[1].rate_rps, 20, 1e-9);
    team_set_users(&team, 7);
    assert_int_equal(workers[0].users, 4);
    assert_int_equal(workers[1].users, 3);
}

static void what_is_dealt_out_adds_up(void **state)
{
    (void)state;
    for (int64_t connections = 1; connections <= 40; connections++) {
        for (int on_cpus = 1; on_cpus <= 9; on_cpus += 2) {
            struct load_options options = options_of(connections, 1000003, connections % 2 ? 77 : 0);
            start_team(&options, on_cpus);
            int64_t left = 0, users = 0, in_flight_max = 0, open_max = 0;
            double rate_rps = 0;
            for (int i = 0; i < made; i++) {
                left += workers[i].pacer.left;
                users += workers[i].pacer.users;
                in_flight_max += workers[i].pacer.in_flight_max;
                rate_rps += workers[i].pacer.rate_rps;
                open_max += workers[i].open_max;
                assert_true(workers[i].open_max >= workers[i].pacer.in_flight_max);
                assert_true(workers[i].pacer.left > 0);
            }
            assert_int_equal(left, 1000003);
            assert_int_equal(users, connections);
            assert_int_equal(in_flight_max, connections);
            assert_int_equal(open_max, 1023);
            assert_float_equal(rate_rps, options.rate_rps, 1e-6);
        }
    }
}

/* The worker whose next request is due first; NULL when all have run out. */
static struct pacer *next_of_all(void)
{
    struct pacer *next = NULL;
    for (int i = 0; i < made; i++) {
        struct pacer *pacer = &workers[i].pacer;
        if (pacer->left > 0 && (!next || pacer->due < next->due))
            next = pacer;
    }
    return next;
}

/* Also where the connections, and with them the rate, cannot be dealt out evenly, and for each of a number of
 * requests: the last of few must not come from who has the longest gap before it. */
static void all_workers_together_are_evenly_spaced(void **state)
{
    (void)state;
    static const int64_t connections[] = {1, 2, 3, 5, 7, 64, 1000};
    for (int i = 0; i < 7 * 6 * 30; i++) {
        struct load_options options = options_of(connections[i % 7], 1 + i / 42, 10);
        start_team(&options, 1 + i / 7 % 6);
        for (int j = 0; j < made; j++)
            pacer_start(&workers[j].pacer, START);
        for (int k = 0; k < options.requests; k++) {
            usec_t scheduled = -1, due = START + k * 100 * USEC_PER_MSEC;
            struct pacer *next = next_of_all();
            if (!next || !pacer_take(next, next->due, &scheduled) || llabs(scheduled - due) > 1)
                fail_msg("%lld connections on %d CPUs: number %d of %lld at %lld us, not %lld",
                         (long long)options.connections, cpus, k, (long long)options.requests,
                         (long long)(scheduled - START), (long long)(due - START));
            pacer_give(next);
        }
        assert_null(next_of_all());
    }
}

/* Or the URL of a request would follow from the gap before it, and those of one URL would come in clumps. */
static void choices_do_not_follow_the_arrivals(void **state)
{
    (void)state;
    struct load_options options = options_of(8, 0, 10);
    for (options.seed = -3; options.seed < 30; options.seed++) {
        start_team(&options, 4);
        for (int i = 0; i < 16; i++) {
            struct random gaps = workers[i / 4].pacer.stream.random, choices = {workers[i % 4].seed};
            int alike = 0;
            for (int k = 0; k < 1000; k++)
                alike +=
                    random_unit(&gaps) < 0.5 ? random_unit(&choices) < 0.5 : random_unit(&choices) >= 0.5;
            assert_in_range(alike, 400, 600);
        }
    }
}

/* Orders could leave a worker without users, and its requests would never be sent. */
static void under_orders_requests_are_not_dealt_out(void **state)
{
    (void)state;
    struct load_options options = options_of(0, 10, 0);
    options.control = true;
    start_team(&options, 4);
    assert_int_equal(made, 1);
    assert_int_equal(workers[0].pacer.left, 10);
    options.requests = 0;
    start_team(&options, 4);
    assert_int_equal(made, 4);
    options.connections = 3;
    start_team(&options, 4);
    assert_int_equal(made, 3);
}

/* What a single worker has seen. */
static void look_at(const struct load_thread_view *view)
{
    struct load_options options = options_of(1, 0, 100);
    start_team(&options, 1);
    workers[0].view = *view;
    team_look(&team);
}

/* In open loop only where the rate was not kept; in a closed one where its threads had no time left. */
static void a_team_is_the_limit_when_it_kept_the_load_down(void **state)
{
    (void)state;
    static struct load_thread_view view;
    static const struct {
        double rate_rps;
        uint64_t answered, timeouts, late, held, missed;
        usec_t lag;
        bool busy, limit;
    } cases[] = {
        {100, 500, 0, 400, 0, 0, 6000, true, false},        /* late, but all were sent in the end */
        {15, 75, 0, 40, 0, 0, 20000, true, false},          /* 15.0 of 15.0 */
        {100, 0, 500, 400, 0, 0, 6000, true, false},        /* nothing was answered, all was sent */
        {100, 400, 0, 300, 0, 100, 6000, false, true},      /* late, and much was never sent */
        {100, 500, 0, 300, 0, 0, 2000000, false, true},     /* sent in the end, but long after */
        {100, 400, 0, 4, 0, 100, 6000, false, false},       /* so few may be chance */
        {100, 400, 0, 10, 300, 100, 2000000, false, false}, /* it was the connections */
        {100, 400, 0, 10, 300, 100, 2000000, true, true},
        {0, 5000, 0, 0, 0, 0, 0, true, true},
        {0, 5000, 0, 0, 0, 0, 0, false, false},
        {0, 0, 20, 0, 0, 0, 0, true, false}, /* nothing to do but to wait */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_options options = options_of(2, 0, cases[i].rate_rps);
        view = (struct load_thread_view){.at = START + 5 * USEC_PER_SEC,
                                         .due_until = START + 5 * USEC_PER_SEC,
                                         .late = cases[i].late,
                                         .held = cases[i].held,
                                         .missed = cases[i].missed,
                                         .lag = cases[i].lag,
                                         .seconds = 5,
                                         .busy = cases[i].busy ? 5 : 2};
        view.stats.answered = cases[i].answered;
        view.stats.errors[LOAD_ERROR_TIMEOUT] = cases[i].timeouts;
        start_team(&options, 1);
        team.start = START;
        workers[0].view = view;
        team_look(&team);
        if (team_was_limit(&team) != cases[i].limit)
            fail_msg("case %zu", i);
    }
}

static void a_team_is_the_limit_when_its_machine_ran_out_of_something(void **state)
{
    (void)state;
    static struct load_thread_view view;
    static const int errors[] = {EADDRNOTAVAIL, EMFILE, ENFILE, ENOMEM, ENOBUFS};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        view = (struct load_thread_view){.at = START};
        view.stats.answered = 1000;
        load_stats_failed(&view.stats, LOAD_ERROR_CONNECT, ECONNREFUSED);
        look_at(&view);
        assert_false(team_was_limit(&team));
        load_stats_failed(&view.stats, LOAD_ERROR_CONNECT, errors[i]);
        look_at(&view);
        assert_true(team_was_limit(&team));
    }
}

/* Requests that were due, all answered by now. */
static struct load_thread_view view_of(uint64_t due, usec_t due_until, bool ran_out)
{
    return (struct load_thread_view){.at = due_until + USEC_PER_SEC,
                                     .stats = {.answered = due},
                                     .stop_at = due_until,
                                     .due_until = due_until,
                                     .ran_out = ran_out,
                                     .done = true};
}

static void what_was_asked_does_not_depend_on_the_answers(void **state)
{
    (void)state;
    struct load_options options = options_of(2, 0, 100);
    start_team(&options, 2);
    team.start = START;
    for (int i = 0; i < 2; i++)
        workers[i].view = view_of(100, START + 2 * USEC_PER_SEC, false);
    team_look(&team);
    assert_float_equal(team_asked_mean(&team), 100, 1e-9);
    /* Of a number of them the first is due at the start and the last at the end. */
    workers[0].view = view_of(50, START + 980 * USEC_PER_MSEC, true);
    workers[1].view = view_of(50, START + 990 * USEC_PER_MSEC, true);
    team_look(&team);
    assert_float_equal(team_asked_mean(&team), 100, 1e-9);
    workers[0].view = view_of(1, START, true);
    workers[1].view = view_of(0, START, true);
    team_look(&team);
    assert_float_equal(team_asked_mean(&team), 100, 1e-9); /* no time, no mean */
    team.rate_rps = 0;
    assert_float_equal(team_asked_mean(&team), 0, 0);
}

/* The one that is due at the start is not one more a second in a short run, nor in the last gap of a long
 * one. */
static void what_was_asked_is_the_rate_however_short_the_run(void **state)
{
    (void)state;
    static const int lengths_ms[] = {1, 50, 100, 150, 999};
    struct load_options options = options_of(1, 0, 10);
    for (size_t i = 0; i < 5; i++) {
        start_team(&options, 1);
        team.start = START;
        workers[0].view =
            view_of((uint64_t)(lengths_ms[i] + 99) / 100, START + lengths_ms[i] * USEC_PER_MSEC, false);
        team_look(&team);
        assert_float_equal(team_asked_mean(&team), 10, 1e-9);
    }
    team_set_rate(&team, 20); /* the mean of both is what was due */
    workers[0].view = view_of(15, START + USEC_PER_SEC, false);
    team_look(&team);
    assert_float_equal(team_asked_mean(&team), 15, 1e-9);
    start_team(&options, 1);
    team.start = START;
    plan.arrivals.timing = ARRIVALS_POISSON; /* as many as chance made them */
    workers[0].view = view_of(17, START + 2 * USEC_PER_SEC, false);
    team_look(&team);
    assert_float_equal(team_asked_mean(&team), 8.5, 1e-9);
}

static void an_interval_asks_for_its_mean(void **state)
{
    (void)state;
    struct load_options options = options_of(1, 0, 100);
    options.shape = (struct arrivals_shape){
        .kind = ARRIVALS_SPIKE, .low = 0, .at = USEC_PER_SEC, .length = 200 * USEC_PER_MSEC};
    start_team(&options, 1);
    team.start = START;
    workers[0].view = (struct load_thread_view){.at = START, .stop_at = START + 4 * USEC_PER_SEC};
    team_look(&team);
    assert_float_equal(team_asked_rps(&team, START, START + USEC_PER_SEC), 0, 1e-9);
    assert_float_equal(team_asked_rps(&team, START + USEC_PER_SEC, START + 2 * USEC_PER_SEC), 20, 1e-9);
}

static void an_intervals_rate_is_that_until_the_end(void **state)
{
    (void)state;
    struct load_options options = options_of(1, 0, 100);
    options.shape = (struct arrivals_shape){.kind = ARRIVALS_RAMP, .low = 0, .period = 10 * USEC_PER_SEC};
    start_team(&options, 1);
    team.start = START;
    workers[0].view = (struct load_thread_view){.at = START, .stop_at = START + 4 * USEC_PER_SEC};
    team_look(&team);
    assert_float_equal(team_asked_rps(&team, START, START + 2 * USEC_PER_SEC), 10, 1e-9);
    assert_float_equal(team_asked_rps(&team, START + 3 * USEC_PER_SEC, START + 5 * USEC_PER_SEC), 17.5, 1e-9);
    assert_float_equal(team_asked_rps(&team, START + 4 * USEC_PER_SEC, START + 5 * USEC_PER_SEC), 0, 0);
    assert_float_equal(team_asked_rps(&team, START + USEC_PER_SEC, START + USEC_PER_SEC), 10, 1e-9);
    workers[0].view = (struct load_thread_view){0}; /* not shown yet */
    team_look(&team);
    assert_float_equal(team_asked_rps(&team, START, START + 2 * USEC_PER_SEC), 10, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_dealt_by_users),
        cmocka_unit_test(a_rate_and_its_requests_are_dealt_by_connections),
        cmocka_unit_test(what_is_dealt_out_adds_up),
        cmocka_unit_test(all_workers_together_are_evenly_spaced),
        cmocka_unit_test(choices_do_not_follow_the_arrivals),
        cmocka_unit_test(under_orders_requests_are_not_dealt_out),
        cmocka_unit_test(a_team_is_the_limit_when_it_kept_the_load_down),
        cmocka_unit_test(a_team_is_the_limit_when_its_machine_ran_out_of_something),
        cmocka_unit_test(what_was_asked_does_not_depend_on_the_answers),
        cmocka_unit_test(what_was_asked_is_the_rate_however_short_the_run),
        cmocka_unit_test(an_interval_asks_for_its_mean),
        cmocka_unit_test(an_intervals_rate_is_that_until_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
