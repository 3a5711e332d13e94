/* SPDX-License-Identifier: MIT */
/* The thread of a thread and its exchange with the owner. The statistics are the thread's own and are copied
 * under the lock ten times a second; orders are left under the lock and fetched at the next turn, so the path
 * of a request takes no lock. */
#include "load/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"

#define SHOW_EVERY (100 * USEC_PER_MSEC)
#define TELLING    (100 * USEC_PER_MSEC) /* a run that is shorter tells nothing of how busy it was */
#define BUSY       0.9 /* share of a core from which the generator itself may be the limit */

static void show(struct load_thread *thread, usec_t now, bool done)
{
    thread->shown_at = now;
    pthread_mutex_lock(&thread->lock);
    struct load_thread_view *view = &thread->view;
    view->at = now;
    view->stats = thread->stats;
    view->in_flight = thread->pacer.in_flight;
    view->late = thread->pacer.late;
    view->held = thread->pacer.held;
    view->missed = thread->pacer.missed;
    view->lag = thread->pacer.lag;
    view->stop_at = thread->pacer.stop_at;
    view->due_until = thread->pacer.due_until;
    view->ran_out = thread->pacer.ran_out;
    view->last_answer_at = thread->last_answer_at;
    view->seconds = thread->seconds;
    view->busy = thread->busy;
    view->done = done;
    pthread_mutex_unlock(&thread->lock);
}

static void measure_cpu(struct load_thread *thread, usec_t now)
{
    usec_t cpu = clock_thread_cpu_us();
    double share = (double)(cpu - thread->second_cpu) / (double)(now - thread->second_at);
    thread->seconds++;
    thread->busy += share >= BUSY;
    thread->second_at = now;
    thread->second_cpu = cpu;
}

static void take_orders(struct load_thread *thread, usec_t now)
{
    pthread_mutex_lock(&thread->lock);
    if (thread->orders.users_set)
        thread->pacer.users = thread->orders.users;
    if (thread->orders.rate_set)
        pacer_set_rate(&thread->pacer, thread->orders.rate_rps, now);
    if (thread->orders.stop) {
        pacer_stop(&thread->pacer, now);
        thread->drain_until = thread->orders.drain_until;
    }
    thread->orders.users_set = thread->orders.rate_set = thread->orders.stop = false;
    atomic_store(&thread->pending, false);
    pthread_mutex_unlock(&thread->lock);
}

/* Until when what is in flight is waited for: a duration that was asked for ends on time, a number of
 * requests with the last of them. */
static usec_t drain_end(const struct load_thread *thread, usec_t stop_at, usec_t now)
{
    const struct load_options *options = thread->plan->options;
    usec_t last = now + options->timeout + USEC_PER_SEC;
    if (stop_at == USEC_NEVER || options->ends_with_shape || stop_at + options->grace > last)
        return last;
    return stop_at + options->grace;
}

bool driver_turn(struct load_thread *thread, usec_t now)
{
    if (atomic_load_explicit(&thread->pending, memory_order_relaxed))
        take_orders(thread, now);
    if (now - thread->second_at >= USEC_PER_SEC)
        measure_cpu(thread, now);
    if (now - thread->shown_at >= SHOW_EVERY)
        show(thread, now, false);
    if (!pacer_over(&thread->pacer, now))
        return true;
    if (thread->drain_until == USEC_NEVER) {
        thread->drain_until = drain_end(thread, thread->pacer.stop_at, now);
        pacer_stop(&thread->pacer, now);
    }
    return thread->pacer.in_flight > 0 && now < thread->drain_until;
}

usec_t driver_wake_at(const struct load_thread *thread, usec_t now)
{
    usec_t at = pacer_wake(&thread->pacer, now);
    if (thread->drain_until < at)
        at = thread->drain_until;
    return thread->shown_at + SHOW_EVERY < at ? thread->shown_at + SHOW_EVERY : at;
}

void driver_on_wake(struct load_thread *thread, void (*wake)(void *context), void *context)
{
    pthread_mutex_lock(&thread->lock);
    thread->wake = wake;
    thread->wake_context = context;
    pthread_mutex_unlock(&thread->lock);
}

