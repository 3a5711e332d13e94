/* SPDX-License-Identifier: MIT */
/* The driver for https, the only place where the load goes through libcurl: one multi handle a thread, an
 * easy handle a request in flight, kept for the next one. Plainer and slower than our own driver, with the
 * same pacing and statistics, and the same reader of answers: libcurl takes much for HTTP that is none. */
#include "load/driver.h"

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
    struct curl_driver *driver;
    struct call *next; /* of the free ones */
    struct call *next_made;
    const struct load_target *target;
    usec_t scheduled;
    usec_t paused_until; /* failed; its user waits. 0: not */
    bool busy;
    int no_socket; /* the errno for which there was none; 0: there was */
    bool sent;     /* the request is on its way, or has been */
    struct answer answer;
    bool whole; /* the answer has come to its end */
};

struct curl_driver {
    struct load_thread *thread;
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
    call->driver->thread->stats.bytes += size * count;
    if (call->whole) /* libcurl closes the connection that brought more */
        return size * count;
    enum answer_result result =
        answer_feed(&call->driver->reader, &call->answer, data, size * count, &surplus);
    call->whole = result == ANSWER_DONE;
    return result == ANSWER_BAD ? 0 : size * count;
}

/* A head comes line by line: only its end is worth a look. What is no answer to our own driver is none here;
 * the callbacks return less than their size then, which ends the transfer. */
static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct call *call = context;
    if (size * count > 2 || data[0] > ' ') {
        call->driver->thread->stats.bytes += size * count;
        return answer_hold(&call->driver->reader, &call->answer, data, size * count) ? size * count : 0;
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

/* libcurl does not tell why it got none. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    (void)purpose;
    struct call *call = context;
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    call->no_socket = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void set_request(struct curl_driver *driver, CURL *easy)
{
    const struct load_plan *plan = driver->thread->plan;
    if (plan->method == HTTP1_HEAD)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (plan->sends_length) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)plan->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, plan->body ? plan->body : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, plan->options->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, driver->headers);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, plan->close ? 1L : 0L);
}

static void set_transport(struct curl_driver *driver, CURL *easy)
{
    const struct load_options *options = driver->thread->plan->options;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)((options->timeout + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    curl_easy_setopt(easy, CURLOPT_HTTP_TRANSFER_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L); /* 0 is its default, a second */
    if (options->ca_file || options->insecure) {
        /* Reading the system's certificates for each connection is most of what connecting costs. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->insecure ? 0L : 2L);
}

static struct call *make_call(struct curl_driver *driver)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->easy = curl_easy_init();
    if (!call->easy) {
        free(call);
        return NULL;
    }
    call->driver = driver;
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, allow_once);
    curl_easy_setopt(call->easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    set_request(driver, call->easy);
    set_transport(driver, call->easy);
    call->next_made = driver->made;
    driver->made = call;
    return call;
}

static void begin_call(struct curl_driver *driver, usec_t scheduled)
{
    struct call *call = driver->free;
    if (call)
        driver->free = call->next;
    else
        call = make_call(driver);
    if (!call) {
        driver_failed(driver->thread, driver->thread->plan->targets, LOAD_ERROR_CONNECT, ENOMEM);
        pacer_give(&driver->thread->pacer);
        return;
    }
    call->target = driver_pick(driver->thread);
    call->scheduled = scheduled;
    call->busy = true;
    call->sent = call->whole = false;
    call->no_socket = 0;
    call->paused_until = 0;
    answer_begin(&call->answer);
    curl_easy_setopt(call->easy, CURLOPT_URL, call->target->url);
    curl_multi_add_handle(driver->multi, call->easy);
}

static void release_call(struct curl_driver *driver, struct call *call)
{
    call->busy = false;
    call->paused_until = 0;
    call->next = driver->free;
    driver->free = call;
    pacer_give(&driver->thread->pacer);
}

static void pause_call(struct curl_driver *driver, struct call *call, usec_t until)
{
    call->paused_until = until;
    driver->paused++;
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
    case CURLE_OK:          /* our own driver would wait for more */
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return LOAD_ERROR_PROTOCOL;
    default:
        return LOAD_ERROR_CLOSED;
    }
}

/* What the system said of it; 0: nothing that is known. */
static int cause_of(const struct call *call, enum load_error kind)
{
    long error = 0;
    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
    if (kind == LOAD_ERROR_CONNECT && call->no_socket != 0)
        return call->no_socket;
    return kind == LOAD_ERROR_TIMEOUT ? 0 : (int)error;
}

static void end_call(struct curl_driver *driver, struct call *call, CURLcode result, usec_t now)
{
    struct load_thread *thread = driver->thread;
    long connects = 0;
    curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
    thread->stats.connects += (uint64_t)connects;
    enum load_error kind = error_of(result);
    int cause = cause_of(call, kind);
    curl_multi_remove_handle(driver->multi, call->easy);
    bool answered = result == CURLE_OK && (call->whole || answer_ends_by_close(&call->answer));
    answer_drop(&driver->reader, &call->answer);
    if (answered) {
        driver_answered(thread, call->answer.code, call->scheduled, now);
        release_call(driver, call);
        return;
    }
    driver_failed(thread, call->target, kind, cause);
    if (thread->pacer.rate_rps <= 0 && kind != LOAD_ERROR_TIMEOUT)
        pause_call(driver, call, now + DRIVER_PAUSE);
    else
        release_call(driver, call);
}

