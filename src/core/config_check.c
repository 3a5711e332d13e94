/* SPDX-License-Identifier: MIT */
/* The rules between settings, which no single row of the option table can tell. */
#include "core/argv.h"
#include "core/config.h"
#include "core/instance.h"
#include "core/options.h"
#include <stdio.h>
#include <string.h>

/* "section.key (value)" of one setting, for messages. */
struct quote {
    char text[CONFIG_TEXT_MAX];
};

static struct quote quote(const struct config *cfg, const char *section, const char *key)
{
    struct quote quote;
    char value[CONFIG_TEXT_MAX];
    config_get_text(cfg, option_find(section, key), value, sizeof value);
    snprintf(quote.text, sizeof quote.text, "%s.%s (%.200s)", section, key, value);
    return quote;
}

/* One rule between two settings: what is said is "A (value) must ... B (value)". */
struct rule {
    bool (*broken)(const struct config *cfg);
    const char *section, *key;
    const char *must;
    const char *other_section, *other_key;
};

static bool bounds_cross(const struct config *cfg)
{
    return cfg->scaling.min_instances > cfg->scaling.max_instances;
}

static bool thresholds_cross(const struct config *cfg)
{
    return cfg->scaling.scale_down_threshold >= cfg->scaling.scale_up_threshold;
}

static bool target_too_high(const struct config *cfg)
{
    return cfg->scaling.strategy == CONFIG_STRATEGY_TRACKING &&
           cfg->scaling.target_cpu >= cfg->scaling.scale_up_threshold;
}

static bool target_too_low(const struct config *cfg)
{
    return cfg->scaling.strategy == CONFIG_STRATEGY_TRACKING &&
           cfg->scaling.target_cpu <= cfg->scaling.scale_down_threshold;
}

static bool processes_too_many(const struct config *cfg)
{
    _Static_assert(INSTANCES_MAX == 256, "the rule below says 256");
    return cfg->scaling.target == CONFIG_TARGET_PROCESS && cfg->scaling.max_instances > INSTANCES_MAX;
}

static bool ports_run_out(const struct config *cfg)
{
    return cfg->scaling.target == CONFIG_TARGET_PROCESS && cfg->app.base_port > 0 &&
           cfg->app.base_port + cfg->scaling.max_instances > 65536;
}

static bool url_missing(const struct config *cfg)
{
    return cfg->scaling.target == CONFIG_TARGET_HTTP && cfg->http.app_url[0] == '\0';
}

static bool key_missing(const struct config *cfg)
{
    return cfg->http.cert_file[0] != '\0' && cfg->http.key_file[0] == '\0';
}

static bool certificate_missing(const struct config *cfg)
{
    return cfg->http.key_file[0] != '\0' && cfg->http.cert_file[0] == '\0';
}

static bool retries_shrink(const struct config *cfg)
{
    return cfg->http.retry_base > cfg->http.retry_max;
}

/* Requests at the balancer wake a service of ours; nothing else does. */
static bool sleeps_without_balancer(const struct config *cfg)
{
    return cfg->scaling.target == CONFIG_TARGET_PROCESS && cfg->scaling.min_instances == 0 &&
           !cfg->balancer.enabled;
}

static bool sleeps_elsewhere(const struct config *cfg)
{
    return cfg->scaling.target == CONFIG_TARGET_HTTP && cfg->scaling.min_instances == 0;
}

static const struct rule rules[] = {
    {sleeps_without_balancer, "scaling", "min_instances", "would never be woken again without", "balancer",
     "enabled"},
    {sleeps_elsewhere, "scaling", "min_instances", "would never be woken again with", "scaling", "target"},
    {bounds_cross, "scaling", "min_instances", "must not be more than", "scaling", "max_instances"},
    {thresholds_cross, "scaling", "scale_down_threshold", "must be below", "scaling", "scale_up_threshold"},
    {target_too_high, "scaling", "target_cpu", "must be below", "scaling", "scale_up_threshold"},
    {target_too_low, "scaling", "target_cpu", "must be above", "scaling", "scale_down_threshold"},
    {processes_too_many, "scaling", "max_instances", "must not be more than 256 with", "scaling", "target"},
    {ports_run_out, "app", "base_port", "leaves too few ports up to 65535 for", "scaling", "max_instances"},
    {url_missing, "http", "app_url", "must not be empty with", "scaling", "target"},
    {key_missing, "http", "cert_file", "needs", "http", "key_file"},
    {certificate_missing, "http", "key_file", "needs", "http", "cert_file"},
    {retries_shrink, "http", "retry_base", "must not be more than", "http", "retry_max"},
};

