/* SPDX-License-Identifier: MIT */
/* The response side, as strict as the request side: a server that is misread answers the wrong client. */
#include "core/http1_parse.h"

void http1_response_init(struct http1_response *r)
{
    http1_head_init(&r->head);
    r->code = 0;
    r->reason = (struct http1_span){0, 0};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum http1_result status_line(struct http1_head *h, const char *buf, size_t at, size_t len)
{
    struct http1_response *r = (struct http1_response *)h;
    const char *line = buf + at;
    bool supported;
    if (len < 13 || !http1_version(line, &h->minor, &supported) || !supported)
        return http1_refuse(h, 502, "bad status line");
    if (line[8] != ' ' || line[9] < '1' || line[9] > '5' || !is_digit(line[10]) || !is_digit(line[11]) ||
        line[12] != ' ')
        return http1_refuse(h, 502, "bad status code");
    for (size_t i = 13; i < len; i++)
        if (!http1_is(line[i], CHAR_VALUE))
            return http1_refuse(h, 502, "control byte in the reason");
    r->code = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    r->reason = (struct http1_span){(uint16_t)(at + 13), (uint16_t)(len - 13)};
    return HTTP1_DONE;
}

static enum http1_result set_framing(struct http1_response *r, enum http1_method asked)
{
    struct http1_head *h = &r->head;
    bool informal = r->code < 200 || r->code == 204;
    if (h->has_coding && h->has_length)
        return http1_refuse(h, 502, "Content-Length with Transfer-Encoding");
    if (h->has_coding && (h->minor == 0 || informal))
        return http1_refuse(h, 502, "Transfer-Encoding where none may be");
    if (informal && h->content_length > 0)
        return http1_refuse(h, 502, "Content-Length where no body may be");
    if (informal || r->code == 304 || asked == HTTP1_HEAD)
        h->framing = HTTP1_NO_BODY;
    else if (h->has_coding)
        h->framing = HTTP1_CHUNKED;
    else if (h->has_length)
        h->framing = h->content_length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
    else
        h->framing = HTTP1_UNTIL_CLOSE;
    return HTTP1_DONE;
}

enum http1_result http1_response_parse(struct http1_response *r, const char *buf, size_t len,
                                       enum http1_method asked, const struct http1_limits *limits)
{
    struct http1_head *h = &r->head;
    enum http1_result result = HTTP1_MORE;
    if (len > 0 && !h->started && buf[0] != 'H')
        result = http1_refuse(h, 502, "not an HTTP response");
    else
        result = http1_lines(h, buf, len, limits, status_line);
    if (result == HTTP1_DONE && set_framing(r, asked) == HTTP1_DONE)
        result = http1_connection(h, buf);
    else if (result == HTTP1_DONE)
        result = HTTP1_BAD;
    if (h->framing == HTTP1_UNTIL_CLOSE)
        h->keep_alive = false;
    if (result == HTTP1_BAD)
        h->status = 502;
    return result;
}

static bool offered(const struct http1_head *h, const char *buf, const char *text, struct http1_span protocol)
{
    for (unsigned i = 0; i < h->field_count; i++) {
        struct http1_span element;
        size_t at = 0;
        while (h->fields[i].id == HTTP1_UPGRADE && http1_list_next(buf, h->fields[i].value, &at, &element))
            if (http1_same_spans(buf, element, text, protocol))
                return true;
    }
    return false;
}

bool http1_upgrade_granted(const struct http1_request *q, const char *asked, const struct http1_response *r,
                           const char *answered)
{
    unsigned named = 0;
    for (unsigned i = 0; q->upgrade && i < r->head.field_count; i++) {
        const struct http1_field *f = &r->head.fields[i];
        struct http1_span protocol;
        size_t at = 0;
        for (; f->id == HTTP1_UPGRADE && http1_list_next(answered, f->value, &at, &protocol); named++)
            if (!offered(&q->head, asked, answered, protocol))
                return false;
    }
    return named > 0 && r->head.upgrade_named && r->head.minor == 1;
}
