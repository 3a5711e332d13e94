/* SPDX-License-Identifier: MIT */
/* The process target: a table of instances on this machine and what is done for all of them together:
 * sampling, the round of the house each second (orphans, logs, limits), the host's own CPU. Control thread
 * only. */
#include "base/file.h"
#include "core/snapshot.h"
#include "target/proc.h"
#include "target/process_instance.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUND_US = 1100000, /* a sample each second is a round by itself and puts the next one off */
    WATCHED_ROUND_US = 100000,
};

struct process_target {
    struct process_house house;
    int host_stat_fd; /* -1: the host's CPU is not measured */
    struct proc_host host_cpu;
    double host_cpu_pct;
    struct loop_timer round;
    struct process_instance instances[INSTANCES_MAX];
};

static struct process_instance *find_instance(struct process_target *t, int id)
{
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (t->instances[i].phase != PROCESS_FREE && t->instances[i].id == id)
            return &t->instances[i];
    return NULL;
}

static struct process_instance *find_free(struct process_target *t)
{
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (t->instances[i].phase == PROCESS_FREE)
            return &t->instances[i];
    return NULL;
}

static bool is_known(void *context, int id)
{
    return find_instance(context, id) != NULL;
}

static bool holds_port(void *context, int port)
{
    const struct process_target *t = context;
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (process_instance_is_alive(&t->instances[i]) && t->instances[i].port == port)
            return true;
    return false;
}

static bool any_alive(const struct process_target *t)
{
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (process_instance_is_alive(&t->instances[i]))
            return true;
    return false;
}

/* With half of its time gone a log is looked at in the round of others. */
static usec_t check_log(struct process_target *t, struct process_instance *instance, usec_t now)
{
    const struct target_setup *setup = &t->house.setup;
    if (applog_went_away(&instance->log))
        setup->note(setup->ctx, LEVEL_WARNING, instance->id,
                    "its log was moved or removed: what it writes goes there until its next start");
    if (now >= instance->log.seen_at + (instance->log_check_at - instance->log.seen_at) / 2)
        instance->log_check_at = applog_check(&instance->log, t->house.config.log.max_size, now);
    return instance->log_check_at;
}

