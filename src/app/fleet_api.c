/* SPDX-License-Identifier: MIT */
/* Owns the model of the fleet and the dice that decide which calls fail, both behind one lock. A call that
 * fails changes nothing. */
#include "app/fleet_api.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/fleet_model.h"
#include "base/clock.h"
#include "core/random.h"

struct fleet_api {
    const struct app_options *options;
    pthread_mutex_t lock;
    struct fleet_model model; /* guarded */
    struct random dice;       /* guarded */
};

/* Equal texts take as long to compare as different ones of the same length. */
static bool same_secret(const char *a, const char *b)
{
    size_t length = strlen(a);
    if (strlen(b) != length)
        return false;
    unsigned difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)a[i] ^ (unsigned char)b[i];
    return difference == 0;
}

static bool authorized(const struct fleet_api *fleet, const struct exchange *exchange)
{
    if (!fleet->options->token)
        return true;
    const char *value = exchange_header(exchange, "Authorization");
    return value && strncasecmp(value, "Bearer ", 7) == 0 && same_secret(value + 7, fleet->options->token);
}

static bool roll_failure(struct fleet_api *fleet, unsigned *kind)
{
    pthread_mutex_lock(&fleet->lock);
    bool fails = random_unit(&fleet->dice) * 100 < fleet->options->errors_pct;
    *kind = (unsigned)random_below(&fleet->dice, 3);
    pthread_mutex_unlock(&fleet->lock);
    return fails;
}

/* Answers a call that is refused or has to fail; false: it goes through. */
static bool turn_away(struct fleet_api *fleet, struct exchange *exchange, enum MHD_Result *result)
{
    unsigned kind;
    if (!authorized(fleet, exchange)) {
        *result =
            exchange_json(exchange, 401, "{\"error\":\"a bearer token is needed, and this is not it\"}\n");
        return true;
    }
    if (!roll_failure(fleet, &kind))
        return false;
    if (kind == 0)
        *result = exchange_json(exchange, 500, "{\"error\":\"internal error, as told by --errors\"}\n");
    else if (kind == 1)
        *result = exchange_json(exchange, 503, "{\"error\":\"unavailable, as told by --errors\"}\n");
    else
        *result = exchange_cut(exchange);
    return true;
}

static enum MHD_Result serve_status(void *context, struct exchange *exchange)
{
    struct fleet_api *fleet = context;
    enum MHD_Result result;
    if (turn_away(fleet, exchange, &result))
        return result;
    usec_t now = clock_now_us();
    pthread_mutex_lock(&fleet->lock);
    double cpu = fleet_model_cpu(&fleet->model, now);
    int64_t replicas = fleet_model_replicas(&fleet->model);
    pthread_mutex_unlock(&fleet->lock);
    char text[96];
    snprintf(text, sizeof text, "{\"cpu\":{\"highPriority\":%.4f},\"replicas\":%" PRId64 "}\n", cpu,
             replicas);
    return exchange_json(exchange, 200, text);
}

/* The count asked for; 0 when the body is not {"replicas": a whole number above 0}. */
static int64_t read_replicas(const struct exchange *exchange)
{
    json_error_t error;
    json_t *object = json_loadb(exchange->body, exchange->body_size, JSON_REJECT_DUPLICATES, &error);
    const json_t *value = json_object_get(object, "replicas");
    int64_t replicas = json_is_integer(value) ? json_integer_value(value) : 0;
    json_decref(object);
    return replicas > 0 ? replicas : 0;
}

static enum MHD_Result serve_replicas(void *context, struct exchange *exchange)
{
    struct fleet_api *fleet = context;
    enum MHD_Result result;
    if (turn_away(fleet, exchange, &result))
        return result;
    int64_t wanted = read_replicas(exchange);
    pthread_mutex_lock(&fleet->lock);
    int64_t before = fleet_model_replicas(&fleet->model);
    bool good = fleet_model_scale(&fleet->model, wanted, clock_now_us());
    pthread_mutex_unlock(&fleet->lock);
    char text[96];
    if (!good) {
        snprintf(text, sizeof text, "{\"error\":\"replicas takes a whole number from 1 to %" PRId64 "\"}\n",
                 fleet->options->max_replicas);
        return exchange_json(exchange, 400, text);
    }
    if (!fleet->options->quiet && wanted != before) {
        printf("replicas %" PRId64 " -> %" PRId64 "\n", before, wanted);
        fflush(stdout);
    }
    snprintf(text, sizeof text, "{\"replicas\":%" PRId64 "}\n", wanted);
    return exchange_json(exchange, 200, text);
}

static enum MHD_Result serve_health(void *context, struct exchange *exchange)
{
    (void)context;
    return exchange_text(exchange, 200, "ok\n");
}

const struct server_page fleet_api_pages[] = {
    {"/app/status", "GET HEAD", serve_status},
    {"/app/replicas", "PUT", serve_replicas},
    {"/health", "GET HEAD", serve_health},
    {NULL, NULL, NULL},
};

struct fleet_api *fleet_api_new(const struct app_options *options)
{
    struct fleet_api *fleet = calloc(1, sizeof *fleet);
    if (!fleet)
        return NULL;
    fleet->options = options;
    fleet->dice.state = (uint64_t)options->seed;
    pthread_mutex_init(&fleet->lock, NULL);
    struct fleet_settings settings = {
        .min_demand = options->min_demand,
        .max_demand = options->max_demand,
        .speed = options->speed,
        .boot = options->boot,
        .clock = options->clock,
        .max_replicas = options->max_replicas,
        .seed = (uint64_t)options->seed,
    };
    fleet_model_init(&fleet->model, &settings, options->replicas, clock_now_us());
    return fleet;
}

void fleet_api_free(struct fleet_api *fleet)
{
    if (!fleet)
        return;
    pthread_mutex_destroy(&fleet->lock);
    free(fleet);
}
