/* SPDX-License-Identifier: MIT */
/* A body on its way through the buffer that is rewritten in place: whatever the pieces it comes in and
 * whatever framing it leaves with, the other side reads the same content, the same end, and nothing is taken
 * of the bytes behind it. */
#include "http/relay.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTENT_MAX (64 * 1024)
#define WIRE_MAX    (8 * CONTENT_MAX) /* each byte in a chunk of its own, framed */

/* What a reader of the whole makes of it. */
struct reading {
    enum http1_result result;
    size_t used, size;
    char content[CONTENT_MAX];
};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void read_trailers(struct reading *r, const char *text, size_t len)
{
    struct http1_head trailers;
    http1_trailers_init(&trailers);
    r->result = http1_trailers_parse(&trailers, text + r->used, len - r->used, &http1_limits_default);
    if (r->result == HTTP1_DONE)
        r->used += trailers.length;
}

static void read_whole(struct reading *r, const struct http1_head *head, const char *text, size_t len)
{
    struct http1_body body;
    http1_body_init(&body, head);
    r->used = r->size = 0;
    do {
        size_t used, at, n;
        r->result = http1_body_next(&body, text + r->used, len - r->used, &used, &at, &n);
        if (r->result == HTTP1_DATA) {
            require(r->size + n <= CONTENT_MAX);
            memcpy(r->content + r->size, text + r->used + at, n);
            r->size += n;
        }
        r->used += used;
    } while (r->result == HTTP1_DATA);
    if (r->result == HTTP1_TRAILERS)
        read_trailers(r, text, len);
}

static size_t take_out(struct relay *r, char *wire, size_t at)
{
    size_t n = r->out_end - r->out;
    require(r->out <= r->out_end && r->out_end <= BUFFER_LIMIT + BUFFER_TAILROOM);
    require(r->out_end <= r->buffer->start || r->buffer->start == r->buffer->end);
    require(at + n <= WIRE_MAX);
    memcpy(wire + at, r->buffer->bytes + r->out, n);
    r->out = r->out_end;
    return at + n;
}

/* Puts text through the relay in pieces of at most `step`; bytes that came out. *good: it was not refused. */
static size_t carry(struct relay *r, const char *text, size_t len, size_t step, char *wire, bool *good)
{
    size_t given = 0, out = 0;
    *good = true;
    while (*good && !r->ended && given < len) {
        size_t room;
        char *into = relay_room(r, &room);
        size_t n = len - given < step ? len - given : step;
        n = n < room ? n : room;
        require(n > 0);
        memcpy(into, text + given, n);
        r->buffer->end += (uint32_t)n;
        given += n;
        *good = relay_take(r);
        out = *good ? take_out(r, wire, out) : out;
    }
    if (*good && !r->ended && relay_take_end(r))
        out = take_out(r, wire, out);
    /* What is not taken is still there, as it came. */
    size_t left = r->buffer->end - r->buffer->start;
    if (*good && r->ended)
        require(memcmp(r->buffer->bytes + r->buffer->start, text + given - left, left) == 0);
    return out;
}

static void check(const struct http1_head *head, bool chunked, const char *text, size_t len, size_t step)
{
    static struct reading plain, again;
    static struct buffer buffer;
    static char wire[WIRE_MAX];
    struct relay r = {.buffer = &buffer, .keep_trailers = step % 2};
    bool good;
    buffer.start = buffer.end = BUFFER_BASE;
    relay_begin(&r, head, chunked);
    if (r.ended)
        return;
    chunked = r.chunked;
    read_whole(&plain, head, text, len);
    size_t out = carry(&r, text, len, step, wire, &good);
    require(good == (plain.result != HTTP1_BAD));
    if (!good)
        return;
    require(r.ended == (plain.result == HTTP1_DONE || head->framing == HTTP1_UNTIL_CLOSE));
    struct http1_head left = {.framing = chunked ? HTTP1_CHUNKED : HTTP1_UNTIL_CLOSE};
    read_whole(&again, &left, wire, out);
    require(again.result == (r.ended && chunked ? HTTP1_DONE : HTTP1_MORE));
    require(again.used == out);
    require(again.size == plain.size && memcmp(again.content, plain.content, plain.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 3, 7, 64, 1000, CONTENT_MAX};
    struct http1_head head = {.framing = HTTP1_CHUNKED};
    if (size < 2 || size > CONTENT_MAX)
        return 0;
    head.framing = (enum http1_framing)(1 + data[0] % 3);
    head.content_length = 1u + data[1];
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        check(&head, data[0] & 4, (const char *)data + 2, size - 2, steps[i]);
    return 0;
}
