/* SPDX-License-Identifier: MIT */
/* The command line of ascale-load: one row an option, then what no single option can see. */
#include "load/cli.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool read_count(const char *text, void *field)
{
    int64_t value;
    if (!units_parse_int(text, &value) || value < 1 || value > 100000)
        return false;
    *(int64_t *)field = value;
    return true;
}

static bool read_requests(const char *text, void *field)
{
    int64_t value;
    if (!units_parse_int(text, &value) || value < 1)
        return false;
    *(int64_t *)field = value;
    return true;
}

/* One code, or all of a class: 204, 2xx. */
static bool mark_expected(const char *word, size_t length, bool *codes)
{
    if (length != 3 || word[0] < '1' || word[0] > '5')
        return false;
    size_t first = (size_t)(word[0] - '0') * 100;
    if (strncasecmp(word + 1, "xx", 2) == 0) {
        memset(&codes[first], true, 100);
        return true;
    }
    if (strspn(word + 1, "0123456789") < 2)
        return false;
    codes[first + (size_t)(word[1] - '0') * 10 + (size_t)(word[2] - '0')] = true;
    return true;
}

static bool read_expected(const char *text, void *field)
{
    struct load_expected *expected = field;
    expected->times_said++;
    for (const char *word = text;; word++) {
        size_t length = strcspn(word, ",");
        if (!mark_expected(word, length, expected->codes))
            return false;
        word += length;
        if (*word == '\0')
            return true;
    }
}

static bool read_seed(const char *text, void *field)
{
    return units_parse_int(text, field);
}

/* A bare number is seconds, as people type it. */
static bool read_duration(const char *text, void *field)
{
    double seconds;
    usec_t *duration = field;
    if (!units_parse_double(text, &seconds))
        return units_parse_duration(text, duration) && *duration > 0 && *duration <= ARRIVALS_DURATION_MAX;
    if (seconds < 1e-6 || seconds * 1e6 > (double)ARRIVALS_DURATION_MAX)
        return false;
    *duration = (usec_t)(seconds * 1e6);
    return true;
}

static bool read_grace(const char *text, void *field)
{
    double seconds;
    usec_t *grace = field;
    if (units_parse_double(text, &seconds) ? seconds == 0
                                           : units_parse_duration(text, grace) && *grace == 0) {
        *grace = 0;
        return true;
    }
    return read_duration(text, field);
}

static bool read_rate(const char *text, void *field)
{
    double value;
    if (!units_parse_rate(text, &value) || value <= 0 || value > 1e7)
        return false;
    *(double *)field = value;
    return true;
}

static bool read_speed(const char *text, void *field)
{
    double value;
    if (!units_parse_double(text, &value) || value <= 0 || value > 1e6)
        return false;
    *(double *)field = value;
    return true;
}

static bool read_words(const char *text, void *field)
{
    struct load_words *words = field;
    if (words->count == LOAD_WORDS_MAX || text[0] == '\0')
        return false;
    words->text[words->count++] = text;
    return true;
}

