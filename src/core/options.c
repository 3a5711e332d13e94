/* SPDX-License-Identifier: MIT */
/* The option table itself, in the order of autoscaler.ini, and what can be said of a row without a config. */
#include "core/options.h"
#include "core/text.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define FIELD(section, field)                                                                                \
    offsetof(struct config, section.field), sizeof(((struct config *)0)->section.field)
#define NO_RANGE 0, 0
#define MSEC     1e3
#define SEC      1e6
#define HOUR     3600e6
#define DAY      86400e6
#define KIB      1024.0
#define GIB      (1024.0 * 1024 * 1024)

/* "threshold|tracking" */
#define STRATEGY_CHOICE(id, name) "|" #name
#define STRATEGY_CHOICES          (&(STRATEGIES(STRATEGY_CHOICE))[1])

/* The options of a signal, by its unit. */
#define LIMIT_UNIT_NUMBER(signal, limit)                                                                     \
    OPTION_INT, "0", 0, 1e9, NULL, FIELD(scaling.signals[signal], limit.count)
#define LIMIT_UNIT_PERCENT(signal, limit)                                                                    \
    OPTION_PERCENT, "0", 0, 10000, NULL, FIELD(scaling.signals[signal], limit.percent)
#define LIMIT_UNIT_DURATION(signal, limit)                                                                   \
    OPTION_DURATION, "0", 0, HOUR, NULL, FIELD(scaling.signals[signal], limit.whole)
#define LIMIT_UNIT_SIZE(signal, limit)                                                                       \
    OPTION_SIZE, "0", 0, 1024 * GIB, NULL, FIELD(scaling.signals[signal], limit.whole)
#define SIGNAL_OPTIONS(id, name, unit, pooling, help)                                                        \
    {"signals", name "_up", LIMIT_##unit(SIGNAL_##id, up), OPTION_LIVE,                                      \
     help ", above which instances are added; 0 means it is not watched"},                                   \
        {"signals", name "_down", LIMIT_##unit(SIGNAL_##id, down), OPTION_LIVE,                              \
         help ", below which instances may be taken away; 0 means it has no say in that"},                   \
        {"signals", name "_target", LIMIT_##unit(SIGNAL_##id, target), OPTION_LIVE,                          \
         help ", which tracking aims at; 0 means the middle of the two"},

