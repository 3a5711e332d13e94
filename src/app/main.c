/* SPDX-License-Identifier: MIT */
/* ascale-app: command line -> server with the pages of the demo or of the simulated fleet -> signals -> exit.
 * The main thread only waits for signals and for what is due by time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/chatter.h"
#include "app/cli.h"
#include "app/demo.h"
#include "app/fleet_api.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/signals.h"

/* Requests in flight at SIGTERM may take this long to end. */
#define STOP_PATIENCE (10 * USEC_PER_SEC)

static void wait_signals(sigset_t *waited)
{
    signals_that_end(waited);
    /* Before any thread starts, so that all of them inherit the mask and only the main thread is told. */
    sigprocmask(SIG_BLOCK, waited, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static struct timespec time_until(usec_t due, usec_t now)
{
    usec_t wait = due > now ? due - now : 0;
    if (wait > USEC_PER_HOUR)
        wait = USEC_PER_HOUR;
    return (struct timespec){wait / USEC_PER_SEC, wait % USEC_PER_SEC * 1000};
}

static bool ends_program(const struct app_options *options, int number)
{
    return number == SIGINT || number == SIGHUP || (number == SIGTERM && !options->ignore_term);
}

static void run_until_signal(const struct app_options *options, struct demo *demo, struct server *server,
                             const sigset_t *waited)
{
    bool refusing = options->slow_start > 0 && options->slow_start_mode == APP_SLOW_START_REFUSE;
    usec_t listen_at = clock_now_us() + options->slow_start;
    for (;;) {
        usec_t now = clock_now_us();
        usec_t due = demo_step(demo, now);
        if (refusing && now >= listen_at) {
            server_listen(server);
            refusing = false;
        }
        if (refusing && listen_at < due)
            due = listen_at;
        struct timespec wait = time_until(due, now);
        if (ends_program(options, sigtimedwait(waited, NULL, &wait)))
            return;
    }
}

/* What is served: one of the two. */
struct content {
    struct demo *demo;
    struct fleet_api *fleet;
};

static bool make_content(const struct app_options *options, struct content *content)
{
    if (options->simulate_fleet)
        content->fleet = fleet_api_new(options);
    else
        content->demo = demo_new(options);
    if (content->demo || content->fleet)
        return true;
    fprintf(stderr, "ascale-app: out of memory; nothing is served\n");
    return false;
}

static void free_content(struct content *content)
{
    demo_free(content->demo);
    fleet_api_free(content->fleet);
}

static void say_listening(const struct app_options *options, int port)
{
    bool bracket = strchr(options->host, ':') != NULL;
    printf("ascale-app: listening on %s://%s%s%s:%d\n", options->tls_cert ? "https" : "http",
           bracket ? "[" : "", options->host, bracket ? "]" : "", port);
    file_end_output("ascale-app", "where it listens"); /* and serves, whoever reads that */
}

static struct server *start(const struct app_options *options, const struct content *content)
{
    struct server_options how = {
        .host = options->host,
        .port = (int)options->port,
        .listen_later = options->slow_start > 0 && options->slow_start_mode == APP_SLOW_START_REFUSE,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .pages = content->fleet ? fleet_api_pages : demo_pages,
        .context = content->fleet ? (void *)content->fleet : (void *)content->demo,
    };
    char error[256];
    struct server *server = server_start(&how, error, sizeof error);
    if (!server) {
        fprintf(stderr, "ascale-app: %s; nothing is served\n", error);
        return NULL;
    }
    say_listening(options, server_port(server));
    return server;
}

int main(int argc, char **argv)
{
    struct app_options options;
    file_fill_standard();
    int status = app_options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    sigset_t waited;
    wait_signals(&waited);
    struct content content = {0};
    struct server *server = make_content(&options, &content) ? start(&options, &content) : NULL;
    if (!server) {
        free_content(&content);
        return 1;
    }
    if (options.chatty_mb > 0 && chatter_start(options.chatty_mb) != 0)
        fprintf(stderr, "ascale-app: cannot start the thread of --chatty; serving without it\n");
    run_until_signal(&options, content.demo, server, &waited);
    server_stop(server, STOP_PATIENCE);
    free_content(&content);
    return 0;
}
