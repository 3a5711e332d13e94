/* SPDX-License-Identifier: MIT */
/* Writes heads into lent buffers. Every field is written as "Name: value" from spans the parser has checked,
 * so nothing that came in is passed on unread. */
#include "balance/compose.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE_NAME "ascale-instance"

/* Appends to a buffer; when it is full, over says so and nothing more is written. */
struct writer {
    char *at, *end;
    bool over;
};

static void put(struct writer *w, const char *text, size_t len)
{
    if ((size_t)(w->end - w->at) < len) {
        w->over = true;
        return;
    }
    memcpy(w->at, text, len);
    w->at += len;
}

#define PUT(w, literal) put((w), (literal), sizeof literal - 1)

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_number(struct writer *w, uint64_t n)
{
    char digits[20];
    unsigned at = sizeof digits;
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    put(w, digits + at, sizeof digits - at);
}

static void put_span(struct writer *w, const char *from, struct http1_span span)
{
    put(w, from + span.at, span.len);
}

static void put_field(struct writer *w, const char *from, const struct http1_field *f)
{
    put_span(w, from, f->name);
    PUT(w, ": ");
    put_span(w, from, f->value);
    PUT(w, "\r\n");
}

static bool begin(struct exchange *x, struct relay *r, struct writer *w)
{
    if (!r->head)
        r->head = buffer_lend(&x->session->worker->buffers);
    if (!r->head)
        return false;
    *w = (struct writer){r->head->bytes + r->head->end, r->head->bytes + BUFFER_LIMIT, false};
    return true;
}

static bool finish(struct relay *r, struct writer *w)
{
    PUT(w, "\r\n");
    if (!w->over)
        r->head->end = (uint32_t)(w->at - r->head->bytes);
    return !w->over;
}

static const char *request_bytes(const struct exchange *x)
{
    return x->in->bytes + x->head_at;
}

static const struct settings *settings_of(const struct exchange *x)
{
    return &x->session->worker->view->settings;
}

static void put_request_line(struct writer *w, const struct exchange *x)
{
    const struct http1_request *r = &x->request;
    const char *from = request_bytes(x);
    put_span(w, from, r->method_name);
    PUT(w, " ");
    /* RFC 9112, 3.2.4: OPTIONS of a whole server, asked for in absolute form, becomes "*". */
    if (r->path_missing)
        put_text(w, r->method == HTTP1_OPTIONS && r->target.len == 0 ? "*" : "/");
    put_span(w, from, r->target);
    PUT(w, " HTTP/1.1\r\nHost: ");
    if (r->host.len > 0)
        put_span(w, from, r->host);
    else
        put_text(w, x->backend->address);
    PUT(w, "\r\n");
}

/* Forwarding fields count only when the peer is trusted; then ours come after them. */
static bool passes(const struct http1_field *f, const struct exchange *x, bool trusted)
{
    switch (f->id) {
    case HTTP1_HOST:
    case HTTP1_CONTENT_LENGTH:
        return false;
    case HTTP1_EXPECT:
        return x->request.expect_continue;
    case HTTP1_TRAILER:
        return x->request.head.framing == HTTP1_CHUNKED;
    case HTTP1_FORWARDED:
    case HTTP1_X_FORWARDED_FOR:
    case HTTP1_X_FORWARDED_HOST:
    case HTTP1_X_FORWARDED_PROTO:
    case HTTP1_X_REAL_IP:
        return trusted;
    case HTTP1_OTHER:
        return trusted || !http1_speaks_for_proxy(request_bytes(x) + f->name.at, f->name.len);
    default:
        return true;
    }
}

static void put_fields(struct writer *w, const struct exchange *x, bool trusted)
{
    const struct http1_head *h = &x->request.head;
    for (unsigned i = 0; i < h->field_count; i++)
        if (!h->fields[i].hop && passes(&h->fields[i], x, trusted))
            put_field(w, request_bytes(x), &h->fields[i]);
}

static void put_peer(struct writer *w, const struct session *s)
{
    put(w, s->peer_text, s->peer_length);
}

static void put_x_forwarded(struct writer *w, const struct exchange *x, bool trusted)
{
    const struct http1_request *r = &x->request;
    PUT(w, "X-Forwarded-For: ");
    put_peer(w, x->session);
    PUT(w, "\r\n");
    if (!trusted || r->head.index[HTTP1_X_FORWARDED_PROTO] < 0)
        PUT(w, "X-Forwarded-Proto: http\r\n");
    if (r->host.len > 0 && (!trusted || r->head.index[HTTP1_X_FORWARDED_HOST] < 0)) {
        PUT(w, "X-Forwarded-Host: ");
        put_span(w, request_bytes(x), r->host);
        PUT(w, "\r\n");
    }
}

