/* SPDX-License-Identifier: MIT */
/* Owns views and backends. A view is freed when every worker has adopted a newer one; a backend when it is in
 * no view, every worker has adopted one without it, and nothing is in flight to it. Only then can no worker
 * hold its address. */
#include "balance/registry.h"
#include "balance/worker.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_LEAST   16 /* requests in flight that are never a burst */
#define BURST_APART   (100 * USEC_PER_MSEC)
#define WATCH_PERIOD  USEC_PER_SEC
#define EJECTIONS_MAX 3 /* doublings of the time out */

/* A refused connect says less than failures in a row, and costs less to try: out for a shorter time,
 * eject_time at the most. */
#define CONNECT_OUT USEC_PER_SEC

/* Slow is who takes so many times the median for so long. */
#define SLOW_FACTOR 8.0f
#define SLOW_FOR    (3 * USEC_PER_SEC)

/* Beside how the others did when they were last asked, within so long. */
#define RECENT (10 * USEC_PER_SEC)

/* So many times eject_time without an ejection, and the next one is short again. */
#define STEADY_PERIODS 10

static const char *const causes[] = {"", "it refuses connections", "failures in a row",
                                     "slow beside the others"};

const struct view *registry_view(const struct registry *r)
{
    return atomic_load_explicit(&r->hub->view, memory_order_relaxed);
}

static uint64_t adopted_by_all(const struct registry *r)
{
    uint64_t least = r->generation;
    for (unsigned i = 0; i < r->hub->worker_count; i++) {
        uint64_t adopted = atomic_load_explicit(&r->hub->workers[i]->adopted, memory_order_acquire);
        least = adopted < least ? adopted : least;
    }
    return least;
}

static struct view *view_new(struct registry *r, unsigned count)
{
    struct view *view = calloc(1, sizeof *view + count * sizeof view->backends[0]);
    if (view) {
        view->settings = r->settings;
        view->count = count;
    }
    return view;
}

static void publish(struct registry *r, struct view *view)
{
    struct hub *hub = r->hub;
    view->generation = ++r->generation;
    view->older = atomic_load_explicit(&hub->view, memory_order_relaxed);
    atomic_store_explicit(&hub->view, view, memory_order_release);
    for (unsigned i = 0; i < hub->worker_count; i++)
        worker_wake(hub->workers[i]);
}

bool registry_init(struct registry *r, struct hub *hub, const struct settings *settings)
{
    r->hub = hub;
    r->settings = *settings;
    r->past = calloc(1, sizeof *r->past);
    struct view *first = view_new(r, 0);
    if (!r->past || !first) {
        free(r->past);
        free(first);
        return false;
    }
    atomic_store(&hub->burst_level, BURST_LEAST);
    publish(r, first);
    return true;
}

static void free_views(struct view *view)
{
    while (view) {
        struct view *older = view->older;
        free(view);
        view = older;
    }
}

void registry_fini(struct registry *r)
{
    struct view *view = atomic_load(&r->hub->view);
    for (unsigned i = 0; i < view->count; i++)
        free(view->backends[i]);
    free_views(view);
    while (r->gone) {
        struct backend *b = r->gone;
        r->gone = b->gone_next;
        free(b);
    }
    free(r->past);
}

static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

static struct backend *backend_new(const struct registry *r, const struct backend_spec *spec, usec_t now)
{
    size_t size = sizeof(struct backend) + r->hub->worker_count * sizeof(struct lane);
    struct backend *b = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!b)
        return NULL;
    memset(b, 0, size);
    snprintf(b->id, sizeof b->id, "%s", spec->id);
    snprintf(b->address, sizeof b->address, "%s", spec->address);
    conn_parse_address(spec->address, &b->peer, &b->peer_len);
    b->key = hash_text(spec->id) ^ hash_text(spec->address) << 1;
    atomic_store(&b->ready_since, now);
    b->admitted_at = now;
    for (unsigned i = 0; i < r->hub->worker_count; i++)
        atomic_init(&b->lanes[i].waits_since, USEC_NEVER);
    return b;
}

