/* SPDX-License-Identifier: MIT */
/* The main thread: it serves signals and the control socket and looks after the registry; no request passes
 * through it. The end is ordered: stop accepting, drain until the deadline, abort what is left, join, free.
 */
#include "balance/runtime.h"
#include "balance/sandbox.h"
#include "balance/worker.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LATE_AFTER USEC_PER_SEC
#define LOOK_MAX   USEC_PER_SEC
#define HUNG_AFTER (4 * USEC_PER_SEC)

/* From any thread. */
static void notify(struct hub *hub)
{
    loop_wake(hub->notified);
}

static void look(struct runtime *rt)
{
    unsigned news = atomic_exchange(&rt->hub.news, 0);
    usec_t next = registry_watch(&rt->registry, news, loop_now(rt->loop));
    if (atomic_load(&rt->hub.ended) == rt->started)
        loop_stop(rt->loop);
    loop_timer_set(rt->loop, &rt->watch_timer, next);
}

static void woken(void *context)
{
    look(context);
}

static void watch_due(struct loop_timer *timer, int64_t now)
{
    (void)now;
    look(timer->context);
}

static void drain_due(struct loop_timer *timer, int64_t now)
{
    (void)now;
    struct runtime *rt = timer->context;
    log_warning("requests still under way at the drain deadline are cut");
    atomic_store(&rt->hub.aborting, true);
    for (unsigned i = 0; i < rt->hub.worker_count; i++)
        worker_wake(rt->hub.workers[i]);
}

/* False: the client knows that already, and is told only that it still holds. */
static bool is_news(struct client *client, uint64_t mark)
{
    bool known = client->changes_only && client->told && client->told_mark == mark;
    client->told = true;
    client->told_mark = mark;
    return !known;
}

static void send_stats(struct runtime *rt, usec_t now)
{
    static const char same[] = "{\"event\":\"stats\",\"same\":true}\n";
    uint64_t mark = report_mark(rt, now);
    char *text = NULL;
    for (unsigned i = 0; i < PROTOCOL_CLIENTS_MAX; i++) {
        struct client *client = &rt->clients.slots[i];
        if (!client->open || client->interval_us == 0 || client->next_stats_at > now)
            continue;
        client->next_stats_at = usec_beat(now, client->interval_us);
        if (!is_news(client, mark)) {
            client_send(client, same, sizeof same - 1, -1);
            continue;
        }
        if (!text)
            text = report_stats(rt, "\"event\":\"stats\"", now);
        client->told = text != NULL;
        if (text)
            client_send(client, text, strlen(text), -1);
    }
    free(text);
}

/* A worker whose tick stays away runs in circles, and its users wait for good. Only time between looks
 * counts, a second at most each: should all of us have been stopped, nobody is late for that. */
static void look_at_workers(struct runtime *rt, usec_t now)
{
    usec_t since = now - rt->looked_at;
    bool late = false;
    for (unsigned i = 0; i < rt->started; i++)
        late |= atomic_load(&rt->hub.workers[i]->tick_at) < now - LATE_AFTER;
    rt->looked_at = now;
    rt->late_us = late ? rt->late_us + (since < LOOK_MAX ? since : LOOK_MAX) : 0;
    if (rt->late_us < HUNG_AFTER)
        return;
    log_error("a worker hangs: ending at once, for whoever supervises to start another");
    abort();
}

static void stats_due(struct loop_timer *timer, int64_t now)
{
    struct runtime *rt = timer->context;
    usec_t next = USEC_NEVER;
    look_at_workers(rt, now);
    send_stats(rt, now);
    for (unsigned i = 0; i < PROTOCOL_CLIENTS_MAX; i++) {
        const struct client *client = &rt->clients.slots[i];
        if (client->open && client->interval_us > 0 && client->next_stats_at < next)
            next = client->next_stats_at;
    }
    if (next != USEC_NEVER)
        loop_timer_set(rt->loop, timer, next);
}

void runtime_tell(struct runtime *rt, const char *text)
{
    for (unsigned i = 0; i < PROTOCOL_CLIENTS_MAX; i++)
        if (rt->clients.slots[i].open)
            client_send(&rt->clients.slots[i], text, strlen(text), -1);
}

