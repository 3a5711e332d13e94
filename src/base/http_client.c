/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface on a loop: libcurl names sockets and one timeout, the loop reports them back.
 * Calls in use and calls to use again are two lists; a call keeps its easy handle for the next one, so steady
 * traffic reuses memory and connections. Invariants: done runs only from sweep(), after libcurl has returned,
 * and at that moment the call is already out of the multi handle, so it may start and cancel others. The
 * loop's thread only. */
#include "base/http_client.h"
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BODY_MAX_PRESET           (64 * 1024)
#define HEAD_MAX                  (64 * 1024)
#define KEEP_MAX                  (64 * 1024) /* a larger body buffer is not kept for the next call */
#define CONNECT_TIMEOUT_PRESET_US INT64_C(2000000)
#define TIMEOUT_PRESET_US         INT64_C(5000000)

struct http_client_call {
    struct http_client *client;
    struct http_client_call *next, *previous; /* previous is kept for active calls only */
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t size, capacity, max;
    size_t head_size;
    bool too_large;
    char error[CURL_ERROR_SIZE];
    void (*done)(void *context, const struct http_client_result *result);
    void *context;
};

/* A socket libcurl asked us to watch. */
struct socket_watch {
    struct loop_watch watch;
    struct socket_watch *next_free;
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;
    struct http_client_call *active, *idle;
    struct socket_watch *free_watches;
};

static void call_destroy(struct http_client_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->body);
    free(call);
}

static struct http_client_call *call_take(struct http_client *client)
{
    struct http_client_call *call = client->idle;
    if (call) {
        client->idle = call->next;
    } else {
        call = calloc(1, sizeof *call);
        if (!call)
            return NULL;
        call->client = client;
        call->easy = curl_easy_init();
        if (!call->easy) {
            free(call);
            return NULL;
        }
    }
    call->size = call->head_size = 0;
    call->too_large = false;
    call->error[0] = '\0';
    return call;
}

static void call_put_back(struct http_client_call *call)
{
    curl_easy_reset(call->easy);
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    if (call->capacity > KEEP_MAX) {
        free(call->body);
        call->body = NULL;
        call->capacity = 0;
    }
    call->next = call->client->idle;
    call->client->idle = call;
}

static void link_active(struct http_client *client, struct http_client_call *call)
{
    call->previous = NULL;
    call->next = client->active;
    if (call->next)
        call->next->previous = call;
    client->active = call;
}

static void unlink_active(struct http_client_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        call->client->active = call->next;
    if (call->next)
        call->next->previous = call->previous;
}

static bool grow_body(struct http_client_call *call, size_t needed)
{
    if (needed <= call->capacity)
        return true;
    size_t capacity = call->capacity ? call->capacity : 1024;
    while (capacity < needed)
        capacity *= 2;
    char *body = realloc(call->body, capacity);
    if (!body)
        return false;
    call->body = body;
    call->capacity = capacity;
    return true;
}

static size_t on_body(char *data, size_t one, size_t count, void *context)
{
    struct http_client_call *call = context;
    size_t size = one * count;
    if (size > call->max - call->size) {
        call->too_large = true;
        return 0;
    }
    if (!grow_body(call, call->size + size + 1))
        return 0;
    memcpy(call->body + call->size, data, size);
    call->size += size;
    return size;
}

static size_t on_header(char *data, size_t one, size_t count, void *context)
{
    struct http_client_call *call = context;
    (void)data;
    call->head_size += one * count;
    if (call->head_size <= HEAD_MAX)
        return one * count;
    call->too_large = true;
    return 0;
}

/* libcurl's own sockets would be inherited by every instance we start. */
static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static const struct {
    CURLcode code;
    enum http_client_failure failure;
} failures[] = {
    {CURLE_OK, HTTP_CLIENT_OK},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_CLIENT_RESOLVE},
    {CURLE_COULDNT_CONNECT, HTTP_CLIENT_CONNECT},
    {CURLE_OPERATION_TIMEDOUT, HTTP_CLIENT_TIMEOUT},
    {CURLE_SSL_CONNECT_ERROR, HTTP_CLIENT_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_CLIENT_TLS},
    {CURLE_SSL_ISSUER_ERROR, HTTP_CLIENT_TLS},
    {CURLE_SSL_CIPHER, HTTP_CLIENT_TLS},
    {CURLE_SSL_CERTPROBLEM, HTTP_CLIENT_REQUEST},
    {CURLE_SSL_CACERT_BADFILE, HTTP_CLIENT_REQUEST},
    {CURLE_URL_MALFORMAT, HTTP_CLIENT_REQUEST},
    {CURLE_UNSUPPORTED_PROTOCOL, HTTP_CLIENT_REQUEST},
    {CURLE_OUT_OF_MEMORY, HTTP_CLIENT_REQUEST},
};

