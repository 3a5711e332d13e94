/* SPDX-License-Identifier: MIT */
/* The thread of a worker and its exchange with the owner. The statistics are the thread's own and are copied
 * under the lock ten times a second; orders are left under the lock and fetched at the next turn, so the path
 * of a request takes no lock. */
#include "load/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"

#define SHOW_EVERY (100 * USEC_PER_MSEC)
#define TELLING    (100 * USEC_PER_MSEC) /* a run that is shorter tells nothing of how busy it was */
#define BUSY       0.9 /* share of a core from which the generator itself may be the limit */

static void show(struct worker *worker, usec_t now, bool done)
{
    worker->shown_at = now;
    pthread_mutex_lock(&worker->lock);
    struct worker_view *view = &worker->view;
    view->at = now;
    view->stats = worker->stats;
    view->in_flight = worker->pacer.in_flight;
    view->late = worker->pacer.late;
    view->held = worker->pacer.held;
    view->missed = worker->pacer.missed;
    view->stop_at = worker->pacer.stop_at;
    view->due_until = worker->pacer.due_until;
    view->ran_out = worker->pacer.ran_out;
    view->last_answer_at = worker->last_answer_at;
    view->seconds = worker->seconds;
    view->busy = worker->busy;
    view->done = done;
    pthread_mutex_unlock(&worker->lock);
}

static void measure_cpu(struct worker *worker, usec_t now)
{
    usec_t cpu = clock_thread_cpu_us();
    double share = (double)(cpu - worker->second_cpu) / (double)(now - worker->second_at);
    worker->seconds++;
    worker->busy += share >= BUSY;
    worker->second_at = now;
    worker->second_cpu = cpu;
}

static void take_orders(struct worker *worker, usec_t now)
{
    pthread_mutex_lock(&worker->lock);
    if (worker->orders.users_set)
        worker->pacer.users = worker->orders.users;
    if (worker->orders.rate_set)
        pacer_set_rate(&worker->pacer, worker->orders.rate_rps, now);
    if (worker->orders.stop) {
        pacer_stop(&worker->pacer, now);
        worker->drain_until = worker->orders.drain_until;
    }
    worker->orders.users_set = worker->orders.rate_set = worker->orders.stop = false;
    atomic_store(&worker->pending, false);
    pthread_mutex_unlock(&worker->lock);
}

bool engine_turn(struct worker *worker, usec_t now)
{
    if (atomic_load_explicit(&worker->pending, memory_order_relaxed))
        take_orders(worker, now);
    if (now - worker->second_at >= USEC_PER_SEC)
        measure_cpu(worker, now);
    if (now - worker->shown_at >= SHOW_EVERY)
        show(worker, now, false);
    if (!pacer_over(&worker->pacer, now))
        return true;
    if (worker->drain_until == USEC_NEVER) {
        pacer_stop(&worker->pacer, now);
        worker->drain_until = now + worker->plan->options->timeout + USEC_PER_SEC;
    }
    return worker->pacer.in_flight > 0 && now < worker->drain_until;
}

usec_t engine_wake_at(const struct worker *worker, usec_t now)
{
    usec_t at = pacer_wake(&worker->pacer, now);
    if (worker->drain_until < at)
        at = worker->drain_until;
    return worker->shown_at + SHOW_EVERY < at ? worker->shown_at + SHOW_EVERY : at;
}

void engine_on_wake(struct worker *worker, void (*wake)(void *context), void *context)
{
    pthread_mutex_lock(&worker->lock);
    worker->wake = wake;
    worker->wake_context = context;
    pthread_mutex_unlock(&worker->lock);
}

const struct load_target *engine_pick(struct worker *worker)
{
    if (worker->plan->target_count == 1)
        return &worker->plan->targets[0];
    return &worker->plan->targets[load_plan_pick(worker->plan, random_unit(&worker->random))];
}

void engine_answered(struct worker *worker, unsigned code, usec_t scheduled, usec_t now)
{
    load_stats_answer(&worker->stats, code, now - scheduled, worker->plan->options->expected.codes[code]);
    worker->last_answer_at = now;
}

static void reach(struct worker *worker, enum worker_stage stage, int error)
{
    pthread_mutex_lock(&worker->lock);
    worker->setup.stage = stage;
    worker->setup.error = error;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

void engine_await_start(struct worker *worker)
{
    reach(worker, WORKER_READY, 0);
    pthread_mutex_lock(&worker->lock);
    while (worker->setup.start == 0)
        pthread_cond_wait(&worker->changed, &worker->lock);
    usec_t start = worker->setup.start;
    pthread_mutex_unlock(&worker->lock);
    pacer_start(&worker->pacer, start);
    worker->second_at = worker->shown_at = start;
    worker->second_cpu = clock_thread_cpu_us();
}

static void *run(void *context)
{
    struct worker *worker = context;
    if (!(worker->plan->tls ? engine_curl_run(worker) : engine_plain_run(worker)))
        reach(worker, WORKER_FAILED, errno);
    usec_t now = clock_now_us();
    if (worker->seconds == 0 && now - worker->second_at >= TELLING)
        measure_cpu(worker, now);
    show(worker, now, true);
    eventfd_write(worker->done_fd, 1);
    return NULL;
}

struct worker *worker_new(const struct load_plan *plan, const struct pacer *pacer, int64_t open_max,
                          uint64_t seed, int done_fd)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return NULL;
    worker->plan = plan;
    worker->pacer = *pacer;
    worker->open_max = open_max;
    worker->random.state = seed;
    worker->done_fd = done_fd;
    worker->drain_until = USEC_NEVER;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    int error = pthread_create(&worker->thread, NULL, run, worker);
    if (error == 0)
        return worker;
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
    errno = error;
    return NULL;
}

int worker_wait_ready(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->setup.stage == WORKER_STARTING)
        pthread_cond_wait(&worker->changed, &worker->lock);
    int error = worker->setup.stage == WORKER_FAILED ? -worker->setup.error : 0;
    pthread_mutex_unlock(&worker->lock);
    return error;
}

void worker_start(struct worker *worker, usec_t start)
{
    pthread_mutex_lock(&worker->lock);
    worker->setup.start = start;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

void worker_look(struct worker *worker, struct worker_view *out)
{
    pthread_mutex_lock(&worker->lock);
    *out = worker->view;
    pthread_mutex_unlock(&worker->lock);
}

/* Ends a change of the orders that was begun by taking the lock. */
static void send_orders(struct worker *worker)
{
    atomic_store(&worker->pending, true);
    if (worker->wake != NULL)
        worker->wake(worker->wake_context);
    pthread_mutex_unlock(&worker->lock);
}

void worker_set_users(struct worker *worker, int64_t users)
{
    pthread_mutex_lock(&worker->lock);
    worker->orders.users_set = true;
    worker->orders.users = users;
    send_orders(worker);
}

void worker_set_rate(struct worker *worker, double rate_rps)
{
    pthread_mutex_lock(&worker->lock);
    worker->orders.rate_set = true;
    worker->orders.rate_rps = rate_rps;
    send_orders(worker);
}

void worker_stop(struct worker *worker, usec_t drain_until)
{
    pthread_mutex_lock(&worker->lock);
    worker->orders.stop = true;
    worker->orders.drain_until = drain_until;
    send_orders(worker);
}

void worker_free(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}