/* clang-format off */
const struct option options[] = {
    {"app", "command", OPTION_TEXT, "ascale-app --port {port}", NO_RANGE, NULL, FIELD(app, command), OPTION_INSTANCE,
     "starts one instance; {port}, {id} and {host} are filled in; split into words, no shell"},
    {"app", "host", OPTION_TEXT, "127.0.0.1", NO_RANGE, NULL, FIELD(app, host), OPTION_INSTANCE,
     "address the instances listen on"},
    {"app", "base_port", OPTION_INT, "5000", 0, 65535, NULL, FIELD(app, base_port), OPTION_INSTANCE,
     "port of the first instance, the next ones count up; taken ports are skipped, 0 means any free one"},
    {"app", "directory", OPTION_FILE, "", NO_RANGE, NULL, FIELD(app, directory), OPTION_INSTANCE | OPTION_OPTIONAL,
     "working directory of the instances; empty means the one ascale was started in"},
    {"app", "health_path", OPTION_URL_PATH, "/health", NO_RANGE, NULL, FIELD(app, health_path), OPTION_LIVE | OPTION_OPTIONAL,
     "an instance is ready when this answers 2xx or 3xx; empty means an accepted connection is enough"},
    {"app", "health_interval", OPTION_DURATION, "2s", 50 * MSEC, HOUR, NULL, FIELD(app, health_interval), OPTION_LIVE,
     "time between two health checks of an instance; after a failed one they come faster"},
    {"app", "health_timeout", OPTION_DURATION, "2s", 10 * MSEC, HOUR, NULL, FIELD(app, health_timeout), OPTION_LIVE,
     "a health check without an answer after this has failed"},
    {"app", "start_timeout", OPTION_DURATION, "30s", 100 * MSEC, DAY, NULL, FIELD(app, start_timeout), OPTION_LIVE,
     "an instance not ready after this is given up"},
    {"app", "liveness_path", OPTION_URL_PATH, "", NO_RANGE, NULL, FIELD(app, liveness_path), OPTION_LIVE | OPTION_OPTIONAL,
     "an instance that answers this badly three times in a row is ended and started again; empty means none is asked"},
    {"app", "unresponsive_timeout", OPTION_DURATION, "30s", 1 * SEC, DAY, NULL, FIELD(app, unresponsive_timeout), OPTION_LIVE,
     "an instance without any sign of life (a check or a request answered) for this long is ended; without the balancer, four times as long"},
    {"app", "restart_delay_max", OPTION_DURATION, "30s", 100 * MSEC, DAY, NULL, FIELD(app, restart_delay_max), OPTION_LIVE,
     "longest wait before an instance that failed is started again; it begins at 0.5s and doubles"},
    {"app", "stop_timeout", OPTION_DURATION, "5s", 0, HOUR, NULL, FIELD(app, stop_timeout), OPTION_LIVE,
     "time between SIGTERM and SIGKILL"},
    {"app", "drain_timeout", OPTION_DURATION, "30s", 0, DAY, NULL, FIELD(app, drain_timeout), OPTION_LIVE,
     "time a leaving instance gets to finish its requests before SIGTERM"},
    {"app", "requests_path", OPTION_URL_PATH, "", NO_RANGE, NULL, FIELD(app, requests_path), OPTION_LIVE | OPTION_OPTIONAL,
     "where an instance tells how many requests it handled, for traffic past the balancer; empty means the balancer counts"},
    {"app", "user", OPTION_TEXT, "", NO_RANGE, NULL, FIELD(app, user), OPTION_INSTANCE | OPTION_OPTIONAL,
     "user the instances run as when ascale runs as root; empty means the same user"},
    {"app", "memory_limit", OPTION_SIZE, "0", 0, 1024 * GIB, NULL, FIELD(app, memory_limit), OPTION_INSTANCE,
     "most memory of an instance (512M, 2G); 0 means no limit"},
    {"app", "max_processes", OPTION_INT, "0", 0, 1000000, NULL, FIELD(app, max_processes), OPTION_INSTANCE,
     "most processes and threads of an instance; 0 means no limit"},
    {"app", "max_files", OPTION_INT, "0", 0, 1000000, NULL, FIELD(app, max_files), OPTION_INSTANCE,
     "most open files of an instance's process; 0 means no limit"},
    {"app", "env.*", OPTION_MAP, "", NO_RANGE, NULL, FIELD(app, env), OPTION_INSTANCE | OPTION_SECRET,
     "env.NAME = value sets an environment variable of the instances"},

    {"scaling", "target", OPTION_CHOICE, "process", NO_RANGE, "process|http", FIELD(scaling, target), 0,
     "what is scaled: processes of this machine, or a remote application through its HTTP API"},
    {"scaling", "strategy", OPTION_CHOICE, "threshold", NO_RANGE, STRATEGY_CHOICES, FIELD(scaling, strategy), OPTION_LIVE,
     "threshold adds and takes away by two limits; tracking aims at target_cpu"},
    {"scaling", "min_instances", OPTION_INT, "1", 0, CONFIG_INSTANCES_MAX, NULL, FIELD(scaling, min_instances), OPTION_LIVE,
     "fewest instances"},
    {"scaling", "max_instances", OPTION_INT, "5", 1, CONFIG_INSTANCES_MAX, NULL, FIELD(scaling, max_instances), OPTION_LIVE,
     "most instances"},
    {"scaling", "scale_up_threshold", OPTION_PERCENT, "35%", 0, 10000, NULL, FIELD(scaling, scale_up_threshold), OPTION_LIVE,
     "mean CPU above which instances are added; 100% is one core"},
    {"scaling", "scale_down_threshold", OPTION_PERCENT, "15%", 0, 10000, NULL, FIELD(scaling, scale_down_threshold), OPTION_LIVE,
     "mean CPU below which instances are taken away"},
    {"scaling", "target_cpu", OPTION_PERCENT, "25%", 0.1, 10000, NULL, FIELD(scaling, target_cpu), OPTION_LIVE,
     "mean CPU the tracking strategy aims at, between the two thresholds"},
    {"scaling", "polling_interval", OPTION_DURATION, "1s", 50 * MSEC, HOUR, NULL, FIELD(scaling, polling_interval), OPTION_LIVE,
     "time between two steps of the scaler"},
    {"scaling", "cpu_source", OPTION_CHOICE, "instances", NO_RANGE, "instances|system", FIELD(scaling, cpu_source), OPTION_LIVE,
     "instances: mean of the ready ones, 100% is one core; system: the whole machine"},
    {"scaling", "cooldown_up", OPTION_DURATION, "3s", 0, DAY, NULL, FIELD(scaling, cooldown_up), OPTION_LIVE,
     "no further addition for this long after a change"},
    {"scaling", "cooldown_down", OPTION_DURATION, "10s", 0, DAY, NULL, FIELD(scaling, cooldown_down), OPTION_LIVE,
     "no instance is taken away for this long after a change"},
    {"scaling", "stabilization", OPTION_DURATION, "3s", 0, DAY, NULL, FIELD(scaling, stabilization), OPTION_LIVE,
     "how long CPU must have stayed above the upper threshold"},
    {"scaling", "stabilization_down", OPTION_DURATION, "10s", 0, DAY, NULL, FIELD(scaling, stabilization_down), OPTION_LIVE,
     "how long CPU must have stayed below the lower threshold"},
    {"scaling", "max_step", OPTION_INT, "1", 1, CONFIG_INSTANCES_MAX, NULL, FIELD(scaling, max_step), OPTION_LIVE,
     "most instances added or taken away at once"},
    {"scaling", "manual_expiry", OPTION_DURATION, "5m", 0, 365 * DAY, NULL, FIELD(scaling, manual_expiry), OPTION_LIVE,
     "a manual + or - in AUTO holds its floor or ceiling this long; 0 means until changed"},

    SIGNALS_BESIDE_CPU(SIGNAL_OPTIONS)

    {"balancer", "enabled", OPTION_BOOL, "yes", NO_RANGE, NULL, FIELD(balancer, enabled), 0,
     "put the balancer in front of the instances"},
    {"balancer", "listen", OPTION_ADDRESS, "127.0.0.1:8000", NO_RANGE, NULL, FIELD(balancer, listen), 0,
     "address users connect to; port 0 means any free one"},
    {"balancer", "algorithm", OPTION_CHOICE, "least_in_flight", NO_RANGE, "round_robin|least_in_flight|p2c_ewma|sticky",
     FIELD(balancer, algorithm), OPTION_LIVE, "which instance takes the next request"},
    {"balancer", "threads", OPTION_INT, "1", 1, 64, NULL, FIELD(balancer, threads), 0,
     "threads that serve connections"},
    {"balancer", "priority", OPTION_INT, "-10", -20, 19, NULL, FIELD(balancer, priority), 0,
     "nice value to try for; not being allowed it is said and is no error"},
    {"balancer", "busy_poll", OPTION_DURATION, "30us", 0, MSEC, NULL, FIELD(balancer, busy_poll), OPTION_LIVE,
     "wait awake for instances that answer sooner than this, as a sleep and a wake-up would take longer; 0 means never"},
    {"balancer", "header_timeout", OPTION_DURATION, "10s", 10 * MSEC, HOUR, NULL, FIELD(balancer, header_timeout), OPTION_LIVE,
     "time a client has for the whole head of a request"},
    {"balancer", "body_timeout", OPTION_DURATION, "30s", 10 * MSEC, DAY, NULL, FIELD(balancer, body_timeout), OPTION_LIVE,
     "longest pause while a body is sent or received"},
    {"balancer", "connect_timeout", OPTION_DURATION, "2s", 10 * MSEC, HOUR, NULL, FIELD(balancer, connect_timeout), OPTION_LIVE,
     "time to connect to an instance before another one is tried"},
    {"balancer", "response_timeout", OPTION_DURATION, "60s", 10 * MSEC, DAY, NULL, FIELD(balancer, response_timeout), OPTION_LIVE,
     "time an instance has until the first byte of its answer"},
    {"balancer", "idle_timeout", OPTION_DURATION, "60s", 10 * MSEC, DAY, NULL, FIELD(balancer, idle_timeout), OPTION_LIVE,
     "idle keep-alive connections are closed after this"},
    {"balancer", "drain_timeout", OPTION_DURATION, "30s", 0, DAY, NULL, FIELD(balancer, drain_timeout), OPTION_LIVE,
     "time requests get to finish when the balancer itself stops"},
    {"balancer", "queue_timeout", OPTION_DURATION, "5s", 0, HOUR, NULL, FIELD(balancer, queue_timeout), OPTION_LIVE,
     "longest wait of a request for an instance with room"},
    {"balancer", "queue_limit", OPTION_INT, "1024", 0, 1000000, NULL, FIELD(balancer, queue_limit), OPTION_LIVE,
     "most requests waiting; more get 503"},
    {"balancer", "max_connections", OPTION_INT, "20000", 1, 1000000, NULL, FIELD(balancer, max_connections), 0,
     "most client connections"},
    {"balancer", "max_in_flight", OPTION_INT, "0", 0, 1000000, NULL, FIELD(balancer, max_in_flight), OPTION_LIVE,
     "most requests an instance handles at once, further ones wait; 0 means no limit"},
    {"balancer", "slow_start", OPTION_DURATION, "0", 0, HOUR, NULL, FIELD(balancer, slow_start), OPTION_LIVE,
     "a new instance gets its full share of requests only after this"},
    {"balancer", "eject_failures", OPTION_INT, "5", 0, 1000000, NULL, FIELD(balancer, eject_failures), OPTION_LIVE,
     "failures in a row after which an instance gets no requests for eject_time; 0 means never"},
    {"balancer", "eject_time", OPTION_DURATION, "5s", 0, DAY, NULL, FIELD(balancer, eject_time), OPTION_LIVE,
     "how long an ejected instance gets no requests"},
    {"balancer", "panic_threshold", OPTION_PERCENT, "50%", 0, 100, NULL, FIELD(balancer, panic_threshold), OPTION_LIVE,
     "when fewer of the instances once ready still are, those that fail their checks but answer get requests all the same; 0 means never"},
    {"balancer", "max_header_size", OPTION_SIZE, "16k", KIB, 60 * KIB, NULL, FIELD(balancer, max_header_size), 0,
     "largest head of a request or an answer"},
    {"balancer", "max_body_size", OPTION_SIZE, "0", 0, 1024 * GIB, NULL, FIELD(balancer, max_body_size), OPTION_LIVE,
     "largest body of a request, larger ones get 413; 0 means no limit"},
    {"balancer", "trusted_proxies", OPTION_TEXT, "", NO_RANGE, NULL, FIELD(balancer, trusted_proxies), OPTION_LIVE | OPTION_OPTIONAL,
     "addresses or networks (10.0.0.0/8, ::1), separated by commas, whose forwarding headers are believed"},
    {"balancer", "forwarded", OPTION_CHOICE, "both", NO_RANGE, "none|x_forwarded|forwarded|both", FIELD(balancer, forwarded),
     OPTION_LIVE, "which headers tell the instances about the client: X-Forwarded-*, Forwarded, or both"},
    {"balancer", "via", OPTION_BOOL, "no", NO_RANGE, NULL, FIELD(balancer, via), OPTION_LIVE,
     "add a Via header"},
    {"balancer", "access_log", OPTION_FILE, "", NO_RANGE, NULL, FIELD(balancer, access_log), OPTION_OPTIONAL,
     "file that gets a line a request; empty means none"},
    {"balancer", "access_log_format", OPTION_CHOICE, "combined", NO_RANGE, "combined|json", FIELD(balancer, access_log_format), 0,
     "how such a line looks"},
    {"balancer", "hold_when_empty", OPTION_BOOL, "yes", NO_RANGE, NULL, FIELD(balancer, hold_when_empty), OPTION_LIVE,
     "with no instance ready, hold requests up to queue_timeout instead of answering 503 at once"},
    {"balancer", "retry_after", OPTION_DURATION, "1s", SEC, HOUR, NULL, FIELD(balancer, retry_after), OPTION_LIVE,
     "what a 503 tells the client to wait"},
    {"balancer", "user", OPTION_TEXT, "", NO_RANGE, NULL, FIELD(balancer, user), OPTION_OPTIONAL,
     "user the balancer becomes after start when ascale runs as root; empty means the same user"},

    {"http", "app_url", OPTION_URL, "", NO_RANGE, NULL, FIELD(http, app_url), OPTION_OPTIONAL,
     "the remote application, for target = http"},
    {"http", "status_path", OPTION_URL_PATH, "/app/status", NO_RANGE, NULL, FIELD(http, status_path), OPTION_LIVE,
     "GET here tells CPU and count"},
    {"http", "replicas_path", OPTION_URL_PATH, "/app/replicas", NO_RANGE, NULL, FIELD(http, replicas_path), OPTION_LIVE,
     "PUT here orders a count"},
    {"http", "cpu_pointer", OPTION_URL_PATH, "/cpu/highPriority", NO_RANGE, NULL, FIELD(http, cpu_pointer), OPTION_LIVE,
     "JSON pointer of the CPU in the status, a fraction of 1"},
    {"http", "replicas_pointer", OPTION_URL_PATH, "/replicas", NO_RANGE, NULL, FIELD(http, replicas_pointer), OPTION_LIVE,
     "JSON pointer of the count in the status"},
    {"http", "replicas_key", OPTION_TEXT, "replicas", NO_RANGE, NULL, FIELD(http, replicas_key), OPTION_LIVE,
     "key of the count in the order"},
    {"http", "header.*", OPTION_MAP, "", NO_RANGE, NULL, FIELD(http, headers), OPTION_LIVE | OPTION_SECRET,
     "header.NAME = value is sent with every request"},
    {"http", "token_file", OPTION_FILE, "", NO_RANGE, NULL, FIELD(http, token_file), OPTION_OPTIONAL,
     "file with the bearer token, readable by its owner only; empty means none"},
    {"http", "ca_file", OPTION_FILE, "", NO_RANGE, NULL, FIELD(http, ca_file), OPTION_OPTIONAL,
     "certificates to trust; empty means the system's"},
    {"http", "cert_file", OPTION_FILE, "", NO_RANGE, NULL, FIELD(http, cert_file), OPTION_OPTIONAL,
     "client certificate; empty means none"},
    {"http", "key_file", OPTION_FILE, "", NO_RANGE, NULL, FIELD(http, key_file), OPTION_OPTIONAL,
     "its key, readable by its owner only"},
    {"http", "connect_timeout", OPTION_DURATION, "2s", 10 * MSEC, HOUR, NULL, FIELD(http, connect_timeout), OPTION_LIVE,
     "time to connect"},
    {"http", "timeout", OPTION_DURATION, "5s", 10 * MSEC, HOUR, NULL, FIELD(http, timeout), OPTION_LIVE,
     "time for a whole call; for a reading never more than polling_interval"},
    {"http", "retries", OPTION_INT, "3", 0, 20, NULL, FIELD(http, retries), OPTION_LIVE,
     "times a failed call is tried again within a step"},
    {"http", "retry_base", OPTION_DURATION, "200ms", MSEC, HOUR, NULL, FIELD(http, retry_base), OPTION_LIVE,
     "longest wait before the first of them; it doubles each time, the wait itself is random"},
    {"http", "retry_max", OPTION_DURATION, "5s", MSEC, HOUR, NULL, FIELD(http, retry_max), OPTION_LIVE,
     "longest wait before any of them"},
    {"http", "breaker_failures", OPTION_INT, "5", 1, 1000, NULL, FIELD(http, breaker_failures), OPTION_LIVE,
     "failed steps in a row after which calls pause"},
    {"http", "breaker_open_time", OPTION_DURATION, "30s", MSEC, DAY, NULL, FIELD(http, breaker_open_time), OPTION_LIVE,
     "how long they pause before a single call tries again"},

    {"load", "url", OPTION_URL, "http://127.0.0.1:8000/", NO_RANGE, NULL, FIELD(load, url), OPTION_LIVE,
     "what the load generator calls"},
    {"load", "threads", OPTION_INT, "20", 1, 1024, NULL, FIELD(load, threads), OPTION_LIVE,
     "threads of the load generator; without connections each is one user"},
    {"load", "connections", OPTION_INT, "0", 0, 100000, NULL, FIELD(load, connections), OPTION_LIVE,
     "connections on those threads; 0 means one a thread"},
    {"load", "rate", OPTION_RATE, "0", 0, 1e7, NULL, FIELD(load, rate_rps), OPTION_LIVE,
     "requests asked for (500/s, 30/m); 0 means as fast as the answers come"},
    {"load", "shape", OPTION_CHOICE, "constant", NO_RANGE, "constant|ramp|sine|step|spike", FIELD(load, shape), OPTION_LIVE,
     "how the rate moves over the duration"},
    {"load", "duration", OPTION_DURATION, "120s", 0, 365 * DAY, NULL, FIELD(load, duration), OPTION_LIVE,
     "how long it runs; 0 means until stopped"},

    {"log", "file", OPTION_FILE, "", NO_RANGE, NULL, FIELD(log, file), OPTION_OPTIONAL,
     "log of ascale itself; empty means ascale.log in the state directory"},
    {"log", "level", OPTION_CHOICE, "info", NO_RANGE, "error|warning|info|debug", FIELD(log, level), OPTION_LIVE,
     "the least important messages to keep"},
    {"log", "max_size", OPTION_SIZE, "10M", 0, 1024 * GIB, NULL, FIELD(log, max_size), 0,
     "a log larger than this begins anew and its end stays in .1, those of instances and the balancer too; 0 means never"},

    {"state", "directory", OPTION_FILE, "", NO_RANGE, NULL, FIELD(state, directory), OPTION_OPTIONAL,
     "state, locks and logs of instances; empty means $XDG_STATE_HOME/ascale or ~/.local/state/ascale"},

    {"ui", "glyphs", OPTION_CHOICE, "auto", NO_RANGE, "auto|braille|block|ascii", FIELD(ui, glyphs), OPTION_LIVE,
     "what charts are drawn with"},
    {"ui", "frame_interval", OPTION_DURATION, "1s", 50 * MSEC, 60 * SEC, NULL, FIELD(ui, frame_interval), OPTION_LIVE,
     "time between two redraws of the screen; keys show at once"},
    {"ui", "palette", OPTION_CHOICE, "auto", NO_RANGE, "auto|dark|light|mono", FIELD(ui, palette), OPTION_LIVE,
     "colors of the screen"},
    {"ui", "mouse", OPTION_BOOL, "no", NO_RANGE, NULL, FIELD(ui, mouse), OPTION_LIVE,
     "click selects, wheel scrolls; the terminal then no longer selects text"},
    {"ui", "confirm", OPTION_BOOL, "yes", NO_RANGE, NULL, FIELD(ui, confirm), OPTION_LIVE,
     "ask before an instance is added or taken away by key"},
};
/* clang-format on */