static bool command_is_bad(const struct config *cfg, char *err, size_t err_size)
{
    struct argv command;
    char why[CONFIG_ERROR_SIZE];
    if (cfg->scaling.target != CONFIG_TARGET_PROCESS ||
        argv_split(&command, cfg->app.command, NULL, why, sizeof why))
        return false;
    snprintf(err, err_size, "app.command (%.200s): %s", cfg->app.command, why);
    return true;
}

/* The options of a signal, and which is wrong between them; NULL: none. */
static const char *wrong_limit(const struct config *cfg, enum signal signal)
{
    struct config_limits l;
    if (signal == SIGNAL_CPU || !config_limits(&cfg->scaling, signal, &l))
        return NULL;
    if (l.down >= l.up)
        return "down";
    return l.target >= l.up || l.target <= l.down ? "target" : NULL;
}

static struct quote quote_limit(const struct config *cfg, enum signal signal, const char *limit)
{
    char key[48];
    snprintf(key, sizeof key, "%s_%s", signal_names[signal], limit);
    return quote(cfg, "signals", key);
}

static bool signal_is_bad(const struct config *cfg, enum signal signal, char *err, size_t err_size)
{
    const char *wrong = wrong_limit(cfg, signal);
    struct quote up, down;
    if (!wrong)
        return false;
    up = quote_limit(cfg, signal, "up");
    down = quote_limit(cfg, signal, "down");
    if (strcmp(wrong, "down") == 0)
        snprintf(err, err_size, "%.250s must be below %.250s", down.text, up.text);
    else
        snprintf(err, err_size, "%.160s must be between %.160s and %.160s",
                 quote_limit(cfg, signal, "target").text, down.text, up.text);
    return true;
}

size_t config_faults(const struct config *cfg, void (*each)(void *context, const char *fault), void *context)
{
    char text[2 * CONFIG_TEXT_MAX + 128];
    size_t count = 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        if (!rule->broken(cfg))
            continue;
        struct quote subject = quote(cfg, rule->section, rule->key);
        struct quote object = quote(cfg, rule->other_section, rule->other_key);
        snprintf(text, sizeof text, "%s %s %s", subject.text, rule->must, object.text);
        each(context, text);
        count++;
    }
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (signal_is_bad(cfg, (enum signal)i, text, sizeof text)) {
            each(context, text);
            count++;
        }
    if (command_is_bad(cfg, text, sizeof text)) {
        each(context, text);
        count++;
    }
    return count;
}

struct first_fault {
    char *err;
    size_t size;
    bool found;
};

static void take_first(void *context, const char *fault)
{
    struct first_fault *first = context;
    if (!first->found)
        snprintf(first->err, first->size, "%s", fault);
    first->found = true;
}

bool config_check(const struct config *cfg, char *err, size_t err_size)
{
    return config_faults(cfg, take_first, &(struct first_fault){err, err_size, false}) == 0;
}

bool config_advise(const struct config *cfg, char *advice, size_t size)
{
    const struct config_scaling *scaling = &cfg->scaling;
    int few = scaling->min_instances > 1 ? scaling->min_instances : 1;
    double after = scaling->scale_up_threshold * few / (few + 1);
    if (scaling->strategy != CONFIG_STRATEGY_THRESHOLD || few >= scaling->max_instances ||
        after > scaling->scale_down_threshold)
        return false;
    struct quote up = quote(cfg, "scaling", "scale_up_threshold"),
                 down = quote(cfg, "scaling", "scale_down_threshold");
    snprintf(advice, size,
             "%s and %s are near: one instance added to %d brings the mean from there to %.1f%%, where it "
             "would be "
             "taken away again",
             up.text, down.text, few, after);
    return true;
}
