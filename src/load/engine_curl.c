/* SPDX-License-Identifier: MIT */
/* The engine for https, the only place where the load goes through libcurl: one multi handle a thread, an
 * easy handle a request in flight, kept for the next one. Plainer and slower than our own engine, with the
 * same pacing and statistics, and the same reader of answers: libcurl takes much for HTTP that is none. */
#include "load/engine.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "config.h"
#include "load/answer.h"

#define LONGEST_WAIT_MS 1000

struct call {
    CURL *easy;
    struct curl_engine *engine;
    struct call *next; /* of the free ones */
    struct call *next_made;
    const struct load_target *target;
    usec_t scheduled;
    usec_t paused_until; /* failed; its user waits. 0: not */
    bool busy;
    bool sent; /* the request is on its way, or has been */
    struct answer answer;
    bool whole; /* the answer has come to its end */
};

struct curl_engine {
    struct worker *worker;
    CURLM *multi;
    int timer_fd; /* libcurl waits in whole milliseconds; due times are meant to the microsecond */
    struct curl_slist *headers;
    struct call *free, *made;
    size_t paused; /* of the made */
    struct answer_reader reader;
};

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
    struct call *call = context;
    bool surplus;
    call->engine->worker->stats.bytes += size * count;
    if (call->whole) /* libcurl closes the connection that brought more */
        return size * count;
    enum answer_result result =
        answer_feed(&call->engine->reader, &call->answer, data, size * count, &surplus);
    call->whole = result == ANSWER_DONE;
    return result == ANSWER_BAD ? 0 : size * count;
}

/* A head comes line by line: only its end is worth a look. What is no answer to our own engine is none here;
 * the callbacks return less than their size then, which ends the transfer. */
static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct call *call = context;
    if (size * count > 2 || data[0] > ' ') {
        call->engine->worker->stats.bytes += size * count;
        return answer_hold(&call->engine->reader, &call->answer, data, size * count) ? size * count : 0;
    }
    return take_bytes(data, size, count, context);
}

/* libcurl would send a request again when its kept connection turns out closed; what is counted once is sent
 * once. */
static int allow_once(void *context, char *to, char *from, int to_port, int from_port)
{
    (void)to, (void)from, (void)to_port, (void)from_port;
    struct call *call = context;
    bool again = call->sent;
    call->sent = true;
    return again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void set_request(struct curl_engine *engine, CURL *easy)
{
    const struct load_plan *plan = engine->worker->plan;
    if (plan->method == HTTP1_HEAD)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (plan->sends_length) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)plan->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, plan->body != NULL ? plan->body : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, plan->options->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, engine->headers);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, plan->close ? 1L : 0L);
}