#define COUNT(array) (sizeof array / sizeof *(array))

const size_t options_count = COUNT(options);

static const struct {
    const char *section, *help;
} sections[] = {
    {"app", "The application: how one instance of it is started, checked and stopped."},
    {"scaling", "When instances are added and taken away."},
    {"signals", "What else to scale by, beside CPU: the signal that asks for most wins, and all must agree "
                "to take away."},
    {"balancer", "What stands between the users and the instances."},
    {"http", "A remote application, for target = http."},
    {"load", "The load generator, started by the key l."},
    {"log", "The log of ascale itself."},
    {"state", "What is kept between two runs."},
    {"ui", "The screen."},
};

const char *option_section_help(const char *section)
{
    for (size_t i = 0; i < COUNT(sections); i++)
        if (strcmp(sections[i].section, section) == 0)
            return sections[i].help;
    return NULL;
}

/* Length of "env." in "env.*". */
static size_t map_prefix(const struct option *option)
{
    return option->type == OPTION_MAP ? strlen(option->key) - 1 : 0;
}

const struct option *option_find(const char *section, const char *key)
{
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        size_t prefix = map_prefix(option);
        if (strcmp(option->section, section) != 0)
            continue;
        if (prefix > 0 ? strncmp(option->key, key, prefix) == 0 && key[prefix] != '\0'
                       : strcmp(option->key, key) == 0)
            return option;
    }
    return NULL;
}

