/* SPDX-License-Identifier: MIT */
/* The control thread. It owns the engine, the target, the balancer, the load generator and the loop they all
 * live on. Whatever happens (a child ends, a command or a burst comes, a timer is due) becomes an input of
 * the engine; after every turn its actions are carried out and a snapshot is published. Steps are due just
 * after the beats of the clock (usec_beat()), where the balancer reports, too, so that they do not drift;
 * missed ones are left out, not caught up. Before control_start() and after control_join() the caller's
 * thread stands in for it. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/balancer_adopt.h"
#include "control/control_private.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PUBLISH_SPACING   (20 * USEC_PER_MSEC)
#define PUBLISH_REST      (1 * USEC_PER_SEC) /* the longest time without, however far apart the steps are */
#define FIRST_READING     (2 * USEC_PER_SEC) /* what a remote target gets to answer before the first step */
#define RECORD_RETRY_BASE (250 * USEC_PER_MSEC)
#define RECORD_RETRY_CAP  (5 * USEC_PER_SEC)
#define PLACE_CHECK       (2 * USEC_PER_SEC) /* whether the state directory is still there */
#define BURST_SPACING     (250 * USEC_PER_MSEC)
#define REPORT_WAIT       (5 * USEC_PER_MSEC) /* what the report of a beat gets to come before the step */

