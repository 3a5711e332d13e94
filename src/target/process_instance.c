/* SPDX-License-Identifier: MIT */
/* The life of an instance as callbacks of the loop: its error pipe, its pidfd, its timer and its checks move
 * it from phase to phase. Invariants: pidfd and the checks are open only in LAUNCHING and RUNNING; a GONE
 * instance has no process. Nothing waits. Control thread only. */
#include "target/process_instance.h"
#include "base/file.h"
#include "base/spawn.h"
#include "target/launch.h"
#include "target/ports.h"
#include "target/proc.h"
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LEFT_BEHIND_GRACE_US = 500000, /* between TERM and KILL of what a leader that ended by itself left */
    END_ROUND_US = 20000,
    END_ROUND_MAX_US = 200000,
    MEASURE_MIN_US = 100000, /* /proc counts CPU in steps of 10 ms: shorter spans say nothing */
    PIDS_MAX = 256,
    CPU_FILES_MAX = 64, /* kept open; descriptors are for sockets, too */
};

static __attribute__((format(printf, 3, 4))) void emit(const struct process_instance *instance,
                                                       enum event_kind kind, const char *format, ...)
{
    struct event event = {.kind = kind, .id = instance->id, .pid = instance->pid, .port = instance->port};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event.text, sizeof event.text, format, arguments);
    va_end(arguments);
    const struct target_setup *setup = &instance->house->setup;
    setup->event(setup->ctx, &event);
}

static void emit_check(const struct process_instance *instance, enum event_kind kind, enum check check,
                       int streak, const char *text)
{
    struct event event = {.kind = kind,
                          .id = instance->id,
                          .pid = instance->pid,
                          .port = instance->port,
                          .check = check,
                          .streak = streak};
    const struct target_setup *setup = &instance->house->setup;
    snprintf(event.text, sizeof event.text, "%s", text);
    setup->event(setup->ctx, &event);
}

static void stop_checks(struct process_instance *instance)
{
    health_stop(&instance->health);
    health_stop(&instance->liveness);
}

static void close_error_pipe(struct process_instance *instance)
{
    if (instance->error_fd < 0)
        return;
    loop_remove(instance->house->setup.loop, &instance->error_watch);
    close(instance->error_fd);
    instance->error_fd = -1;
}

static void close_leader(struct process_instance *instance)
{
    if (instance->pidfd < 0)
        return;
    loop_remove(instance->house->setup.loop, &instance->exit_watch);
    close(instance->pidfd);
    instance->pidfd = -1;
}

/* Its control groups. */

/* The kernel's own count of its CPU time, where there is one. */
static void count_by_group(struct process_instance *instance)
{
    struct process_house *house = instance->house;
    instance->cpu_by_group = cgroup_cpu(&instance->group, -1, &instance->cpu_us);
    if (!instance->cpu_by_group || house->cpu_files == CPU_FILES_MAX)
        return;
    instance->cpu_fd = cgroup_cpu_open(&instance->group);
    house->cpu_files += instance->cpu_fd >= 0;
}

static void leave_group(struct process_instance *instance)
{
    if (instance->cpu_fd >= 0) {
        close(instance->cpu_fd);
        instance->cpu_fd = -1;
        instance->house->cpu_files--;
    }
    cgroup_remove(&instance->group);
}

/* The end of an instance. */

/* Says which limits the kernel has enforced since the last time. */
static void check_hits(struct process_instance *instance)
{
    if (instance->memory_limit == 0 && instance->process_limit == 0)
        return;
    const struct target_setup *setup = &instance->house->setup;
    struct cgroup_hits hits = cgroup_hits(&instance->group);
    char limit[32], text[128];
    units_format_size(limit, sizeof limit, instance->memory_limit);
    if (hits.memory > instance->hits.memory) {
        snprintf(text, sizeof text,
                 "went over its memory_limit of %s: the kernel has killed it or a part of it", limit);
        setup->note(setup->ctx, LEVEL_WARNING, instance->id, text);
    }
    if (hits.processes > 0 && instance->hits.processes == 0) {
        snprintf(text, sizeof text, "has reached its max_processes of %d: no more are let start",
                 instance->process_limit);
        setup->note(setup->ctx, LEVEL_WARNING, instance->id, text);
    }
    instance->hits = hits;
}

/* A limit that was hit tells more than the exit status it led to. */
static void add_limits_to_cause(struct process_instance *instance)
{
    char limit[32], *end = strchr(instance->cause, '\0');
    size_t room = sizeof instance->cause - (size_t)(end - instance->cause);
    units_format_size(limit, sizeof limit, instance->memory_limit);
    if (instance->hits.memory > 0)
        snprintf(end, room, ": over its memory_limit of %s", limit);
    else if (instance->hits.processes > 0)
        snprintf(end, room, ": it had reached its max_processes of %d", instance->process_limit);
}