static bool is_named(const struct backend *b, const struct backend_spec *spec)
{
    return strcmp(b->id, spec->id) == 0 && strcmp(b->address, spec->address) == 0;
}

/* One that left with requests under way and comes back is the same: two of one id could not be told apart. */
static struct backend *find_backend(const struct registry *r, const struct backend_spec *spec)
{
    const struct view *view = registry_view(r);
    for (unsigned i = 0; i < view->count; i++)
        if (is_named(view->backends[i], spec))
            return view->backends[i];
    for (struct backend *b = r->gone; b; b = b->gone_next)
        if (is_named(b, spec))
            return b;
    return NULL;
}

/* Ids go into JSON and logs as they are. */
static bool id_valid(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]");
    return n > 0 && n < BACKEND_ID_SIZE && id[n] == '\0';
}

/* Port 0 is none that could be connected to; it stands in the same place for both families. */
static bool address_valid(const char *text)
{
    struct sockaddr_storage address;
    socklen_t len;
    return strlen(text) < BACKEND_ADDRESS_SIZE && conn_parse_address(text, &address, &len) &&
           ((struct sockaddr_in *)&address)->sin_port != 0;
}

static bool spec_valid(const struct backend_spec *specs, unsigned which, char *err, size_t err_size)
{
    const struct backend_spec *spec = &specs[which];
    if (!id_valid(spec->id)) {
        snprintf(err, err_size, "backend number %u: its id is not 1..%d letters, digits or -_.:[]", which + 1,
                 BACKEND_ID_SIZE - 1);
        return false;
    }
    if (!address_valid(spec->address)) {
        snprintf(err, err_size, "backend %s: its address is none such as 127.0.0.1:5000", spec->id);
        return false;
    }
    for (unsigned i = 0; i < which; i++)
        if (strcmp(specs[i].id, spec->id) == 0) {
            snprintf(err, err_size, "backend id '%s' is named twice", spec->id);
            return false;
        }
    return true;
}

static void set_state(struct registry *r, struct backend *b, enum backend_state state, usec_t now)
{
    if ((enum backend_state)atomic_load(&b->state) == state)
        return;
    atomic_store(&b->state, (int)state);
    b->leaving_since = r->generation + 1;
    b->drained_told = b->drained_told && state == BACKEND_GONE;
    if (state == BACKEND_READY)
        atomic_store(&b->ready_since, now);
}

static void retire(struct registry *r, const struct view *old, const struct view *next, usec_t now)
{
    for (unsigned i = 0; i < old->count; i++) {
        struct backend *b = old->backends[i];
        bool stays = false;
        for (unsigned j = 0; j < next->count; j++)
            stays |= next->backends[j] == b;
        if (stays)
            continue;
        set_state(r, b, BACKEND_GONE, now);
        b->gone_next = r->gone;
        r->gone = b;
    }
}

static void take_back(struct registry *r, const struct view *next)
{
    for (unsigned i = 0; i < next->count; i++)
        for (struct backend **link = &r->gone; *link; link = &(*link)->gone_next)
            if (*link == next->backends[i]) {
                *link = (*link)->gone_next;
                break;
            }
}

/* Fills the new view; false: out of memory, and what was made for it is freed. */
static bool fill_view(struct registry *r, struct view *next, const struct backend_spec *specs, usec_t now)
{
    for (unsigned i = 0; i < next->count; i++) {
        next->backends[i] = find_backend(r, &specs[i]);
        if (!next->backends[i])
            next->backends[i] = backend_new(r, &specs[i], now);
        if (next->backends[i])
            continue;
        while (i-- > 0)
            if (!find_backend(r, &specs[i]))
                free(next->backends[i]);
        return false;
    }
    return true;
}

