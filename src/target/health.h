/* SPDX-License-Identifier: MIT */
/* Asks one instance again and again whether it is well, or alive, and says how each check ended while that is
 * news: often while it starts and after a failure, at health_interval otherwise. What follows from it the
 * brain decides (core/fleet_health.c). The control thread; nothing blocks. */
#ifndef TARGET_HEALTH_H
#define TARGET_HEALTH_H
#include "base/http_client.h"
#include "base/loop.h"
#include "core/config.h"
#include "core/event.h"
#include "core/units.h"
#include <sys/socket.h>

#define HEALTH_TEXT_SIZE 128

/* Where the checks go and who hears of them; everything pointed to outlives the health. */
struct health_setup {
    struct loop *loop;
    struct http_client *client;
    const struct config *config;     /* [app] health_*, read before each check */
    bool liveness;                   /* asks liveness_path, where there is one, instead of health_path */
    struct sockaddr_storage address; /* for checks without health_path: port included */
    int port;
    void *context;
    /* Asked before the first success counts: is it really our instance that answered? */
    bool (*trusted)(void *context);
    /* Asked when a connection was accepted: does it stand still, so that only the kernel did? */
    bool (*suspended)(void *context);
    /* How a check ended, and how many in a row passed, or did not: of equal ones the first three are told. */
    void (*checked)(void *context, enum check check, int streak, const char *text);
};

/* Zero it before the first health_start(); it must not move while it runs. */
struct health {
    struct health_setup setup;
    struct loop_timer timer;
    struct loop_watch connection;
    struct http_client_call *call;
    int64_t started_us, asked_us;
    int64_t checked_us;  /* of the last answer or failure; 0: none yet */
    int64_t answered_us; /* of the last answer, good or bad; 0: none yet */
    int64_t latency_us;  /* of the last answer */
    int streak;          /* that passed, or did not, in a row */
    int bad_streak;      /* answered badly in a row */
    enum check last;
    bool running, last_passed, calm, ever_healthy, connecting;
    char text[HEALTH_TEXT_SIZE]; /* how the last check ended */
};

/* already: it passed its checks before (an adopted instance). */
void health_start(struct health *health, const struct health_setup *setup, bool already);
void health_stop(struct health *health);

#endif
