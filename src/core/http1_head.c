/* SPDX-License-Identifier: MIT */
/* Lines and fields, the part of a head that requests, responses and trailers have in common. A line is looked
 * at when it is whole; of an unfinished one only the new bytes are, so a sender of single bytes costs what it
 * sends. */
#include "core/http1_parse.h"
#include <string.h>

const struct http1_limits http1_limits_default = {8192, 16384, 32768, 100};

/* The bits of enum CHAR_..., a byte a character. */
const uint8_t http1_chars[256] = {
    // clang-format off
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x02, 0x07, 0x02, 0x03, 0x07, 0x07, 0x07, 0x07, 0x06, 0x06, 0x07, 0x07, 0x06, 0x0f, 0x0f, 0x06,
    0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x06, 0x06, 0x02, 0x06, 0x02, 0x06,
    0x06, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f,
    0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x06, 0x06, 0x06, 0x07, 0x0f,
    0x07, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f,
    0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x06, 0x07, 0x06, 0x07, 0x00,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    // clang-format on
};

struct known {
    char name[20];
    uint8_t id;
    bool hop;
};

/* Sorted by length; first_of_length says where each length begins. */
static const struct known known[] = {
    {"te", HTTP1_TE, true},
    {"via", HTTP1_VIA, false},
    {"host", HTTP1_HOST, false},
    {"date", HTTP1_DATE, false},
    {"cookie", HTTP1_COOKIE, false},
    {"expect", HTTP1_EXPECT, false},
    {"trailer", HTTP1_TRAILER, false},
    {"upgrade", HTTP1_UPGRADE, true},
    {"forwarded", HTTP1_FORWARDED, false},
    {"x-real-ip", HTTP1_X_REAL_IP, false},
    {"connection", HTTP1_CONNECTION, true},
    {"keep-alive", HTTP1_KEEP_ALIVE, true},
    {"content-length", HTTP1_CONTENT_LENGTH, false},
    {"http2-settings", HTTP1_HTTP2_SETTINGS, true},
    {"x-forwarded-for", HTTP1_X_FORWARDED_FOR, false},
    {"proxy-connection", HTTP1_PROXY_CONNECTION, true},
    {"x-forwarded-host", HTTP1_X_FORWARDED_HOST, false},
    {"transfer-encoding", HTTP1_TRANSFER_ENCODING, true},
    {"x-forwarded-proto", HTTP1_X_FORWARDED_PROTO, false},
    {"proxy-authenticate", HTTP1_PROXY_AUTHENTICATE, true},
    {"proxy-authorization", HTTP1_PROXY_AUTHORIZATION, true},
};

#define LONGEST_KNOWN 19
static const uint8_t first_of_length[LONGEST_KNOWN + 2] = {0,  0,  0,  1,  2,  4,  4,  6,  8,  8, 10,
                                                           12, 12, 12, 12, 14, 15, 17, 19, 20, 21};

bool http1_same(const char *a, size_t len, const char *b)
{
    for (size_t i = 0; i < len; i++)
        if (b[i] == '\0' || http1_lower(a[i]) != b[i])
            return false;
    return b[len] == '\0';
}

bool http1_same_spans(const char *a, struct http1_span of_a, const char *b, struct http1_span of_b)
{
    if (of_a.len != of_b.len)
        return false;
    for (unsigned i = 0; i < of_a.len; i++)
        if (http1_lower(a[of_a.at + i]) != http1_lower(b[of_b.at + i]))
            return false;
    return true;
}

enum http1_result http1_refuse(struct http1_head *h, unsigned status, const char *why)
{
    h->status = (uint16_t)status;
    h->why = why;
    return HTTP1_BAD;
}

void http1_head_init(struct http1_head *h)
{
    memset(h, 0, offsetof(struct http1_head, fields));
    memset(h->index, 0xff, sizeof h->index);
}