static usec_t soonest(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

void control_note(struct control *c, enum journal_level level, const char *format, ...)
{
    char text[JOURNAL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    engine_note(c->engine, level, 0, text, loop_now(c->loop));
    c->dirty = true;
}

static void on_note(void *ctx, enum journal_level level, int instance, const char *text)
{
    struct control *c = ctx;
    engine_note(c->engine, level, instance, text, loop_now(c->loop));
    c->dirty = true;
}

static struct live_instance *find_live(struct control *c, int id)
{
    for (int i = 0; i < c->live_count; i++)
        if (c->live[i].id == id)
            return &c->live[i];
    return NULL;
}

void control_track(struct control *c, int id, int port, int pid)
{
    struct live_instance *live = find_live(c, id);
    if (!live && c->live_count < INSTANCES_MAX)
        live = &c->live[c->live_count++];
    if (live)
        *live = (struct live_instance){.id = id, .port = port, .pid = pid};
    c->record_due = true;
}

/* Whether the instance takes requests, for the balancer and for whoever takes over after us. */
static void set_ready(struct control *c, int id, bool ready)
{
    struct live_instance *live = find_live(c, id);
    if (live)
        live->ready = ready;
    c->record_due = true;
}

void control_admit(struct control *c, int id)
{
    const struct live_instance *live = find_live(c, id);
    set_ready(c, id, true);
    if (live && c->balancer)
        balancer_admit(c->balancer, id, live->port);
}

static void forget_live(struct control *c, int id)
{
    struct live_instance *live = find_live(c, id);
    if (live)
        *live = c->live[--c->live_count];
    c->record_due = true;
}

static void on_event(void *ctx, const struct event *event)
{
    static const char *const names[EVENT_KIND_COUNT] = {
        [EVENT_SPAWNED] = "spawned",   [EVENT_SPAWN_FAILED] = "spawn failed",
        [EVENT_HEALTHY] = "healthy",   [EVENT_UNHEALTHY] = "unhealthy",
        [EVENT_LIVENESS] = "liveness", [EVENT_SUSPENDED] = "suspended",
        [EVENT_DRAINED] = "drained",   [EVENT_EXITED] = "exited"};
    struct control *c = ctx;
    log_debug("event: i%d %s (pid %d, port %d) %s", event->id, names[event->kind], event->pid, event->port,
              event->text);
    if (event->kind == EVENT_SPAWNED)
        control_track(c, event->id, event->port, event->pid);
    if (event->kind == EVENT_EXITED) {
        /* What is gone gets no request from this very turn on, whatever the engine makes of it. */
        if (c->balancer)
            balancer_remove(c->balancer, event->id);
        forget_live(c, event->id);
    }
    engine_event(c->engine, event, loop_now(c->loop));
    c->dirty = true;
}

static void on_drained(void *ctx, int instance)
{
    on_event(ctx, &(struct event){.kind = EVENT_DRAINED, .id = instance});
}

static void on_burst(void *ctx)
{
    struct control *c = ctx;
    usec_t now = loop_now(c->loop);
    if (c->burst_step_at > now)
        return;
    c->burst_step_at = now + BURST_SPACING;
    c->next_step_at = soonest(c->next_step_at, now);
}

/* The step waits for this, so that it decides on news and one wake-up serves both. */
static void on_reported(void *ctx)
{
    struct control *c = ctx;
    usec_t now = loop_now(c->loop);
    if (c->next_step_at <= now + REPORT_WAIT)
        c->next_step_at = now;
}

static void on_changed(void *ctx)
{
    struct control *c = ctx;
    c->dirty = c->record_due = true;
}

/* The part of an action that is about requests; without a balancer there is nothing to drain. */
static void route_requests(struct control *c, const struct action *action)
{
    if (action->kind == ACTION_SPAWN || action->kind == ACTION_COUNT)
        return;
    if (action->kind == ACTION_ADMIT) {
        control_admit(c, action->id);
        return;
    }
    if (action->kind == ACTION_SPARE) {
        if (c->balancer)
            balancer_spare(c->balancer, action->id);
        return;
    }
    set_ready(c, action->id, false);
    if (action->kind == ACTION_EJECT && c->balancer)
        balancer_eject(c->balancer, action->id);
    else if (action->kind != ACTION_DRAIN && c->balancer)
        balancer_remove(c->balancer, action->id);
    else if (c->balancer)
        balancer_drain(c->balancer, action->id);
    else if (action->kind == ACTION_DRAIN)
        on_drained(c, action->id);
}

static bool is_for_target(enum action_kind kind)
{
    return kind != ACTION_ADMIT && kind != ACTION_SPARE && kind != ACTION_EJECT && kind != ACTION_DRAIN;
}

static void carry_out(struct control *c, usec_t now)
{
    static const char *const names[] = {
        [ACTION_SPAWN] = "spawn", [ACTION_ADMIT] = "admit",    [ACTION_EJECT] = "eject",
        [ACTION_DRAIN] = "drain", [ACTION_TERM] = "terminate", [ACTION_KILL] = "kill",
        [ACTION_SPARE] = "spare", [ACTION_REMOVE] = "remove",  [ACTION_COUNT] = "count"};
    struct action action;
    while (engine_next_action(c->engine, &action)) {
        log_debug("action: %s i%d, count %d", names[action.kind], action.id, action.count);
        route_requests(c, &action);
        if (is_for_target(action.kind))
            c->ops->apply(c->target, &action, now);
        c->dirty = true;
    }
    if (c->balancer)
        balancer_flush(c->balancer);
}

static void measure(struct control *c, usec_t now)
{
    struct sample *s = &c->sample;
    s->at = now;
    s->cpu_pct = s->host_cpu_pct = s->rpm = s->error_pct = NAN;
    s->p50_us = s->p95_us = s->p99_us = -1;
    s->in_flight = s->queue = s->replicas = -1;
    s->instance_count = 0;
    c->ops->sample(c->target, s, now);
    if (c->balancer)
        balancer_sample(c->balancer, s, now);
}

static void step(struct control *c, usec_t now)
{
    measure(c, now);
    engine_step(c->engine, &c->sample, now);
    /* A dry run has its minimum started, or there would be nothing to watch; from here on it only says. */
    engine_set_dry_run(c->engine, c->setup.dry_run && c->stage == STAGE_RUN);
    c->next_step_at = usec_beat(now - REPORT_WAIT, c->config.scaling.polling_interval) + REPORT_WAIT;
    if (c->detail_instance)
        publish_detail_instance(c);
    c->dirty = true;
}

/* A cleaner, or a careless rm: without the directory no instance could be started, and a crash would leave
 * all behind. */
static void look_after_place(struct control *c, usec_t now)
{
    char socket_path[STATE_PATH_MAX + 32];
    struct state *state = c->setup.state;
    c->place_check_at = now + PLACE_CHECK;
    if (!state_is_there(state)) {
        int error = state_restore(state);
        if (state->foreign_pid && !c->place_lost)
            control_note(c, LEVEL_ERROR,
                         "the state directory %s was moved away, and ascale-tui (pid %d) has its place: "
                         "nothing is recorded "
                         "any more, a crash of this one would leave its instances behind",
                         state->directory, state->foreign_pid);
        else if (error && !c->place_lost)
            control_note(c, LEVEL_ERROR,
                         "the state directory %s is gone and cannot be made again: %s; trying on",
                         state->directory, strerror(-error));
        else if (!error)
            control_note(c, LEVEL_ERROR, "the state directory %s was gone: made again", state->directory);
        c->place_lost = error != 0;
        if (c->balancer)
            balancer_lose_socket(c->balancer, state->foreign_pid != 0);
        c->record_due = true;
        log_reopen();
    }
    state_socket_path(state, "balancer.sock", socket_path, sizeof socket_path);
    if (!c->place_lost && c->balancer && access(socket_path, F_OK) < 0 && errno == ENOENT &&
        balancer_rebind(c->balancer) == 0)
        control_note(c, LEVEL_WARNING, "the balancer's control socket was gone: bound again");
}

static void turn(struct control *c, usec_t now)
{
    if (now >= engine_deadline(c->engine)) {
        engine_tick(c->engine, now);
        c->dirty = true;
    }
    if (c->stage == STAGE_RUN && now >= c->end_at) {
        control_note(c, LEVEL_INFO, "the asked duration is over");
        ending_quit(c);
    }
    if (now >= c->next_step_at)
        step(c, now);
    ending_advance(c, now);
    carry_out(c, now);
    if (c->stage != STAGE_DONE && now >= c->place_check_at)
        look_after_place(c, now);
    if (c->record_due && now >= c->record_at)
        adopt_record(c);
    if (now >= c->publish_at + (c->dirty ? 0 : PUBLISH_REST)) {
        publish_snapshot(c, now);
        c->publish_at = now + PUBLISH_SPACING;
        c->dirty = false;
    }
}

static usec_t turn_deadline(const struct control *c)
{
    usec_t at = soonest(engine_deadline(c->engine), c->next_step_at);
    at = soonest(at, c->publish_at + (c->dirty ? 0 : PUBLISH_REST));
    at = soonest(at, c->record_due ? c->record_at : USEC_NEVER);
    return soonest(at, c->stage == STAGE_RUN ? c->end_at : c->stage_deadline);
}

static void *run(void *arg)
{
    struct control *c = arg;
    while (c->stage != STAGE_DONE) {
        int error = loop_turn(c->loop, turn_deadline(c));
        if (error) {
            log_error("cannot wait for events: %s; this controller ends, the next start takes over what runs",
                      strerror(-error));
            c->orderly = false;
            break;
        }
        turn(c, loop_now(c->loop));
    }
    publish_snapshot(c, loop_now(c->loop));
    /* Where it could not be ended in order, the record is what the next start finds the rest by. */
    if (c->leaving || !c->orderly)
        adopt_record(c);
    else
        state_forget(c->setup.state);
    mailbox_close(c->mailbox);
    return NULL;
}

static void on_commands(struct loop_watch *watch, uint32_t events)
{
    struct control *c = watch->context;
    struct command command;
    (void)events;
    while (mailbox_take(c->mailbox, &command))
        commands_run(c, &command);
    c->dirty = c->record_due = true;
}

/* At the start and when more are asked for; what then cannot be started names the cause again. */
static void note_few_files(struct control *c)
{
    int instances = c->config.scaling.max_instances;
    int64_t allowed = c->setup.files_max, needed = limits_files_needed(instances);
    if (allowed > 0 && allowed < needed && c->ops->flags & TARGET_INSTANCES)
        control_note(c, LEVEL_WARNING,
                     "%lld open files are allowed, about %lld are needed for %d instances (ulimit -n, "
                     "LimitNOFILE=): some may not start",
                     (long long)allowed, (long long)needed, instances);
}

void control_apply_config(struct control *c, const struct config *config)
{
    usec_t now = loop_now(c->loop), before = c->config.scaling.polling_interval;
    int instances_before = c->config.scaling.max_instances;
    c->config = *config;
    engine_configure(c->engine, &c->config, now);
    c->ops->reconfigure(c->target, &c->config);
    if (c->balancer)
        balancer_reconfigure(c->balancer, &c->config);
    if (c->config.scaling.polling_interval != before)
        c->next_step_at = soonest(c->next_step_at, now + c->config.scaling.polling_interval);
    log_set_level((enum log_level)c->config.log.level);
    if (c->config.scaling.max_instances > instances_before)
        note_few_files(c);
    publish_config(c);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
    struct control *c = ctx;
    if (info->ssi_signo == SIGUSR1 || (info->ssi_signo == SIGHUP && c->setup.hup_reloads))
        log_reopen();
    if (info->ssi_signo == SIGHUP && c->setup.hup_reloads)
        commands_run(c, &(struct command){.kind = CMD_RELOAD});
    else if (info->ssi_signo != SIGUSR1 && (info->ssi_signo != SIGHUP || c->stage == STAGE_RUN))
        ending_quit(c); /* asked again, sooner; a lost terminal is reported twice, by its face, too */
    c->dirty = c->record_due = true;
}

static int listen_to_signals(struct control *c)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&signals, numbers[i]);
    return loop_on_signals(c->loop, &signals, on_signal, c);
}

