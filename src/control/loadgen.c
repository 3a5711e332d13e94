/* SPDX-License-Identifier: MIT */
/* Owns at most one ascale-load and the three pipes to it. Its end is only believed when its pidfd says so;
 * the pipes are drained then, because the summary comes last. Closing its standard input is what stops it
 * even if we crash: the program treats that as the end of the load. Control thread. */
#include "control/loadgen.h"
#include "base/bytes.h"
#include "base/loop.h"
#include "control/child.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define STOP_PATIENCE (3 * USEC_PER_SEC) /* it waits 2 s for answers in flight, then sums up */
#define LINE_MAX_SIZE 65536
#define READ_SIZE     4096

/* Lines that come in from the child. */
struct line_pipe {
    struct loadgen *owner;
    void (*line)(struct loadgen *owner, const char *line);
    struct loop_watch watch;
    struct bytes in;
    int fd; /* -1 = closed */
};

struct loadgen {
    struct loadgen_setup setup;
    struct child child;
    struct config_load settings;
    int commands_fd; /* its standard input; -1 = none */
    struct line_pipe progress, complaints;
    struct loop_timer kill_timer;
    bool stopping;
    struct load_view view;
    char complaint[160]; /* the last line of its standard error */
};

static const char *const shape_names[] = {"constant", "ramp", "sine", "step", "spike"};

static void pipe_close(struct line_pipe *p)
{
    if (p->fd < 0)
        return;
    loop_remove(p->owner->setup.loop, &p->watch);
    close(p->fd);
    bytes_fini(&p->in);
    p->fd = -1;
}

static void pipe_read(struct line_pipe *p)
{
    for (;;) {
        char *room = bytes_reserve(&p->in, READ_SIZE), *line;
        ssize_t count = room ? read(p->fd, room, READ_SIZE) : 0;
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0) {
            pipe_close(p);
            return;
        }
        bytes_commit(&p->in, (size_t)count);
        while ((line = bytes_take_line(&p->in)))
            p->line(p->owner, line);
    }
}

static void on_pipe(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    pipe_read(watch->context);
}

static int pipe_watch(struct line_pipe *p, int fd)
{
    p->in = (struct bytes){.max = LINE_MAX_SIZE};
    p->watch = (struct loop_watch){.ready = on_pipe, .context = p};
    p->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int error = loop_add(p->owner->setup.loop, &p->watch, fd, EPOLLIN);
    if (error) {
        close(fd);
        p->fd = -1;
    }
    return error;
}

static void say(struct loadgen *l, enum journal_level level, const char *text)
{
    l->setup.note(l->setup.context, level, 0, text);
    l->setup.changed(l->setup.context);
}

static void on_complaint(struct loadgen *l, const char *line)
{
    snprintf(l->complaint, sizeof l->complaint, "%s", line);
    if (strstr(line, "order refused"))
        say(l, LEVEL_WARNING, l->complaint); /* it runs on, so no end will tell */
}

static int64_t latency_of(json_t *progress, const char *key)
{
    json_t *value = json_object_get(json_object_get(progress, "latency_us"), key);
    return json_is_number(value) ? (int64_t)json_number_value(value) : -1;
}

static void on_progress(struct loadgen *l, const char *line)
{
    json_t *progress = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(progress, "event"));
    if (event && strcmp(event, "progress") == 0) {
        l->view.requests = json_integer_value(json_object_get(progress, "requests"));
        l->view.errors = json_integer_value(json_object_get(progress, "errors"));
        l->view.rps = json_number_value(json_object_get(progress, "rps"));
        l->view.p50_us = latency_of(progress, "p50");
        l->view.p95_us = latency_of(progress, "p95");
        l->view.p99_us = latency_of(progress, "p99");
        l->setup.changed(l->setup.context);
    }
    json_decref(progress);
}

