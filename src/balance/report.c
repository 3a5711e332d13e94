/* SPDX-License-Identifier: MIT */
/* Counters as JSON, in the words of protocol.h. They are read while the workers go on counting: numbers that
 * belong together may differ by the requests of a moment. */
#include "balance/runtime.h"
#include "balance/worker.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void set_count(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *sparse(const struct histogram *h)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (h->buckets[i] > 0)
            json_array_append_new(list, json_pack("[i,I]", (int)i, (json_int_t)h->buckets[i]));
    return list;
}

static void set_sums(json_t *object, const struct backend_sums *s)
{
    static const char classes[][4] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
    json_t *responses = json_object();
    for (unsigned i = 1; i < 6; i++)
        set_count(responses, classes[i], s->responses[i]);
    set_count(object, "requests", s->requests);
    json_object_set_new(object, "responses", responses);
    set_count(object, "errors", s->errors);
    set_count(object, "connect_failures", s->connect_failures);
    set_count(object, "retries", s->retries);
    set_count(object, "queued", s->queued);
    set_count(object, "unanswered", s->unanswered);
    set_count(object, "bytes_in", s->bytes_in);
    set_count(object, "bytes_out", s->bytes_out);
    set_count(object, "in_flight_sum_us", s->in_flight_us);
    set_count(object, "latency_sum_us", s->latency.sum_us);
    json_object_set_new(object, "latency", sparse(&s->latency));
}

static const char *state_name(const struct backend *b)
{
    if (atomic_load(&b->state) != BACKEND_READY)
        return "drain";
    return atomic_load(&b->ejected) != EJECT_NONE ? "ejected" : "ready";
}

static json_t *backend_json(const struct runtime *rt, const struct backend *b, usec_t now,
                            struct backend_sums *total)
{
    struct backend_sums sums = {0};
    json_t *object = json_object();
    registry_sum(&rt->registry, b, now, &sums);
    registry_add_sums(total, &sums);
    json_object_set_new(object, "id", json_string(b->id));
    json_object_set_new(object, "address", json_string(b->address));
    json_object_set_new(object, "state", json_string(state_name(b)));
    set_count(object, "in_flight", atomic_load(&b->in_flight));
    set_count(object, "answering", sums.answering);
    set_count(object, "heard_at_us", sums.heard_at);
    set_count(object, "in_flight_max", atomic_load(&b->in_flight_max));
    set_count(object, "queue", atomic_load(&b->waiting));
    set_sums(object, &sums);
    return object;
}

static void set_worker_sums(json_t *total, const struct runtime *rt)
{
    uint64_t accepted = 0, rejected = 0, unavailable = 0, aborted = 0;
    struct histogram wait = {0};
    for (unsigned i = 0; i < rt->hub.worker_count; i++) {
        const struct worker_counters *c = &rt->hub.workers[i]->counters;
        accepted += counter_read(&c->connections);
        rejected += counter_read(&c->rejected);
        unavailable += counter_read(&c->unavailable);
        aborted += counter_read(&c->aborted);
        for (unsigned k = 0; k < HISTOGRAM_BUCKETS; k++)
            wait.buckets[k] += counter_read(&c->wait.buckets[k]);
        wait.sum_us += counter_read(&c->wait.sum_us);
    }
    set_count(total, "accepted", accepted);
    set_count(total, "rejected", rejected);
    set_count(total, "unavailable", unavailable);
    set_count(total, "aborted", aborted);
    set_count(total, "wait_sum_us", wait.sum_us);
    json_object_set_new(total, "wait", sparse(&wait));
}

/* A row an id; what a replaced one still does is in the total only. */
static json_t *all_backends(const struct runtime *rt, usec_t now, struct backend_sums *total)
{
    const struct view *view = registry_view(&rt->registry);
    json_t *list = json_array();
    for (unsigned i = 0; i < view->count; i++)
        json_array_append_new(list, backend_json(rt, view->backends[i], now, total));
    for (const struct backend *b = rt->registry.gone; b; b = b->gone_next) {
        json_t *row = backend_json(rt, b, now, total);
        if (registry_is_replaced(&rt->registry, b))
            json_decref(row);
        else
            json_array_append_new(list, row);
    }
    return list;
}

static uint64_t mix(uint64_t mark, uint64_t value)
{
    return (mark ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t mix_backend(uint64_t mark, const struct runtime *rt, const struct backend *b)
{
    mark = mix(mark, (uint64_t)atomic_load(&b->state));
    mark = mix(mark, (uint64_t)atomic_load(&b->ejected));
    mark = mix(mark, atomic_load(&b->in_flight));
    mark = mix(mark, atomic_load(&b->waiting));
    for (unsigned i = 0; i < rt->hub.worker_count; i++) {
        const struct backend_counters *c = &b->lanes[i].counters;
        const struct counter *const counters[] = {&c->requests,  &c->errors,    &c->connect_failures,
                                                  &c->retries,   &c->queued,    &c->bytes_in,
                                                  &c->bytes_out, &c->unanswered};
        for (unsigned k = 0; k < sizeof counters / sizeof *counters; k++)
            mark = mix(mark, counter_read(counters[k]));
    }
    return mark;
}

uint64_t report_mark(const struct runtime *rt, usec_t now)
{
    const struct view *view = registry_view(&rt->registry);
    uint64_t mark = mix(view->generation, atomic_load(&rt->hub.connections));
    if (registry_in_flight(&rt->registry) > 0 || rt->registry.gone)
        mark = mix(mark, (uint64_t)now); /* time under way counts, too */
    for (unsigned i = 0; i < view->count; i++)
        mark = mix_backend(mark, rt, view->backends[i]);
    for (unsigned i = 0; i < rt->hub.worker_count; i++) {
        const struct worker_counters *c = &rt->hub.workers[i]->counters;
        mark = mix(mix(mark, counter_read(&c->connections)), counter_read(&c->rejected));
        mark = mix(mix(mark, counter_read(&c->unavailable)), counter_read(&c->aborted));
    }
    return mix(mix(mark, atomic_load(&rt->hub.waiting)), (uint64_t)rt->priority);
}

char *report_stats(const struct runtime *rt, const char *prefix, usec_t now)
{
    struct backend_sums sums = *rt->registry.past;
    json_t *total = json_object(), *list = all_backends(rt, now, &sums);
    set_count(total, "connections", atomic_load(&rt->hub.connections));
    set_count(total, "in_flight", registry_in_flight(&rt->registry));
    set_count(total, "queue", atomic_load(&rt->hub.waiting));
    set_sums(total, &sums);
    set_worker_sums(total, rt);
    char *total_text = json_dumps(total, JSON_COMPACT), *list_text = json_dumps(list, JSON_COMPACT),
         *text = NULL;
    if (total_text && list_text &&
        asprintf(
            &text,
            "{%s,\"version\":%d,\"at_us\":%lld,\"pid\":%d,\"priority\":%d,\"total\":%s,\"backends\":%s}\n",
            prefix, PROTOCOL_VERSION, (long long)now, (int)getpid(), rt->priority, total_text, list_text) < 0)
        text = NULL;
    free(total_text);
    free(list_text);
    json_decref(total);
    json_decref(list);
    return text;
}
