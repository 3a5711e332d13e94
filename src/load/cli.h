/* SPDX-License-Identifier: MIT */
/* What ascale-load was asked to do on its command line. Written once at start; all text belongs to argv. */
#ifndef LOAD_CLI_H
#define LOAD_CLI_H
#include "core/arrivals.h"
#include "load/stats.h"

#define LOAD_WORDS_MAX 32

/* The values of an option that may be given several times. */
struct load_words {
    const char *text[LOAD_WORDS_MAX];
    size_t count;
};

/* The statuses that are no errors. */
struct load_expected {
    bool codes[LOAD_CODES];
    int times_said; /* 0: all below 400 */
};

enum load_output { LOAD_OUTPUT_TEXT, LOAD_OUTPUT_JSON, LOAD_OUTPUT_CSV };
enum load_progress { LOAD_PROGRESS_AUTO, LOAD_PROGRESS_LINE, LOAD_PROGRESS_JSON, LOAD_PROGRESS_NONE };

struct load_options {
    struct load_words urls, headers;
    const char *method, *body_file;
    struct load_expected expected;
    bool no_keepalive;
    usec_t timeout;
    const char *ca_file;
    bool insecure;

    int64_t threads, connections; /* connections 0: not said */
    double rate_rps;              /* 0: closed loop */
    bool poisson, even;
    struct arrivals_shape shape; /* without the points of a trace */
    const char *trace;
    double trace_speed;
    int64_t seed;

    usec_t duration, grace; /* grace: for what is under way at the end of the duration */
    bool infinite;
    int64_t requests;     /* 0: no limit */
    bool ends_with_shape; /* the duration is what no request would be due after */

    bool json, csv, quiet;
    enum load_output output; /* of json and csv */
    enum load_progress progress;
    bool control; /* commands on standard input */

    usec_t expect_p99; /* 0: not said */
    bool max_errors_said;
    double max_errors; /* a count, or a share of 0..1 when max_errors_share */
    bool max_errors_share;
};

/* -1: go on; otherwise the exit status, as of args_read(). */
int load_options_read(struct load_options *options, int argc, char **argv);

/* What follows the colon of the first --header of that name; NULL when there is none. */
const char *load_options_header(const struct load_options *options, const char *name);

#endif
