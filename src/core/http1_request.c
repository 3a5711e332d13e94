/* SPDX-License-Identifier: MIT */
/* The request side: first line, target, Host, and what the fields mean together. Whatever two programs could
 * read in two ways is refused, so that what goes on is one request and the one we saw. */
#include "core/http1_parse.h"
#include <string.h>

#define LONGEST_METHOD 31
#define LONGEST_HOST   255

struct method_name {
    char name[8];
    uint8_t method;
};

static const struct method_name methods[] = {
    {"GET", HTTP1_GET},       {"HEAD", HTTP1_HEAD},       {"POST", HTTP1_POST},   {"PUT", HTTP1_PUT},
    {"DELETE", HTTP1_DELETE}, {"OPTIONS", HTTP1_OPTIONS}, {"TRACE", HTTP1_TRACE},
};

void http1_request_init(struct http1_request *r)
{
    http1_head_init(&r->head);
    memset((char *)r + sizeof r->head, 0, sizeof *r - sizeof r->head);
}

bool http1_method_idempotent(enum http1_method m)
{
    return m != HTTP1_METHOD_OTHER && m != HTTP1_POST;
}

static enum http1_result take_method(struct http1_request *r, const char *buf, size_t at, size_t len)
{
    const char *name = buf + at;
    size_t n = 0;
    while (n < len && http1_is(name[n], CHAR_TOKEN))
        n++;
    if (n == 0 || n == len || name[n] != ' ')
        return http1_refuse(&r->head, 400, "bad request line");
    if (n > LONGEST_METHOD)
        return http1_refuse(&r->head, 501, "method too long");
    for (size_t i = 0; i < n; i++)
        if ((name[i] < 'A' || name[i] > 'Z') && name[i] != '-' && name[i] != '_')
            return http1_refuse(&r->head, 501, "unknown method");
    r->method_name = (struct http1_span){(uint16_t)at, (uint16_t)n};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0] && r->method == HTTP1_METHOD_OTHER; i++)
        if (methods[i].name[0] == name[0] && strlen(methods[i].name) == n &&
            memcmp(methods[i].name, name, n) == 0)
            r->method = (enum http1_method)methods[i].method;
    if (n == 7 && memcmp(name, "CONNECT", n) == 0)
        return http1_refuse(&r->head, 501, "CONNECT is not served");
    return HTTP1_DONE;
}

/* In the path a '%' must begin an encoded byte, and none may be NUL; queries are left as they are sent. */
static bool path_escapes_ok(const char *path, size_t len)
{
    for (size_t i = 0; i < len && path[i] != '?'; i++) {
        if (path[i] != '%')
            continue;
        if (len - i < 3 || !http1_is(path[i + 1], CHAR_HEX) || !http1_is(path[i + 2], CHAR_HEX))
            return false;
        if (path[i + 1] == '0' && path[i + 2] == '0')
            return false;
    }
    return true;
}

static size_t scheme_length(const char *target, size_t len)
{
    static const char schemes[][9] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (len > n && http1_same(target, n, schemes[i]))
            return n;
    }
    return 0;
}

static enum http1_result take_absolute(struct http1_request *r, const char *buf, struct http1_span target,
                                       size_t scheme)
{
    size_t at = target.at + scheme, end = (size_t)target.at + target.len, stop = at;
    while (stop < end && buf[stop] != '/' && buf[stop] != '?')
        stop++;
    r->host = (struct http1_span){(uint16_t)at, (uint16_t)(stop - at)};
    r->target = (struct http1_span){(uint16_t)stop, (uint16_t)(end - stop)};
    r->path_missing = stop == end || buf[stop] == '?';
    return HTTP1_DONE;
}