static bool open_loop(struct control *c, char *err, size_t err_size)
{
    int error = loop_new(&c->loop);
    if (!error)
        error = mailbox_new(&c->mailbox);
    if (!error) {
        c->command_watch = (struct loop_watch){.ready = on_commands, .context = c};
        error = loop_add(c->loop, &c->command_watch, mailbox_command_fd(c->mailbox), EPOLLIN);
    }
    if (!error && c->setup.takes_signals)
        error = listen_to_signals(c);
    if (error)
        snprintf(err, err_size, "cannot set up the control thread: %s", strerror(-error));
    return error == 0;
}

static bool open_engine(struct control *c, char *err, size_t err_size)
{
    uint64_t seed;
    void *memory = malloc(engine_size());
    c->engine_scratch = malloc(engine_size());
    if (!memory || !c->engine_scratch) {
        free(memory);
        snprintf(err, err_size, "cannot set up the engine: out of memory");
        return false;
    }
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)clock_wall_us();
    c->engine = engine_init(memory, &c->config, c->ops->flags, seed, loop_now(c->loop));
    engine_set_dry_run(c->engine, c->setup.dry_run && !(c->ops->flags & TARGET_INSTANCES));
    return true;
}

static bool open_balancer(struct control *c, struct state_record *left, char *err, size_t err_size)
{
    char socket_path[STATE_PATH_MAX + 32], log_path[STATE_PATH_MAX + 32];
    state_socket_path(c->setup.state, "balancer.sock", socket_path, sizeof socket_path);
    struct state_process running = balancer_adopt_find(socket_path, &left->balancer);
    if (!c->config.balancer.enabled || !(c->ops->flags & TARGET_BALANCED)) {
        balancer_adopt_end(c->loop, &running);
        return true;
    }
    state_path(c->setup.state, "balancer.log", log_path, sizeof log_path);
    struct balancer_setup setup = {.loop = c->loop,
                                   .config = &c->config,
                                   .program = c->setup.programs->balancer,
                                   .socket_path = socket_path,
                                   .log_path = log_path,
                                   .adopt = running,
                                   .context = c,
                                   .drained = on_drained,
                                   .reported = on_reported,
                                   .burst = on_burst,
                                   .changed = on_changed,
                                   .note = on_note};
    c->balancer = balancer_open(&setup, err, err_size);
    if (!c->balancer)
        return false;
    /* It holds the address from now on: whoever comes after us must know it, should we not get further. */
    left->balancer = balancer_process(c->balancer);
    state_save(c->setup.state, left);
    control_note(c, LEVEL_INFO, "balancer listening on %s", balancer_url(c->balancer));
    return true;
}

