/* SPDX-License-Identifier: MIT */
/* The command line of ascale-app: one row an option. */
#include "app/cli.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"

static bool read_port(const char *text, void *field)
{
    int64_t value;
    if (!units_parse_int(text, &value) || value < 0 || value > 65535)
        return false;
    *(int64_t *)field = value;
    return true;
}

static bool read_count(const char *text, void *field)
{
    int64_t value;
    if (!units_parse_int(text, &value) || value < 1 || value > 10000)
        return false;
    *(int64_t *)field = value;
    return true;
}

static bool read_seed(const char *text, void *field)
{
    return units_parse_int(text, field);
}

static bool read_duration(const char *text, void *field)
{
    return units_parse_duration(text, field);
}

static bool read_body_size(const char *text, void *field)
{
    int64_t value;
    if (!units_parse_size(text, &value) || value > 64 << 20)
        return false;
    *(int64_t *)field = value;
    return true;
}

static bool read_megabytes(const char *text, void *field)
{
    double value;
    if (!units_parse_double(text, &value) || value <= 0 || value > 1000)
        return false;
    *(double *)field = value;
    return true;
}

static bool read_share(const char *text, void *field)
{
    double value;
    if (!units_parse_percent(text, &value) || value > 100)
        return false;
    *(double *)field = value;
    return true;
}

static bool read_positive(const char *text, void *field)
{
    double value;
    if (!units_parse_double(text, &value) || value <= 0 || value > 1e6)
        return false;
    *(double *)field = value;
    return true;
}

static bool read_limit(const char *text, void *field)
{
    struct app_limit *limit = field;
    if (units_parse_int(text, &limit->requests) && limit->requests >= 0) {
        limit->kind = APP_LIMIT_REQUESTS;
        return true;
    }
    limit->kind = APP_LIMIT_TIME;
    return units_parse_duration(text, &limit->time);
}

static bool read_slow_start_mode(const char *text, void *field)
{
    enum app_slow_start *mode = field;
    *mode = strcmp(text, "refuse") == 0 ? APP_SLOW_START_REFUSE : APP_SLOW_START_ANSWER;
    return *mode == APP_SLOW_START_REFUSE || strcmp(text, "503") == 0;
}

#define A_DURATION  "a duration such as 250ms, 3s or 2m"
#define A_LIMIT     "a number of requests, or a duration such as 30s"
#define A_POSITIVE  "a number above 0"
#define FIELD(name) offsetof(struct app_options, name)

