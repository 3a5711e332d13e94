/* SPDX-License-Identifier: MIT */
/* What ascale-app was asked to be on its command line. Written once at start, read by every thread after. */
#ifndef APP_CLI_H
#define APP_CLI_H
#include "core/units.h"

/* "after the 100th request" or "after 30 s". */
struct app_limit {
    enum { APP_LIMIT_NEVER, APP_LIMIT_REQUESTS, APP_LIMIT_TIME } kind;
    int64_t requests;
    usec_t time;
};

enum app_slow_start { APP_SLOW_START_ANSWER, APP_SLOW_START_REFUSE };

struct app_options {
    const char *host;
    int64_t port; /* 0: any free one */
    int64_t threads;
    const char *tls_cert, *tls_key;
    bool quiet;

    usec_t work, delay;
    int64_t body_size;
    const char *shared_lock;

    struct app_limit fail_after, crash_after;
    usec_t slow_start;
    enum app_slow_start slow_start_mode;
    bool ignore_term;
    double chatty_mb; /* log output a second; 0: none */

    bool simulate_fleet;
    double errors_pct; /* share of the calls that fail, 0..100 */
    double speed;      /* seconds of the fleet's day in one of ours */
    const char *token;
    double min_demand, max_demand; /* replicas needed at 80% CPU, at night and at noon */
    int64_t replicas, max_replicas;
    usec_t boot, clock;
    int64_t seed;
};

/* -1: go on; otherwise the exit status: 0 after --help or --version, 2 after an error on stderr. */
int app_options_read(struct app_options *options, int argc, char **argv);

#endif
