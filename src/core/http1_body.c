/* SPDX-License-Identifier: MIT */
/* Bodies by length, by chunks, or to the end of the connection. The chunk machine reads framing byte by byte
 * and content by the span; sizes cannot overflow and extensions have a budget for the whole body, as a sender
 * could otherwise make us read much and pass on nothing. */
#include "core/http1_parse.h"

#define SIZE_DIGITS_MAX  15
#define EXTENSION_BUDGET 8192 /* and so many times the content */
#define EXTENSION_FACTOR 8

enum {
    STATE_SIZE,
    STATE_SIZE_BLANK,
    STATE_EXTENSION,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_ENDED
};

void http1_body_init(struct http1_body *b, const struct http1_head *h)
{
    *b = (struct http1_body){.framing = h->framing, .state = STATE_SIZE};
    if (h->framing == HTTP1_LENGTH)
        b->left = h->content_length;
}

static enum http1_result body_bad(struct http1_body *b, const char *why)
{
    b->why = why;
    return HTTP1_BAD;
}

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(http1_lower(c) - 'a') + 10;
}

static enum http1_result size_byte(struct http1_body *b, char c)
{
    if (http1_is(c, CHAR_HEX)) {
        if (++b->digits > SIZE_DIGITS_MAX)
            return body_bad(b, "chunk size too long");
        b->left = b->left * 16 + hex_value(c);
        return HTTP1_MORE;
    }
    if (b->digits == 0 || (c != ';' && c != '\r' && c != ' ' && c != '\t'))
        return body_bad(b, "bad chunk size");
    b->state = c == ';' ? STATE_EXTENSION : c == '\r' ? STATE_SIZE_LF : STATE_SIZE_BLANK;
    return HTTP1_MORE;
}

static enum http1_result charge_extension(struct http1_body *b)
{
    if (++b->extension > EXTENSION_BUDGET + EXTENSION_FACTOR * b->total)
        return body_bad(b, "chunk extensions too long");
    return HTTP1_MORE;
}

/* Blanks behind a size are for an extension only (RFC 9112, 7.1.1). */
static enum http1_result blank_byte(struct http1_body *b, char c)
{
    if (c == ';')
        b->state = STATE_EXTENSION;
    else if (c != ' ' && c != '\t')
        return body_bad(b, "bad chunk size");
    return charge_extension(b);
}

static enum http1_result extension_byte(struct http1_body *b, char c)
{
    if (c == '\r') {
        b->state = STATE_SIZE_LF;
        return HTTP1_MORE;
    }
    if (!http1_is(c, CHAR_VALUE))
        return body_bad(b, "control byte in a chunk extension");
    return charge_extension(b);
}

/* One byte of framing. */
static enum http1_result frame_byte(struct http1_body *b, char c)
{
    switch (b->state) {
    case STATE_SIZE:
        return size_byte(b, c);
    case STATE_SIZE_BLANK:
        return blank_byte(b, c);
    case STATE_EXTENSION:
        return extension_byte(b, c);
    case STATE_SIZE_LF:
        if (c != '\n')
            return body_bad(b, "bare CR after a chunk size");
        b->state = b->left > 0 ? STATE_DATA : STATE_ENDED;
        return b->left > 0 ? HTTP1_MORE : HTTP1_TRAILERS;
    case STATE_DATA_CR:
        if (c != '\r')
            return body_bad(b, "chunk longer than its size");
        b->state = STATE_DATA_LF;
        return HTTP1_MORE;
    default: /* STATE_DATA_LF */
        if (c != '\n')
            return body_bad(b, "bare CR after a chunk");
        b->state = STATE_SIZE;
        b->digits = 0;
        return HTTP1_MORE;
    }
}

static enum http1_result take_data(struct http1_body *b, size_t len, size_t at, size_t *used, size_t *data_at,
                                   size_t *data_len)
{
    size_t n = len - at;
    if (b->framing != HTTP1_UNTIL_CLOSE) {
        if (b->left < n)
            n = (size_t)b->left;
        b->left -= n;
    }
    b->total += n;
    *data_at = at;
    *data_len = n;
    *used = at + n;
    return HTTP1_DATA;
}

static enum http1_result next_chunked(struct http1_body *b, const char *in, size_t len, size_t *used,
                                      size_t *data_at, size_t *data_len)
{
    for (size_t i = 0; i < len; i++) {
        if (b->state == STATE_ENDED)
            break;
        if (b->state == STATE_DATA) {
            enum http1_result result = take_data(b, len, i, used, data_at, data_len);
            if (b->left == 0)
                b->state = STATE_DATA_CR;
            return result;
        }
        enum http1_result result = frame_byte(b, in[i]);
        *used = i + 1;
        if (result != HTTP1_MORE)
            return result;
    }
    return b->state == STATE_ENDED ? HTTP1_DONE : HTTP1_MORE;
}

enum http1_result http1_body_next(struct http1_body *b, const char *in, size_t len, size_t *used,
                                  size_t *data_at, size_t *data_len)
{
    *used = *data_at = *data_len = 0;
    if (b->framing == HTTP1_CHUNKED)
        return next_chunked(b, in, len, used, data_at, data_len);
    if (b->framing != HTTP1_UNTIL_CLOSE && b->left == 0)
        return HTTP1_DONE;
    return len == 0 ? HTTP1_MORE : take_data(b, len, 0, used, data_at, data_len);
}