static int choices_text(const char *choices, char *out, size_t size)
{
    int length = 0;
    if (size > 0)
        *out = '\0';
    for (; *choices; choices++) {
        size_t used = (size_t)length < size ? (size_t)length : size;
        length += snprintf(out ? out + used : NULL, size - used, *choices == '|' ? ", " : "%c", *choices);
    }
    return length;
}

int option_format_number(const struct option *option, double value, char *out, size_t size)
{
    switch (option->type) {
    case OPTION_PERCENT:
        return units_format_percent(out, size, value);
    case OPTION_DURATION:
        return units_format_duration(out, size, (usec_t)value);
    case OPTION_RATE:
        return units_format_rate(out, size, value);
    case OPTION_SIZE:
        return units_format_size(out, size, (int64_t)value);
    default:
        return snprintf(out, size, "%.0f", value);
    }
}

int option_range_text(const struct option *option, char *out, size_t size)
{
    static const char *const shapes[] = {
        [OPTION_TEXT] = "text",
        [OPTION_FILE] = "a path",
        [OPTION_URL] = "http://HOST[:PORT][/PATH] or https://...",
        [OPTION_URL_PATH] = "a path that begins with '/'",
        [OPTION_ADDRESS] = "HOST:PORT",
        [OPTION_BOOL] = "yes, no",
        [OPTION_MAP] = "text",
    };
    char min[64], max[64];
    if (option->choices)
        return choices_text(option->choices, out, size);
    if (option->max <= option->min)
        return snprintf(out, size, "%s%s", shapes[option->type],
                        option->flags & OPTION_OPTIONAL ? ", or empty" : "");
    option_format_number(option, option->min, min, sizeof min);
    option_format_number(option, option->max, max, sizeof max);
    return snprintf(out, size, "%s..%s", min, max);
}

/* Edits apart; a beginning of the name, and a key spelled right in the wrong section, are as good as one
 * slip. */
static int name_distance(const struct option *option, const char *name, const char *wanted, const char *key)
{
    int distance = text_distance(wanted, name);
    bool begins = *key && strncmp(name, wanted, strlen(wanted)) == 0;
    bool elsewhere = strcmp(option->key, key) == 0;
    return distance > 1 && (begins || elsewhere) ? 1 : distance;
}

void option_nearest(const char *section, const char *key, char *out, size_t size)
{
    char wanted[128], name[128];
    int best = INT_MAX;
    snprintf(wanted, sizeof wanted, "%s.%s", section, key);
    for (size_t i = 0; i < options_count; i++) {
        snprintf(name, sizeof name, "%s.%s", options[i].section, options[i].key);
        int distance = name_distance(&options[i], name, wanted, key);
        if (distance >= best)
            continue;
        best = distance;
        snprintf(out, size, "%s", name);
    }
}