static void close_pipes(struct loadgen *l)
{
    pipe_close(&l->progress);
    pipe_close(&l->complaints);
    if (l->commands_fd >= 0)
        close(l->commands_fd);
    l->commands_fd = -1;
}

static void on_ended(void *context, int status, const char *how)
{
    struct loadgen *l = context;
    struct load_view *v = &l->view;
    loop_timer_cancel(l->setup.loop, &l->kill_timer);
    if (l->progress.fd >= 0)
        pipe_read(&l->progress);
    if (l->complaints.fd >= 0)
        pipe_read(&l->complaints);
    close_pipes(l);
    v->running = false;
    v->pid = 0;
    if (status == 0 || l->stopping)
        snprintf(v->last, sizeof v->last, "%lld requests, %lld errors", (long long)v->requests,
                 (long long)v->errors);
    else
        snprintf(v->last, sizeof v->last, "%s%s%.120s", how, l->complaint[0] ? ": " : "", l->complaint);
    char text[200];
    snprintf(text, sizeof text, "load ended: %s", v->last);
    say(l, status == 0 || l->stopping ? LEVEL_INFO : LEVEL_WARNING, text);
}

static void on_kill_due(struct loop_timer *timer, int64_t now)
{
    struct loadgen *l = timer->context;
    (void)now;
    child_signal(&l->child, SIGKILL);
}

struct loadgen *loadgen_new(const struct loadgen_setup *setup)
{
    struct loadgen *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->setup = *setup;
    l->child = (struct child){.loop = setup->loop, .ended = on_ended, .context = l};
    l->kill_timer = (struct loop_timer){.due = on_kill_due, .context = l};
    l->progress = (struct line_pipe){.owner = l, .line = on_progress, .fd = -1};
    l->complaints = (struct line_pipe){.owner = l, .line = on_complaint, .fd = -1};
    l->commands_fd = -1;
    l->view.p50_us = l->view.p95_us = l->view.p99_us = -1;
    return l;
}

void loadgen_free(struct loadgen *l)
{
    if (!l)
        return;
    loop_timer_cancel(l->setup.loop, &l->kill_timer);
    child_signal(&l->child, SIGKILL);
    child_release(&l->child);
    close_pipes(l);
    free(l);
}

static void add_options(struct child_args *args, const struct loadgen *l, const struct config_load *load)
{
    char text[64];
    child_args_add(args, "%s", l->setup.program);
    child_args_add(args, "--progress=json");
    child_args_add(args, "--control=stdin");
    child_args_add(args, "--url=%s", load->url);
    child_args_add(args, "--threads=%d", load->threads);
    if (load->connections)
        child_args_add(args, "--connections=%d", load->connections);
    if (load->rate_rps > 0) {
        units_format_rate(text, sizeof text, load->rate_rps);
        child_args_add(args, "--rate=%s", text);
    }
    if (load->shape != CONFIG_SHAPE_CONSTANT)
        child_args_add(args, "--shape=%s", shape_names[load->shape]);
    if (load->duration) {
        units_format_duration(text, sizeof text, load->duration);
        child_args_add(args, "--duration=%s", text);
    } else {
        child_args_add(args, "--infinite");
    }
}

/* Three pipes, ours first: commands out, progress in, complaints in. */
static int spawn_load(struct loadgen *l, const struct config_load *load)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, error = 0;
    struct child_args args = {0};
    add_options(&args, l, load);
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
        error = -errno;
        goto out;
    }
    struct spawn_request request = {
        .path = l->setup.program,
        .argv = args.argv,
        .fds = {{in[0], STDIN_FILENO}, {out[1], STDOUT_FILENO}, {err[1], STDERR_FILENO}},
        .fd_count = 3,
        .new_group = true};
    error = child_start(&l->child, &request);
    if (error)
        goto out;
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    l->commands_fd = in[1];
    pipe_watch(&l->progress, out[0]);
    pipe_watch(&l->complaints, err[0]);
    in[1] = out[0] = err[0] = -1;