static const struct args_option rows[] = {
    {"port", 'p', "N", "0 to 65535", read_port, FIELD(port),
     "port to listen on; 0, the default, is any free one"},
    {"host", 0, "ADDRESS", "an address", args_read_text, FIELD(host), "address to listen on (127.0.0.1)"},
    {"threads", 't', "N", "1 to 10000", read_count, FIELD(threads), "requests that may burn CPU at once (2)"},
    {"work", 'w', "DURATION", A_DURATION, read_duration, FIELD(work), "CPU time that / burns (20ms)"},
    {"delay", 'd', "DURATION", A_DURATION, read_duration, FIELD(delay), "time that / waits without CPU (0)"},
    {"body-size", 0, "SIZE", "up to 64M", read_body_size, FIELD(body_size), "pad the body of / to this size"},
    {"shared-lock", 0, "PATH", "a path", args_read_text, FIELD(shared_lock),
     "hold this file's lock during delay and work: a bottleneck all instances share"},
    {"quiet", 'q', NULL, NULL, NULL, FIELD(quiet), "no line a request on standard output"},
    {"tls-cert", 0, "FILE", "a path", args_read_text, FIELD(tls_cert),
     "serve https (TLS 1.2 and 1.3) with it"},
    {"tls-key", 0, "FILE", "a path", args_read_text, FIELD(tls_key), "the key of that certificate"},
    {"fail-after", 0, "N|DURATION", A_LIMIT, read_limit, FIELD(fail_after),
     "then answer 500, and 503 on /health"},
    {"crash-after", 0, "N|DURATION", A_LIMIT, read_limit, FIELD(crash_after), "then die of SIGABRT"},
    {"slow-start", 0, "DURATION", A_DURATION, read_duration, FIELD(slow_start), "not ready until then"},
    {"slow-start-mode", 0, "503|refuse", "503 or refuse", read_slow_start_mode, FIELD(slow_start_mode),
     "what is answered until then: 503 (the default), or no connection at all"},
    {"ignore-term", 0, NULL, NULL, NULL, FIELD(ignore_term), "do not stop on SIGTERM"},
    {"chatty", 0, "MB", "megabytes a second, up to 1000", read_megabytes, FIELD(chatty_mb),
     "log this many megabytes a second"},
    {"simulate-fleet", 0, NULL, NULL, NULL, FIELD(simulate_fleet),
     "be the API of a simulated remote application instead"},
    {"errors", 0, "SHARE", "0% to 100%", read_share, FIELD(errors_pct),
     "share of the API calls that fail (0%)"},
    {"speed", 0, "FACTOR", A_POSITIVE, read_positive, FIELD(speed), "run its day this much faster (1)"},
    {"min-demand", 0, "N", A_POSITIVE, read_positive, FIELD(min_demand),
     "replicas it needs at night at 80% (8)"},
    {"max-demand", 0, "N", A_POSITIVE, read_positive, FIELD(max_demand),
     "replicas it needs at noon at 80% (20)"},
    {"replicas", 0, "N", "1 to 10000", read_count, FIELD(replicas), "replicas it starts with (10)"},
    {"max-replicas", 0, "N", "1 to 10000", read_count, FIELD(max_replicas),
     "more are refused with 400 (1000)"},
    {"boot", 0, "DURATION", A_DURATION, read_duration, FIELD(boot),
     "its time until a new replica serves (30s)"},
    {"clock", 0, "DURATION", A_DURATION, read_duration, FIELD(clock),
     "its time of day at the start (0, midnight)"},
    {"seed", 0, "N", "a whole number", read_seed, FIELD(seed), "seed of its noise and its errors (1)"},
    {"token", 0, "TEXT", "a token", args_read_text, FIELD(token), "ask for 'Authorization: Bearer TEXT'"},
};

static const char notes[] =
    "Pages: /  /health (200 or 503, never counted)  /requests ({\"requests\": N}, never counted)  /echo\n"
    "  /cpu?ms=N  /slow?ms=N  /bytes?n=N  /hang  /crash  /fail (500)  /fail?on=1 (all and /health fail)\n"
    "  /fail?on=requests (all but /health fail)  /fail?on=0 (recover)\n"
    "With --simulate-fleet: GET /app/status, PUT /app/replicas {\"replicas\": N}, /health\n"
    "Ctrl-C and SIGTERM finish the requests in flight and stop. Exit status: 0, 1 cannot listen, 2 usage.";

static const struct args_program program = {
    "ascale-app",
    "A web application to scale: it burns CPU, counts its requests, and misbehaves when told to.",
    notes,
    rows,
    sizeof rows / sizeof rows[0],
};

/* What no single option can see. */
static const char *find_contradiction(const struct app_options *options)
{
    if ((!options->tls_cert) != (!options->tls_key))
        return "--tls-cert and --tls-key go together";
    if (options->min_demand > options->max_demand)
        return "--min-demand is above --max-demand";
    if (options->replicas > options->max_replicas)
        return "--replicas is above --max-replicas";
    return NULL;
}

int app_options_read(struct app_options *options, int argc, char **argv)
{
    *options = (struct app_options){
        .host = "127.0.0.1",
        .threads = 2,
        .work = 20 * USEC_PER_MSEC,
        .speed = 1,
        .min_demand = 8,
        .max_demand = 20,
        .replicas = 10,
        .max_replicas = 1000,
        .boot = 30 * USEC_PER_SEC,
        .seed = 1,
    };
    int status = args_read(&program, argc, argv, options);
    if (status >= 0)
        return status;
    const char *wrong = find_contradiction(options);
    if (!wrong)
        return -1;
    fprintf(stderr, "%s: %s; nothing was started\n", program.name, wrong);
    return 2;
}