static int64_t elapsed_us(CURL *easy, CURLINFO info)
{
    curl_off_t value = 0;
    curl_easy_getinfo(easy, info, &value);
    return value;
}

static enum http_client_failure classify(const struct http_client_call *call, CURLcode code)
{
    if (call->too_large)
        return HTTP_CLIENT_TOO_LARGE;
    if (code == CURLE_UNSUPPORTED_PROTOCOL && elapsed_us(call->easy, CURLINFO_CONNECT_TIME_T) > 0)
        return HTTP_CLIENT_BROKEN; /* the answer was no HTTP */
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i].code == code)
            return failures[i].failure;
    return HTTP_CLIENT_BROKEN;
}

/* libcurl's own words for a refused connection are long and do not say "refused". */
static const char *describe_error(struct http_client_call *call, CURLcode code)
{
    long os_error = 0;
    if (call->too_large)
        return "the answer is larger than allowed";
    if (code == CURLE_OK)
        return "";
    if (code == CURLE_COULDNT_CONNECT &&
        curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK && os_error != 0)
        return strerror((int)os_error);
    char *files = strstr(call->error, ". CAfile: "); /* of GnuTLS: long, and mostly "none" */
    if (files)
        *files = '\0';
    return call->error[0] ? call->error : curl_easy_strerror(code);
}

static void finish(struct http_client_call *call, CURLcode code)
{
    long status = 0;
    char *content_type = NULL;
    struct http_client_result result = {
        .failure = classify(call, code), .error = describe_error(call, code), .body = "", .content_type = ""};
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
    if (call->size > 0) {
        call->body[call->size] = '\0';
        result.body = call->body;
        result.body_size = call->size;
    }
    if (content_type)
        result.content_type = content_type;
    result.status = (int)status;
    result.connect_us = elapsed_us(call->easy, CURLINFO_CONNECT_TIME_T);
    result.first_byte_us = elapsed_us(call->easy, CURLINFO_STARTTRANSFER_TIME_T);
    result.total_us = elapsed_us(call->easy, CURLINFO_TOTAL_TIME_T);
    curl_multi_remove_handle(call->client->multi, call->easy);
    unlink_active(call);
    call->done(call->context, &result);
    call_put_back(call);
}

/* After every entry into libcurl: its next timeout is asked for rather than remembered, so that a timer that
 * fired early is set again. */
static void set_timer(struct http_client *client)
{
    long millis = -1;
    curl_multi_timeout(client->multi, &millis);
    if (millis < 0)
        loop_timer_cancel(client->loop, &client->timer);
    else
        loop_timer_set(client->loop, &client->timer, loop_now(client->loop) + millis * INT64_C(1000));
}

static void sweep(struct http_client *client)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct http_client_call *call = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        finish(call, code);
    }
    set_timer(client);
}

static void on_timer(struct loop_timer *timer, int64_t now_us)
{
    struct http_client *client = timer->context;
    int running;
    (void)now_us;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    sweep(client);
}

static void on_socket(struct loop_watch *watch, uint32_t events)
{
    struct http_client *client = watch->context;
    int running, mask = 0;
    if (events & (EPOLLIN | EPOLLHUP))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(client->multi, watch->fd, mask, &running);
    sweep(client);
}

static void drop_watch(struct http_client *client, struct socket_watch *watch)
{
    loop_remove(client->loop, &watch->watch);
    watch->next_free = client->free_watches;
    client->free_watches = watch;
}