/* What no server has to take is not sent: a name is a token, a value has no control bytes. */
static bool read_header(const char *text, void *field)
{
    size_t name = strspn(text, LETTERS "0123456789!#$%&'*+-.^_`|~");
    if (name == 0 || text[name] != ':')
        return false;
    for (const unsigned char *c = (const unsigned char *)text + name; *c != '\0'; c++)
        if ((*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    return read_words(text, field);
}

/* A token as HTTP knows it, without the odd characters no method has. */
static bool read_method(const char *text, void *field)
{
    size_t length = strspn(text, LETTERS "-_");
    return length == strlen(text) && length <= 32 && strcmp(text, "CONNECT") != 0 &&
           args_read_text(text, field);
}

static bool read_shape(const char *text, void *field)
{
    char why[128];
    if (arrivals_parse_shape(text, field, why, sizeof why))
        return true;
    fprintf(stderr, "ascale-load: shape '%s': %s\n", text, why);
    return false;
}

static bool read_progress(const char *text, void *field)
{
    static const char *const names[] = {"auto", "line", "json", "none"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *(enum load_progress *)field = (enum load_progress)i;
            return true;
        }
    }
    return false;
}

static bool read_control(const char *text, void *field)
{
    *(bool *)field = true;
    return strcmp(text, "stdin") == 0;
}

/* The field is the whole of the options: three of them are set. A fraction can only be meant as a share. */
static bool read_max_errors(const char *text, void *field)
{
    struct load_options *options = field;
    int64_t count;
    double pct;
    options->max_errors_said = true;
    options->max_errors_share = !units_parse_int(text, &count);
    if (!options->max_errors_share) {
        options->max_errors = (double)count;
        return count >= 0;
    }
    if (!units_parse_percent(text, &pct) || pct > 100 || (!strchr(text, '%') && strtod(text, NULL) >= 1))
        return false;
    options->max_errors = pct / 100;
    return true;
}

#define A_COUNT     "1 to 100000"
#define A_DURATION  "a duration such as 120, 250ms, 30s or 2m, above 0, at most 1000000000s"
#define FIELD(name) offsetof(struct load_options, name)

static const struct args_option rows[] = {
    {"url", 'u', "URL[@WEIGHT]", "up to 32 URLs", read_words, FIELD(urls),
     "where to; several are mixed by weight (http://127.0.0.1:8000/)"},
    {"threads", 't', "N", A_COUNT, read_count, FIELD(threads),
     "users, each with one request at a time; at most a thread a CPU runs them (20)"},
    {"connections", 'c', "N", A_COUNT, read_count, FIELD(connections),
     "users (instead of one a thread); with --rate the most requests in flight (1000)"},
    {"rate", 'r', "RATE", "a rate such as 500/s, 30/m or 2k/s", read_rate, FIELD(rate_rps),
     "open loop: requests start at this rate, whatever the answers"},
    {"even", 0, NULL, NULL, NULL, FIELD(even), "evenly spaced (the default of --rate)"},
    {"poisson", 0, NULL, NULL, NULL, FIELD(poisson), "spaced at random, as many independent users are"},
    {"shape", 's', "SHAPE", "one of the shapes below", read_shape, FIELD(shape),
     "how rate (or users) change over time (constant)"},
    {"trace", 0, "FILE", "a path", args_read_text, FIELD(trace),
     "shape from a file of 'seconds,requests_per_second' lines; --rate scales its peak"},
    {"trace-speed", 0, "FACTOR", "a number above 0", read_speed, FIELD(trace_speed),
     "run through the trace this much faster (1)"},
    {"duration", 'd', "DURATION", A_DURATION, read_duration, FIELD(duration), "stop after it (120)"},
    {"grace", 0, "DURATION", "0 or " A_DURATION, read_grace, FIELD(grace),
     "for what is under way at the end of the duration; what is not answered then is unfinished (1)"},
    {"requests", 'n', "N", "1 or more", read_requests, FIELD(requests),
     "stop after this many, or when no more will ever be due"},
    {"infinite", 'i', NULL, NULL, NULL, FIELD(infinite), "run until stopped"},
    {"method", 'm', "METHOD", "a method such as POST", read_method, FIELD(method), "instead of GET"},
    {"header", 'H', "'NAME: VALUE'", "up to 32 of 'Name: value'", read_header, FIELD(headers),
     "sent with every request"},
    {"body-file", 'b', "FILE", "a path", args_read_text, FIELD(body_file),
     "sent as the body of every request, as it is and with its length; not with HEAD"},
    {"expect-status", 0, "CODE,...", "codes such as 404, 200,204 or 2xx", read_expected, FIELD(expected),
     "any other counts as an error (by default 400 and above do)"},
    {"no-keepalive", 0, NULL, NULL, NULL, FIELD(no_keepalive), "a new connection for every request"},
    {"timeout", 0, "DURATION", A_DURATION, read_duration, FIELD(timeout), "of a request (10s)"},
    {"ca-file", 0, "FILE", "a path", args_read_text, FIELD(ca_file), "trust it for https"},
    {"insecure", 'k', NULL, NULL, NULL, FIELD(insecure), "do not verify https certificates"},
    {"seed", 0, "N", "a whole number", read_seed, FIELD(seed), "of --poisson and the choice of URLs (1)"},
    {"json", 'j', NULL, NULL, NULL, FIELD(json), "the summary as one JSON object"},
    {"csv", 0, NULL, NULL, NULL, FIELD(csv), "a row a second instead of the summary"},
    {"progress", 0, "HOW", "auto, line, json or none", read_progress, FIELD(progress),
     "a table or a line a second on standard error, or JSON lines on standard output"},
    {"quiet", 'q', NULL, NULL, NULL, FIELD(quiet), "no progress"},
    {"control", 0, "stdin", "stdin", read_control, FIELD(control),
     "obey JSON lines on standard input; its end stops the load"},
    {"expect-p99", 0, "DURATION", A_DURATION, read_duration, FIELD(expect_p99),
     "exit 1 when the 99th percentile is above it, or over 1% got no answer"},
    {"max-errors", 0, "N|SHARE", "a count such as 0, or a share such as 0.1% or 0.001", read_max_errors, 0,
     "exit 1 when there are more: 10, or 0.1%"},
};

static const char notes[] =
    "Shapes, with what is left out as shown here; low is a share of the rate:\n"
    "  constant   ramp,low=10%,over=60s   sine,low=20%,period=2m   step,low=50%,at=30s\n"
    "  spike,low=10%,at=10s,for=5s,every=0 (every=0: once)\n"
    "Without --rate each user sends its next request when the last one is answered (closed loop). With "
    "--rate,\n"
    "latency counts from the time a request was due, so a stalled server does not hide its own delay.\n"
    "Commands of --control: {\"cmd\":\"rate\",\"value\":500} (0: closed loop), "
    "{\"cmd\":\"threads\",\"value\":30},\n"
    "  {\"cmd\":\"stop\"}\n"
    "Ctrl-C stops in order and prints the summary. Exit status: 0, 1 when an expectation was missed or "
    "nothing\n"
    "was ever answered, 2 usage.";

static const struct args_program program = {
    "ascale-load", "Sends HTTP requests and says how they went.", notes, rows, sizeof rows / sizeof rows[0],
};

const char *load_options_header(const struct load_options *options, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < options->headers.count; i++) {
        const char *text = options->headers.text[i];
        if (strncasecmp(text, name, length) == 0 && text[length] == ':')
            return text + length + 1;
    }
    return NULL;
}

