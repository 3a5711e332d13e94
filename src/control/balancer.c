/* SPDX-License-Identifier: MIT */
/* Owns the listening socket for as long as the controller lives, and one ascale-balance process at a time
 * that has inherited it. When that process ends unasked, the socket stays open, so that users' connections
 * wait in its backlog until the next process accepts them. The control socket is connected as soon as the
 * program listens on it; after every connect it is told everything again, because a new process knows
 * nothing. It reports at least once a second: one that no longer does has hung, and is killed. Control
 * thread. */
#include "control/balancer.h"
#include "base/loop.h"
#include "base/spawn.h"
#include "control/backends.h"
#include "control/balancer_adopt.h"
#include "control/balancer_args.h"
#include "control/balancer_link.h"
#include "control/child.h"
#include "control/listener.h"
#include "core/backoff.h"
#include "core/options.h"
#include "target/applog.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FD          3 /* in the program */
#define CONNECT_EVERY      (10 * USEC_PER_MSEC)
#define QUIET_AFTER        (2 * USEC_PER_SEC) /* without a report: from then on a look a second */
#define LOOK_EVERY         (1 * USEC_PER_SEC)
#define QUIET_LOOKS        4 /* so many in a row, and it has hung */
#define QUIET_SECONDS      ((int)((QUIET_AFTER + (QUIET_LOOKS - 1) * LOOK_EVERY) / USEC_PER_SEC))
#define RESTART_BASE       (100 * USEC_PER_MSEC)
#define RESTART_CAP        (10 * USEC_PER_SEC)
#define STEADY_AFTER       (1 * USEC_PER_SEC) /* a life this long was a good start */
#define STOP_SLACK         (1 * USEC_PER_SEC)
#define STATS_INTERVAL_MAX (1 * USEC_PER_SEC)
#define STATS_INTERVAL_MIN (100 * USEC_PER_MSEC)

enum stop_stage { STOP_NONE, STOP_ASKED, STOP_TERM, STOP_KILL, STOP_DONE };

struct balancer {
    struct balancer_setup setup;
    struct config config;
    char socket_path[STATE_PATH_MAX], log_path[STATE_PATH_MAX];
    int listen_fd;
    char url[96];
    struct backends backends;

    struct applog log;
    usec_t log_check_at;

    struct child child;
    bool socket_lost; /* another controller has its path */
    int restarts;
    usec_t started_at;
    bool heard, hung; /* in this life */
    int short_lives;  /* in a row */
    struct backoff backoff;
    struct loop_timer restart_timer;
    usec_t ended_at; /* by itself, and no other serves yet; 0 = one does */

    struct balancer_link link;
    struct loop_timer connect_timer;
    struct loop_timer look_timer;
    int quiet_looks;

    enum stop_stage stop;
    struct loop_timer stop_timer;
};

