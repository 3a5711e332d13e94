/* SPDX-License-Identifier: MIT */
/* The http target: an application somebody else runs, scaled through an API that sometimes fails. Owns one
 * HTTP client and what it last heard.
 *
 * Invariants: at most one call is under way, so never two writes; a write is absolute and goes out only when
 * the count was read after the order was given and after the write before it; what was read is given to one
 * step only, and only to that of its round, so a step never decides on old data without knowing.
 *
 * A round is the reading of one step: it begins a little before the step is due and lasts, with its retries,
 * at most until the next begins. Only a round or an order that fails altogether counts against the breaker;
 * while that is not closed, one call is the probe. Control thread only. */
#include "core/backoff.h"
#include "core/breaker.h"
#include "core/snapshot.h"
#include "target/remote_wire.h"
#include "target/target.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { LEAD_MAX_US = 5000000, ANSWER_MAX = 64 * 1024 };

/* Something to be achieved by calls that may have to be repeated. */
struct task {
    bool active;
    usec_t since, next_at; /* the next call not before that */
    int failures;          /* of its calls, in a row */
};

struct remote {
    struct target_setup setup;
    struct config config;
    struct remote_headers headers;
    struct http_client *client;
    struct http_client_call *call; /* the one under way */
    bool writing;                  /* it is a write */
    usec_t called_at;
    struct loop_timer timer;
    struct task round, order;
    int ordered;         /* count of the order */
    int written;         /* count of the newest write; another than ordered when that came meanwhile */
    usec_t reread_after; /* the order's write needs a reading begun later than this */
    usec_t round_at;     /* when the next round begins */
    struct remote_status status;
    usec_t read_at; /* when the reading of status began; 0: never read */
    bool fresh;     /* no step has seen it */
    bool told;      /* the operator knows that it fails */
    struct backoff backoff;
    struct breaker breaker;
    struct remote_view view;
};

static void advance(struct remote *r, usec_t now);

static __attribute__((format(printf, 3, 4))) void note(const struct remote *r, enum journal_level level,
                                                       const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->setup.note(r->setup.ctx, level, 0, text);
}

static usec_t interval_of(const struct remote *r)
{
    return r->config.scaling.polling_interval;
}

/* How long before a step its reading begins: a retry or two must fit in. */
static usec_t lead_of(const struct remote *r)
{
    usec_t half = interval_of(r) / 2;
    return half < LEAD_MAX_US ? half : LEAD_MAX_US;
}

static void begin_task(struct task *task, usec_t now)
{
    *task = (struct task){.active = true, .since = now, .next_at = now};
}

/* What the operator must know of a failure: the first, and that calls pause. The causes come last, where a
 * narrow screen cuts. */
static void tell_failure(struct remote *r, bool opened)
{
    char pause[32];
    units_format_duration(pause, sizeof pause, r->config.http.breaker_open_time);
    if (opened)
        note(r, LEVEL_ERROR, "%.60s failed %d times in a row: the count is kept, calls pause for %s (%.120s)",
             r->view.url, r->breaker.threshold, pause, r->view.last_error);
    else if (!r->told)
        note(r, LEVEL_WARNING, "%.60s fails: the count is kept, the next step tries again (%.120s)",
             r->view.url, r->view.last_error);
    r->told = true;
}

/* The whole of a round or an order has come to nothing. */
static void task_failed(struct remote *r, struct task *task, usec_t now)
{
    task->active = false;
    backoff_succeeded(&r->backoff);
    bool opened = r->breaker.state == BREAKER_CLOSED && breaker_failed(&r->breaker, now);
    if (opened || task == &r->round)
        tell_failure(r, opened);
}