static const char *find_contradiction(const struct load_options *options)
{
    if (options->expected.times_said > 1)
        return "--expect-status can be given once: 200,204 names two";
    if (options->body_file && options->method && strcmp(options->method, "HEAD") == 0)
        return "a request for HEAD has no body: leave --body-file out";
    if (load_options_header(options, "Transfer-Encoding"))
        return "a body is sent with its length, never in chunks: leave --header Transfer-Encoding out";
    if (options->even && options->poisson)
        return "--even and --poisson exclude each other";
    if ((options->even || options->poisson) && options->rate_rps <= 0 && !options->trace)
        return "--even and --poisson need --rate";
    if (options->infinite && options->duration > 0)
        return "--infinite and --duration exclude each other";
    if (options->json && options->csv)
        return "--json and --csv exclude each other";
    if (options->shape.kind == ARRIVALS_TRACE && !options->trace)
        return "shape trace needs --trace FILE";
    if (options->shape.kind != ARRIVALS_CONSTANT && options->shape.kind != ARRIVALS_TRACE && options->trace)
        return "--trace is a shape of its own";
    if (options->trace_speed != 1 && !options->trace)
        return "--trace-speed needs --trace FILE";
    if (options->progress == LOAD_PROGRESS_JSON && options->quiet)
        return "--progress json and --quiet exclude each other";
    if (options->progress == LOAD_PROGRESS_JSON && (options->json || options->csv))
        return "--progress json ends in a summary of its own: leave --json and --csv out";
    return NULL;
}

static void settle(struct load_options *options)
{
    options->output = options->json ? LOAD_OUTPUT_JSON : options->csv ? LOAD_OUTPUT_CSV : LOAD_OUTPUT_TEXT;
    if (options->quiet)
        options->progress = LOAD_PROGRESS_NONE;
    if (options->expected.times_said == 0)
        memset(options->expected.codes, true, 400);
    if (options->urls.count == 0)
        read_words("http://127.0.0.1:8000/", &options->urls);
    if (!options->method)
        options->method = options->body_file ? "POST" : "GET";
    if (options->infinite) {
        options->duration = USEC_NEVER;
    } else if (options->duration == 0 && options->requests > 0) {
        options->duration = arrivals_end(&options->shape);
        options->ends_with_shape = options->duration != USEC_NEVER;
    }
    if (options->duration == 0)
        options->duration = 120 * USEC_PER_SEC;
}

int load_options_read(struct load_options *options, int argc, char **argv)
{
    *options = (struct load_options){
        .threads = 20,
        .timeout = 10 * USEC_PER_SEC,
        .grace = USEC_PER_SEC,
        .trace_speed = 1,
        .shape = {.kind = ARRIVALS_CONSTANT, .low = 1},
        .seed = 1,
    };
    int status = args_read(&program, argc, argv, options);
    if (status >= 0)
        return status;
    const char *wrong = find_contradiction(options);
    if (wrong) {
        fprintf(stderr, "%s: %s; nothing was sent\n", program.name, wrong);
        return 2;
    }
    settle(options);
    return -1;
}