static bool is_own(void *ctx, int pid)
{
    const struct control *c = ctx;
    return (c->balancer && balancer_process(c->balancer).pid == pid) ||
           (c->loadgen && loadgen_pid(c->loadgen) == pid);
}

static bool open_target(struct control *c, char *err, size_t err_size)
{
    struct target_setup setup = {.loop = c->loop,
                                 .config = &c->config,
                                 .state_dir = c->setup.state->directory,
                                 .launcher = c->setup.programs->launcher,
                                 .program_dir = c->setup.programs->directory,
                                 .ctx = c,
                                 .event = on_event,
                                 .note = on_note,
                                 .is_own = is_own,
                                 .first_sample = on_burst};
    c->target = c->ops->open(&setup, err, err_size);
    return c->target != NULL;
}

static bool open_loadgen(struct control *c, char *err, size_t err_size)
{
    struct loadgen_setup setup = {.loop = c->loop,
                                  .program = c->setup.programs->load,
                                  .context = c,
                                  .changed = on_changed,
                                  .note = on_note};
    c->loadgen = loadgen_new(&setup);
    if (!c->loadgen)
        snprintf(err, err_size, "cannot set up the load generator: out of memory");
    return c->loadgen != NULL;
}

static bool open_parts(struct control *c, char *err, size_t err_size)
{
    static const char *const targets[] = {[CONFIG_TARGET_PROCESS] = "process", [CONFIG_TARGET_HTTP] = "http"};
    struct state_record *left = &c->record;
    char problem[400], advice[CONFIG_ERROR_SIZE];
    c->ops = target_find(targets[c->config.scaling.target]);
    if (!c->ops) {
        snprintf(err, err_size, "scaling.target = %s: this build has no such target",
                 targets[c->config.scaling.target]);
        return false;
    }
    state_load(c->setup.state, left, problem, sizeof problem);
    if (adopt_is_orphaned(c, left, err, err_size))
        return false;
    if (!open_loop(c, err, err_size) || !open_engine(c, err, err_size) || !open_target(c, err, err_size) ||
        !open_loadgen(c, err, err_size) || !open_balancer(c, left, err, err_size))
        return false;
    if (config_advise(&c->config, advice, sizeof advice))
        control_note(c, LEVEL_WARNING, "%s", advice);
    note_few_files(c);
    limits_take_reserve();
    if (problem[0])
        control_note(c, LEVEL_WARNING, "%s", problem);
    adopt_survivors(c, left);
    return true;
}

