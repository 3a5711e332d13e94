/* SPDX-License-Identifier: MIT */
/* One check at a time: a timer starts it, its end (answer, failure or time-out) counts and arms the timer
 * again. A check is an HTTP request on a connection of its own, so that it holds none of a small server's
 * workers, or only a connection where no health_path is set. Control thread only. */
#include "target/health.h"
#include "target/ports.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    TOLD_MAX = 3,
    CALM_AGAIN = 2, /* checks passed after one that failed */
    STARTING_PERIOD_US = 100000,
    STARTING_SLOW_PERIOD_US = 500000,
    STARTING_SLOW_AFTER_US = 10000000,
    DOUBT_PERIOD_US = 250000,
    CALM_GRID = 8, /* of an interval: healthy instances are asked together, but not all at once */
    BODY_MAX = 64 * 1024,
};

static const struct config_app *settings(const struct health *health)
{
    return &health->setup.config->app;
}

static int64_t period_us(const struct health *health, int64_t now_us)
{
    int64_t interval = settings(health)->health_interval, period = STARTING_PERIOD_US;
    if (health->calm)
        return interval;
    if (health->ever_healthy)
        return DOUBT_PERIOD_US < interval ? DOUBT_PERIOD_US : interval;
    if (now_us - health->started_us > STARTING_SLOW_AFTER_US)
        period = STARTING_SLOW_PERIOD_US;
    return period < interval ? period : interval;
}

static const char *path_of(const struct health *health)
{
    return health->setup.liveness ? settings(health)->liveness_path : settings(health)->health_path;
}

/* Whether we have a descriptor. A shortage of ours says nothing about the instance. */
static bool has_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void arm(struct health *health, int64_t from_us)
{
    int64_t now_us = loop_now(health->setup.loop), next_us = from_us + period_us(health, now_us);
    if (health->calm)
        next_us = usec_snap(next_us, settings(health)->health_interval / CALM_GRID);
    loop_timer_set(health->setup.loop, &health->timer, next_us > now_us ? next_us : now_us);
}

static void count(struct health *health, enum check check)
{
    bool passed = check == CHECK_PASSED;
    int64_t now_us = loop_now(health->setup.loop);
    health->streak = passed == health->last_passed ? health->streak + 1 : 1;
    health->bad_streak = check == CHECK_BAD ? health->bad_streak + 1 : 0;
    health->last_passed = passed;
    health->calm = passed && (health->calm || !health->ever_healthy || health->streak >= CALM_AGAIN);
    health->checked_us = now_us;
    health->latency_us = now_us - health->asked_us;
    if (passed || check == CHECK_BAD)
        health->answered_us = now_us;
}

/* How it ended is in health->text. The callbacks may stop the health. */
static void conclude(struct health *health, enum check check)
{
    int64_t now_us = loop_now(health->setup.loop);
    bool passed = check == CHECK_PASSED, news = check != health->last;
    if (!passed && !has_descriptor()) {
        arm(health, now_us);
        return;
    }
    count(health, check);
    arm(health, health->asked_us);
    health->last = check;
    if (passed && !health->ever_healthy && !health->setup.trusted(health->setup.context))
        return;
    health->ever_healthy |= passed;
    /* Silence before a bad answer makes it no more than one bad answer. */
    int streak = check == CHECK_BAD ? health->bad_streak : health->streak;
    if (news || streak <= TOLD_MAX)
        health->setup.checked(health->setup.context, check, streak, health->text);
}

static enum check check_of(const struct http_client_result *result)
{
    if (result->failure == HTTP_CLIENT_OK)
        return result->status >= 200 && result->status < 400 ? CHECK_PASSED : CHECK_BAD;
    return result->failure == HTTP_CLIENT_TIMEOUT ? CHECK_SILENT : CHECK_REFUSED;
}