int registry_set(struct registry *r, const struct backend_spec *specs, unsigned count, usec_t now, char *err,
                 size_t err_size)
{
    for (unsigned i = 0; i < count; i++)
        if (!spec_valid(specs, i, err, err_size))
            return -EINVAL;
    const struct view *old = registry_view(r);
    struct view *next = view_new(r, count);
    if (!next || !fill_view(r, next, specs, now)) {
        free(next);
        snprintf(err, err_size, "out of memory; the backends stay as they were");
        return -ENOMEM;
    }
    take_back(r, next);
    for (unsigned i = 0; i < count; i++) {
        atomic_store(&next->backends[i]->spare, specs[i].spare);
        set_state(r, next->backends[i], specs[i].drain ? BACKEND_DRAIN : BACKEND_READY, now);
    }
    retire(r, old, next, now);
    publish(r, next);
    return 0;
}

int registry_configure(struct registry *r, const struct settings *settings)
{
    const struct view *old = registry_view(r);
    struct view *next = view_new(r, old->count);
    if (!next)
        return -ENOMEM;
    r->settings = next->settings = *settings;
    memcpy(next->backends, old->backends, old->count * sizeof old->backends[0]);
    publish(r, next);
    return 0;
}

static void add_latencies(const struct latencies *l, struct histogram *h)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t n = counter_read(&l->buckets[i]);
        h->buckets[i] += n;
        h->count += n;
    }
    h->sum_us += counter_read(&l->sum_us);
}

void registry_add_sums(struct backend_sums *to, const struct backend_sums *from)
{
    to->requests += from->requests;
    for (unsigned i = 0; i < 6; i++)
        to->responses[i] += from->responses[i];
    to->errors += from->errors;
    to->connect_failures += from->connect_failures;
    to->retries += from->retries;
    to->queued += from->queued;
    to->unanswered += from->unanswered;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    to->in_flight_us += from->in_flight_us;
    histogram_merge(&to->latency, &from->latency);
}

void registry_sum(const struct registry *r, const struct backend *b, usec_t now, struct backend_sums *sums)
{
    for (unsigned i = 0; i < r->hub->worker_count; i++) {
        const struct backend_counters *c = &b->lanes[i].counters;
        sums->requests += counter_read(&c->requests);
        for (unsigned k = 0; k < 6; k++)
            sums->responses[k] += counter_read(&c->responses[k]);
        sums->errors += counter_read(&c->errors);
        sums->connect_failures += counter_read(&c->connect_failures);
        sums->retries += counter_read(&c->retries);
        sums->queued += counter_read(&c->queued);
        sums->bytes_in += counter_read(&c->bytes_in);
        sums->bytes_out += counter_read(&c->bytes_out);
        sums->answering += counter_read(&c->answering);
        sums->unanswered += counter_read(&c->unanswered);
        if (counter_read(&c->heard_at) > sums->heard_at)
            sums->heard_at = counter_read(&c->heard_at);
        sums->in_flight_us += presence_sum(&c->in_flight, now);
        add_latencies(&c->latency, &sums->latency);
    }
}

uint32_t registry_in_flight(const struct registry *r)
{
    const struct view *view = registry_view(r);
    uint32_t sum = 0;
    for (unsigned i = 0; i < view->count; i++)
        sum += atomic_load_explicit(&view->backends[i]->in_flight, memory_order_relaxed);
    for (const struct backend *b = r->gone; b; b = b->gone_next)
        sum += atomic_load_explicit(&b->in_flight, memory_order_relaxed);
    return sum;
}

/* No request to it is under way and no worker can begin one. */
static bool is_drained(const struct backend *b, uint64_t adopted)
{
    return atomic_load(&b->state) != BACKEND_READY && adopted >= b->leaving_since &&
           atomic_load_explicit(&b->in_flight, memory_order_acquire) == 0;
}

static void tell_drained(struct registry *r, struct backend *b, uint64_t adopted)
{
    if (b->drained_told || !is_drained(b, adopted))
        return;
    b->drained_told = true;
    r->event(r->context, "drained", b->id, NULL);
}

/* Of the gone, the last that went come first. */
bool registry_is_replaced(const struct registry *r, const struct backend *gone)
{
    const struct view *view = registry_view(r);
    for (unsigned i = 0; i < view->count; i++)
        if (strcmp(view->backends[i]->id, gone->id) == 0)
            return true;
    for (const struct backend *b = r->gone; b && b != gone; b = b->gone_next)
        if (strcmp(b->id, gone->id) == 0)
            return true;
    return false;
}

