/* SPDX-License-Identifier: MIT */
/* Owns the set of backends the balancer should have and a meter for each. The set is the truth and the
 * balancer a copy of it: it is sent whole whenever it changed or a balancer is new. What comes from the
 * socket is checked as it is read; a field of the wrong type counts as zero, an unknown backend is passed
 * over. */
#include "control/backends.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Readings come every second; an older one says nothing about now. */
#define FRESH_FOR (5 * USEC_PER_SEC)

int backends_init(struct backends *b, usec_t now)
{
    memset(b, 0, sizeof *b);
    b->total = calloc(1, sizeof *b->total);
    if (!b->total)
        return -ENOMEM;
    meter_start(b->total, now);
    return 0;
}

void backends_fini(struct backends *b)
{
    for (int i = 0; i < b->count; i++)
        free(b->items[i].meter);
    free(b->total);
    memset(b, 0, sizeof *b);
}

static struct backend *find(struct backends *b, int id)
{
    for (int i = 0; i < b->count; i++)
        if (b->items[i].id == id)
            return &b->items[i];
    return NULL;
}

static void start_meter(const struct backends *b, struct meter *meter, usec_t now)
{
    if (b->adopted)
        meter_start_unknown(meter, now);
    else
        meter_start(meter, now);
}

int backends_admit(struct backends *b, int id, const char *address, usec_t now)
{
    struct backend *backend = find(b, id);
    if (!backend) {
        struct meter *meter = b->count < INSTANCES_MAX ? calloc(1, sizeof *meter) : NULL;
        if (!meter)
            return -ENOMEM;
        start_meter(b, meter, now);
        backend = &b->items[b->count++];
        *backend = (struct backend){.id = id, .meter = meter};
    }
    snprintf(backend->address, sizeof backend->address, "%s", address);
    backend->out = backend->spare = backend->draining = backend->drained = backend->idle = false;
    b->changed = true;
    return 0;
}

bool backends_drain(struct backends *b, int id)
{
    struct backend *backend = find(b, id);
    if (!backend)
        return false;
    backend->draining = true;
    backend->out = false;
    b->changed = true;
    return true;
}

void backends_spare(struct backends *b, int id)
{
    struct backend *backend = find(b, id);
    if (!backend)
        return;
    backend->spare = true;
    backend->out = false;
    b->changed = true;
}

void backends_eject(struct backends *b, int id)
{
    struct backend *backend = find(b, id);
    if (!backend)
        return;
    backend->out = true;
    b->changed = true;
}

bool backends_drained(struct backends *b, int id)
{
    struct backend *backend = find(b, id);
    if (!backend || !backend->draining || backend->drained)
        return false;
    backend->drained = true;
    return true;
}

void backends_remove(struct backends *b, int id)
{
    struct backend *backend = find(b, id);
    if (!backend)
        return;
    free(backend->meter);
    *backend = b->items[--b->count];
    b->changed = true;
}

void backends_restart(struct backends *b, bool adopted, usec_t now)
{
    b->adopted = adopted;
    start_meter(b, b->total, now);
    for (int i = 0; i < b->count; i++) {
        start_meter(b, b->items[i].meter, now);
        b->items[i].in_flight = 0;
        b->items[i].ejected = false;
        b->items[i].unanswered = 0;
    }
    b->changed = true;
}

json_t *backends_to_json(const struct backends *b)
{
    json_t *list = json_array();
    for (int i = 0; i < b->count; i++) {
        const struct backend *backend = &b->items[i];
        char name[16];
        if (backend->out)
            continue;
        snprintf(name, sizeof name, "i%d", backend->id);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "id", name, "address", backend->address, "state",
                                        backend->draining ? "drain"
                                        : backend->spare  ? "spare"
                                                          : "ready"));
    }
    return list;
}

int backends_parse_name(const char *name)
{
    int64_t id;
    if (!name || name[0] != 'i' || !units_parse_int(name + 1, &id) || id < 1 || id > INT32_MAX)
        return 0;
    return (int)id;
}

static int64_t get_count(json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? value : 0;
}

static int get_int(json_t *object, const char *key)
{
    int64_t value = get_count(object, key);
    return value < INT32_MAX ? (int)value : INT32_MAX;
}

/* What users have asked for: what the balancer sent on and what it could not. */
static int64_t get_requests(json_t *object)
{
    return get_count(object, "requests") + get_count(object, "unavailable");
}

/* What a user sees as a failure: an answer of 5xx, whoever made it, or none at all. */
static int64_t get_errors(json_t *object)
{
    return get_count(json_object_get(object, "responses"), "5xx") + get_count(object, "errors") +
           get_count(object, "unavailable");
}

static void read_meter(struct meter *meter, json_t *object, usec_t now)
{
    json_t *pair;
    size_t i;
    meter_read(meter, now, (uint64_t)get_requests(object), (uint64_t)get_errors(object));
    json_array_foreach(json_object_get(object, "latency"), i, pair)
    {
        json_int_t bucket = json_integer_value(json_array_get(pair, 0));
        json_int_t count = json_integer_value(json_array_get(pair, 1));
        if (bucket >= 0 && bucket < HISTOGRAM_BUCKETS && count > 0)
            meter_read_latency(meter, (unsigned)bucket, (uint64_t)count);
    }
    meter_read_end(meter);
}

