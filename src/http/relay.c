/* SPDX-License-Identifier: MIT */
/* The in-place arithmetic: what goes out never needs more room than what came in, save for the size line,
 * which fits before the first span (BUFFER_BASE), and the end of a chunk, which fits behind the last one when
 * the message goes on (nothing lies there) and replaces the end that came in when it does not. */
#include "http/relay.h"
#include <errno.h>
#include <string.h>

#define SMALL_BODY 4096

void relay_begin(struct relay *r, const struct http1_head *head, bool chunked)
{
    http1_body_init(&r->body, head);
    r->chunked = chunked && (head->framing == HTTP1_CHUNKED || head->framing == HTTP1_UNTIL_CLOSE);
    r->in_trailers = false;
    r->ended = head->framing == HTTP1_NO_BODY;
    r->out = r->out_end = r->joined = 0;
}

/* Writes "1f4\r\n" so that it ends at `end`; where it begins. */
static uint32_t put_size_line(struct buffer *b, uint32_t end, uint32_t size)
{
    static const char digits[] = "0123456789abcdef";
    b->bytes[--end] = '\n';
    b->bytes[--end] = '\r';
    do {
        b->bytes[--end] = digits[size & 15];
        size >>= 4;
    } while (size > 0);
    return end;
}

static void append(struct relay *r, const char *text, size_t len)
{
    memmove(r->buffer->bytes + r->out_end, text, len);
    r->out_end += (uint32_t)len;
}

/* Joins the spans of content to [out, out_end). */
static enum http1_result join_spans(struct relay *r)
{
    struct buffer *b = r->buffer;
    enum http1_result result;
    r->out = r->out_end = b->start;
    do {
        size_t used, at, len;
        result = http1_body_next(&r->body, b->bytes + b->start, b->end - b->start, &used, &at, &len);
        if (result == HTTP1_DATA) {
            uint32_t from = b->start + (uint32_t)at;
            if (r->out == r->out_end)
                r->out = r->out_end = from;
            if (r->out_end != from)
                memmove(b->bytes + r->out_end, b->bytes + from, len);
            r->out_end += (uint32_t)len;
        }
        b->start += (uint32_t)used;
    } while (result == HTTP1_DATA);
    return result;
}

static void append_trailers(struct relay *r, const struct http1_head *trailers, const char *from)
{
    for (unsigned i = 0; i < trailers->field_count; i++) {
        const struct http1_field *f = &trailers->fields[i];
        const char *name = from + f->name.at;
        if (f->id != HTTP1_OTHER || http1_head_only(name, f->name.len) ||
            http1_speaks_for_proxy(name, f->name.len))
            continue;
        append(r, name, f->name.len);
        append(r, ":", 1);
        append(r, from + f->value.at, f->value.len);
        append(r, "\r\n", 2);
    }
}

static bool take_trailers(struct relay *r)
{
    struct buffer *b = r->buffer;
    struct http1_head trailers;
    const char *from = b->bytes + b->start;
    http1_trailers_init(&trailers);
    enum http1_result result =
        http1_trailers_parse(&trailers, from, b->end - b->start, &http1_limits_default);
    if (result == HTTP1_BAD)
        r->body.why = trailers.why;
    if (result != HTTP1_DONE)
        return result == HTTP1_MORE;
    if (r->chunked) {
        if (r->out == r->out_end)
            r->out = r->out_end = b->start - 3; /* where the last chunk's "0\r\n" was at the least */
        append(r, "0\r\n", 3);
        if (r->keep_trailers)
            append_trailers(r, &trailers, from);
        append(r, "\r\n", 2);
    }
    b->start += trailers.length;
    r->ended = true;
    return true;
}

bool relay_take(struct relay *r)
{
    r->out = r->out_end = 0;
    if (r->in_trailers)
        return take_trailers(r);
    enum http1_result result = join_spans(r);
    if (r->chunked && r->out < r->out_end) {
        r->out = put_size_line(r->buffer, r->out, r->out_end - r->out);
        append(r, "\r\n", 2);
    }
    if (result == HTTP1_DONE)
        r->ended = true;
    if (result == HTTP1_TRAILERS) {
        r->in_trailers = true;
        return take_trailers(r);
    }
    return result != HTTP1_BAD;
}

bool relay_take_end(struct relay *r)
{
    if (r->body.framing != HTTP1_UNTIL_CLOSE)
        return false;
    r->ended = true;
    if (r->chunked) {
        r->out = r->out_end = BUFFER_BASE;
        append(r, "0\r\n\r\n", 5);
    }
    return true;
}

static void drop_written(struct relay *r, size_t n, struct buffer_pool *pool)
{
    if (r->head) {
        size_t of_head = r->head->end - r->head->start;
        of_head = n < of_head ? n : of_head;
        r->head->start += (uint32_t)of_head;
        n -= of_head;
        if (r->head->start == r->head->end) {
            buffer_return(pool, r->head);
            r->head = NULL;
            r->joined = 0;
        }
    }
    r->out += (uint32_t)n;
}

/* To copy a little is cheaper than to have the kernel gather two pieces. */
static void join_small(struct relay *r)
{
    uint32_t len = r->out_end - r->out;
    if (!r->head || len == 0 || len > SMALL_BODY || BUFFER_LIMIT - r->head->end < len)
        return;
    memcpy(r->head->bytes + r->head->end, r->buffer->bytes + r->out, len);
    r->head->end += len;
    r->out = r->out_end;
    r->joined = len;
}

void relay_drop_head(struct relay *r, struct buffer_pool *pool)
{
    if (!r->head)
        return;
    r->out -= r->joined;
    r->joined = 0;
    buffer_return(pool, r->head);
    r->head = NULL;
}

int relay_flush(struct relay *r, struct conn *to, struct buffer_pool *pool)
{
    struct iovec parts[2];
    int count = 0;
    if (!to->writable)
        return -EAGAIN;
    join_small(r);
    if (r->head)
        parts[count++] = (struct iovec){r->head->bytes + r->head->start, r->head->end - r->head->start};
    if (r->out < r->out_end)
        parts[count++] = (struct iovec){r->buffer->bytes + r->out, r->out_end - r->out};
    if (count == 0)
        return 0;
    ssize_t n = conn_write(to, parts, count);
    if (n < 0)
        return (int)n;
    r->sent += (uint64_t)n;
    drop_written(r, (size_t)n, pool);
    return relay_pending(r) ? -EAGAIN : 0;
}

char *relay_room(struct relay *r, size_t *room)
{
    struct buffer *b = r->buffer;
    if (b->start == b->end) {
        b->start = b->end = BUFFER_BASE;
    } else if (b->end == BUFFER_LIMIT) {
        memmove(b->bytes + BUFFER_BASE, b->bytes + b->start, b->end - b->start);
        b->end -= b->start - BUFFER_BASE;
        b->start = BUFFER_BASE;
    }
    *room = BUFFER_LIMIT - b->end;
    return b->bytes + b->end;
}

ssize_t relay_read(struct relay *r, struct conn *from)
{
    size_t room;
    char *into = relay_room(r, &room);
    ssize_t n = conn_read(from, into, room);
    if (n > 0)
        r->buffer->end += (uint32_t)n;
    return n;
}