static void answered(void *context, const struct http_client_result *result)
{
    struct health *health = context;
    health->call = NULL;
    if (result->failure == HTTP_CLIENT_OK)
        snprintf(health->text, sizeof health->text, "GET %.64s: status %d", path_of(health), result->status);
    else
        snprintf(health->text, sizeof health->text, "GET %.64s: %s", path_of(health), result->error);
    conclude(health, check_of(result));
}

static void end_connection(struct health *health)
{
    if (!health->connecting)
        return;
    health->connecting = false;
    int fd = health->connection.fd;
    loop_remove(health->setup.loop, &health->connection);
    close(fd);
}

static void conclude_connection(struct health *health, int error)
{
    end_connection(health);
    /* The kernel accepts for one that stands still, too. */
    bool still = error == 0 && health->ever_healthy && health->setup.suspended(health->setup.context);
    snprintf(health->text, sizeof health->text, "connect to port %d: %s", health->setup.port,
             still        ? "accepted by the kernel alone"
             : error == 0 ? "accepted"
                          : strerror(error));
    conclude(health, still || error == ETIMEDOUT ? CHECK_SILENT : error == 0 ? CHECK_PASSED : CHECK_REFUSED);
}

static void connected(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    conclude_connection(watch->context, error);
}

/* Under way, or over already: the errno. 0: under way or accepted, the loop will tell. */
static int begin_connection(struct health *health)
{
    const struct sockaddr_storage *address = &health->setup.address;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    health->connection = (struct loop_watch){.ready = connected, .context = health};
    int error = 0;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno != EINPROGRESS)
        error = errno;
    else
        error = -loop_add(health->setup.loop, &health->connection, fd, EPOLLOUT);
    health->connecting = error == 0;
    if (error != 0)
        close(fd);
    return error;
}

static void check_connection(struct health *health)
{
    int error = begin_connection(health);
    if (error != 0)
        conclude_connection(health, error);
    else
        loop_timer_set(health->setup.loop, &health->timer,
                       health->asked_us + settings(health)->health_timeout);
}

static void check_answer(struct health *health)
{
    static const char *const headers[] = {"User-Agent: ascale-health", "Connection: close", NULL};
    const struct config_app *app = settings(health);
    char url[400];
    ports_url(app->host, health->setup.port, path_of(health), url, sizeof url);
    struct http_client_request request = {
        .url = url,
        .headers = headers,
        .body_max = BODY_MAX,
        .connect_timeout_us = app->health_timeout,
        .timeout_us = app->health_timeout,
        .fresh = true,
        .done = answered,
        .context = health,
    };
    health->call = http_client_start(health->setup.client, &request);
    if (!health->call) {
        snprintf(health->text, sizeof health->text, "GET %.64s: out of memory", path_of(health));
        arm(health, loop_now(health->setup.loop)); /* ours, not the instance's */
    }
}

static void check(struct loop_timer *timer, int64_t now_us)
{
    struct health *health = timer->context;
    if (health->connecting) {
        conclude_connection(health, ETIMEDOUT);
        return;
    }
    health->asked_us = now_us;
    if (health->setup.liveness &&
        (path_of(health)[0] == '\0' || !health->setup.trusted(health->setup.context)))
        arm(health, now_us); /* not yet: a reload may bring a path, and it may become ready */
    else if (path_of(health)[0] != '\0')
        check_answer(health);
    else
        check_connection(health);
}

void health_start(struct health *health, const struct health_setup *setup, bool already)
{
    int64_t now_us = loop_now(setup->loop);
    *health = (struct health){
        .setup = *setup,
        .timer = {.due = check, .context = health},
        .started_us = now_us,
        .running = true,
        .last_passed = already,
        .calm = already,
        .ever_healthy = already,
    };
    loop_timer_set(setup->loop, &health->timer, now_us + (already ? 0 : STARTING_PERIOD_US / 2));
}

void health_stop(struct health *health)
{
    if (!health->running)
        return;
    health->running = false;
    loop_timer_cancel(health->setup.loop, &health->timer);
    end_connection(health);
    if (health->call)
        http_client_cancel(health->call);
    health->call = NULL;
}