static int add_watch(struct http_client *client, curl_socket_t fd, uint32_t events)
{
    struct socket_watch *watch = client->free_watches;
    if (watch)
        client->free_watches = watch->next_free;
    else
        watch = malloc(sizeof *watch);
    if (!watch)
        return -1;
    *watch = (struct socket_watch){.watch = {.ready = on_socket, .context = client}};
    if (loop_add(client->loop, &watch->watch, fd, events) != 0) {
        watch->next_free = client->free_watches;
        client->free_watches = watch;
        return -1;
    }
    curl_multi_assign(client->multi, fd, watch);
    return 0;
}

static int on_interest(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    struct http_client *client = context;
    struct socket_watch *watch = socket_context;
    uint32_t events =
        (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            drop_watch(client, watch);
        return 0;
    }
    if (!watch)
        return add_watch(client, fd, events);
    return loop_change(client->loop, &watch->watch, events) == 0 ? 0 : -1;
}

static bool is_set(const char *text)
{
    return text && *text;
}

static long to_millis(int64_t us, int64_t preset_us)
{
    return (long)(((us > 0 ? us : preset_us) + 999) / 1000);
}

static void set_safety(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
#if CURL_AT_LEAST_VERSION(7, 87, 0)
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a timeout does not wait for the resolver's thread */
#endif
}

static bool set_method(CURL *easy, const struct http_client_request *request)
{
    const char *method = request->method ? request->method : "GET";
    CURLcode code = CURLE_OK;
    if (request->body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        code = curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    return code == CURLE_OK && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static bool add_header(struct http_client_call *call, const char *header)
{
    struct curl_slist *list = curl_slist_append(call->headers, header);
    if (list)
        call->headers = list;
    return list != NULL;
}

static bool set_headers(struct http_client_call *call, const char *const *headers)
{
    bool good = add_header(call, "Expect:"); /* nobody waits a second for 100 Continue */
    for (; good && headers && *headers; headers++)
        good = add_header(call, *headers);
    return good && curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
}

static bool set_file(CURL *easy, CURLoption option, const char *path)
{
    return !is_set(path) || curl_easy_setopt(easy, option, path) == CURLE_OK;
}

static bool prepare(struct http_client_call *call, const struct http_client_request *request)
{
    CURL *easy = call->easy;
    call->max = request->body_max ? request->body_max : BODY_MAX_PRESET;
    call->done = request->done;
    call->context = request->context;
    set_safety(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     to_millis(request->connect_timeout_us, CONNECT_TIMEOUT_PRESET_US));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_millis(request->timeout_us, TIMEOUT_PRESET_US));
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)request->fresh);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)request->fresh);
    return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "ascale") == CURLE_OK && set_method(easy, request) &&
           set_headers(call, request->headers) &&
           set_file(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket) &&
           set_file(easy, CURLOPT_CAINFO, request->ca_file) &&
           set_file(easy, CURLOPT_SSLCERT, request->cert_file) &&
           set_file(easy, CURLOPT_SSLKEY, request->key_file);
}

struct http_client_call *http_client_start(struct http_client *client,
                                           const struct http_client_request *request)
{
    struct http_client_call *call = call_take(client);
    if (!call)
        return NULL;
    if (!prepare(call, request) || curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
        call_put_back(call);
        return NULL;
    }
    link_active(client, call);
    set_timer(client);
    return call;
}

void http_client_cancel(struct http_client_call *call)
{
    struct http_client *client = call->client;
    curl_multi_remove_handle(client->multi, call->easy);
    unlink_active(call);
    call_put_back(call);
    set_timer(client);
}

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_client_new(struct loop *loop, struct http_client **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    client->loop = loop;
    client->timer = (struct loop_timer){.due = on_timer, .context = client};
    client->multi = curl_multi_init();
    if (!client->multi) {
        free(client);
        return -ENOMEM;
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    *out = client;
    return 0;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    while (client->active)
        http_client_cancel(client->active);
    loop_timer_cancel(client->loop, &client->timer);
    while (client->idle) {
        struct http_client_call *call = client->idle;
        client->idle = call->next;
        call_destroy(call);
    }
    curl_multi_cleanup(client->multi);
    while (client->free_watches) {
        struct socket_watch *watch = client->free_watches;
        client->free_watches = watch->next_free;
        free(watch);
    }
    free(client);
}