/* RFC 7239: an IPv6 address and anything with a colon is quoted. */
static void put_forwarded(struct writer *w, const struct exchange *x)
{
    const struct http1_request *r = &x->request;
    bool v6 = strchr(x->session->peer_text, ':') != NULL;
    PUT(w, "Forwarded: for=");
    put_text(w, v6 ? "\"[" : "");
    put_peer(w, x->session);
    put_text(w, v6 ? "]\"" : "");
    if (r->host.len > 0) {
        PUT(w, ";host=\"");
        put_span(w, request_bytes(x), r->host);
        PUT(w, "\"");
    }
    PUT(w, ";proto=http\r\n");
}

static void put_forwarding(struct writer *w, const struct exchange *x, bool trusted)
{
    int mode = settings_of(x)->options.forwarded;
    if (mode == CONFIG_FORWARDED_NONE)
        return;
    if (mode != CONFIG_FORWARDED_RFC7239)
        put_x_forwarded(w, x, trusted);
    if (mode != CONFIG_FORWARDED_X)
        put_forwarded(w, x);
}

static void put_upgrade(struct writer *w, const struct http1_head *h, const char *from)
{
    PUT(w, "Connection: Upgrade\r\n");
    for (unsigned i = 0; i < h->field_count; i++)
        if (h->fields[i].id == HTTP1_UPGRADE)
            put_field(w, from, &h->fields[i]);
}

static void put_length(struct writer *w, uint64_t length)
{
    PUT(w, "Content-Length: ");
    put_number(w, length);
    PUT(w, "\r\n");
}

bool compose_request(struct exchange *x)
{
    struct writer w;
    const struct settings *s = settings_of(x);
    const struct http1_head *h = &x->request.head;
    bool trusted = networks_have(&s->trusted, &x->session->peer.any);
    if (!begin(x, &x->up, &w))
        return false;
    put_request_line(&w, x);
    put_fields(&w, x, trusted);
    put_forwarding(&w, x, trusted);
    if (h->framing == HTTP1_CHUNKED)
        PUT(&w, "Transfer-Encoding: chunked\r\n");
    else if (h->has_length)
        put_length(&w, h->content_length);
    if (s->options.via)
        put_text(&w, h->minor == 1 ? "Via: 1.1 ascale\r\n" : "Via: 1.0 ascale\r\n");
    if (x->request.upgrade)
        put_upgrade(&w, h, request_bytes(x));
    return finish(&x->up, &w);
}

static bool response_passes(const struct http1_field *f, const struct exchange *x)
{
    if (f->hop || f->id == HTTP1_CONTENT_LENGTH)
        return false;
    return f->id != HTTP1_TRAILER || x->down.chunked;
}

static void put_cookie(struct writer *w, const struct exchange *x)
{
    char text[96];
    if (settings_of(x)->options.algorithm != CONFIG_STICKY || x->bound == x->backend || x->code < 200)
        return;
    snprintf(text, sizeof text,
             "Set-Cookie: " COOKIE_NAME "=%016" PRIx64 "; Path=/; HttpOnly; SameSite=Lax\r\n",
             x->backend->key);
    put_text(w, text);
}

/* A body of known length keeps it; where none may be, what is said of one passes for HEAD and 304 only. */
static void put_framing(struct writer *w, const struct exchange *x)
{
    const struct http1_head *h = &x->response.head;
    bool without = x->code < 200 || x->code == 204;
    if (x->down.chunked)
        PUT(w, "Transfer-Encoding: chunked\r\n");
    else if (h->has_length && !without)
        put_length(w, h->content_length);
    else if (h->has_coding && h->framing == HTTP1_NO_BODY && x->request.head.minor == 1)
        PUT(w, "Transfer-Encoding: chunked\r\n");
}

/* A 426 has to say what is wanted instead (RFC 9110, 15.5.22). */
static void put_connection(struct writer *w, const struct exchange *x)
{
    bool wanted = x->code == 426 && x->response.head.index[HTTP1_UPGRADE] >= 0;
    if (x->code == 101 || wanted)
        put_upgrade(w, &x->response.head, x->down.buffer->bytes + x->down.buffer->start);
    if (x->code >= 200 && !x->keep)
        PUT(w, "Connection: close\r\n");
    else if (x->code >= 200 && x->request.head.minor == 0)
        PUT(w, "Connection: keep-alive\r\n");
}