static enum http1_result take_target(struct http1_request *r, const char *buf, struct http1_span target)
{
    const char *text = buf + target.at;
    enum http1_result result = HTTP1_DONE;
    r->target = target;
    if (text[0] == '*') {
        if (target.len != 1 || r->method != HTTP1_OPTIONS)
            result = http1_refuse(&r->head, 400, "bad target");
    } else if (text[0] != '/') {
        size_t scheme = scheme_length(text, target.len);
        result =
            scheme > 0 ? take_absolute(r, buf, target, scheme) : http1_refuse(&r->head, 400, "bad target");
    }
    if (result == HTTP1_DONE && !path_escapes_ok(buf + r->target.at, r->target.len))
        result = http1_refuse(&r->head, 400, "bad escape in the path");
    return result;
}

static enum http1_result request_line(struct http1_head *h, const char *buf, size_t at, size_t len)
{
    struct http1_request *r = (struct http1_request *)h;
    if (take_method(r, buf, at, len) == HTTP1_BAD)
        return HTTP1_BAD;
    size_t from = at + r->method_name.len + 1, end = at + len, stop = from;
    while (stop < end && http1_is(buf[stop], CHAR_TARGET))
        stop++;
    if (stop == from || end - stop != 9 || buf[stop] != ' ')
        return http1_refuse(h, 400, "bad request line");
    bool supported;
    if (!http1_version(buf + stop + 1, &h->minor, &supported))
        return http1_refuse(h, 400, "bad version");
    if (!supported)
        return http1_refuse(h, 505, "version not supported");
    return take_target(r, buf, (struct http1_span){(uint16_t)from, (uint16_t)(stop - from)});
}

static bool port_valid(const char *text, size_t len)
{
    unsigned port = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535;
}

/* Length of the IPv4 address this begins with, 0 when there is none. */
static size_t v4_length(const char *text, size_t len)
{
    size_t at = 0;
    for (unsigned part = 0; part < 4; part++) {
        if (part > 0 && (at == len || text[at++] != '.'))
            return 0;
        size_t from = at;
        unsigned value = 0;
        for (; at < len && at - from < 3 && text[at] >= '0' && text[at] <= '9'; at++)
            value = value * 10 + (unsigned)(text[at] - '0');
        if (at == from || value > 255 || (at - from > 1 && text[from] == '0'))
            return 0;
    }
    return at;
}

/* Length of "[v6]", 0 when it is none: eight groups, of which "::" stands for some once and IPv4 for the last
 * two. */
static size_t bracketed_length(const char *text, size_t len)
{
    unsigned groups = 0;
    bool shortened = false;
    size_t at = 1;
    for (; at < len && text[at] != ']'; groups++) {
        if (len - at > 1 && text[at] == ':' && text[at + 1] == ':') {
            if (shortened)
                return 0;
            shortened = true;
            at += 2;
            if (at < len && text[at] == ']')
                break;
        } else if (groups > 0 && text[at++] != ':') {
            return 0;
        }
        size_t n = v4_length(text + at, len - at);
        groups += n > 0;
        if (n > 0 && (at + n == len || text[at + n] != ']'))
            return 0;
        while (at + n < len && n < 4 && http1_is(text[at + n], CHAR_HEX))
            n++;
        if (n == 0)
            return 0;
        at += n;
    }
    return at < len && (shortened ? groups < 8 : groups == 8) ? at + 1 : 0;
}

/* The name's length without a port; 0 when the authority is not host[:port]. */
static size_t host_length(const char *text, size_t len)
{
    size_t n = 0;
    if (len == 0 || len > LONGEST_HOST)
        return 0;
    if (text[0] == '[')
        n = bracketed_length(text, len);
    else
        while (n < len && http1_is(text[n], CHAR_HOST))
            n++;
    if (n == 0 || n == len)
        return n;
    return text[n] == ':' && port_valid(text + n + 1, len - n - 1) ? n : 0;
}

static struct http1_span without(const char *buf, struct http1_span host, const char *port)
{
    size_t len = strlen(port);
    if (host.len > len && memcmp(buf + host.at + host.len - len, port, len) == 0)
        host.len -= (uint16_t)len;
    return host;
}