/* '_' counts as '-': applications behind gateways cannot tell them apart, so neither may a guard. */
bool http1_same_blurred(const char *name, size_t len, const char *lower, bool *blurred)
{
    *blurred = false;
    for (size_t i = 0; i < len; i++) {
        char c = http1_lower(name[i]);
        if (c == '_') {
            c = '-';
            *blurred = true;
        }
        if (c != lower[i])
            return false;
    }
    return true;
}

bool http1_speaks_for_proxy(const char *name, size_t len)
{
    static const char prefix[] = "x-forwarded-";
    const size_t n = sizeof prefix - 1;
    bool blurred;
    return len > n && http1_same_blurred(name, n, prefix, &blurred);
}

static const struct known *find_known(const char *name, size_t len, bool *blurred)
{
    if (len > LONGEST_KNOWN)
        return NULL;
    for (unsigned i = first_of_length[len]; i < first_of_length[len + 1]; i++)
        if (http1_same_blurred(name, len, known[i].name, blurred))
            return &known[i];
    return NULL;
}

static bool parse_length(const char *text, size_t len, uint64_t *out)
{
    uint64_t n = 0;
    if (len == 0 || len > 18 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    *out = n;
    return true;
}

bool http1_list_next(const char *buf, struct http1_span value, size_t *at, struct http1_span *element)
{
    size_t end = (size_t)value.at + value.len;
    size_t i = *at < value.at ? value.at : *at;
    while (i < end && (buf[i] == ',' || buf[i] == ' ' || buf[i] == '\t'))
        i++;
    if (i == end)
        return false;
    size_t stop = i;
    while (stop < end && buf[stop] != ',')
        stop++;
    *at = stop;
    while (buf[stop - 1] == ' ' || buf[stop - 1] == '\t')
        stop--;
    *element = (struct http1_span){(uint16_t)i, (uint16_t)(stop - i)};
    return true;
}

/* Only "chunked" alone is known. Where it is not the last coding the end of the body cannot be known: 400. */
static enum http1_result take_coding(struct http1_head *h, const char *buf, struct http1_span value)
{
    if (h->has_coding)
        return http1_refuse(h, 400, "repeated Transfer-Encoding");
    h->has_coding = true;
    if (http1_same(buf + value.at, value.len, "chunked"))
        return HTTP1_DONE;
    struct http1_span element = {0}, last = {0};
    size_t at = 0;
    unsigned codings = 0, chunked = 0;
    while (http1_list_next(buf, value, &at, &element)) {
        codings++;
        chunked += http1_same(buf + element.at, element.len, "chunked");
        last = element;
    }
    if (codings > 1 && chunked == 1 && http1_same(buf + last.at, last.len, "chunked"))
        return http1_refuse(h, 501, "unknown transfer coding");
    return http1_refuse(h, 400, "bad Transfer-Encoding");
}

static enum http1_result take_length(struct http1_head *h, const char *buf, struct http1_span value)
{
    if (h->has_length)
        return http1_refuse(h, 400, "repeated Content-Length");
    h->has_length = true;
    if (!parse_length(buf + value.at, value.len, &h->content_length))
        return http1_refuse(h, 400, "bad Content-Length");
    return HTTP1_DONE;
}

static enum http1_result take_known(struct http1_head *h, const char *buf, struct http1_field *field)
{
    bool blurred;
    const struct known *k = find_known(buf + field->name.at, field->name.len, &blurred);
    if (!k)
        return HTTP1_DONE;
    if (blurred)
        return http1_refuse(h, 400, "field name imitates another with '_'");
    field->id = k->id;
    field->hop = k->hop;
    if (h->index[k->id] < 0)
        h->index[k->id] = (int16_t)h->field_count;
    if (k->id == HTTP1_CONTENT_LENGTH)
        return take_length(h, buf, field->value);
    if (k->id == HTTP1_TRANSFER_ENCODING)
        return take_coding(h, buf, field->value);
    return HTTP1_DONE;
}

static bool bytes_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!http1_is(text[i], CHAR_VALUE))
            return false;
    return true;
}