static void on_event(void *context, const char *event, const char *backend, const char *cause)
{
    char text[512];
    if (cause)
        snprintf(text, sizeof text, "{\"event\":\"%s\",\"backend\":\"%s\",\"cause\":\"%s\"}\n", event,
                 backend, cause);
    else
        snprintf(text, sizeof text, "{\"event\":\"%s\",\"backend\":\"%s\"}\n", event, backend);
    runtime_tell(context, text);
}

static void on_burst(void *context, uint32_t in_flight, uint32_t waiting)
{
    char text[96];
    snprintf(text, sizeof text, "{\"event\":\"burst\",\"in_flight\":%u,\"queue\":%u}\n", in_flight, waiting);
    runtime_tell(context, text);
}

static void on_signal(void *context, const struct signalfd_siginfo *info)
{
    struct runtime *rt = context;
    if (info->ssi_signo == SIGTERM || !rt->supervised)
        runtime_stop(rt);
}

static void on_line(void *context, struct client *client, char *line)
{
    commands_take(context, client, line);
}

void runtime_stop(struct runtime *rt)
{
    usec_t drain = rt->config.balancer.drain_timeout;
    char span[32];
    if (rt->stopping)
        return;
    rt->stopping = true;
    units_format_duration(span, sizeof span, drain);
    log_info("stopping: no new connections; requests under way have %s", span);
    atomic_store(&rt->hub.stopping, true);
    for (unsigned i = 0; i < rt->hub.worker_count; i++)
        worker_wake(rt->hub.workers[i]);
    if (!rt->listener_shared) /* refused at once is better than reset in the end */
        shutdown(rt->hub.listen_fd, SHUT_RDWR);
    loop_timer_set(rt->loop, &rt->drain_timer, loop_now(rt->loop) + drain);
}

/* A terminal's signals are its controller's affair, not a supervised balancer's: it lives on. */
static bool take_signals(struct runtime *rt)
{
    sigset_t signals;
    signals_that_end(&signals);
    signal(SIGPIPE, SIG_IGN);
    return loop_on_signals(rt->loop, &signals, on_signal, rt) == 0;
}

/* With autogroups a nice value counts among the processes of one session only; the session has one of its
 * own, which its leader may set. Where there are no autogroups there is no such file. */
static void take_session_priority(int want)
{
    char text[16];
    int fd = getsid(0) == getpid() ? open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    int len = snprintf(text, sizeof text, "%d", want);
    if (write(fd, text, (size_t)len) < 0)
        log_info("priority %d of the session: %s; going on without", want, strerror(errno));
    close(fd);
}

static void take_priority(struct runtime *rt)
{
    int want = rt->config.balancer.priority;
    if (setpriority(PRIO_PROCESS, 0, want) < 0)
        log_info("priority %d: %s; going on without", want, strerror(errno));
    else
        take_session_priority(want);
    rt->priority = getpriority(PRIO_PROCESS, 0);
}

/* A proxied connection takes two descriptors at the most. */
static void take_descriptors(const struct runtime *rt)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)rt->config.balancer.max_connections * 2 + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < want)
        log_info("max_connections %d: only %llu descriptors are allowed; connections past them wait",
                 rt->config.balancer.max_connections, (unsigned long long)limit.rlim_cur);
}

static bool open_access_log(struct runtime *rt)
{
    const char *path = rt->config.balancer.access_log;
    rt->hub.access_fd = -1;
    if (path[0] == '\0')
        return true;
    rt->hub.access_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (rt->hub.access_fd < 0)
        fprintf(stderr, "ascale-balance: cannot open the access log %s: %s\n", path, strerror(errno));
    return rt->hub.access_fd >= 0;
}

static bool make_workers(struct runtime *rt)
{
    unsigned count = (unsigned)rt->config.balancer.threads;
    rt->hub.workers = calloc(count, sizeof *rt->hub.workers);
    while (rt->hub.workers && rt->hub.worker_count < count) {
        struct worker *w = worker_new(&rt->hub, rt->hub.worker_count);
        if (!w)
            return false;
        rt->hub.workers[rt->hub.worker_count++] = w;
    }
    return rt->hub.workers != NULL;
}

