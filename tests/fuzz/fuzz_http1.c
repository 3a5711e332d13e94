/* SPDX-License-Identifier: MIT */
/* A connection's bytes, as a request, an answer, its body and its trailers. However they are cut into pieces
 * they mean the same; every span lies in the head; what is refused says why; a length and a coding are never
 * both believed. */
#include "core/http1.h"
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (64 * 1024)

/* Small ones, too, so that inputs of a few bytes meet them. */
static const struct http1_limits tight = {.line = 40, .field = 32, .head = 120, .fields = 4};
static const struct http1_limits *limits;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* What a whole stream came to. Which of several faults a refusal names may depend on the cuts. */
struct outcome {
    enum http1_result head, body, trailers;
    uint32_t head_length;
    uint16_t fields;
    enum http1_framing framing;
    uint64_t content_length;
    size_t data_size;
    uint8_t data[BODY_MAX];
};

static void check_span(const struct http1_head *head, struct http1_span span)
{
    require((uint32_t)span.at + span.len <= head->length);
}

static void check_fields(const struct http1_head *head, const char *buf)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct http1_span name = head->fields[i].name, value = head->fields[i].value;
        check_span(head, name);
        check_span(head, value);
        require(name.len > 0 && !memchr(buf + name.at, ':', name.len) &&
                !memchr(buf + name.at, ' ', name.len));
        for (size_t k = 0; k < value.len; k++) {
            unsigned char c = (unsigned char)buf[value.at + k];
            require(c == '\t' || (c >= ' ' && c != 0x7f));
        }
    }
}

static void check_head(const struct http1_head *head, enum http1_result result, const char *buf, size_t len)
{
    if (result == HTTP1_BAD)
        require(head->why && head->status >= 400 && head->status < 600);
    if (result != HTTP1_DONE)
        return;
    require(head->length > 0 && head->length <= len && head->field_count <= HTTP1_FIELDS_MAX);
    check_fields(head, buf);
}

static enum http1_result parse(bool answer, void *message, const char *buf, size_t len,
                               enum http1_method asked)
{
    return answer ? http1_response_parse(message, buf, len, asked, limits)
                  : http1_request_parse(message, buf, len, limits);
}

/* The head, handed over in steps of so many bytes more. */
static enum http1_result read_head(struct http1_head *out, bool answer, const char *buf, size_t len,
                                   size_t step, enum http1_method asked)
{
    static struct http1_request request;
    static struct http1_response response;
    http1_request_init(&request);
    http1_response_init(&response);
    void *message = answer ? (void *)&response : (void *)&request;
    enum http1_result result = HTTP1_MORE;
    for (size_t given = 0; result == HTTP1_MORE && given < len;) {
        given = len - given > step ? given + step : len;
        result = parse(answer, message, buf, given, asked);
    }
    *out = answer ? response.head : request.head;
    if (!answer && result == HTTP1_DONE) {
        check_span(out, request.target);
        check_span(out, request.host);
        require(request.target.len > 0 || request.path_missing);
    }
    return result;
}

static void read_trailers(struct outcome *o, const char *in, size_t len)
{
    static struct http1_head trailers;
    http1_trailers_init(&trailers);
    o->trailers = http1_trailers_parse(&trailers, in, len, limits);
    check_head(&trailers, o->trailers, in, len);
}

/* The body, handed over in windows of at most step bytes. */
static void read_body(struct outcome *o, const struct http1_head *head, const char *in, size_t len,
                      size_t step)
{
    struct http1_body body;
    http1_body_init(&body, head);
    size_t at = 0, window = step;
    for (;;) {
        size_t room = len - at < window ? len - at : window, used = 0, data_at = 0, data_len = 0;
        o->body = http1_body_next(&body, in + at, room, &used, &data_at, &data_len);
        require(used <= room);
        if (o->body == HTTP1_DATA) {
            require(data_len > 0 && data_at + data_len <= used && o->data_size + data_len <= BODY_MAX);
            memcpy(o->data + o->data_size, in + at + data_at, data_len);
            o->data_size += data_len;
        }
        at += used;
        if (o->body == HTTP1_MORE && at == len)
            return;
        if (o->body == HTTP1_MORE && used == 0)
            window += step;
        if (o->body == HTTP1_TRAILERS)
            read_trailers(o, in + at, len - at);
        if (o->body != HTTP1_MORE && o->body != HTTP1_DATA)
            break;
    }
    require(o->body != HTTP1_BAD || body.why);
    require(body.total == o->data_size);
    if (o->body == HTTP1_DONE && head->framing == HTTP1_LENGTH)
        require(o->data_size == head->content_length);
}

static void read_stream(struct outcome *o, bool answer, enum http1_method asked, const char *buf, size_t len,
                        size_t step)
{
    static struct http1_head head;
    memset(o, 0, sizeof *o);
    o->head = read_head(&head, answer, buf, len, step, asked);
    check_head(&head, o->head, buf, len);
    if (o->head != HTTP1_DONE)
        return;
    require(!(head.has_length && head.has_coding));
    o->head_length = head.length;
    o->fields = head.field_count;
    o->framing = head.framing;
    o->content_length = head.content_length;
    read_body(o, &head, buf + head.length, len - head.length, step);
}

static void check(bool answer, enum http1_method asked, const char *buf, size_t len)
{
    static struct outcome whole, pieces;
    read_stream(&whole, answer, asked, buf, len, len);
    for (size_t step = 1; step <= 7; step += 3) {
        read_stream(&pieces, answer, asked, buf, len, step);
        require(!memcmp(&whole, &pieces, sizeof whole));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > BODY_MAX)
        return 0;
    enum http1_method asked = size % 2 ? HTTP1_HEAD : HTTP1_GET;
    limits = &http1_limits_default;
    check(data[0] == 'A', asked, (const char *)data + 1, size - 1);
    limits = &tight;
    check(data[0] == 'A', asked, (const char *)data + 1, size - 1);
    return 0;
}