/* The default port of the target's scheme ("...p://" or "...s://" stands before it) may be said or not. */
static bool same_host(const char *buf, struct http1_span of_target, struct http1_span host)
{
    const char *port = http1_lower(buf[of_target.at - 4]) == 's' ? ":443" : ":80";
    return http1_same_spans(buf, without(buf, of_target, port), buf, without(buf, host, port));
}

static enum http1_result check_host(struct http1_request *r, const char *buf)
{
    struct http1_head *h = &r->head;
    int first = h->index[HTTP1_HOST];
    if (r->host.at != 0 && host_length(buf + r->host.at, r->host.len) == 0)
        return http1_refuse(h, 400, "bad authority in the target");
    if (first < 0 && h->minor == 1)
        return http1_refuse(h, 400, "missing Host");
    if (first >= 0) {
        struct http1_span host = h->fields[first].value;
        for (unsigned i = (unsigned)first + 1; i < h->field_count; i++)
            if (h->fields[i].id == HTTP1_HOST)
                return http1_refuse(h, 400, "repeated Host");
        if (host_length(buf + host.at, host.len) == 0)
            return http1_refuse(h, 400, "bad Host");
        if (r->host.len > 0 && !same_host(buf, r->host, host))
            return http1_refuse(h, 400, "Host is not that of the target");
        if (r->host.at == 0)
            r->host = host;
    }
    return HTTP1_DONE;
}

static enum http1_result check_framing(struct http1_request *r)
{
    struct http1_head *h = &r->head;
    if (h->has_coding && h->minor == 0)
        return http1_refuse(h, 400, "Transfer-Encoding in HTTP/1.0");
    if (h->has_coding && h->has_length)
        return http1_refuse(h, 400, "Content-Length with Transfer-Encoding");
    h->framing = h->has_coding ? HTTP1_CHUNKED : h->content_length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
    if (r->method == HTTP1_TRACE && h->framing != HTTP1_NO_BODY)
        return http1_refuse(h, 400, "TRACE with a body");
    return HTTP1_DONE;
}

static enum http1_result check_expect(struct http1_request *r, const char *buf)
{
    struct http1_head *h = &r->head;
    if (h->index[HTTP1_EXPECT] < 0 || h->minor == 0)
        return HTTP1_DONE;
    for (unsigned i = (unsigned)h->index[HTTP1_EXPECT]; i < h->field_count; i++) {
        const struct http1_field *f = &h->fields[i];
        if (f->id == HTTP1_EXPECT && !http1_same(buf + f->value.at, f->value.len, "100-continue"))
            return http1_refuse(h, 417, "unknown expectation");
    }
    r->expect_continue = h->framing != HTTP1_NO_BODY;
    return HTTP1_DONE;
}

/* h2c would carry requests past every check made here: it is not passed on, and the request is served as it
 * is. */
static void check_upgrade(struct http1_request *r, const char *buf)
{
    const struct http1_head *h = &r->head;
    r->upgrade = h->upgrade_named && h->index[HTTP1_UPGRADE] >= 0 && h->minor == 1 &&
                 r->method == HTTP1_GET && h->framing == HTTP1_NO_BODY &&
                 !http1_head_lists(h, buf, HTTP1_UPGRADE, "h2c") && h->index[HTTP1_HTTP2_SETTINGS] < 0;
}

enum http1_result http1_request_parse(struct http1_request *r, const char *buf, size_t len,
                                      const struct http1_limits *limits)
{
    enum http1_result result = http1_lines(&r->head, buf, len, limits, request_line);
    if (result != HTTP1_DONE)
        return result;
    if (check_host(r, buf) == HTTP1_BAD || check_framing(r) == HTTP1_BAD ||
        check_expect(r, buf) == HTTP1_BAD || http1_connection(&r->head, buf) == HTTP1_BAD)
        return HTTP1_BAD;
    check_upgrade(r, buf);
    return HTTP1_DONE;
}