static void set_transport(struct curl_engine *engine, CURL *easy)
{
    const struct load_options *options = engine->worker->plan->options;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)((options->timeout + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    curl_easy_setopt(easy, CURLOPT_HTTP_TRANSFER_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L); /* 0 is its default, a second */
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
    call->engine = engine;
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, allow_once);
    curl_easy_setopt(call->easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
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
    call->sent = call->whole = false;
    call->paused_until = 0;
    answer_begin(&call->answer);
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

static void pause_call(struct curl_engine *engine, struct call *call, usec_t until)
{
    call->paused_until = until;
    engine->paused++;
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
    case CURLE_WRITE_ERROR: /* take_bytes() */
    case CURLE_OK:          /* our own engine would wait for more */
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
    long connects = 0;
    curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
    worker->stats.connects += (uint64_t)connects;
    curl_multi_remove_handle(engine->multi, call->easy);
    bool answered = result == CURLE_OK && (call->whole || answer_ends_by_close(&call->answer));
    answer_drop(&engine->reader, &call->answer);
    if (answered) {
        engine_answered(worker, call->answer.code, call->scheduled, now);
        release_call(engine, call);
        return;
    }
    enum load_error kind = error_of(result);
    worker->stats.errors[kind]++;
    if (worker->pacer.rate_rps <= 0 && kind != LOAD_ERROR_TIMEOUT)
        pause_call(engine, call, now + ENGINE_PAUSE);
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
    if (engine->paused == 0)
        return next;
    for (struct call *call = engine->made; call != NULL; call = call->next_made) {
        if (call->paused_until == 0)
            continue;
        if (call->paused_until <= now) {
            engine->paused--;
            release_call(engine, call);
        } else if (call->paused_until < next) {
            next = call->paused_until;
        }
    }
    return next;
}

static void wait_for_news(struct curl_engine *engine, usec_t until)
{
    struct itimerspec at = {.it_value = {until / USEC_PER_SEC, until % USEC_PER_SEC * 1000}};
    timerfd_settime(engine->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
    struct curl_waitfd timer = {.fd = engine->timer_fd, .events = CURL_WAIT_POLLIN};
    curl_multi_poll(engine->multi, &timer, 1, LONGEST_WAIT_MS, NULL);
}

static bool begin_due_calls(struct curl_engine *engine, usec_t now)
{
    usec_t scheduled;
    bool begun = false;
    while (pacer_take(&engine->worker->pacer, now, &scheduled)) {
        begin_call(engine, scheduled);
        begun = true;
    }
    return begun;
}

/* The wait comes first, so that the end is seen right after the last answer. Returns the time it is then. */
static usec_t turn(struct curl_engine *engine, usec_t now)
{
    int running;
    usec_t pause_ends = end_pauses(engine, now), wake_at = engine_wake_at(engine->worker, now);
    if (pause_ends < wake_at)
        wake_at = pause_ends;
    if (!begin_due_calls(engine, now) && wake_at > now)
        wait_for_news(engine, wake_at);
    curl_multi_perform(engine->multi, &running);
    now = clock_now_us();
    end_calls(engine, now);
    return now;
}

static void free_calls(struct curl_engine *engine)
{
    for (struct call *call = engine->made, *next; call != NULL; call = next) {
        next = call->next_made;
        if (call->busy && call->paused_until == 0) {
            engine->worker->stats.unfinished++;
            curl_multi_remove_handle(engine->multi, call->easy);
        }
        answer_drop(&engine->reader, &call->answer);
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

/* To libcurl a header without a value is one to leave out, unless a semicolon stands for its colon. */
static void add_own_header(struct curl_engine *engine, const char *text)
{
    size_t name = strcspn(text, ":");
    if (text[name + 1 + strspn(text + name + 1, " \t")] != '\0') {
        add_header(engine, text);
        return;
    }
    char *empty = strndup(text, name + 1);
    if (empty == NULL)
        return;
    empty[name] = ';';
    add_header(engine, empty);
    free(empty);
}

/* The head our own engine would send: without what libcurl adds by itself. */
static void add_headers(struct curl_engine *engine)
{
    static const struct {
        const char *name, *text;
    } defaults[] = {
        {"User-Agent", "User-Agent: ascale-load/" PACKAGE_VERSION},
        {"Accept", "Accept:"},
        {"Expect", "Expect:"},
        {"Content-Type", "Content-Type:"},
    };
    const struct load_options *options = engine->worker->plan->options;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (load_options_header(options, defaults[i].name) == NULL)
            add_header(engine, defaults[i].text);
    if (options->no_keepalive && load_options_header(options, "Connection") == NULL)
        add_header(engine, "Connection: close");
    for (size_t i = 0; i < options->headers.count; i++)
        add_own_header(engine, options->headers.text[i]);
}

bool engine_curl_run(struct worker *worker)
{
    struct curl_engine engine = {.worker = worker};
    engine.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (engine.timer_fd < 0)
        return false;
    bool ready = answer_reader_init(&engine.reader, worker->plan->method);
    engine.multi = ready ? curl_multi_init() : NULL;
    if (engine.multi == NULL) {
        answer_reader_fini(&engine.reader);
        close(engine.timer_fd);
        errno = ENOMEM;
        return false;
    }
    long open_max = worker->open_max < LONG_MAX ? (long)worker->open_max : 0; /* 0: any number */
    curl_multi_setopt(engine.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, open_max);
    add_headers(&engine);
    engine_on_wake(worker, wake_multi, engine.multi);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    engine_await_start(worker);
    usec_t now = clock_now_us();
    while (engine_turn(worker, now))
        now = turn(&engine, now);
    engine_on_wake(worker, NULL, NULL);
    free_calls(&engine);
    curl_multi_cleanup(engine.multi);
    curl_slist_free_all(engine.headers);
    answer_reader_fini(&engine.reader);
    close(engine.timer_fd);
    return true;
}
