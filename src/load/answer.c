/* SPDX-License-Identifier: MIT */
/* An answer is any number of 1xx heads, a head, its body and perhaps trailers; each step takes one of them
 * off the front of what has come. Only an answer whose head or trailers came in pieces owns a buffer; all
 * other bytes pass through the one input buffer of the reader. */
#include "load/answer.h"

#include <string.h>

enum { BUFFERS_KEPT = 64 };

/* What has come and is not used yet; it shrinks from the front. */
struct span {
    const char *data;
    size_t size;
};

bool answer_reader_init(struct answer_reader *reader, enum http1_method asked)
{
    reader->asked = asked;
    reader->known_size = 0;
    buffer_pool_init(&reader->pool, BUFFERS_KEPT);
    reader->input = buffer_lend(&reader->pool);
    return reader->input != NULL;
}

void answer_reader_fini(struct answer_reader *reader)
{
    buffer_return(&reader->pool, reader->input);
    buffer_pool_fini(&reader->pool);
}

void answer_begin(struct answer *answer)
{
    answer->part = ANSWER_HEAD;
    answer->keep_alive = false;
}

void answer_drop(struct answer_reader *reader, struct answer *answer)
{
    buffer_return(&reader->pool, answer->kept);
    answer->kept = NULL;
}

bool answer_ends_by_close(const struct answer *answer)
{
    return answer->part == ANSWER_BODY && answer->body.framing == HTTP1_UNTIL_CLOSE;
}

/* A server's heads mostly repeat to the byte: such a one is what the last one was, and parsing it again would
 * be the largest part of our own work. */
static enum http1_result parse_head(struct answer_reader *reader, const struct span *span)
{
    if (reader->known_size > 0 && span->size >= reader->known_size &&
        memcmp(span->data, reader->known, reader->known_size) == 0)
        return HTTP1_DONE;
    struct http1_response *response = &reader->response;
    reader->known_size = 0;
    http1_response_init(response);
    enum http1_result result =
        http1_response_parse(response, span->data, span->size, reader->asked, &http1_limits_default);
    if (result == HTTP1_DONE && response->head.length <= ANSWER_KNOWN_MAX) {
        reader->known_size = response->head.length;
        memcpy(reader->known, span->data, reader->known_size);
    }
    return result;
}

static enum http1_result take_head(struct answer_reader *reader, struct answer *answer, struct span *span)
{
    if (span->size == 0)
        return HTTP1_MORE;
    const struct http1_response *response = &reader->response;
    enum http1_result result = parse_head(reader, span);
    if (result != HTTP1_DONE)
        return result;
    span->data += response->head.length;
    span->size -= response->head.length;
    if (response->code == 101)
        return HTTP1_BAD; /* nobody asked for it */
    if (response->code >= 200) {
        answer->code = response->code;
        answer->keep_alive = response->head.keep_alive;
        http1_body_init(&answer->body, &response->head);
        answer->part = ANSWER_BODY;
    }
    return HTTP1_DATA;
}

static enum http1_result take_body(struct answer *answer, struct span *span)
{
    size_t used, data_at, data_size;
    enum http1_result result =
        http1_body_next(&answer->body, span->data, span->size, &used, &data_at, &data_size);
    span->data += used;
    span->size -= used;
    if (result == HTTP1_TRAILERS)
        answer->part = ANSWER_TRAILERS;
    return result;
}

static enum http1_result take_trailers(struct answer_reader *reader, struct span *span)
{
    http1_trailers_init(&reader->trailers);
    enum http1_result result =
        http1_trailers_parse(&reader->trailers, span->data, span->size, &http1_limits_default);
    if (result == HTTP1_DONE)
        span->size -= reader->trailers.length;
    return result;
}

/* DATA and TRAILERS: another step can follow at once. */
static enum http1_result take_step(struct answer_reader *reader, struct answer *answer, struct span *span)
{
    switch (answer->part) {
    case ANSWER_HEAD:
        return take_head(reader, answer, span);
    case ANSWER_BODY:
        return take_body(answer, span);
    default:
        return take_trailers(reader, span);
    }
}

/* Keeps the piece of a head or trailer section until the rest comes. */
static bool keep(struct answer_reader *reader, struct answer *answer, const struct span *span)
{
    if (!answer->kept)
        answer->kept = buffer_lend(&reader->pool);
    if (!answer->kept || span->size >= BUFFER_SIZE)
        return false;
    memmove(answer->kept->bytes + BUFFER_BASE, span->data, span->size);
    answer->kept->end = BUFFER_BASE + (uint32_t)span->size;
    return true;
}

char *answer_room(struct answer_reader *reader, struct answer *answer, size_t *room)
{
    struct buffer *into = answer->kept ? answer->kept : reader->input;
    *room = BUFFER_LIMIT - into->end;
    return into->bytes + into->end;
}

static enum answer_result take_span(struct answer_reader *reader, struct answer *answer, struct span span,
                                    bool *surplus)
{
    enum http1_result result;
    do
        result = take_step(reader, answer, &span);
    while (result == HTTP1_DATA || result == HTTP1_TRAILERS);
    *surplus = result == HTTP1_DONE && span.size > 0;
    if (result == HTTP1_MORE && span.size > 0)
        return keep(reader, answer, &span) ? ANSWER_MORE : ANSWER_BAD;
    answer_drop(reader, answer);
    return result == HTTP1_MORE ? ANSWER_MORE : result == HTTP1_DONE ? ANSWER_DONE : ANSWER_BAD;
}

enum answer_result answer_take(struct answer_reader *reader, struct answer *answer, size_t size,
                               bool *surplus)
{
    struct buffer *kept = answer->kept;
    struct span span = {reader->input->bytes + BUFFER_BASE, size};
    if (kept) {
        kept->end += (uint32_t)size;
        span = (struct span){kept->bytes + BUFFER_BASE, kept->end - BUFFER_BASE};
    }
    return take_span(reader, answer, span, surplus);
}

/* Behind what is kept they go by pieces: of what a head is to be kept of, there is no more than fits. */
enum answer_result answer_feed(struct answer_reader *reader, struct answer *answer, const char *data,
                               size_t size, bool *surplus)
{
    enum answer_result result = ANSWER_MORE;
    while (result == ANSWER_MORE && answer->kept && size > 0) {
        size_t room;
        char *into = answer_room(reader, answer, &room);
        size_t part = size < room ? size : room;
        memcpy(into, data, part);
        data += part;
        size -= part;
        result = answer_take(reader, answer, part, surplus);
    }
    if (result == ANSWER_DONE)
        *surplus = *surplus || size > 0;
    if (result != ANSWER_MORE || size == 0)
        return result;
    return take_span(reader, answer, (struct span){data, size}, surplus);
}

bool answer_hold(struct answer_reader *reader, struct answer *answer, const char *data, size_t size)
{
    if (!answer->kept)
        answer->kept = buffer_lend(&reader->pool);
    if (!answer->kept || size >= BUFFER_LIMIT - answer->kept->end)
        return false;
    memcpy(answer->kept->bytes + answer->kept->end, data, size);
    answer->kept->end += (uint32_t)size;
    return true;
}