static usec_t sooner(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

/* Returns when to come again. */
static usec_t check_instances(struct process_target *t, usec_t now)
{
    usec_t next = now + ROUND_US;
    for (int i = 0; i < INSTANCES_MAX; i++) {
        struct process_instance *instance = &t->instances[i];
        if (!process_instance_is_alive(instance))
            continue;
        next = sooner(next, check_log(t, instance, now));
        process_instance_enforce_limits(instance, now);
        if (process_instance_is_watched(instance))
            next = sooner(next, now + WATCHED_ROUND_US);
    }
    return next;
}

static bool any_watched(const struct process_target *t)
{
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (process_instance_is_watched(&t->instances[i]))
            return true;
    return false;
}

/* After a scan. */
static void make_round(struct process_target *t, usec_t now)
{
    /* Orphans that lost their key cannot be told apart, so they live as long as any instance does. */
    if (!any_alive(t))
        proctree_signal(t->house.tree, PROCTREE_NOBODY, SIGKILL);
    loop_timer_set(t->house.setup.loop, &t->round, check_instances(t, now));
}

static void round_due(struct loop_timer *timer, int64_t now_us)
{
    struct process_target *t = timer->context;
    if (now_us - t->house.scanned_at >= ROUND_US || any_watched(t))
        process_instance_scan(&t->house, now_us);
    make_round(t, now_us);
}

static void close_target(void *target)
{
    struct process_target *t = target;
    if (!any_alive(t) && t->house.tree)
        proctree_signal(t->house.tree, PROCTREE_NOBODY, SIGKILL);
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (t->instances[i].phase != PROCESS_FREE)
            process_instance_release(&t->instances[i]);
    if (t->house.mark[0] != '\0')
        cgroup_remove_left(&t->house.places, t->house.mark);
    loop_timer_cancel(t->house.setup.loop, &t->round);
    http_client_free(t->house.client);
    proctree_free(t->house.tree);
    if (t->host_stat_fd >= 0)
        close(t->host_stat_fd);
    free(t);
}

static bool is_own(void *context, pid_t pid)
{
    const struct target_setup *setup = &((const struct process_target *)context)->house.setup;
    return setup->is_own && setup->is_own(setup->ctx, pid);
}

static int open_parts(struct process_target *t)
{
    int size = snprintf(t->house.log_dir, sizeof t->house.log_dir, "%s/log", t->house.setup.state_dir);
    if (size >= (int)sizeof t->house.log_dir)
        return -ENAMETOOLONG;
    cgroup_find_places(&t->house.places);
    int error = file_make_directories(t->house.log_dir, 0700);
    if (error == 0)
        error = survivors_mark(t->house.setup.state_dir, t->house.mark);
    if (error == 0)
        error = proctree_new(&t->house.tree);
    if (error == 0)
        proctree_spare(t->house.tree, is_own, t);
    if (error == 0)
        error = http_client_new(t->house.setup.loop, &t->house.client);
    return error;
}

static void *open_target(const struct target_setup *setup, char *err, size_t err_size)
{
    struct process_target *t = calloc(1, sizeof *t);
    if (!t) {
        snprintf(err, err_size, "process target: out of memory");
        return NULL;
    }
    t->house.setup = *setup;
    t->house.config = *setup->config;
    t->house.holds_port = holds_port;
    t->house.context = t;
    t->host_cpu_pct = NAN;
    t->host_stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    t->round = (struct loop_timer){.due = round_due, .context = t};
    int error = open_parts(t);
    if (error != 0) {
        snprintf(err, err_size, "process target in '%s': %s", setup->state_dir, strerror(-error));
        close_target(t);
        return NULL;
    }
    if (t->host_stat_fd >= 0)
        proc_host_read(t->host_stat_fd, &t->host_cpu);
    loop_timer_set(setup->loop, &t->round, loop_now(setup->loop) + ROUND_US);
    return t;
}

static void reconfigure(void *target, const struct config *config)
{
    struct process_target *t = target;
    t->house.config = *config;
}

static void sample_host(struct process_target *t)
{
    struct proc_host now;
    if (t->host_stat_fd < 0 || !proc_host_read(t->host_stat_fd, &now))
        return;
    double percent = proc_host_percent(&t->host_cpu, &now);
    if (isnan(percent))
        return; /* too soon: the last value still stands */
    t->host_cpu = now;
    t->host_cpu_pct = percent;
}

static void sample_instance(struct process_instance *instance, struct sample *out, usec_t now)
{
    double rpm = requests_rpm(&instance->requests, now);
    process_instance_measure(instance, now);
    requests_ask(&instance->requests);
    if (!isnan(rpm))
        out->rpm = isnan(out->rpm) ? rpm : out->rpm + rpm;
    out->instances[out->instance_count++] = (struct instance_sample){
        .id = instance->id,
        .in_flight = -1,
        .cpu_pct = instance->cpu_pct,
        .rpm = rpm,
        .error_pct = NAN,
        .mem_bytes = instance->memory_bytes,
        .p50_us = -1,
        .p95_us = -1,
        .p99_us = -1,
        .alive_at = instance->health.answered_us > instance->liveness.answered_us
                        ? instance->health.answered_us
                        : instance->liveness.answered_us,
    };
}

static void sample(void *target, struct sample *out, usec_t now)
{
    struct process_target *t = target;
    process_instance_scan(&t->house, now);
    sample_host(t);
    out->host_cpu_pct = t->host_cpu_pct;
    for (int i = 0; i < INSTANCES_MAX && out->instance_count < INSTANCES_MAX; i++)
        if (process_instance_is_alive(&t->instances[i]))
            sample_instance(&t->instances[i], out, now);
    make_round(t, now);
}

static void spawn(struct process_target *t, int id, usec_t now)
{
    struct process_instance *instance = find_instance(t, id);
    if (instance && instance->phase != PROCESS_GONE)
        return;
    if (instance)
        process_instance_release(instance);
    instance = find_free(t);
    if (instance)
        process_instance_start(instance, &t->house, id, now);
}

static void forget(struct process_target *t, struct process_instance *instance)
{
    if (process_instance_is_alive(instance))
        return; /* it is removed when its last process has ended */
    process_instance_release(instance);
    applog_prune(t->house.log_dir, is_known, t);
}

static void apply(void *target, const struct action *action, usec_t now)
{
    struct process_target *t = target;
    struct process_instance *instance = find_instance(t, action->id);
    if (action->kind == ACTION_SPAWN)
        spawn(t, action->id, now);
    if (!instance)
        return;
    if (action->kind == ACTION_TERM)
        process_instance_terminate(instance, now);
    else if (action->kind == ACTION_KILL)
        process_instance_kill(instance, now);
    else if (action->kind == ACTION_REMOVE)
        forget(t, instance);
}

static bool adopt(void *target, const struct target_adoption *adoption, usec_t now, char *err,
                  size_t err_size)
{
    struct process_target *t = target;
    struct process_instance *instance = find_free(t);
    if (!instance || find_instance(t, adoption->id)) {
        snprintf(err, err_size, "i%d: there is an instance of this number already", adoption->id);
        return false;
    }
    return process_instance_adopt(instance, &t->house, adoption, now, err, err_size);
}

static int survivors(void *target, struct target_adoption *out, int max)
{
    const struct process_target *t = target;
    return survivors_find(t->house.mark, out, max);
}

static bool is_known_key(void *context, const char *key)
{
    const struct process_target *t = context;
    for (int i = 0; i < INSTANCES_MAX; i++)
        if (process_instance_is_alive(&t->instances[i]) && strcmp(t->instances[i].key, key) == 0)
            return true;
    return false;
}

static int end_rest(void *target)
{
    struct process_target *t = target;
    return survivors_end_rest(t->house.mark, is_known_key, t);
}

static void view(void *target, struct snapshot *out, usec_t now)
{
    (void)now;
    struct process_target *t = target;
    for (int i = 0; i < out->instance_count; i++) {
        struct instance_view *seen = &out->instances[i];
        const struct process_instance *instance = find_instance(t, seen->id);
        if (!instance)
            continue;
        seen->checked_at = instance->health.checked_us;
        snprintf(seen->last_line, sizeof seen->last_line, "%.*s", (int)sizeof seen->last_line - 1,
                 instance->log.last_line);
    }
}

static int log_tail(void *target, int id, char lines[][200], int max)
{
    const struct process_instance *instance = find_instance(target, id);
    return !instance ? 0 : applog_tail(&instance->log, lines, max);
}

const struct target_ops target_process = {
    .name = "process",
    .flags = TARGET_INSTANCES | TARGET_BALANCED,
    .open = open_target,
    .reconfigure = reconfigure,
    .sample = sample,
    .apply = apply,
    .adopt = adopt,
    .survivors = survivors,
    .end_rest = end_rest,
    .view = view,
    .log_tail = log_tail,
    .close = close_target,
};
