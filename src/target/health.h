/* SPDX-License-Identifier: MIT */
/* Asks one instance again and again whether it is well, and says when the answer has changed for good: often
 * while it starts and after a failure, at health_interval otherwise. One success makes a new instance
 * healthy, three failures in a row an unhealthy one (one is enough where it stands still), two successes a
 * healthy one again. The control thread;
 * nothing blocks. */
#ifndef TARGET_HEALTH_H
#define TARGET_HEALTH_H
#include "base/http_client.h"
#include "base/loop.h"
#include "core/config.h"
#include <sys/socket.h>

#define HEALTH_TEXT_SIZE 128

/* Where the checks go and who hears of them; everything pointed to outlives the health. */
struct health_setup {
    struct loop *loop;
    struct http_client *client;
    const struct config *config;     /* [app] health_*, read before each check */
    struct sockaddr_storage address; /* for checks without health_path: port included */
    int port;
    void *context;
    /* Asked before the first success counts: is it really our instance that answered? */
    bool (*trusted)(void *context);
    /* Asked when a healthy one fails: does it stand still, so that further checks would tell nothing more? */
    bool (*suspended)(void *context);
    /* Healthy from now on, or not, and how it failed. */
    void (*changed)(void *context, bool healthy, const char *text);
};

/* Zero it before the first health_start(); it must not move while it runs. */
struct health {
    struct health_setup setup;
    struct loop_timer timer;
    struct loop_watch connection;
    struct http_client_call *call;
    int64_t started_us, asked_us;
    int64_t checked_us; /* of the last answer or failure; 0: none yet */
    int64_t latency_us; /* of the last answer */
    int streak;         /* equal outcomes in a row */
    bool running, last_passed, healthy, ever_healthy, connecting;
    char text[HEALTH_TEXT_SIZE]; /* how the last check ended */
};

/* already: it passed its checks before (an adopted instance). */
void health_start(struct health *health, const struct health_setup *setup, bool already);
void health_stop(struct health *health);

#endif