static void end_calls(struct curl_driver *driver, usec_t now)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(driver->multi, &left));) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        end_call(driver, (struct call *)(void *)private, message->data.result, now);
    }
}

/* Lets users whose pause is over go on; when the next one's is. */
static usec_t end_pauses(struct curl_driver *driver, usec_t now)
{
    usec_t next = USEC_NEVER;
    if (driver->paused == 0)
        return next;
    for (struct call *call = driver->made; call; call = call->next_made) {
        if (call->paused_until == 0)
            continue;
        if (call->paused_until <= now) {
            driver->paused--;
            release_call(driver, call);
        } else if (call->paused_until < next) {
            next = call->paused_until;
        }
    }
    return next;
}

static void wait_for_news(struct curl_driver *driver, usec_t until)
{
    struct itimerspec at = {.it_value = {until / USEC_PER_SEC, until % USEC_PER_SEC * 1000}};
    timerfd_settime(driver->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
    struct curl_waitfd timer = {.fd = driver->timer_fd, .events = CURL_WAIT_POLLIN};
    curl_multi_poll(driver->multi, &timer, 1, LONGEST_WAIT_MS, NULL);
}

static bool begin_due_calls(struct curl_driver *driver, usec_t now)
{
    usec_t scheduled;
    bool begun = false;
    while (pacer_take(&driver->thread->pacer, now, &scheduled)) {
        begin_call(driver, scheduled);
        begun = true;
    }
    return begun;
}

/* The wait comes first, so that the end is seen right after the last answer. Returns the time it is then. */
static usec_t turn(struct curl_driver *driver, usec_t now)
{
    int running;
    usec_t pause_ends = end_pauses(driver, now), wake_at = driver_wake_at(driver->thread, now);
    if (pause_ends < wake_at)
        wake_at = pause_ends;
    if (!begin_due_calls(driver, now) && wake_at > now)
        wait_for_news(driver, wake_at);
    curl_multi_perform(driver->multi, &running);
    now = clock_now_us();
    end_calls(driver, now);
    return now;
}

static void free_calls(struct curl_driver *driver)
{
    for (struct call *call = driver->made, *next; call; call = next) {
        next = call->next_made;
        if (call->busy && call->paused_until == 0) {
            driver->thread->stats.unfinished++;
            curl_multi_remove_handle(driver->multi, call->easy);
        }
        answer_drop(&driver->reader, &call->answer);
        curl_easy_cleanup(call->easy);
        free(call);
    }
}

static void wake_multi(void *context)
{
    curl_multi_wakeup(context);
}

static void add_header(struct curl_driver *driver, const char *text)
{
    struct curl_slist *longer = curl_slist_append(driver->headers, text);
    if (longer)
        driver->headers = longer;
}

/* To libcurl a header without a value is one to leave out, unless a semicolon stands for its colon. */
static void add_own_header(struct curl_driver *driver, const char *text)
{
    size_t name = strcspn(text, ":");
    if (text[name + 1 + strspn(text + name + 1, " \t")] != '\0') {
        add_header(driver, text);
        return;
    }
    char *empty = strndup(text, name + 1);
    if (!empty)
        return;
    empty[name] = ';';
    add_header(driver, empty);
    free(empty);
}

/* The head our own driver would send: without what libcurl adds by itself. */
static void add_headers(struct curl_driver *driver)
{
    static const struct {
        const char *name, *text;
    } defaults[] = {
        {"User-Agent", "User-Agent: ascale-load/" PACKAGE_VERSION},
        {"Accept", "Accept:"},
        {"Expect", "Expect:"},
        {"Content-Type", "Content-Type:"},
    };
    const struct load_options *options = driver->thread->plan->options;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (!load_options_header(options, defaults[i].name))
            add_header(driver, defaults[i].text);
    if (options->no_keepalive && !load_options_header(options, "Connection"))
        add_header(driver, "Connection: close");
    for (size_t i = 0; i < options->headers.count; i++)
        add_own_header(driver, options->headers.text[i]);
}

bool driver_curl_run(struct load_thread *thread)
{
    struct curl_driver driver = {.thread = thread};
    driver.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (driver.timer_fd < 0)
        return false;
    bool ready = answer_reader_init(&driver.reader, thread->plan->method);
    driver.multi = ready ? curl_multi_init() : NULL;
    if (!driver.multi) {
        answer_reader_fini(&driver.reader);
        close(driver.timer_fd);
        errno = ENOMEM;
        return false;
    }
    long open_max = thread->open_max < LONG_MAX ? (long)thread->open_max : 0; /* 0: any number */
    curl_multi_setopt(driver.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, open_max);
    add_headers(&driver);
    driver_on_wake(thread, wake_multi, driver.multi);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    driver_await_start(thread);
    usec_t now = clock_now_us();
    while (driver_turn(thread, now))
        now = turn(&driver, now);
    driver_on_wake(thread, NULL, NULL);
    free_calls(&driver);
    curl_multi_cleanup(driver.multi);
    curl_slist_free_all(driver.headers);
    answer_reader_fini(&driver.reader);
    close(driver.timer_fd);
    return true;
}