/* Values are most of a head, so they are looked at 8 bytes at a time: only a word with one below 0x20 or with
 * 0x7f needs a closer look (Bit Twiddling Hacks, "Determine if a word has a byte less than n"). */
static bool value_valid(const char *text, size_t len)
{
    const uint64_t ones = UINT64_MAX / 255, highs = ones << 7;
    size_t i = 0;
    for (; len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + i, sizeof word);
        uint64_t del = word ^ ones * 0x7f;
        uint64_t odd = ((word - ones * 0x20) & ~word) | ((del - ones) & ~del);
        if ((odd & highs) != 0 && !bytes_valid(text + i, sizeof word))
            return false;
    }
    return bytes_valid(text + i, len - i);
}

static enum http1_result take_field(struct http1_head *h, const char *buf, size_t at, size_t end)
{
    size_t colon = at;
    while (colon < end && http1_is(buf[colon], CHAR_TOKEN))
        colon++;
    if (colon == at || colon == end || buf[colon] != ':')
        return http1_refuse(h, 400, buf[at] == ' ' || buf[at] == '\t' ? "folded field" : "bad field name");
    size_t from = colon + 1;
    while (from < end && (buf[from] == ' ' || buf[from] == '\t'))
        from++;
    if (!value_valid(buf + from, end - from))
        return http1_refuse(h, 400, "control byte in a field");
    while (end > from && (buf[end - 1] == ' ' || buf[end - 1] == '\t'))
        end--;
    struct http1_field *field = &h->fields[h->field_count];
    *field = (struct http1_field){
        {(uint16_t)at, (uint16_t)(colon - at)}, {(uint16_t)from, (uint16_t)(end - from)}, HTTP1_OTHER, false};
    enum http1_result result = take_known(h, buf, field);
    h->field_count++;
    return result;
}

static enum http1_result refuse_long(struct http1_head *h, const char *buf, size_t len)
{
    if (h->started)
        return http1_refuse(h, 431, "head too large");
    size_t look = len - h->line_at < 32 ? len - h->line_at : 32;
    if (!memchr(buf + h->line_at, ' ', look))
        return http1_refuse(h, 501, "method too long");
    return http1_refuse(h, 414, "request line too long");
}

/* line: bytes of this one without its CRLF; head: bytes up to here. */
static bool too_long(const struct http1_head *h, size_t line, size_t head, const struct http1_limits *limits)
{
    return line > (h->started ? limits->field : limits->line) || head > limits->head || head > HTTP1_HEAD_MAX;
}

/* An unfinished line: what can never become a good one is refused now, without waiting for its end. */
static enum http1_result check_partial(struct http1_head *h, const char *buf, size_t len,
                                       const struct http1_limits *limits)
{
    for (size_t i = h->scanned; i < len; i++) {
        if (buf[i] == '\r' ? i + 1 < len : !http1_is(buf[i], CHAR_VALUE))
            return http1_refuse(h, 400, buf[i] == '\r' ? "bare CR" : "control byte");
    }
    /* A CR at the very end is looked at again with what follows it. */
    h->scanned = (uint32_t)(len > h->scanned && buf[len - 1] == '\r' ? len - 1 : len);
    if (too_long(h, h->scanned - h->line_at, len, limits))
        return refuse_long(h, buf, len);
    return HTTP1_MORE;
}

static enum http1_result take_line(struct http1_head *h, const char *buf, size_t at, size_t end,
                                   const struct http1_limits *limits, http1_first_line *first)
{
    if (first && !h->started) {
        /* One empty line before a request is forgiven (RFC 9112, 2.2). */
        if (at == end && at == 0)
            return HTTP1_MORE;
        h->started = true;
        enum http1_result result = first(h, buf, at, end - at);
        return result == HTTP1_DONE ? HTTP1_MORE : result;
    }
    if (at == end) {
        h->length = (uint32_t)end + 2;
        return HTTP1_DONE;
    }
    if (h->field_count >= limits->fields || h->field_count >= HTTP1_FIELDS_MAX)
        return http1_refuse(h, 431, "too many fields");
    enum http1_result result = take_field(h, buf, at, end);
    return result == HTTP1_DONE ? HTTP1_MORE : result;
}