static void finish(struct process_instance *instance)
{
    struct process_house *house = instance->house;
    instance->phase = PROCESS_GONE;
    loop_timer_cancel(house->setup.loop, &instance->timer);
    proctree_remove(house->tree, instance->id);
    leave_group(instance);
    applog_check(&instance->log, house->config.log.max_size, loop_now(house->setup.loop));
    emit(instance, instance->failed ? EVENT_SPAWN_FAILED : EVENT_EXITED, "%s", instance->cause);
}

void process_instance_scan(struct process_house *house, usec_t now)
{
    if (house->scanned_at == now)
        return; /* many instances may be told to stop at once */
    proctree_scan(house->tree);
    house->scanned_at = now;
}

/* What has ended is gone for good only after a second look; one pair of looks serves all that ended at once.
 */
static void settle(struct process_house *house, usec_t now)
{
    if (house->settled_at == now)
        return;
    proctree_scan(house->tree);
    proctree_scan(house->tree);
    house->scanned_at = house->settled_at = now;
}

static void kill_members(struct process_instance *instance)
{
    cgroup_kill(&instance->group);
    proctree_signal(instance->house->tree, instance->id, SIGKILL);
}

/* The leader has ended and left these: they are told, and so is the brain. */
static void deal_with_left_behind(struct process_instance *instance, int left)
{
    if (instance->told_left_behind)
        return;
    instance->told_left_behind = true;
    proctree_signal(instance->house->tree, instance->id, SIGTERM);
    char text[128];
    snprintf(text, sizeof text, "%.90s; ending %d processes it left", instance->cause, left);
    if (!instance->stopping && instance->health.ever_healthy)
        emit_check(instance, EVENT_UNHEALTHY, CHECK_REFUSED, CHECK_FALL, text);
}

/* True: nothing of it is left, and the event is out. */
static bool has_ended(struct process_instance *instance)
{
    int left = proctree_count(instance->house->tree, instance->id);
    if (left == 0 && !cgroup_is_populated(&instance->group)) {
        finish(instance);
        return true;
    }
    deal_with_left_behind(instance, left);
    return false;
}

/* One round: what is left of it is asked to end, or made to. */
static void end_round(struct process_instance *instance, usec_t now)
{
    struct process_house *house = instance->house;
    settle(house, now);
    if (instance->phase == PROCESS_ENDING && has_ended(instance))
        return;
    if (instance->killing || now >= instance->kill_at)
        kill_members(instance);
    loop_timer_set(house->setup.loop, &instance->timer, now + instance->round_us);
    if (instance->round_us < END_ROUND_MAX_US)
        instance->round_us *= 2;
}

static void timer_due(struct loop_timer *timer, int64_t now_us)
{
    struct process_instance *instance = timer->context;
    if (instance->phase == PROCESS_GONE)
        emit(instance, EVENT_SPAWN_FAILED, "%s", instance->cause);
    else
        end_round(instance, now_us);
}

static void kill_all(struct process_instance *instance, usec_t now)
{
    struct process_house *house = instance->house;
    instance->killing = true;
    if (instance->pidfd >= 0)
        spawn_signal(instance->pidfd, SIGKILL);
    process_instance_scan(house, now);
    kill_members(instance);
    instance->round_us = END_ROUND_US;
    loop_timer_set(house->setup.loop, &instance->timer, now + END_ROUND_US);
}

/* The leader has ended; the rest follows from the timer, for all that ended in this turn together. */
static void begin_ending(struct process_instance *instance, const char *status, usec_t now)
{
    check_hits(instance);
    if (instance->cause[0] == '\0') {
        snprintf(instance->cause, sizeof instance->cause, "%s", status);
        add_limits_to_cause(instance);
    }
    instance->phase = PROCESS_ENDING;
    close_leader(instance);
    stop_checks(instance);
    requests_stop(&instance->requests);
    instance->kill_at = instance->stopping ? USEC_NEVER : now + LEFT_BEHIND_GRACE_US;
    instance->round_us = END_ROUND_US;
    loop_timer_set(instance->house->setup.loop, &instance->timer, now);
}

bool process_instance_is_watched(const struct process_instance *instance)
{
    return instance->process_limit > 0 && !instance->group.limits_processes &&
           process_instance_is_alive(instance);
}