static void free_gone(struct registry *r, uint64_t adopted)
{
    struct backend **link = &r->gone;
    while (*link) {
        struct backend *b = *link;
        if (!registry_is_replaced(r, b))
            tell_drained(r, b, adopted);
        if (!is_drained(b, adopted)) {
            link = &b->gone_next;
            continue;
        }
        struct backend_sums sums = {0};
        registry_sum(r, b, 0, &sums);
        registry_add_sums(r->past, &sums);
        *link = b->gone_next;
        free(b);
    }
}

static void collect(struct registry *r)
{
    uint64_t adopted = adopted_by_all(r);
    struct view *view = atomic_load(&r->hub->view);
    for (unsigned i = 0; i < view->count; i++)
        tell_drained(r, view->backends[i], adopted);
    free_gone(r, adopted);
    while (view && view->generation > adopted)
        view = view->older;
    if (view) {
        free_views(view->older);
        view->older = NULL;
    }
}

static usec_t time_out(const struct registry *r, const struct backend *b, enum eject_cause cause)
{
    usec_t time = r->settings.options.eject_time;
    unsigned doublings = b->ejections < EJECTIONS_MAX ? b->ejections : EJECTIONS_MAX;
    if (cause != EJECT_CONNECT)
        return time << doublings;
    return time > CONNECT_OUT << doublings ? CONNECT_OUT << doublings : time;
}

static void eject(struct registry *r, struct backend *b, enum eject_cause cause, usec_t now)
{
    if (now - b->admitted_at > STEADY_PERIODS * r->settings.options.eject_time)
        b->ejections = 0;
    b->ejected_until = now + time_out(r, b, cause);
    b->ejections++;
    b->ejection_told = true;
    log_warning("backend %s (%s) gets no requests for a while: %s", b->id, b->address, causes[cause]);
    r->event(r->context, "ejected", b->id, causes[cause]);
}

/* Back in, on probation: one more failure is enough, and it starts slowly. One that drains gets no requests
 * all the same. */
static void admit(struct registry *r, struct backend *b, usec_t now)
{
    int limit = r->settings.options.eject_failures;
    b->ejection_told = false;
    b->admitted_at = now;
    for (unsigned i = 0; i < r->hub->worker_count; i++)
        atomic_store_explicit(&b->lanes[i].mean_us, 0.0f, memory_order_relaxed);
    atomic_store(&b->failures, limit > 0 ? (uint32_t)limit - 1 : 0);
    atomic_store(&b->ready_since, now);
    atomic_store(&b->ejected, EJECT_NONE);
    if (atomic_load(&b->state) != BACKEND_READY)
        return;
    log_info("backend %s (%s) gets requests again", b->id, b->address);
    r->event(r->context, "admitted", b->id, NULL);
}

static usec_t watch_ejections(struct registry *r, usec_t now)
{
    const struct view *view = registry_view(r);
    usec_t next = USEC_NEVER;
    for (unsigned i = 0; i < view->count; i++) {
        struct backend *b = view->backends[i];
        enum eject_cause cause = (enum eject_cause)atomic_load(&b->ejected);
        if (cause != EJECT_NONE && !b->ejection_told)
            eject(r, b, cause, now);
        else if (cause != EJECT_NONE && b->ejected_until <= now)
            admit(r, b, now);
        if (b->ejection_told && b->ejected_until < next)
            next = b->ejected_until;
    }
    return next;
}

/* Of all workers that have measured it recently, as it was then; 0: none has. *aged: what was measured long
 * ago counts for less. Others must not count as fast for being idle, nor one as slow for a stall long ago. */
