/* SPDX-License-Identifier: MIT */
/* Owns the counter of requests and the faults that are switched on. Every page runs on its connection's
 * thread; at most --threads of them burn CPU at once, the others wait in line, so an instance has the
 * capacity its options say however many connections it is given. */
#include "app/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/text.h"

enum failing { FAILING_NONE, FAILING_REQUESTS, FAILING_ALL };

struct demo {
    const struct app_options *options;
    usec_t started;
    sem_t slots;
    atomic_llong requests;
    atomic_int failing; /* enum failing, by /fail */
};

static bool limit_reached(const struct app_limit *limit, usec_t age, int64_t requests)
{
    switch (limit->kind) {
    case APP_LIMIT_REQUESTS:
        return requests > limit->requests;
    case APP_LIMIT_TIME:
        return age >= limit->time;
    case APP_LIMIT_NEVER:
        break;
    }
    return false;
}

_Noreturn static void crash(void)
{
    /* Only the signal is wanted: a core file would fill the disk of whoever tests restarts. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGABRT, SIG_DFL);
    abort();
}

static bool is_starting(const struct demo *demo, usec_t now)
{
    return now - demo->started < demo->options->slow_start;
}

static enum failing failing_now(struct demo *demo, usec_t now)
{
    if (limit_reached(&demo->options->fail_after, now - demo->started, atomic_load(&demo->requests)))
        return FAILING_ALL;
    return (enum failing)atomic_load(&demo->failing);
}

static void burn_cpu(struct demo *demo, usec_t duration)
{
    if (duration <= 0)
        return;
    while (sem_wait(&demo->slots) != 0 && errno == EINTR) {
    }
    volatile double sink = 1;
    for (int64_t until = clock_thread_cpu_us() + duration; clock_thread_cpu_us() < until;)
        for (int i = 0; i < 2000; i++)
            sink = sink * 1.0000001 + 1e-9;
    sem_post(&demo->slots);
}

/* Waits for the lock that stands for a database; -1: there is none. */
static int take_shared_lock(const struct demo *demo)
{
    if (!demo->options->shared_lock)
        return -1;
    int fd = open(demo->options->shared_lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    return fd;
}

static void work(struct demo *demo, struct exchange *exchange)
{
    int lock = take_shared_lock(demo);
    if (demo->options->delay > 0)
        exchange_sleep(exchange, demo->options->delay);
    burn_cpu(demo, demo->options->work);
    if (lock >= 0)
        close(lock);
}

static void log_request(const struct demo *demo, const struct exchange *exchange, unsigned status,
                        usec_t began)
{
    if (demo->options->quiet)
        return;
    char path[128], line[256];
    text_clean(path, sizeof path, exchange->path);
    int size = snprintf(line, sizeof line, "%s %s %u %lldms\n", exchange->method, path, status,
                        (long long)((clock_now_us() - began) / USEC_PER_MSEC));
    if (write(STDOUT_FILENO, line, (size_t)size) < 0) {
        /* Whoever read our output is gone; serving matters more. */
    }
}

/* Counts a request and answers it at once when the application is starting, failing or about to crash. */
static bool admit(struct demo *demo, struct exchange *exchange, enum MHD_Result *result)
{
    usec_t now = clock_now_us();
    int64_t count = atomic_fetch_add(&demo->requests, 1) + 1;
    unsigned status = is_starting(demo, now) ? 503 : failing_now(demo, now) != FAILING_NONE ? 500 : 0;
    if (limit_reached(&demo->options->crash_after, now - demo->started, count))
        crash();
    if (status == 0)
        return true;
    *result = exchange_text(exchange, status, status == 503 ? "still starting\n" : "failing, as told\n");
    log_request(demo, exchange, status, now);
    return false;
}

static enum MHD_Result reply_padded(struct exchange *exchange, const char *text, int64_t size)
{
    size_t length = strlen(text), total = (size_t)size > length ? (size_t)size : length;
    char *body = malloc(total);
    if (!body)
        return exchange_text(exchange, 500, "out of memory\n");
    memset(body, '.', total);
    memcpy(body, text, length);
    enum MHD_Result result = exchange_reply(exchange, 200, "text/plain; charset=utf-8", body, total);
    free(body);
    return result;
}

static enum MHD_Result serve_root(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    enum MHD_Result result;
    if (!admit(demo, exchange, &result))
        return result;
    usec_t began = clock_now_us();
    work(demo, exchange);
    char text[128];
    snprintf(text, sizeof text, "ascale-app pid %d port %d requests %lld\n", (int)getpid(),
             server_port(exchange->server), (long long)atomic_load(&demo->requests));
    result = reply_padded(exchange, text, demo->options->body_size);
    log_request(demo, exchange, 200, began);
    return result;
}

static enum MHD_Result serve_requests(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    char text[64];
    snprintf(text, sizeof text, "{\"requests\": %lld}\n", (long long)atomic_load(&demo->requests));
    return exchange_json(exchange, 200, text);
}

static enum MHD_Result serve_health(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    usec_t now = clock_now_us();
    if (is_starting(demo, now))
        return exchange_text(exchange, 503, "still starting\n");
    if (failing_now(demo, now) == FAILING_ALL)
        return exchange_text(exchange, 503, "failing, as told\n");
    return exchange_text(exchange, 200, "ok\n");
}

/* /fail answers 500; /fail?on=... switches, which must work while everything else fails. */
static enum MHD_Result serve_fail(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    atomic_fetch_add(&demo->requests, 1);
    const char *on = exchange_query(exchange, "on");
    if (!on)
        return exchange_text(exchange, 500, "failing, as asked\n");
    static const char *const states[] = {
        [FAILING_NONE] = "0", [FAILING_REQUESTS] = "requests", [FAILING_ALL] = "1"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(on, states[i]) == 0) {
            atomic_store(&demo->failing, i);
            return exchange_text(exchange, 200, i == FAILING_NONE ? "recovered\n" : "failing from now on\n");
        }
    }
    return exchange_text(exchange, 400, "on takes 0, 1 or requests\n");
}

static enum MHD_Result serve_hang(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    atomic_fetch_add(&demo->requests, 1);
    exchange_sleep(exchange, -1);
    return exchange_cut(exchange);
}

static enum MHD_Result serve_crash(void *context, struct exchange *exchange)
{
    (void)context, (void)exchange;
    crash();
}

static enum MHD_Result serve_slow(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    enum MHD_Result result;
    if (!admit(demo, exchange, &result))
        return result;
    int64_t ms = exchange_number(exchange, "ms", 1000, 3600 * 1000);
    if (ms < 0)
        return exchange_text(exchange, 400, "ms takes 0 to 3600000\n");
    usec_t began = clock_now_us();
    bool whole = exchange_sleep(exchange, ms * USEC_PER_MSEC);
    log_request(demo, exchange, whole ? 200 : 0, began);
    return whole ? exchange_text(exchange, 200, "slept\n") : exchange_cut(exchange);
}

static enum MHD_Result serve_cpu(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    enum MHD_Result result;
    if (!admit(demo, exchange, &result))
        return result;
    int64_t ms = exchange_number(exchange, "ms", 20, 60 * 1000);
    if (ms < 0)
        return exchange_text(exchange, 400, "ms takes 0 to 60000\n");
    usec_t began = clock_now_us();
    burn_cpu(demo, ms * USEC_PER_MSEC);
    log_request(demo, exchange, 200, began);
    return exchange_text(exchange, 200, "burnt\n");
}

static enum MHD_Result serve_bytes(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    enum MHD_Result result;
    if (!admit(demo, exchange, &result))
        return result;
    int64_t size = exchange_number(exchange, "n", 1024, 64 << 20);
    if (size < 0)
        return exchange_text(exchange, 400, "n takes 0 to 67108864\n");
    return reply_padded(exchange, "", size);
}

static enum MHD_Result serve_echo(void *context, struct exchange *exchange)
{
    struct demo *demo = context;
    enum MHD_Result result;
    if (!admit(demo, exchange, &result))
        return result;
    return exchange_reply(exchange, 200, "application/octet-stream", exchange->body, exchange->body_size);
}

const struct server_page demo_pages[] = {
    {"/", "GET HEAD POST PUT", serve_root},
    {"/health", "GET HEAD", serve_health},
    {"/requests", "GET HEAD", serve_requests},
    {"/echo", "GET HEAD POST PUT", serve_echo},
    {"/bytes", "GET HEAD", serve_bytes},
    {"/cpu", "GET HEAD POST", serve_cpu},
    {"/slow", "GET HEAD POST", serve_slow},
    {"/hang", "GET HEAD POST", serve_hang},
    {"/fail", "GET HEAD POST", serve_fail},
    {"/crash", "GET POST", serve_crash},
    {NULL, NULL, NULL},
};

struct demo *demo_new(const struct app_options *options)
{
    struct demo *demo = calloc(1, sizeof *demo);
    if (!demo)
        return NULL;
    demo->options = options;
    demo->started = clock_now_us();
    sem_init(&demo->slots, 0, (unsigned)options->threads);
    return demo;
}

void demo_free(struct demo *demo)
{
    if (!demo)
        return;
    sem_destroy(&demo->slots);
    free(demo);
}

usec_t demo_step(struct demo *demo, usec_t now)
{
    if (!demo)
        return USEC_NEVER;
    const struct app_limit *limit = &demo->options->crash_after;
    if (limit->kind != APP_LIMIT_TIME)
        return USEC_NEVER;
    if (now - demo->started >= limit->time)
        crash();
    return demo->started + limit->time;
}