static void order_failed(struct remote *r, usec_t now)
{
    r->view.orders_failed++;
    if (r->order.failures > 0)
        snprintf(r->view.last_order, sizeof r->view.last_order,
                 "%d: given up after %d failed call%s (%.100s)", r->ordered, r->order.failures,
                 r->order.failures == 1 ? "" : "s", r->view.last_error);
    else
        snprintf(r->view.last_order, sizeof r->view.last_order, "%d: not sent, calls pause", r->ordered);
    note(r, LEVEL_WARNING, "order of %.170s", r->view.last_order);
    task_failed(r, &r->order, now);
}

static bool has_time(const struct remote *r, const struct task *task, usec_t at)
{
    return at < task->since + interval_of(r);
}

/* One call of a task has failed: again after a while, or not at all. */
static void try_again(struct remote *r, struct task *task, bool may_retry, usec_t now)
{
    if (!task->active)
        return;
    task->failures++;
    task->next_at = now + backoff_failed(&r->backoff);
    bool again = may_retry && r->breaker.state == BREAKER_CLOSED &&
                 task->failures <= r->config.http.retries && has_time(r, task, task->next_at);
    if (again)
        r->view.retries++;
    else if (task == &r->order)
        order_failed(r, now);
    else
        task_failed(r, task, now);
}

static void call_failed(struct remote *r, bool may_retry, const char *why, usec_t now)
{
    r->view.failures++;
    r->view.reachable = false;
    snprintf(r->view.last_error, sizeof r->view.last_error, "%s %.60s: %s", r->writing ? "PUT" : "GET",
             r->writing ? r->config.http.replicas_path : r->config.http.status_path, why);
    if (r->breaker.state == BREAKER_HALF_OPEN)
        breaker_failed(&r->breaker, now);
    struct task *task = r->order.active ? &r->order : &r->round;
    try_again(r, task, may_retry, now);
    /* What failed for an order was the reading of this round too. */
    if (task == &r->order && r->round.active && !r->writing)
        r->round.next_at = r->order.active ? r->order.next_at : now + backoff_failed(&r->backoff);
}

static void call_succeeded(struct remote *r, const struct http_client_result *result)
{
    r->view.reachable = true;
    r->view.latency_us = result->total_us;
    r->view.answered_at = loop_now(r->setup.loop);
    backoff_succeeded(&r->backoff);
    breaker_succeeded(&r->breaker);
    if (r->told)
        note(r, LEVEL_INFO, "%s answers again", r->view.url);
    r->told = false;
}

static void read_done(struct remote *r, const struct http_client_result *result, usec_t now)
{
    char why[160];
    struct remote_status status;
    if (!remote_status_read(result, &r->config.http, &status, why, sizeof why)) {
        call_failed(r, remote_may_retry(result), why, now);
        return;
    }
    bool first = r->read_at == 0;
    call_succeeded(r, result);
    r->status = status;
    r->read_at = r->called_at;
    r->fresh = true;
    r->round.active = false;
    r->view.replicas = status.replicas;
    if (status.replicas == r->view.ordered)
        r->view.ordered = -1; /* it has followed */
    if (first && r->setup.first_sample)
        r->setup.first_sample(r->setup.ctx);
}

static void write_done(struct remote *r, const struct http_client_result *result, usec_t now)
{
    char why[160];
    r->reread_after = now;
    if (remote_failed(result, why, sizeof why)) {
        call_failed(r, remote_may_retry(result), why, now);
        return;
    }
    call_succeeded(r, result);
    if (r->written != r->ordered)
        return; /* the newer order is still to be written */
    r->order.active = false;
    snprintf(r->view.last_order, sizeof r->view.last_order, "%d: accepted (status %d)", r->ordered,
             result->status);
}

static void call_done(void *context, const struct http_client_result *result)
{
    struct remote *r = context;
    usec_t now = loop_now(r->setup.loop);
    r->call = NULL;
    if (r->writing)
        write_done(r, result, now);
    else
        read_done(r, result, now);
    advance(r, now);
}