const struct load_target *driver_pick(struct load_thread *thread)
{
    if (thread->plan->target_count == 1)
        return &thread->plan->targets[0];
    return &thread->plan->targets[load_plan_pick(thread->plan, random_unit(&thread->random))];
}

/* Where there is no way at all, EADDRNOTAVAIL is not for want of ports. */
void driver_failed(struct load_thread *thread, const struct load_target *target, enum load_error kind,
                   int error)
{
    bool no_way = error == EADDRNOTAVAIL && thread->plan->origins[target->origin].no_way;
    load_stats_failed(&thread->stats, kind, no_way ? ENETUNREACH : error);
}

void driver_answered(struct load_thread *thread, unsigned code, usec_t scheduled, usec_t now)
{
    load_stats_answer(&thread->stats, code, now - scheduled, thread->plan->options->expected.codes[code]);
    thread->last_answer_at = now;
}

static void reach(struct load_thread *thread, enum thread_stage stage, int error)
{
    pthread_mutex_lock(&thread->lock);
    thread->setup.stage = stage;
    thread->setup.error = error;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

void driver_await_start(struct load_thread *thread)
{
    reach(thread, THREAD_READY, 0);
    pthread_mutex_lock(&thread->lock);
    while (thread->setup.start == 0)
        pthread_cond_wait(&thread->changed, &thread->lock);
    usec_t start = thread->setup.start;
    pthread_mutex_unlock(&thread->lock);
    pacer_start(&thread->pacer, start);
    thread->second_at = thread->shown_at = start;
    thread->second_cpu = clock_thread_cpu_us();
}

static void *run(void *context)
{
    struct load_thread *thread = context;
    if (!(thread->plan->tls ? driver_curl_run(thread) : driver_plain_run(thread)))
        reach(thread, THREAD_FAILED, errno);
    usec_t now = clock_now_us();
    if (thread->seconds == 0 && now - thread->second_at >= TELLING)
        measure_cpu(thread, now);
    show(thread, now, true);
    eventfd_write(thread->done_fd, 1);
    return NULL;
}

struct load_thread *load_thread_new(const struct load_plan *plan, const struct pacer *pacer, int64_t open_max,
                                    uint64_t seed, int done_fd)
{
    struct load_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->plan = plan;
    thread->pacer = *pacer;
    thread->open_max = open_max;
    thread->random.state = seed;
    thread->done_fd = done_fd;
    thread->drain_until = USEC_NEVER;
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->changed, NULL);
    int error = pthread_create(&thread->thread, NULL, run, thread);
    if (error == 0)
        return thread;
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
    errno = error;
    return NULL;
}

int load_thread_wait_ready(struct load_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    while (thread->setup.stage == THREAD_STARTING)
        pthread_cond_wait(&thread->changed, &thread->lock);
    int error = thread->setup.stage == THREAD_FAILED ? -thread->setup.error : 0;
    pthread_mutex_unlock(&thread->lock);
    return error;
}

void load_thread_start(struct load_thread *thread, usec_t start)
{
    pthread_mutex_lock(&thread->lock);
    thread->setup.start = start;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

void load_thread_look(struct load_thread *thread, struct load_thread_view *out)
{
    pthread_mutex_lock(&thread->lock);
    *out = thread->view;
    pthread_mutex_unlock(&thread->lock);
}

/* Ends a change of the orders that was begun by taking the lock. */
static void send_orders(struct load_thread *thread)
{
    atomic_store(&thread->pending, true);
    if (thread->wake)
        thread->wake(thread->wake_context);
    pthread_mutex_unlock(&thread->lock);
}

void load_thread_set_users(struct load_thread *thread, int64_t users)
{
    pthread_mutex_lock(&thread->lock);
    thread->orders.users_set = true;
    thread->orders.users = users;
    send_orders(thread);
}

void load_thread_set_rate(struct load_thread *thread, double rate_rps)
{
    pthread_mutex_lock(&thread->lock);
    thread->orders.rate_set = true;
    thread->orders.rate_rps = rate_rps;
    send_orders(thread);
}

void load_thread_stop(struct load_thread *thread, usec_t drain_until)
{
    pthread_mutex_lock(&thread->lock);
    thread->orders.stop = true;
    thread->orders.drain_until = drain_until;
    send_orders(thread);
}

void load_thread_free(struct load_thread *thread)
{
    pthread_join(thread->thread, NULL);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}