static float mean_latency(const struct registry *r, const struct backend *b, usec_t now, float *aged)
{
    float sum = 0;
    unsigned measured = 0;
    *aged = 0;
    for (unsigned i = 0; i < r->hub->worker_count; i++) {
        const struct lane *lane = &b->lanes[i];
        float mean = atomic_load_explicit(&lane->mean_us, memory_order_relaxed);
        usec_t age = now - atomic_load_explicit(&lane->measured_at, memory_order_relaxed);
        if (mean <= 0 || age > RECENT)
            continue;
        sum += mean;
        *aged += pick_aged(mean, age);
        measured++;
    }
    if (measured == 0)
        return 0;
    *aged /= (float)measured;
    return sum / (float)measured;
}

/* One that stalls for a moment is none: it must be slow at every look for a while. */
static bool is_slow_enough(struct backend *b, bool slow, usec_t now)
{
    if (!slow)
        b->slow_since = 0;
    else if (b->slow_since == 0)
        b->slow_since = now;
    return slow && now - b->slow_since >= SLOW_FOR;
}

/* At most a third of them are out for being slow: where many are, none is an outlier. */
static void watch_outliers(struct registry *r, usec_t now)
{
    static struct pick_candidate candidates[BACKENDS_MAX];
    static float aged[BACKENDS_MAX];
    const struct view *view = registry_view(r);
    unsigned out = 0;
    if (r->settings.options.eject_failures == 0)
        return;
    for (unsigned i = 0; i < view->count; i++) {
        const struct backend *b = view->backends[i];
        bool in = atomic_load(&b->state) == BACKEND_READY && atomic_load(&b->ejected) == EJECT_NONE;
        candidates[i] =
            (struct pick_candidate){.usable = in, .latency_us = mean_latency(r, b, now, &aged[i])};
        out += !in;
    }
    for (unsigned i = 0; i < view->count; i++) {
        int none = EJECT_NONE;
        bool slow = candidates[i].usable && pick_outlier(candidates, view->count, aged[i], SLOW_FACTOR);
        if (!is_slow_enough(view->backends[i], slow, now) || (out + 1) * 3 > view->count)
            continue;
        atomic_compare_exchange_strong(&view->backends[i]->ejected, &none, EJECT_SLOW);
        candidates[i].usable = false;
        view->backends[i]->slow_since = 0;
        out++;
    }
}

static usec_t watch_burst(struct registry *r, usec_t now)
{
    struct hub *hub = r->hub;
    if (now - r->burst_at < BURST_APART) {
        /* Left standing, so that no worker tells again before we look. */
        atomic_fetch_or(&hub->news, NEWS_BURST);
        return r->burst_at + BURST_APART;
    }
    uint32_t in_flight = registry_in_flight(r), waiting = atomic_load(&hub->waiting);
    bool grows = in_flight >= atomic_load(&hub->burst_level) || waiting > r->burst_waiting;
    r->burst_at = now;
    r->burst_waiting = waiting;
    uint32_t level = 2 * in_flight;
    atomic_store(&hub->burst_level, level > BURST_LEAST ? level : BURST_LEAST);
    if (grows)
        r->burst(r->context, in_flight, waiting);
    return USEC_NEVER;
}

/* What counts as a burst follows the load down. */
static void relax_burst(struct registry *r)
{
    struct hub *hub = r->hub;
    uint32_t level = 2 * registry_in_flight(r), waiting = atomic_load(&hub->waiting);
    level = level > BURST_LEAST ? level : BURST_LEAST;
    if (level < atomic_load(&hub->burst_level))
        atomic_store(&hub->burst_level, level);
    if (waiting < r->burst_waiting)
        r->burst_waiting = waiting;
}

usec_t registry_watch(struct registry *r, unsigned news, usec_t now)
{
    usec_t next = usec_beat(now, WATCH_PERIOD), at;
    bool standing = now - r->burst_at >= BURST_APART && (atomic_load(&r->hub->news) & NEWS_BURST) != 0;
    if (standing)
        atomic_fetch_and(&r->hub->news, ~(unsigned)NEWS_BURST);
    watch_outliers(r, now);
    at = watch_ejections(r, now);
    next = at < next ? at : next;
    if ((news & NEWS_BURST) || standing) {
        at = watch_burst(r, now);
        next = at < next ? at : next;
    } else {
        relax_burst(r);
    }
    collect(r);
    return next;
}