void process_instance_enforce_limits(struct process_instance *instance, usec_t now)
{
    const struct target_setup *setup = &instance->house->setup;
    check_hits(instance);
    if (!process_instance_is_watched(instance) || instance->killing)
        return;
    int count = proctree_count(instance->house->tree, instance->id);
    if (count <= instance->process_limit)
        return;
    snprintf(instance->cause, sizeof instance->cause,
             "ended by us: it had %d processes, over its max_processes of %d", count,
             instance->process_limit);
    setup->note(setup->ctx, LEVEL_WARNING, instance->id, instance->cause);
    kill_all(instance, now);
}

/* The start of an instance. */

static bool is_trusted(void *context)
{
    struct process_instance *instance = context;
    struct process_house *house = instance->house;
    pid_t pids[PIDS_MAX];
    process_instance_scan(house, loop_now(house->setup.loop));
    int count = proctree_pids(house->tree, instance->id, pids, PIDS_MAX);
    enum ports_listener listener = ports_listener_of(&house->host, instance->port, pids, count);
    if (listener == PORTS_FOREIGN) {
        snprintf(instance->cause, sizeof instance->cause,
                 "port %d is answered by a process that is not its own; another port is next",
                 instance->port);
        house->setup.note(house->setup.ctx, LEVEL_WARNING, instance->id, instance->cause);
        stop_checks(instance);
        kill_all(instance, loop_now(house->setup.loop));
    }
    return listener == PORTS_OURS || listener == PORTS_UNKNOWN;
}

static bool is_suspended(void *context)
{
    struct process_instance *instance = context;
    process_instance_scan(instance->house, loop_now(instance->house->setup.loop));
    return proctree_is_stopped(instance->house->tree, instance->id);
}

static void health_checked(void *context, enum check check, int streak, const char *text)
{
    enum event_kind kind = check == CHECK_PASSED   ? EVENT_HEALTHY
                           : is_suspended(context) ? EVENT_SUSPENDED
                                                   : EVENT_UNHEALTHY;
    emit_check(context, kind, check, streak, text);
}

static void liveness_checked(void *context, enum check check, int streak, const char *text)
{
    emit_check(context, EVENT_LIVENESS, check, streak, text);
}

/* It has proved itself to the other checks. */
static bool is_ready_for_liveness(void *context)
{
    const struct process_instance *instance = context;
    return instance->health.ever_healthy;
}

static void start_checks(struct process_instance *instance, bool ready)
{
    struct process_house *house = instance->house;
    struct health_setup setup = {
        .loop = house->setup.loop,
        .client = house->client,
        .config = &house->config,
        .address = house->host,
        .port = instance->port,
        .context = instance,
        .trusted = is_trusted,
        .suspended = is_suspended,
        .checked = health_checked,
    };
    ports_set(&setup.address, instance->port);
    health_start(&instance->health, &setup, ready);
    setup.liveness = true;
    setup.trusted = is_ready_for_liveness;
    setup.checked = liveness_checked;
    health_start(&instance->liveness, &setup, ready);
    requests_start(&instance->requests, house->setup.loop, house->client, &house->config, instance->port);
}

/* The error pipe has closed: the command runs, or the text says why not. */
static void conclude_launch(struct process_instance *instance)
{
    close_error_pipe(instance);
    instance->error[strcspn(instance->error, "\n")] = '\0';
    if (instance->error[0] != '\0') {
        instance->failed = true;
        snprintf(instance->cause, sizeof instance->cause, "%s", instance->error);
        return; /* the launcher ends now by itself */
    }
    instance->phase = PROCESS_RUNNING;
    emit(instance, EVENT_SPAWNED, "%s", "");
    start_checks(instance, false);
}