static void start_call(struct remote *r, struct http_client_request *request, const char *path, usec_t now)
{
    const struct config_http *http = &r->config.http;
    char url[sizeof http->app_url + sizeof http->status_path];
    remote_url(http->app_url, path, url, sizeof url);
    request->url = url;
    request->headers = r->headers.items;
    request->body_max = ANSWER_MAX;
    request->connect_timeout_us = http->connect_timeout;
    request->timeout_us = http->timeout;
    if (!r->writing && request->timeout_us > interval_of(r))
        request->timeout_us = interval_of(r); /* or it would take the reading of the next step, too */
    request->ca_file = http->ca_file;
    request->cert_file = http->cert_file;
    request->key_file = http->key_file;
    request->done = call_done;
    request->context = r;
    r->called_at = now;
    r->view.calls++;
    r->call = http_client_start(r->client, request);
    if (!r->call)
        call_failed(r, true, "out of memory", now);
}

static void start_read(struct remote *r, usec_t now)
{
    r->writing = false;
    start_call(r, &(struct http_client_request){0}, r->config.http.status_path, now);
}

static void start_write(struct remote *r, usec_t now)
{
    char body[128];
    int size = remote_order_text(r->config.http.replicas_key, r->ordered, body, sizeof body);
    r->writing = true;
    r->written = r->ordered;
    if (size < 0) {
        call_failed(r, false, "http.replicas_key cannot be sent", now);
        return;
    }
    /* On a connection used before, libcurl would repeat by itself what was lost without an answer. */
    struct http_client_request request = {
        .method = "PUT", .body = body, .body_size = (size_t)size, .fresh = true};
    start_call(r, &request, r->config.http.replicas_path, now);
}

/* The order's next call: look first, write only what is not there already. */
static void pursue_order(struct remote *r, usec_t now)
{
    if (r->read_at < r->reread_after) {
        start_read(r, now);
    } else if (r->status.replicas == r->ordered) {
        r->order.active = false;
        snprintf(r->view.last_order, sizeof r->view.last_order, "%d: it has that many", r->ordered);
    } else {
        start_write(r, now);
    }
}

/* The task whose call is due; NULL: none yet. */
static struct task *due_task(struct remote *r, usec_t now)
{
    if (r->order.active && now >= r->order.next_at)
        return &r->order;
    return r->round.active && now >= r->round.next_at ? &r->round : NULL;
}

static void begin_round(struct remote *r, usec_t now)
{
    r->round_at = now + interval_of(r); /* unless a step says better */
    r->fresh = false;                   /* it came too late for its own step */
    if (r->round.active && !r->call)
        task_failed(r, &r->round, now);
    if (!r->round.active)
        begin_task(&r->round, now);
}

static void arm(struct remote *r)
{
    usec_t at = r->round_at;
    if (!r->call && r->order.active && r->order.next_at < at)
        at = r->order.next_at;
    if (!r->call && r->round.active && r->round.next_at < at)
        at = r->round.next_at;
    loop_timer_set(r->setup.loop, &r->timer, at);
}

/* A call may go while the breaker is closed; otherwise only as its probe. */
static bool may_call(struct remote *r, struct task *task, usec_t now)
{
    if (r->breaker.state == BREAKER_CLOSED || breaker_allow(&r->breaker, now))
        return true;
    if (task == &r->order)
        order_failed(r, now);
    task->active = false;
    return false;
}

/* Does what is due; called whenever something has changed. */
static void advance(struct remote *r, usec_t now)
{
    struct task *task;
    if (now >= r->round_at)
        begin_round(r, now);
    while (!r->call && (task = due_task(r, now))) {
        if (!may_call(r, task, now))
            continue;
        if (task == &r->order)
            pursue_order(r, now);
        else
            start_read(r, now);
    }
    arm(r);
}

static void timer_due(struct loop_timer *timer, int64_t now_us)
{
    advance(timer->context, now_us);
}