out:
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
        if (err[i] >= 0)
            close(err[i]);
    }
    return error;
}

static void show_settings(struct loadgen *l, const struct config_load *load)
{
    l->settings = *load;
    l->view.threads = load->threads;
    l->view.connections = load->connections;
    l->view.shape = load->shape;
    l->view.duration = load->duration;
    l->view.rate_rps = load->rate_rps;
    snprintf(l->view.url, sizeof l->view.url, "%.159s", load->url);
    l->setup.changed(l->setup.context);
}

bool loadgen_start(struct loadgen *l, const struct config_load *load, char *text, size_t size)
{
    if (loadgen_runs(l)) {
        snprintf(text, size, "a load runs already (pid %d): stop it first, or change it", l->view.pid);
        return false;
    }
    int error = spawn_load(l, load);
    if (error) {
        snprintf(text, size, "cannot start the load generator '%.80s': %s", l->setup.program,
                 strerror(-error));
        return false;
    }
    usec_t now = loop_now(l->setup.loop);
    l->stopping = false;
    l->complaint[0] = '\0';
    l->view = (struct load_view){.running = true,
                                 .pid = l->child.identity.pid,
                                 .started_at = now,
                                 .ends_at = load->duration ? now + load->duration : USEC_NEVER,
                                 .p50_us = -1,
                                 .p95_us = -1,
                                 .p99_us = -1};
    show_settings(l, load);
    snprintf(text, size, "load started (pid %d) on %.100s", l->view.pid, load->url);
    say(l, LEVEL_INFO, text);
    return true;
}

static bool send_command(struct loadgen *l, const char *name, double value)
{
    char line[96], number[40];
    units_format_double(number, sizeof number, value);
    int length = snprintf(line, sizeof line, "{\"cmd\":\"%s\",\"value\":%s}\n", name, number);
    return l->commands_fd >= 0 && write(l->commands_fd, line, (size_t)length) == length;
}

/* What a running load cannot take on. */
static bool needs_restart(const struct config_load *a, const struct config_load *b)
{
    return strcmp(a->url, b->url) != 0 || a->connections != b->connections || a->shape != b->shape ||
           a->duration != b->duration;
}

bool loadgen_change(struct loadgen *l, const struct config_load *load, char *text, size_t size)
{
    const struct config_load *before = &l->settings;
    if (!loadgen_runs(l)) {
        snprintf(text, size, "no load is running");
        return false;
    }
    if (needs_restart(load, before)) {
        snprintf(text, size,
                 "only rate and threads of a running load can be changed: stop it and start it again");
        return false;
    }
    if ((load->rate_rps != before->rate_rps && !send_command(l, "rate", load->rate_rps)) ||
        (load->threads != before->threads && !send_command(l, "threads", load->threads))) {
        snprintf(text, size, "the load generator takes no commands any more; it is left as it is");
        return false;
    }
    show_settings(l, load);
    snprintf(text, size, "load changed");
    return true;
}

const struct config_load *loadgen_settings(const struct loadgen *l)
{
    return &l->settings;
}

void loadgen_stop(struct loadgen *l, bool hurry)
{
    if (!loadgen_runs(l))
        return;
    l->stopping = true;
    if (hurry) {
        child_signal(&l->child, SIGKILL);
        return;
    }
    if (l->commands_fd >= 0)
        close(l->commands_fd); /* the end of its commands is the end of the load */
    l->commands_fd = -1;
    child_signal(&l->child, SIGTERM);
    loop_timer_set(l->setup.loop, &l->kill_timer, loop_now(l->setup.loop) + STOP_PATIENCE);
}

bool loadgen_runs(const struct loadgen *l)
{
    return child_runs(&l->child);
}

int loadgen_pid(const struct loadgen *l)
{
    return l->child.identity.pid;
}

void loadgen_view(const struct loadgen *l, struct load_view *out)
{
    *out = l->view;
}