enum http1_result http1_lines(struct http1_head *h, const char *buf, size_t len,
                              const struct http1_limits *limits, http1_first_line *first)
{
    for (;;) {
        const char *lf = len > h->scanned ? memchr(buf + h->scanned, '\n', len - h->scanned) : NULL;
        if (!lf)
            return check_partial(h, buf, len, limits);
        size_t end = (size_t)(lf - buf);
        if (end == h->line_at || buf[end - 1] != '\r')
            return http1_refuse(h, 400, "bare LF");
        if (too_long(h, end - 1 - h->line_at, end + 1, limits))
            return refuse_long(h, buf, end);
        enum http1_result result = take_line(h, buf, h->line_at, end - 1, limits, first);
        h->line_at = h->scanned = (uint32_t)end + 1;
        if (result != HTTP1_MORE)
            return result;
    }
}

bool http1_version(const char *text, uint8_t *minor, bool *major_ok)
{
    if (memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' || text[6] != '.' || text[7] < '0' ||
        text[7] > '9')
        return false;
    *major_ok = text[5] == '1' && text[7] <= '1';
    *minor = *major_ok && text[7] == '1';
    return true;
}

/* What has a meaning of its own here is not made hop by hop by being named: a client could else have a proxy
 * on the way drop what that one says of the client. */
static void mark_hop(struct http1_head *h, const char *buf, struct http1_span name)
{
    for (unsigned i = 0; i < h->field_count; i++) {
        struct http1_field *f = &h->fields[i];
        f->hop |= f->id == HTTP1_OTHER && http1_same_spans(buf, f->name, buf, name) &&
                  !http1_speaks_for_proxy(buf + f->name.at, f->name.len);
    }
}

static enum http1_result take_connection(struct http1_head *h, const char *buf, struct http1_span value,
                                         bool *keep_named)
{
    struct http1_span option;
    size_t at = 0;
    unsigned count = 0;
    while (http1_list_next(buf, value, &at, &option)) {
        const char *text = buf + option.at;
        for (unsigned i = 0; i < option.len; i++)
            if (!http1_is(text[i], CHAR_TOKEN))
                return http1_refuse(h, 400, "bad Connection");
        if (++count > 32)
            return http1_refuse(h, 400, "too many Connection options");
        if (http1_same(text, option.len, "close"))
            h->close_named = true;
        else if (http1_same(text, option.len, "keep-alive"))
            *keep_named = true;
        else if (http1_same(text, option.len, "upgrade"))
            h->upgrade_named = true;
        else if (!http1_same(text, option.len, "te")) {
            mark_hop(h, buf, option);
            h->fields_named = true;
        }
    }
    return HTTP1_DONE;
}

enum http1_result http1_connection(struct http1_head *h, const char *buf)
{
    bool keep_named = false;
    if (h->index[HTTP1_CONNECTION] >= 0) {
        for (unsigned i = (unsigned)h->index[HTTP1_CONNECTION]; i < h->field_count; i++)
            if (h->fields[i].id == HTTP1_CONNECTION &&
                take_connection(h, buf, h->fields[i].value, &keep_named) == HTTP1_BAD)
                return HTTP1_BAD;
    }
    h->keep_alive = !h->close_named && (h->minor == 1 || keep_named);
    return HTTP1_DONE;
}

bool http1_head_lists(const struct http1_head *h, const char *buf, enum http1_field_id id, const char *token)
{
    if (h->index[id] < 0)
        return false;
    for (unsigned i = (unsigned)h->index[id]; i < h->field_count; i++) {
        struct http1_span element;
        size_t at = 0;
        while (h->fields[i].id == id && http1_list_next(buf, h->fields[i].value, &at, &element))
            if (http1_same(buf + element.at, element.len, token))
                return true;
    }
    return false;
}
