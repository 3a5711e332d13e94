/* SPDX-License-Identifier: MIT */
/* The commands of protocol.h: a row each. Bad input is answered, never obeyed in part. */
#include "balance/runtime.h"
#include "core/options.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct call {
    struct runtime *rt;
    struct client *client;
    const json_t *command;
    json_int_t id;
    char error[CONFIG_ERROR_SIZE];
};

static void answer(struct call *c, json_t *object, int fd)
{
    json_object_set_new(object, "reply", json_integer(c->id));
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII), *line = NULL;
    int n = !text ? -1 : asprintf(&line, "%s\n", text);
    if (n > 0) {
        client_send(c->client, line, (size_t)n, fd);
        free(line);
    }
    free(text);
    json_decref(object);
}

static void answer_ok(struct call *c)
{
    answer(c, json_pack("{s:b}", "ok", 1), -1);
}

static void answer_error(struct call *c, const char *error)
{
    answer(c, json_pack("{s:b,s:s}", "ok", 0, "error", error), -1);
}

static void on_hello(struct call *c)
{
    struct runtime *rt = c->rt;
    json_int_t version = json_integer_value(json_object_get(c->command, "version"));
    if (version != PROTOCOL_VERSION) {
        snprintf(c->error, sizeof c->error, "version %lld is not spoken here, %d is", (long long)version,
                 PROTOCOL_VERSION);
        answer_error(c, c->error);
        return;
    }
    answer(c,
           json_pack("{s:b,s:i,s:i,s:s,s:i,s:i}", "ok", 1, "version", PROTOCOL_VERSION, "pid", (int)getpid(),
                     "listen", rt->listen, "threads", (int)rt->hub.worker_count, "priority", rt->priority),
           -1);
}

static bool read_spec(const json_t *item, struct backend_spec *spec)
{
    const char *state = json_string_value(json_object_get(item, "state"));
    spec->id = json_string_value(json_object_get(item, "id"));
    spec->address = json_string_value(json_object_get(item, "address"));
    if (!spec->id || !spec->address || !state)
        return false;
    spec->drain = strcmp(state, "drain") == 0;
    spec->spare = strcmp(state, "spare") == 0;
    return spec->drain || spec->spare || strcmp(state, "ready") == 0;
}

static void on_backends(struct call *c)
{
    static struct backend_spec specs[BACKENDS_MAX];
    const json_t *list = json_object_get(c->command, "backends");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > BACKENDS_MAX) {
        snprintf(c->error, sizeof c->error, "backends is not an array of at most %d", BACKENDS_MAX);
        answer_error(c, c->error);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!read_spec(json_array_get(list, i), &specs[i])) {
            snprintf(c->error, sizeof c->error,
                     "backend number %zu lacks id, address or state (ready, spare, drain)", i + 1);
            answer_error(c, c->error);
            return;
        }
    usec_t now = loop_now(c->rt->loop);
    if (registry_set(&c->rt->registry, specs, (unsigned)count, now, c->error, sizeof c->error) < 0)
        answer_error(c, c->error);
    else
        answer(c, json_pack("{s:b,s:i}", "ok", 1, "backends", (int)count), -1);
}

static bool apply(struct call *c, const char *key, const char *value)
{
    struct runtime *rt = c->rt;
    struct config next = rt->config;
    struct settings settings;
    const struct option *option = option_find("balancer", key);
    if (option && !(option->flags & OPTION_LIVE)) {
        snprintf(c->error, sizeof c->error, "balancer.%s takes effect at the next start only", key);
        return false;
    }
    if (!config_set(&next, "balancer", key, value, c->error, sizeof c->error) ||
        !settings_from(&settings, &next.balancer, c->error, sizeof c->error))
        return false;
    if (registry_configure(&rt->registry, &settings) < 0) {
        snprintf(c->error, sizeof c->error, "out of memory; balancer.%s stays as it was", key);
        return false;
    }
    rt->config = next;
    return true;
}

static void on_set(struct call *c)
{
    const char *key = json_string_value(json_object_get(c->command, "key"));
    const char *value = json_string_value(json_object_get(c->command, "value"));
    if (!key || !value)
        answer_error(c, "set takes a key and a value, both as text");
    else if (!apply(c, key, value))
        answer_error(c, c->error);
    else
        answer_ok(c);
}

static void on_stats(struct call *c)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "\"reply\":%lld,\"ok\":true", (long long)c->id);
    char *text = report_stats(c->rt, prefix, loop_now(c->rt->loop));
    if (text)
        client_send(c->client, text, strlen(text), -1);
    free(text);
}

static void on_subscribe(struct call *c)
{
    const json_t *interval = json_object_get(c->command, "interval_ms");
    json_int_t ms = json_integer_value(interval);
    if (!json_is_integer(interval) || ms < 0 || ms > 3600000 || (ms > 0 && ms < PROTOCOL_INTERVAL_MIN)) {
        answer_error(c, "interval_ms is 0 or 50..3600000");
        return;
    }
    usec_t now = loop_now(c->rt->loop);
    c->client->interval_us = ms * USEC_PER_MSEC;
    c->client->next_stats_at = now;
    c->client->changes_only = json_is_true(json_object_get(c->command, "changes"));
    c->client->told = false;
    loop_timer_set(c->rt->loop, &c->rt->stats_timer, now);
    answer_ok(c);
}

static void on_listener(struct call *c)
{
    answer(c, json_pack("{s:b,s:s}", "ok", 1, "listen", c->rt->listen), c->rt->hub.listen_fd);
}

static void on_stop(struct call *c)
{
    answer_ok(c);
    runtime_stop(c->rt);
}

struct command_row {
    const char *name;
    void (*run)(struct call *c);
};

static void on_control(struct call *c)
{
    int fd = c->client->passed_fd, error = fd >= 0 ? clients_move(&c->rt->clients, fd) : -EINVAL;
    if (error == 0) {
        c->client->passed_fd = -1;
        answer_ok(c);
    } else if (error == -EINVAL) {
        answer_error(c, "no listening Unix socket came with the command");
    } else {
        answer_error(c, strerror(-error));
    }
}

static const struct command_row rows[] = {
    {"hello", on_hello},         {"backends", on_backends}, {"set", on_set},         {"stats", on_stats},
    {"subscribe", on_subscribe}, {"listener", on_listener}, {"control", on_control}, {"stop", on_stop},
};

static void dispatch(struct call *c, const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) {
            rows[i].run(c);
            return;
        }
    answer_error(c, "unknown command (hello, backends, set, stats, subscribe, listener, control, stop)");
}

void commands_take(struct runtime *rt, struct client *client, char *line)
{
    json_error_t where;
    json_t *command = json_loads(line, JSON_REJECT_DUPLICATES, &where);
    const char *name = json_string_value(json_object_get(command, "cmd"));
    struct call c = {.rt = rt, .client = client, .command = command};
    c.id = json_integer_value(json_object_get(command, "id"));
    if (!command)
        snprintf(c.error, sizeof c.error, "not JSON: %s", where.text);
    else if (!name)
        snprintf(c.error, sizeof c.error, "no \"cmd\" in it");
    if (name)
        dispatch(&c, name);
    else
        answer_error(&c, c.error);
    json_decref(command);
}
