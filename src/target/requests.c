/* SPDX-License-Identifier: MIT */
/* Keeps the readings of the last minute. A counter that goes back belongs to an application that began anew,
 * so the window begins anew with it. When it is read more often than the window has places, the places are
 * spaced out. Control thread only. */
#include "target/requests.h"
#include "core/units.h"
#include "target/ports.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

enum { BODY_MAX = 4096 };

bool requests_parse(const char *text, size_t size, double *out)
{
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    const json_t *number = json_is_object(value) ? json_object_get(value, "requests") : value;
    bool good = json_is_number(number) && json_number_value(number) >= 0;
    if (good)
        *out = json_number_value(number);
    json_decref(value);
    return good;
}

static void drop_first(struct requests *requests, int count)
{
    requests->count -= count;
    memmove(requests->readings, requests->readings + count,
            (size_t)requests->count * sizeof *requests->readings);
}

static void add_reading(struct requests *requests, int64_t at_us, double total)
{
    int last = requests->count - 1;
    if (last >= 0 && total < requests->readings[last].total)
        requests->count = 0;
    /* The one before the last goes when both are younger than a place is wide. */
    int64_t place_us = USEC_PER_MIN / (REQUESTS_WINDOW_MAX - 2);
    if (requests->count > 1 && at_us - requests->readings[requests->count - 2].at_us < place_us)
        requests->count--;
    while (requests->count > 1 && at_us - requests->readings[1].at_us >= USEC_PER_MIN)
        drop_first(requests, 1);
    if (requests->count == REQUESTS_WINDOW_MAX)
        drop_first(requests, 1);
    requests->readings[requests->count++] = (struct requests_reading){at_us, total};
}

static void answered(void *context, const struct http_client_result *result)
{
    struct requests *requests = context;
    double total;
    requests->call = NULL;
    if (result->failure == HTTP_CLIENT_OK && result->status == 200 &&
        requests_parse(result->body, result->body_size, &total))
        add_reading(requests, loop_now(requests->loop), total);
}

void requests_ask(struct requests *requests)
{
    if (!requests->running || requests->call)
        return;
    const struct config_app *app = &requests->config->app;
    if (app->requests_path[0] == '\0')
        return;
    char url[400];
    ports_url(app->host, requests->port, app->requests_path, url, sizeof url);
    requests->call = http_client_start(requests->client, &(struct http_client_request){
                                                             .url = url,
                                                             .body_max = BODY_MAX,
                                                             .timeout_us = app->health_timeout,
                                                             .fresh = true,
                                                             .done = answered,
                                                             .context = requests,
                                                         });
}

void requests_start(struct requests *requests, struct loop *loop, struct http_client *client,
                    const struct config *config, int port)
{
    *requests = (struct requests){
        .loop = loop,
        .client = client,
        .config = config,
        .port = port,
        .running = true,
    };
    requests_ask(requests);
}

void requests_stop(struct requests *requests)
{
    if (!requests->running)
        return;
    requests->running = false;
    if (requests->call)
        http_client_cancel(requests->call);
    requests->call = NULL;
}

double requests_rpm(const struct requests *requests, int64_t now_us)
{
    int last = requests->count - 1;
    if (last < 1 || now_us - requests->readings[last].at_us > 2 * USEC_PER_MIN)
        return NAN;
    double span = (double)(requests->readings[last].at_us - requests->readings[0].at_us);
    return span > 0 ? (requests->readings[last].total - requests->readings[0].total) * USEC_PER_MIN / span
                    : NAN;
}