/* RFC 9110, 6.6.1: an answer without one gets it where it passes. */
static void put_date(struct writer *w, struct worker *worker)
{
    time_t now = time(NULL);
    if (now != worker->date_at) {
        struct tm tm;
        strftime(worker->date, sizeof worker->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
                 gmtime_r(&now, &tm));
        worker->date_at = now;
    }
    put_text(w, worker->date);
}

bool compose_response(struct exchange *x)
{
    struct writer w;
    const struct http1_head *h = &x->response.head;
    const char *from = x->down.buffer->bytes + x->down.buffer->start;
    if (!begin(x, &x->down, &w))
        return false;
    PUT(&w, "HTTP/1.1 ");
    put_number(&w, x->code);
    PUT(&w, " ");
    put_span(&w, from, x->response.reason);
    PUT(&w, "\r\n");
    for (unsigned i = 0; i < h->field_count; i++)
        if (response_passes(&h->fields[i], x))
            put_field(&w, from, &h->fields[i]);
    put_framing(&w, x);
    if (x->code >= 200 && h->index[HTTP1_DATE] < 0)
        put_date(&w, x->session->worker);
    put_cookie(&w, x);
    if (settings_of(x)->options.via && x->code >= 200)
        put_text(&w, h->minor == 1 ? "Via: 1.1 ascale\r\n" : "Via: 1.0 ascale\r\n");
    put_connection(&w, x);
    return finish(&x->down, &w);
}

struct reason {
    unsigned code;
    const char *text;
};

static const struct reason reasons[] = {
    {400, "Bad Request"},           {408, "Request Timeout"},    {413, "Content Too Large"},
    {414, "URI Too Long"},          {417, "Expectation Failed"}, {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"}, {501, "Not Implemented"},    {502, "Bad Gateway"},
    {503, "Service Unavailable"},   {504, "Gateway Timeout"},    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(unsigned code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].code == code)
            return reasons[i].text;
    return "Error";
}

bool compose_reply(struct exchange *x, unsigned code, const char *why)
{
    struct writer w;
    const char *reason = reason_of(code);
    if (!begin(x, &x->down, &w))
        return false;
    PUT(&w, "HTTP/1.1 ");
    put_number(&w, code);
    PUT(&w, " ");
    put_text(&w, reason);
    PUT(&w, "\r\n");
    put_date(&w, x->session->worker);
    PUT(&w, "Content-Type: text/plain\r\n");
    put_length(&w, strlen(reason) + strlen(why) + 3);
    if (code == 503) {
        PUT(&w, "Retry-After: ");
        put_number(&w, (uint64_t)((settings_of(x)->options.retry_after + USEC_PER_SEC - 1) / USEC_PER_SEC));
        PUT(&w, "\r\n");
    }
    put_connection(&w, x);
    PUT(&w, "\r\n");
    if (x->request.method != HTTP1_HEAD) {
        put_text(&w, reason);
        PUT(&w, ": ");
        put_text(&w, why);
        PUT(&w, "\n");
    }
    if (!w.over)
        x->down.head->end = (uint32_t)(w.at - x->down.head->bytes);
    return !w.over;
}

/* The key our cookie holds, when this Cookie field has it. */
static bool find_cookie(const char *value, size_t len, uint64_t *key)
{
    static const char name[] = COOKIE_NAME "=";
    const size_t name_len = sizeof name - 1;
    for (size_t at = 0; at < len;) {
        while (at < len && (value[at] == ' ' || value[at] == ';'))
            at++;
        size_t end = at;
        while (end < len && value[end] != ';')
            end++;
        if (end - at == name_len + 16 && memcmp(value + at, name, name_len) == 0) {
            char digits[17], *stop;
            memcpy(digits, value + at + name_len, 16);
            digits[16] = '\0';
            *key = strtoull(digits, &stop, 16);
            return *stop == '\0';
        }
        at = end + 1;
    }
    return false;
}

struct backend *compose_bound(const struct exchange *x)
{
    const struct http1_head *h = &x->request.head;
    const struct view *view = x->session->worker->view;
    const char *from = request_bytes(x);
    uint64_t key;
    for (unsigned i = 0; i < h->field_count; i++) {
        const struct http1_field *f = &h->fields[i];
        if (f->id != HTTP1_COOKIE || !find_cookie(from + f->value.at, f->value.len, &key))
            continue;
        for (unsigned b = 0; b < view->count; b++)
            if (view->backends[b]->key == key)
                return view->backends[b];
    }
    return NULL;
}