/* False: the pipe may have more to say. */
static bool read_error(struct process_instance *instance)
{
    for (;;) {
        char *at = instance->error + instance->error_size;
        ssize_t size = read(instance->error_fd, at, sizeof instance->error - 1 - instance->error_size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return false;
        if (size <= 0)
            return true;
        instance->error_size += (size_t)size;
        at[size] = '\0';
    }
}

static void error_ready(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    if (read_error(watch->context))
        conclude_launch(watch->context);
}

static void exit_ready(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    struct process_instance *instance = watch->context;
    int status = 0;
    char text[80] = "ended; its exit status went to the controller that started it";
    bool reaped = spawn_reap(instance->pidfd, &status);
    if (!reaped && !instance->adopted)
        return;
    if (instance->error_fd >= 0) {
        read_error(instance);
        conclude_launch(instance);
    }
    if (reaped)
        spawn_describe_status(status, text, sizeof text);
    begin_ending(instance, text, loop_now(instance->house->setup.loop));
}

/* Asks once for each name: a name server that is away must not hold up every start, and all else with it. */
static bool resolve_host(struct process_house *house, char *err, size_t err_size)
{
    const char *name = house->config.app.host;
    if (strcmp(house->host_name, name) == 0)
        return true;
    int error = ports_resolve(name, &house->host);
    if (error == 0)
        snprintf(house->host_name, sizeof house->host_name, "%s", name);
    else
        snprintf(err, err_size, "app.host '%s': %s", name, gai_strerror(error));
    return error == 0;
}

static int watch_leader(struct process_instance *instance)
{
    struct process_house *house = instance->house;
    instance->exit_watch = (struct loop_watch){.ready = exit_ready, .context = instance};
    int error = loop_add(house->setup.loop, &instance->exit_watch, instance->pidfd, EPOLLIN);
    if (error != 0) {
        close(instance->pidfd);
        instance->pidfd = -1;
    }
    return error;
}

/* Follows what launch_instance() started. */
static int follow(struct process_instance *instance, const struct launched *launched)
{
    struct process_house *house = instance->house;
    instance->pid = launched->pid;
    instance->pidfd = launched->pidfd;
    instance->error_fd = launched->error_fd;
    instance->error_watch = (struct loop_watch){.ready = error_ready, .context = instance};
    int error = proctree_add(house->tree, instance->id, launched->pid, instance->key, false);
    if (error == 0)
        error = watch_leader(instance);
    if (error == 0)
        error = loop_add(house->setup.loop, &instance->error_watch, launched->error_fd, EPOLLIN);
    return error;
}

/* What could not be followed must not run; it is a launcher a moment old, without children. */
static void abandon(struct process_instance *instance)
{
    struct process_house *house = instance->house;
    kill(instance->pid, SIGKILL); /* our unreaped child: the pid is its own */
    waitpid(instance->pid, NULL, 0);
    if (instance->exit_watch.ready)
        close_leader(instance);
    else
        close(instance->pidfd);
    instance->pidfd = -1;
    close(instance->error_fd);
    instance->error_fd = -1;
    proctree_remove(house->tree, instance->id);
}

static bool launch(struct process_instance *instance, char *err, size_t err_size)
{
    struct process_house *house = instance->house;
    if (!resolve_host(house, err, err_size))
        return false;
    int port = ports_choose(&house->host, house->config.app.base_port, house->holds_port, house->context);
    if (port < 0) {
        snprintf(err, err_size, "no port for it on %s from %d up: %s", house->config.app.host,
                 house->config.app.base_port, strerror(-port));
        return false;
    }
    instance->port = port;
    survivors_make_key(house->mark, instance->key);
    const struct config_app *app = &house->config.app;
    cgroup_make(&instance->group, &house->places, instance->key, app->memory_limit, app->max_processes);
    count_by_group(instance);
    instance->memory_limit = app->memory_limit;
    instance->process_limit = app->max_processes;
    struct launch_request request = {
        .config = &house->config,
        .launcher = house->setup.launcher,
        .program_dir = house->setup.program_dir,
        .log_path = instance->log.path,
        .key = instance->key,
        .group = &instance->group,
        .id = instance->id,
        .port = port,
    };
    struct launched launched;
    if (!launch_instance(&request, &launched, err, err_size))
        return false;
    int error = follow(instance, &launched);
    if (error != 0) {
        abandon(instance);
        snprintf(err, err_size, "watching its process: %s", strerror(-error));
    }
    return error == 0;
}

static void take(struct process_instance *instance, struct process_house *house, int id, usec_t now)
{
    *instance = (struct process_instance){
        .house = house,
        .id = id,
        .pidfd = -1,
        .error_fd = -1,
        .cpu_fd = -1,
        .timer = {.due = timer_due, .context = instance},
        .kill_at = USEC_NEVER,
        .cpu_pct = NAN,
        .cpu_at = now,
    };
    char path[sizeof house->log_dir + 24];
    file_make_directories(house->log_dir,
                          0700); /* somebody may have removed it; why it cannot be made shows below */
    snprintf(path, sizeof path, "%s/i%d.log", house->log_dir, id);
    int error = applog_open(&instance->log, path);
    if (error != 0) {
        char text[700];
        snprintf(text, sizeof text, "log '%s': %s; its last lines cannot be shown", instance->log.path,
                 strerror(-error));
        house->setup.note(house->setup.ctx, LEVEL_WARNING, id, text);
    }
}

void process_instance_start(struct process_instance *instance, struct process_house *house, int id,
                            usec_t now)
{
    take(instance, house, id, now);
    if (launch(instance, instance->cause, sizeof instance->cause)) {
        instance->phase = PROCESS_LAUNCHING;
        return;
    }
    instance->phase = PROCESS_GONE;
    instance->failed = true;
    leave_group(instance);
    loop_timer_set(house->setup.loop, &instance->timer, now);
}

/* Whether the process of the adoption is still there; its pidfd, or -errno. */
static int open_adopted(const struct target_adoption *adoption)
{
    struct proc_stat stat;
    int pidfd = pidfd_open(adoption->pid, 0);
    if (pidfd < 0)
        return -errno;
    int error = proc_stat_get(adoption->pid, &stat);
    if (error == 0 && (stat.start_ticks != adoption->start_ticks || stat.state == 'Z'))
        error = -ESRCH;
    if (error != 0)
        close(pidfd);
    return error != 0 ? error : pidfd;
}

static int follow_adopted(struct process_instance *instance, const struct target_adoption *adoption)
{
    instance->pidfd = open_adopted(adoption);
    if (instance->pidfd < 0)
        return instance->pidfd;
    instance->pid = adoption->pid;
    instance->port = adoption->port;
    instance->adopted = true;
    proc_environment(adoption->pid, PROCTREE_MARK, instance->key, sizeof instance->key);
    cgroup_adopt(&instance->group, adoption->pid, instance->key);
    count_by_group(instance);
    int error = watch_leader(instance);
    if (error != 0)
        return error;
    error = proctree_add(instance->house->tree, instance->id, instance->pid, instance->key, true);
    if (error != 0)
        close_leader(instance);
    return error;
}

bool process_instance_adopt(struct process_instance *instance, struct process_house *house,
                            const struct target_adoption *adoption, usec_t now, char *err, size_t err_size)
{
    take(instance, house, adoption->id, now);
    int error = resolve_host(house, err, err_size) ? follow_adopted(instance, adoption) : -EINVAL;
    if (error == 0) {
        instance->phase = PROCESS_RUNNING;
        instance->memory_limit = house->config.app.memory_limit;
        instance->process_limit = house->config.app.max_processes;
        instance->hits = cgroup_hits(&instance->group);
        start_checks(instance, adoption->ready);
        return true;
    }
    int left = error == -ESRCH ? proctree_end_session(adoption->pid, adoption->start_ticks) : 0;
    if (error != -EINVAL)
        snprintf(err, err_size, "process %d: %s; ended %d processes it left", adoption->pid, strerror(-error),
                 left);
    process_instance_release(instance);
    return false;
}

void process_instance_terminate(struct process_instance *instance, usec_t now)
{
    struct process_house *house = instance->house;
    if (instance->phase != PROCESS_LAUNCHING && instance->phase != PROCESS_RUNNING)
        return;
    instance->stopping = true;
    process_instance_scan(house, now);
    proctree_signal(house->tree, instance->id, SIGTERM);
    proctree_signal(house->tree, instance->id, SIGCONT); /* or one that is stopped would not hear of it */
}

void process_instance_kill(struct process_instance *instance, usec_t now)
{
    instance->stopping = true;
    if (instance->phase == PROCESS_LAUNCHING || instance->phase == PROCESS_RUNNING)
        kill_all(instance, now);
    instance->killing = true;
    if (instance->phase == PROCESS_ENDING)
        loop_timer_set(instance->house->setup.loop, &instance->timer, now);
}

void process_instance_release(struct process_instance *instance)
{
    struct process_house *house = instance->house;
    stop_checks(instance);
    requests_stop(&instance->requests);
    close_error_pipe(instance);
    close_leader(instance);
    loop_timer_cancel(house->setup.loop, &instance->timer);
    proctree_remove(house->tree, instance->id);
    leave_group(instance);
    applog_close(&instance->log);
    instance->phase = PROCESS_FREE;
}

void process_instance_measure(struct process_instance *instance, usec_t now)
{
    struct proctree_usage usage = proctree_usage(instance->house->tree, instance->id);
    instance->memory_bytes = usage.memory_bytes;
    if (now - instance->cpu_at < MEASURE_MIN_US)
        return;
    uint64_t cpu_us = usage.cpu_us;
    if (instance->cpu_by_group && !cgroup_cpu(&instance->group, instance->cpu_fd, &cpu_us))
        cpu_us = instance->cpu_us;
    uint64_t used_us = cpu_us > instance->cpu_us ? cpu_us - instance->cpu_us : 0;
    instance->cpu_pct = 100 * (double)used_us / (double)(now - instance->cpu_at);
    instance->cpu_us = cpu_us;
    instance->cpu_at = now;
}

bool process_instance_is_alive(const struct process_instance *instance)
{
    return instance->phase != PROCESS_FREE && instance->phase != PROCESS_GONE;
}