static bool configure(struct remote *r, const struct config *config, char *err, size_t err_size)
{
    struct remote_headers headers;
    if (!remote_headers_build(&headers, &config->http, err, err_size))
        return false;
    r->config = *config;
    r->headers = headers;
    /* The items point into the copy that was built. */
    for (int i = 0; i < headers.count; i++)
        r->headers.items[i] = r->headers.text + (headers.items[i] - headers.text);
    explicit_bzero(&headers, sizeof headers);
    r->backoff.base = config->http.retry_base;
    r->backoff.cap = config->http.retry_max;
    r->breaker.threshold = config->http.breaker_failures;
    r->breaker.open_time = config->http.breaker_open_time;
    remote_url_shown(config->http.app_url, r->view.url, sizeof r->view.url);
    return true;
}

static void reconfigure(void *target, const struct config *config)
{
    struct remote *r = target;
    char err[512];
    if (!configure(r, config, err, sizeof err))
        note(r, LEVEL_ERROR, "%.150s; the earlier settings stay", err);
}

static void close_target(void *target)
{
    struct remote *r = target;
    loop_timer_cancel(r->setup.loop, &r->timer);
    http_client_free(r->client);
    explicit_bzero(&r->headers, sizeof r->headers);
    free(r);
}

static uint64_t seed(void)
{
    uint64_t value = 1;
    return getrandom(&value, sizeof value, GRND_NONBLOCK) == sizeof value ? value : 1;
}

static struct remote *new_remote(const struct target_setup *setup)
{
    struct remote *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    const struct config_http *http = &setup->config->http;
    r->setup = *setup;
    r->timer = (struct loop_timer){.due = timer_due, .context = r};
    r->view.replicas = r->view.ordered = -1;
    backoff_init(&r->backoff, http->retry_base, http->retry_max, seed());
    breaker_init(&r->breaker, http->breaker_failures, http->breaker_open_time);
    return r;
}

static void *open_target(const struct target_setup *setup, char *err, size_t err_size)
{
    if (setup->config->http.app_url[0] == '\0') {
        snprintf(err, err_size,
                 "http.app_url is not set: target = http needs the address of the application");
        return NULL;
    }
    struct remote *r = new_remote(setup);
    if (!r) {
        snprintf(err, err_size, "http target: out of memory");
        return NULL;
    }
    int error = 0;
    if (!configure(r, setup->config, err, err_size) ||
        (error = http_client_new(setup->loop, &r->client)) != 0) {
        if (error != 0)
            snprintf(err, err_size, "http target: %s", strerror(-error));
        free(r);
        return NULL;
    }
    r->round_at = loop_now(setup->loop);
    arm(r);
    return r;
}

static void sample(void *target, struct sample *out, usec_t now)
{
    struct remote *r = target;
    if (r->fresh) {
        out->cpu_pct = r->status.cpu_pct;
        out->replicas = r->status.replicas;
        r->fresh = false;
    }
    r->round_at = now + interval_of(r) - lead_of(r);
    arm(r);
}

/* The call that may be under way ends first; a newer order takes the place of an older one. */
static void apply(void *target, const struct action *action, usec_t now)
{
    struct remote *r = target;
    if (action->kind != ACTION_COUNT)
        return;
    begin_task(&r->order, now);
    r->ordered = action->count;
    r->reread_after = now;
    r->view.orders++;
    r->view.ordered = action->count;
    r->view.order_at = now;
    snprintf(r->view.last_order, sizeof r->view.last_order, "%d: on its way", r->ordered);
    arm(r);
}

static void view(void *target, struct snapshot *out, usec_t now)
{
    (void)now;
    struct remote *r = target;
    out->remote = r->view;
    out->remote.breaker = r->breaker.state;
    out->remote.breaker_until = r->breaker.until;
}

const struct target_ops target_http = {
    .name = "http",
    .flags = TARGET_COUNT,
    .open = open_target,
    .reconfigure = reconfigure,
    .sample = sample,
    .apply = apply,
    .view = view,
    .close = close_target,
};