/* Whether it lives: what it answered, and whether it was waited for in vain. */
static void read_signs(struct backend *backend, json_t *item, usec_t now)
{
    int64_t unanswered = get_count(item, "unanswered");
    backend->answering = get_int(item, "answering");
    backend->heard_at = get_count(item, "heard_at_us");
    if (unanswered > backend->unanswered)
        backend->in_vain_at = now;
    backend->unanswered = unanswered;
}

static bool read_same(struct backends *b, usec_t now)
{
    if (!b->read_at)
        return false;
    meter_read_same(b->total, now);
    for (int i = 0; i < b->count; i++)
        meter_read_same(b->items[i].meter, now);
    b->read_at = now;
    return true;
}

bool backends_read(struct backends *b, json_t *stats, usec_t now)
{
    if (json_is_true(json_object_get(stats, "same")))
        return read_same(b, now);
    json_t *total = json_object_get(stats, "total"), *list = json_object_get(stats, "backends"), *item;
    size_t i;
    if (!json_is_object(total) || !json_is_array(list))
        return false;
    read_meter(b->total, total, now);
    b->last.priority = (int)json_integer_value(json_object_get(stats, "priority"));
    b->last.requests = get_requests(total);
    b->last.errors = get_errors(total);
    b->last.unavailable = get_count(total, "unavailable");
    b->last.in_flight = get_int(total, "in_flight");
    b->last.queue = get_int(total, "queue");
    b->last.connections = get_int(total, "connections");
    b->read_at = now;
    for (int k = 0; k < b->count; k++) { /* of one that is out, nothing more is said once it has none */
        b->items[k].in_flight = b->items[k].answering = 0;
        b->items[k].ejected = false;
    }
    json_array_foreach(list, i, item)
    {
        struct backend *backend =
            find(b, backends_parse_name(json_string_value(json_object_get(item, "id"))));
        if (!backend)
            continue;
        read_meter(backend->meter, item, now);
        backend->in_flight = get_int(item, "in_flight");
        read_signs(backend, item, now);
        const char *state = json_string_value(json_object_get(item, "state"));
        backend->ejected = state && strcmp(state, "ejected") == 0;
        backend->idle =
            state && strcmp(state, "drain") == 0 && !backend->in_flight && !get_int(item, "queue");
    }
    return true;
}

void backends_read_burst(struct backends *b, json_t *burst, usec_t now)
{
    b->last.in_flight = get_int(burst, "in_flight");
    b->last.queue = get_int(burst, "queue");
    b->read_at = now;
}

static void sample_latency(const struct meter *meter, usec_t now, int64_t *p50, int64_t *p95, int64_t *p99)
{
    struct histogram recent;
    histogram_clear(&recent);
    meter_latency(meter, now, &recent);
    *p50 = histogram_quantile(&recent, 0.50);
    *p95 = histogram_quantile(&recent, 0.95);
    *p99 = histogram_quantile(&recent, 0.99);
}

static bool is_fresh(const struct backends *b, usec_t now)
{
    return b->read_at && now - b->read_at <= FRESH_FOR;
}

void backends_sample(const struct backends *b, struct sample *out, usec_t now)
{
    if (!is_fresh(b, now))
        return;
    /* Where the application counts its requests itself, it also knows of those that come past us. */
    if (isnan(out->rpm))
        out->rpm = meter_rpm(b->total, now);
    out->error_pct = meter_error_pct(b->total, now);
    sample_latency(b->total, now, &out->p50_us, &out->p95_us, &out->p99_us);
    out->in_flight = b->last.in_flight;
    out->queue = b->last.queue;
    for (int i = 0; i < out->instance_count; i++) {
        struct instance_sample *instance = &out->instances[i];
        for (int k = 0; k < b->count; k++) {
            if (b->items[k].id != instance->id)
                continue;
            instance->in_flight = b->items[k].in_flight;
            instance->ejected = b->items[k].ejected;
            instance->awaited = b->items[k].in_flight > b->items[k].answering &&
                                b->items[k].in_vain_at <= b->items[k].heard_at;
            if (b->items[k].heard_at > instance->alive_at)
                instance->alive_at = b->items[k].heard_at;
            if (isnan(instance->rpm))
                instance->rpm = meter_rpm(b->items[k].meter, now);
            instance->error_pct = meter_error_pct(b->items[k].meter, now);
            sample_latency(b->items[k].meter, now, &instance->p50_us, &instance->p95_us, &instance->p99_us);
        }
    }
}

void backends_view(const struct backends *b, struct balancer_view *out, usec_t now)
{
    out->requests = b->last.requests;
    out->errors = b->last.errors;
    out->unavailable = b->last.unavailable;
    out->in_flight = b->last.in_flight;
    out->queue = b->last.queue;
    out->connections = b->last.connections;
    out->priority = b->last.priority;
    out->rpm = out->error_pct = NAN;
    out->p50_us = out->p95_us = out->p99_us = -1;
    if (!is_fresh(b, now))
        return;
    out->rpm = meter_rpm(b->total, now);
    out->error_pct = meter_error_pct(b->total, now);
    sample_latency(b->total, now, &out->p50_us, &out->p95_us, &out->p99_us);
}
