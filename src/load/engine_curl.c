/* SPDX-License-Identifier: MIT */
/* The engine for https, the only place where the load goes through libcurl: one multi handle a thread, an
 * easy handle a request in flight, kept for the next one. Plainer and slower than our own engine, with the
 * same pacing and statistics. */
#include "load/engine.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct call {
    CURL *easy;
    struct call *next; /* of the free ones */
    struct call *next_made;
    const struct load_target *target;
    usec_t scheduled;
    usec_t paused_until; /* failed; its user waits. 0: not */
    bool busy;
};

struct curl_engine {
    struct worker *worker;
    CURLM *multi;
    struct curl_slist *headers;
    struct call *free, *made;
};

static size_t discard(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    struct curl_engine *engine = context;
    engine->worker->stats.bytes += size * count;
    return size * count;
}

static void set_request(struct curl_engine *engine, CURL *easy)
{
    const struct load_plan *plan = engine->worker->plan;
    if (plan->method == HTTP1_HEAD)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (plan->options->body_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)plan->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, plan->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, plan->options->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, engine->headers);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, plan->options->no_keepalive ? 1L : 0L);
}

static void set_transport(struct curl_engine *engine, CURL *easy)
{
    const struct load_options *options = engine->worker->plan->options;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(options->timeout / USEC_PER_MSEC));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, engine);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, engine);
    if (options->ca_file != NULL || options->insecure) {
        /* Reading the system's certificates for each connection is most of what connecting costs. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->insecure ? 0L : 2L);
}

static struct call *make_call(struct curl_engine *engine)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->easy = curl_easy_init();
    if (call->easy == NULL) {
        free(call);
        return NULL;
    }
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    set_request(engine, call->easy);
    set_transport(engine, call->easy);
    call->next_made = engine->made;
    engine->made = call;
    return call;
}

static void begin_call(struct curl_engine *engine, usec_t scheduled)
{
    struct call *call = engine->free;
    if (call != NULL)
        engine->free = call->next;
    else
        call = make_call(engine);
    if (call == NULL) {
        engine->worker->stats.errors[LOAD_ERROR_CONNECT]++;
        pacer_give(&engine->worker->pacer);
        return;
    }
    call->target = engine_pick(engine->worker);
    call->scheduled = scheduled;
    call->busy = true;
    call->paused_until = 0;
    curl_easy_setopt(call->easy, CURLOPT_URL, call->target->url);
    curl_multi_add_handle(engine->multi, call->easy);
}

static void release_call(struct curl_engine *engine, struct call *call)
{
    call->busy = false;
    call->paused_until = 0;
    call->next = engine->free;
    engine->free = call;
    pacer_give(&engine->worker->pacer);
}

static enum load_error error_of(CURLcode result)
{
    switch (result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return LOAD_ERROR_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return LOAD_ERROR_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return LOAD_ERROR_TLS;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return LOAD_ERROR_PROTOCOL;
    default:
        return LOAD_ERROR_CLOSED;
    }
}

static void end_call(struct curl_engine *engine, struct call *call, CURLcode result, usec_t now)
{
    struct worker *worker = engine->worker;
    long code = 0, connects = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
    worker->stats.connects += (uint64_t)connects;
    curl_multi_remove_handle(engine->multi, call->easy);
    if (result == CURLE_OK) {
        engine_answered(worker, (unsigned)code, call->scheduled, now);
        release_call(engine, call);
        return;
    }
    enum load_error kind = error_of(result);
    worker->stats.errors[kind]++;
    if (worker->pacer.rate_rps <= 0 && kind != LOAD_ERROR_TIMEOUT)
        call->paused_until = now + ENGINE_PAUSE;
    else
        release_call(engine, call);
}

static void end_calls(struct curl_engine *engine, usec_t now)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(engine->multi, &left)) != NULL;) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        end_call(engine, (struct call *)(void *)private, message->data.result, now);
    }
}

/* Lets users whose pause is over go on; when the next one's is. */
static usec_t end_pauses(struct curl_engine *engine, usec_t now)
{
    usec_t next = USEC_NEVER;
    for (struct call *call = engine->made; call != NULL; call = call->next_made) {
        if (call->paused_until == 0)
            continue;
        if (call->paused_until <= now)
            release_call(engine, call);
        else if (call->paused_until < next)
            next = call->paused_until;
    }
    return next;
}

static int wait_ms(const struct worker *worker, usec_t also_at, usec_t now)
{
    usec_t at = engine_wake_at(worker, now);
    if (also_at < at)
        at = also_at;
    return at > now ? (int)((at - now + 999) / 1000) : 0;
}

static void turn(struct curl_engine *engine)
{
    struct worker *worker = engine->worker;
    usec_t now = clock_now_us(), scheduled;
    while (pacer_take(&worker->pacer, now, &scheduled))
        begin_call(engine, scheduled);
    int running;
    curl_multi_perform(engine->multi, &running);
    now = clock_now_us();
    end_calls(engine, now);
    usec_t pause_ends = end_pauses(engine, now);
    if (pacer_wake(&worker->pacer, now) > now)
        curl_multi_poll(engine->multi, NULL, 0, wait_ms(worker, pause_ends, now), NULL);
}

static void free_calls(struct curl_engine *engine)
{
    for (struct call *call = engine->made, *next; call != NULL; call = next) {
        next = call->next_made;
        if (call->busy && call->paused_until == 0) {
            engine->worker->stats.unfinished++;
            curl_multi_remove_handle(engine->multi, call->easy);
        }
        curl_easy_cleanup(call->easy);
        free(call);
    }
}

static void wake_multi(void *context)
{
    curl_multi_wakeup(context);
}

static void add_header(struct curl_engine *engine, const char *text)
{
    struct curl_slist *longer = curl_slist_append(engine->headers, text);
    if (longer != NULL)
        engine->headers = longer;
}

bool engine_curl_run(struct worker *worker)
{
    struct curl_engine engine = {.worker = worker, .multi = curl_multi_init()};
    if (engine.multi == NULL)
        return false;
    add_header(&engine, "User-Agent: ascale-load");
    add_header(&engine, "Expect:");
    for (size_t i = 0; i < worker->plan->options->headers.count; i++)
        add_header(&engine, worker->plan->options->headers.text[i]);
    engine_on_wake(worker, wake_multi, engine.multi);
    while (engine_turn(worker, clock_now_us()))
        turn(&engine);
    engine_on_wake(worker, NULL, NULL);
    free_calls(&engine);
    curl_multi_cleanup(engine.multi);
    curl_slist_free_all(engine.headers);
    return true;
}