static void say(struct balancer *b, enum journal_level level, int instance, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct balancer *b, enum journal_level level, int instance, const char *format, ...)
{
    char text[JOURNAL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    b->setup.note(b->setup.context, level, instance, text);
}

static usec_t now_of(const struct balancer *b)
{
    return loop_now(b->setup.loop);
}

/* Anew for each program: the file may have been moved away. */
static int open_log(struct balancer *b)
{
    applog_close(&b->log);
    return applog_open(&b->log, b->log_path);
}

static void check_log(struct balancer *b)
{
    if (now_of(b) >= b->log_check_at)
        b->log_check_at = applog_check(&b->log, b->config.log.max_size, now_of(b));
}

static int spawn_program(struct balancer *b)
{
    struct child_args args = {0};
    balancer_args_make(&args, b->setup.program, LISTEN_FD, b->socket_path, &b->config);
    if (args.overflow)
        return -E2BIG;
    int error = open_log(b);
    if (error)
        return error;
    struct spawn_request request = {
        .path = b->setup.program,
        .argv = args.argv,
        .fds = {{b->log.fd, STDOUT_FILENO}, {b->log.fd, STDERR_FILENO}, {b->listen_fd, LISTEN_FD}},
        .fd_count = 3,
        .new_session = true}; /* which has a share of the CPU of its own, and a priority (autogroups) */
    return child_start(&b->child, &request);
}

/* The first time at once: users wait. What came of it has a line whenever the count has doubled. */
static void restart_later(struct balancer *b, const char *what)
{
    usec_t now = now_of(b), wait = 0;
    char span[24];
    if (b->heard && now - b->started_at > STEADY_AFTER) {
        b->short_lives = 0;
        backoff_succeeded(&b->backoff);
    }
    if (b->short_lives++ > 0)
        wait = backoff_failed(&b->backoff);
    loop_timer_set(b->setup.loop, &b->restart_timer, now + wait);
    span_format(wait, span, sizeof span);
    if (b->short_lives == 1)
        say(b, LEVEL_ERROR, 0, "%s; starting it again, connections wait meanwhile; see %s", what,
            b->log.path);
    else if ((b->short_lives & (b->short_lives - 1)) == 0)
        say(b, LEVEL_ERROR, 0,
            "%s, %d times in a row now; next try in %s, connections wait meanwhile; see %s", what,
            b->short_lives, span, b->log.path);
}

static void connect_soon(struct balancer *b)
{
    loop_timer_set(b->setup.loop, &b->connect_timer, now_of(b) + CONNECT_EVERY);
}

static void expect_report(struct balancer *b)
{
    b->quiet_looks = 0;
    loop_timer_set(b->setup.loop, &b->look_timer, now_of(b) + QUIET_AFTER);
}

/* It is looks that are counted, not time: should we have been stopped ourselves, or the machine, for however
 * long, that was one look, and what has come meanwhile was read before it. */
static void on_look_due(struct loop_timer *timer, int64_t now)
{
    struct balancer *b = timer->context;
    if (++b->quiet_looks < QUIET_LOOKS) {
        loop_timer_set(b->setup.loop, timer, now + LOOK_EVERY);
        return;
    }
    b->hung = true;
    child_signal(&b->child, SIGKILL);
}

/* What another controller has put there stays. */
static void unlink_socket(const struct balancer *b)
{
    if (!b->socket_lost)
        unlink(b->socket_path);
}

static void start_program(struct balancer *b)
{
    /* A socket left by a killed one would only refuse us until the new one has replaced it. */
    unlink_socket(b);
    b->started_at = now_of(b);
    b->heard = b->hung = false;
    int error = spawn_program(b);
    if (error) {
        char what[160];
        snprintf(what, sizeof what, "cannot start the balancer '%s': %s", b->setup.program, strerror(-error));
        restart_later(b, what);
        return;
    }
    backends_restart(&b->backends, false, now_of(b));
    connect_soon(b);
    expect_report(b);
    b->setup.changed(b->setup.context);
}

static void on_restart_due(struct loop_timer *timer, int64_t now)
{
    struct balancer *b = timer->context;
    (void)now;
    if (b->stop == STOP_NONE)
        start_program(b);
}

static void tell_drained(struct balancer *b, int instance)
{
    if (backends_drained(&b->backends, instance))
        b->setup.drained(b->setup.context, instance);
}

static void describe_end(const struct balancer *b, const char *how, char *out, size_t size)
{
    bool by_itself = strncmp(how, "exit", 4) == 0 && b->log.last_line[0];
    if (b->hung)
        snprintf(out, size, "the balancer hung (no report for %d s) and was killed", QUIET_SECONDS);
    else
        snprintf(out, size, "the balancer ended (%s%s%s)", how, by_itself ? ": " : "",
                 by_itself ? b->log.last_line : "");
}

static void finish_stop(struct balancer *b)
{
    b->stop = STOP_DONE;
    loop_timer_cancel(b->setup.loop, &b->stop_timer);
    unlink_socket(b);
}

static void on_ended(void *context, int status, const char *how)
{
    struct balancer *b = context;
    (void)status;
    balancer_link_close(&b->link);
    loop_timer_cancel(b->setup.loop, &b->connect_timer);
    loop_timer_cancel(b->setup.loop, &b->look_timer);
    b->log_check_at = 0;
    check_log(b);
    if (b->stop != STOP_NONE) {
        finish_stop(b);
    } else {
        char what[320];
        describe_end(b, how, what, sizeof what);
        b->restarts++;
        b->ended_at = b->ended_at ? b->ended_at : now_of(b);
        restart_later(b, what);
    }
    for (int i = 0; i < b->backends.count; i++)
        tell_drained(b, b->backends.items[i].id); /* its requests ended with it */
    b->setup.changed(b->setup.context);
}

static void subscribe(struct balancer *b)
{
    usec_t interval = b->config.scaling.polling_interval;
    if (interval > STATS_INTERVAL_MAX)
        interval = STATS_INTERVAL_MAX;
    if (interval < STATS_INTERVAL_MIN)
        interval = STATS_INTERVAL_MIN;
    balancer_link_send(&b->link, json_pack("{s:s, s:I, s:b}", "cmd", "subscribe", "interval_ms",
                                           (json_int_t)(interval / USEC_PER_MSEC), "changes", 1));
}

static void send_setting(void *context, const struct option *option)
{
    struct balancer *b = context;
    char value[CONFIG_TEXT_MAX];
    if (strcmp(option->section, "balancer") != 0 || !(option->flags & OPTION_LIVE))
        return;
    config_get_text(&b->config, option, value, sizeof value);
    balancer_link_send(&b->link,
                       json_pack("{s:s, s:s, s:s}", "cmd", "set", "key", option->key, "value", value));
}

/* One that was adopted, or reconfigured before it listened, does not know the settings of now. */
static void send_all_settings(struct balancer *b)
{
    for (size_t i = 0; i < options_count; i++)
        send_setting(b, &options[i]);
}

/* After many short lives only when this one is none. */
static void tell_return(struct balancer *b)
{
    if (!b->ended_at || (b->short_lives > 1 && now_of(b) - b->started_at <= STEADY_AFTER))
        return;
    say(b, LEVEL_INFO, 0, "the balancer serves again after %.1fs (pid %d)",
        (double)(now_of(b) - b->ended_at) / USEC_PER_SEC, b->child.identity.pid);
    b->ended_at = 0;
}

static void on_connect_due(struct loop_timer *timer, int64_t now)
{
    struct balancer *b = timer->context;
    if (!child_runs(&b->child))
        return;
    if (balancer_link_connect(&b->link, b->socket_path) != 0) {
        loop_timer_set(b->setup.loop, &b->connect_timer, now + CONNECT_EVERY);
        return;
    }
    balancer_link_send(&b->link, json_pack("{s:s, s:i}", "cmd", "hello", "version", 1));
    send_all_settings(b);
    b->backends.changed = true;
    balancer_flush(b);
    subscribe(b);
    tell_return(b);
    b->setup.changed(b->setup.context);
}

static void on_closed(void *context, const char *why)
{
    struct balancer *b = context;
    (void)why; /* a death is told when its pidfd says so, a silence when connecting again takes long */
    connect_soon(b);
    b->setup.changed(b->setup.context);
}

static void on_reply(struct balancer *b, json_t *message)
{
    if (json_is_true(json_object_get(message, "ok")))
        return;
    const char *error = json_string_value(json_object_get(message, "error"));
    say(b, LEVEL_WARNING, 0, "the balancer refused a command: %s", error ? error : "no reason given");
}

static bool serves(const struct balancer *b)
{
    for (int i = 0; i < b->backends.count; i++)
        if (!b->backends.items[i].draining)
            return true;
    return false;
}

/* The events that say "drained" or "burst" may have gone to a controller before us, or been lost with a
 * connection; what they told is still to be seen here. */
static void on_stats(struct balancer *b, json_t *message)
{
    check_log(b);
    tell_return(b);
    backends_read(&b->backends, message, now_of(b));
    for (int i = 0; i < b->backends.count; i++)
        if (b->backends.items[i].idle)
            tell_drained(b, b->backends.items[i].id);
    if (b->backends.last.queue > 0 && !serves(b))
        b->setup.burst(b->setup.context);
    b->setup.reported(b->setup.context);
}

static void on_drained(struct balancer *b, json_t *message)
{
    tell_drained(b, backends_parse_name(json_string_value(json_object_get(message, "backend"))));
}

static void on_ejected(struct balancer *b, json_t *message)
{
    const char *cause = json_string_value(json_object_get(message, "cause"));
    say(b, LEVEL_WARNING, backends_parse_name(json_string_value(json_object_get(message, "backend"))),
        "the balancer gives it no requests: %s", cause ? cause : "it failed");
}

static void on_admitted(struct balancer *b, json_t *message)
{
    say(b, LEVEL_INFO, backends_parse_name(json_string_value(json_object_get(message, "backend"))),
        "the balancer gives it requests again");
}

static void on_burst(struct balancer *b, json_t *message)
{
    backends_read_burst(&b->backends, message, now_of(b));
    b->setup.burst(b->setup.context);
}

static const struct {
    const char *name;
    void (*handle)(struct balancer *, json_t *);
} event_handlers[] = {
    {"stats", on_stats},       {"drained", on_drained}, {"ejected", on_ejected},
    {"admitted", on_admitted}, {"burst", on_burst},
};

static void on_message(void *context, json_t *message, int passed_fd)
{
    struct balancer *b = context;
    if (passed_fd >= 0)
        close(passed_fd); /* we asked for none */
    b->heard = true;
    expect_report(b);
    const char *event = json_string_value(json_object_get(message, "event"));
    if (!event) {
        on_reply(b, message);
        return;
    }
    for (size_t i = 0; i < sizeof event_handlers / sizeof event_handlers[0]; i++)
        if (strcmp(event, event_handlers[i].name) == 0)
            event_handlers[i].handle(b, message);
}

static void on_stop_due(struct loop_timer *timer, int64_t now)
{
    struct balancer *b = timer->context;
    b->stop = b->stop == STOP_ASKED ? STOP_TERM : STOP_KILL;
    child_signal(&b->child, b->stop == STOP_TERM ? SIGTERM : SIGKILL);
    loop_timer_set(b->setup.loop, &b->stop_timer, now + STOP_SLACK);
}

static void tell_adopted(struct balancer *b)
{
    char kept[160];
    pid_t pid = b->child.identity.pid;
    say(b, LEVEL_INFO, 0, "took over the running balancer (pid %d)", pid);
    balancer_args_kept(pid, &b->config, kept, sizeof kept);
    if (kept[0])
        say(b, LEVEL_WARNING, 0,
            "the balancer keeps what it was started with until all is stopped and started anew: %s", kept);
}

/* One that we cannot talk to would keep the address for itself, so it is ended; it is ours for certain. */
static bool adopt_program(struct balancer *b)
{
    if (!b->setup.adopt.pid || child_adopt(&b->child, &b->setup.adopt) != 0)
        return false;
    b->listen_fd = balancer_adopt_listener(b->socket_path, b->config.balancer.listen);
    if (b->listen_fd < 0) {
        say(b, LEVEL_WARNING, 0,
            "the balancer of an earlier controller (pid %d) does not hand over its socket: %s; "
            "it is replaced",
            b->setup.adopt.pid,
            b->listen_fd == -EADDRNOTAVAIL ? "it is bound to another address" : strerror(-b->listen_fd));
        child_signal(&b->child, SIGKILL);
        child_await(&b->child);
        return false;
    }
    open_log(b);
    b->started_at = now_of(b);
    backends_restart(&b->backends, true, now_of(b));
    connect_soon(b);
    expect_report(b);
    tell_adopted(b);
    return true;
}

static bool open_listener(struct balancer *b, char *err, size_t err_size)
{
    b->listen_fd = listener_open(b->config.balancer.listen, err, err_size);
    if (b->listen_fd >= 0)
        start_program(b);
    return b->listen_fd >= 0;
}

struct balancer *balancer_open(const struct balancer_setup *setup, char *err, size_t err_size)
{
    struct balancer *b = calloc(1, sizeof *b);
    if (!b || backends_init(&b->backends, loop_now(setup->loop)) != 0) {
        snprintf(err, err_size, "cannot start the balancer: out of memory");
        free(b);
        return NULL;
    }
    b->setup = *setup;
    b->config = *setup->config;
    snprintf(b->socket_path, sizeof b->socket_path, "%s", setup->socket_path);
    snprintf(b->log_path, sizeof b->log_path, "%s", setup->log_path);
    b->log.fd = -1;
    backoff_init(&b->backoff, RESTART_BASE, RESTART_CAP, (uint64_t)getpid());
    b->child = (struct child){.loop = setup->loop, .ended = on_ended, .context = b};
    b->link =
        (struct balancer_link){.loop = setup->loop, .message = on_message, .closed = on_closed, .context = b};
    b->restart_timer = (struct loop_timer){.due = on_restart_due, .context = b};
    b->connect_timer = (struct loop_timer){.due = on_connect_due, .context = b};
    b->look_timer = (struct loop_timer){.due = on_look_due, .context = b};
    b->stop_timer = (struct loop_timer){.due = on_stop_due, .context = b};
    b->listen_fd = -1;
    if (!adopt_program(b) && !open_listener(b, err, err_size)) {
        balancer_close(b);
        return NULL;
    }
    listener_url(b->listen_fd, b->url, sizeof b->url);
    return b;
}

void balancer_close(struct balancer *b)
{
    if (!b)
        return;
    loop_timer_cancel(b->setup.loop, &b->restart_timer);
    loop_timer_cancel(b->setup.loop, &b->connect_timer);
    loop_timer_cancel(b->setup.loop, &b->look_timer);
    loop_timer_cancel(b->setup.loop, &b->stop_timer);
    balancer_link_close(&b->link);
    child_release(&b->child);
    applog_close(&b->log);
    if (b->listen_fd >= 0)
        close(b->listen_fd);
    backends_fini(&b->backends);
    free(b);
}

void balancer_reconfigure(struct balancer *b, const struct config *config)
{
    const struct config before = b->config;
    b->config = *config;
    config_diff(&before, config, send_setting, b);
    if (before.scaling.polling_interval != config->scaling.polling_interval)
        subscribe(b);
}

void balancer_admit(struct balancer *b, int instance, int port)
{
    const char *host = b->config.app.host;
    char address[96];
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    if (backends_admit(&b->backends, instance, address, now_of(b)) != 0)
        say(b, LEVEL_ERROR, instance, "cannot give it requests: out of memory");
}

void balancer_drain(struct balancer *b, int instance)
{
    /* One that the balancer never had, or has lost, has nothing in flight. */
    if (!backends_drain(&b->backends, instance))
        b->setup.drained(b->setup.context, instance);
    else if (!child_runs(&b->child))
        tell_drained(b, instance);
}

static int bind_control(const char *path, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    mode_t mask = umask(0177);
    int error = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    umask(mask);
    if (!error && listen(fd, 8) < 0)
        error = -errno;
    if (error)
        close(fd);
    else
        *out = fd;
    return error;
}

void balancer_lose_socket(struct balancer *b, bool lost)
{
    b->socket_lost = lost;
}

int balancer_rebind(struct balancer *b)
{
    int fd = -1;
    if (!b->link.open)
        return -ENOTCONN;
    int error = bind_control(b->socket_path, &fd);
    if (error)
        return error;
    if (!balancer_link_send_with(&b->link, json_pack("{s:s}", "cmd", "control"), fd)) {
        error = -EAGAIN;
        unlink_socket(b);
    }
    close(fd);
    return error;
}

void balancer_spare(struct balancer *b, int instance)
{
    backends_spare(&b->backends, instance);
}

void balancer_eject(struct balancer *b, int instance)
{
    backends_eject(&b->backends, instance);
}

void balancer_remove(struct balancer *b, int instance)
{
    backends_remove(&b->backends, instance);
}

void balancer_flush(struct balancer *b)
{
    if (!b->backends.changed || !b->link.open)
        return;
    balancer_link_send(
        &b->link, json_pack("{s:s, s:o}", "cmd", "backends", "backends", backends_to_json(&b->backends)));
    b->backends.changed = false;
}

void balancer_sample(const struct balancer *b, struct sample *out, usec_t now)
{
    backends_sample(&b->backends, out, now);
}

void balancer_view(const struct balancer *b, struct balancer_view *out, usec_t now)
{
    out->enabled = true;
    out->connected = b->link.open;
    out->pid = b->child.identity.pid;
    out->restarts = b->restarts;
    snprintf(out->url, sizeof out->url, "%s", b->url);
    backends_view(&b->backends, out, now);
}

struct state_process balancer_process(const struct balancer *b)
{
    return b->child.identity;
}

const char *balancer_url(const struct balancer *b)
{
    return b->url;
}

void balancer_stop(struct balancer *b, bool hurry)
{
    if (b->stop == STOP_DONE || (b->stop != STOP_NONE && !hurry))
        return;
    loop_timer_cancel(b->setup.loop, &b->restart_timer);
    if (!child_runs(&b->child)) {
        finish_stop(b);
        return;
    }
    usec_t patience = STOP_SLACK;
    /* Who waits for an instance waits for none that could come. */
    balancer_link_send(&b->link,
                       json_pack("{s:s, s:s, s:s}", "cmd", "set", "key", "hold_when_empty", "value", "no"));
    bool asked = !hurry && balancer_link_send(&b->link, json_pack("{s:s}", "cmd", "stop"));
    if (asked)
        patience += b->config.balancer.drain_timeout;
    else
        child_signal(&b->child, hurry ? SIGKILL : SIGTERM);
    b->stop = asked ? STOP_ASKED : STOP_TERM;
    loop_timer_set(b->setup.loop, &b->stop_timer, now_of(b) + patience);
}

bool balancer_stopped(const struct balancer *b)
{
    return b->stop == STOP_DONE;
}