static void wire(struct runtime *rt)
{
    rt->watch_timer = (struct loop_timer){.due = watch_due, .context = rt};
    rt->stats_timer = (struct loop_timer){.due = stats_due, .context = rt};
    rt->drain_timer = (struct loop_timer){.due = drain_due, .context = rt};
    rt->registry = (struct registry){.event = on_event, .burst = on_burst, .context = rt};
    rt->clients.line = on_line;
    rt->clients.context = rt;
    rt->hub.notify = notify;
    rt->hub.notified = rt->loop;
    loop_on_wake(rt->loop, woken, rt);
}

static void describe_listener(struct runtime *rt)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    getsockname(rt->hub.listen_fd, (struct sockaddr *)&bound, &len);
    conn_format_address((struct sockaddr *)&bound, true, rt->listen, sizeof rt->listen);
}

static bool open_control(struct runtime *rt, const char *path)
{
    int error = !path ? 0 : clients_open(&rt->clients, rt->loop, path);
    if (error < 0)
        fprintf(stderr, "ascale-balance: cannot listen on the control socket %s: %s\n", path,
                strerror(-error));
    return error == 0;
}

bool runtime_open(struct runtime *rt, const struct config *config, int listen_fd, bool listener_shared,
                  const char *control)
{
    struct settings settings;
    char err[CONFIG_ERROR_SIZE];
    memset(rt, 0, sizeof *rt);
    rt->config = *config;
    rt->hub.listen_fd = listen_fd;
    rt->listener_shared = listener_shared;
    rt->supervised = control != NULL;
    if (!settings_from(&settings, &config->balancer, err, sizeof err)) {
        fprintf(stderr, "ascale-balance: %s\n", err);
        return false;
    }
    if (loop_new(&rt->loop) < 0 || !take_signals(rt)) {
        fprintf(stderr, "ascale-balance: cannot set up the event loop: %s\n", strerror(errno));
        return false;
    }
    wire(rt);
    describe_listener(rt);
    if (!open_access_log(rt) || !open_control(rt, control))
        return false;
    if (!make_workers(rt) || !registry_init(&rt->registry, &rt->hub, &settings)) {
        fprintf(stderr, "ascale-balance: cannot start: %s\n", strerror(errno));
        return false;
    }
    return true;
}

static bool start_workers(struct runtime *rt)
{
    for (; rt->started < rt->hub.worker_count; rt->started++) {
        struct worker *w = rt->hub.workers[rt->started];
        int error = pthread_create(&w->thread, NULL, worker_run, w);
        if (error != 0) {
            log_error("cannot start a thread: %s", strerror(error));
            return false;
        }
    }
    return true;
}

static void join_workers(struct runtime *rt)
{
    atomic_store(&rt->hub.stopping, true);
    atomic_store(&rt->hub.aborting, true); /* those not ended by now never would */
    for (unsigned i = 0; i < rt->started; i++)
        worker_wake(rt->hub.workers[i]);
    for (unsigned i = 0; i < rt->started; i++)
        pthread_join(rt->hub.workers[i]->thread, NULL);
}

int runtime_run(struct runtime *rt)
{
    take_priority(rt);
    take_descriptors(rt);
    if (!sandbox_drop_user(rt->config.balancer.user))
        return 1;
    sandbox_close_files();
    bool running = start_workers(rt);
    sandbox_close_calls();
    if (running) {
        printf("ascale-balance: listening on http://%s\n", rt->listen);
        file_end_output("ascale-balance", "where it listens"); /* and serves, whoever reads that */
        log_info("%u thread%s, priority %d", rt->hub.worker_count, rt->hub.worker_count == 1 ? "" : "s",
                 rt->priority);
        loop_timer_set(rt->loop, &rt->watch_timer, loop_now(rt->loop));
        running = loop_run(rt->loop) == 0;
    }
    join_workers(rt);
    return running ? 0 : 1;
}

void runtime_close(struct runtime *rt)
{
    clients_close(&rt->clients);
    if (rt->registry.past)
        registry_fini(&rt->registry);
    for (unsigned i = 0; i < rt->hub.worker_count; i++)
        worker_free(rt->hub.workers[i]);
    free(rt->hub.workers);
    if (rt->hub.access_fd > 0)
        close(rt->hub.access_fd);
    if (rt->loop)
        loop_free(rt->loop);
    close(rt->hub.listen_fd);
}