/* As the next start must know it, wherever that is made. */
static void resolve_ini(struct control *c)
{
    char *real = c->setup.config_path[0] ? realpath(c->setup.config_path, NULL) : NULL;
    if (real && strlen(real) < sizeof c->ini)
        strcpy(c->ini, real);
    free(real);
}

struct control *control_new(const struct control_setup *setup, char *err, size_t err_size)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(err, err_size, "cannot set up the control thread: out of memory");
        return NULL;
    }
    c->setup = *setup;
    c->config = c->on_file = *setup->config;
    c->orderly = true;
    c->sections = setup->config_sections;
    resolve_ini(c);
    backoff_init(&c->record_backoff, RECORD_RETRY_BASE, RECORD_RETRY_CAP, (uint64_t)getpid());
    if (!open_parts(c, err, err_size)) {
        control_free(c);
        return NULL;
    }
    c->started_at = c->next_step_at = c->publish_at = loop_now(c->loop);
    /* Ours are started by the first step; one that runs already is first asked how it is. */
    if (!(c->ops->flags & TARGET_INSTANCES))
        c->next_step_at += soonest(c->config.scaling.polling_interval / 4, FIRST_READING);
    c->end_at = setup->duration ? c->started_at + setup->duration : USEC_NEVER;
    c->dirty = true;
    publish_prepare(c);
    return c;
}

int control_start(struct control *c)
{
    int error = pthread_create(&c->thread, NULL, run, c);
    c->started = error == 0;
    return -error;
}

struct port control_port(struct control *c)
{
    return mailbox_port(c->mailbox);
}

int control_wake_fd(const struct control *c)
{
    return mailbox_snapshot_fd(c->mailbox);
}

int control_end_fd(const struct control *c)
{
    return mailbox_end_fd(c->mailbox);
}

bool control_join(struct control *c)
{
    if (c->started)
        pthread_join(c->thread, NULL);
    c->started = false;
    return c->orderly;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    loadgen_free(c->loadgen);
    balancer_close(c->balancer);
    if (c->target)
        c->ops->close(c->target);
    free(c->engine);
    free(c->engine_scratch);
    if (c->command_watch.fd > 0)
        loop_remove(c->loop, &c->command_watch);
    mailbox_free(c->mailbox);
    loop_free(c->loop);
    free(c);
}
