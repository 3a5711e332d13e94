/* SPDX-License-Identifier: MIT */
/* A line is made of fields kept from the head when the request began, as the buffer it came in is used again
 * by its body. Lines are whole in every write, so that workers can share one file opened for appending. Bytes
 * that could break a line or a quoted string are written as \xNN (JSON: \u00NN). */
#include "balance/access.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define KEPT_MAX       512 /* of one field */

/* In x->log: NUL-terminated texts one after the other. */
enum kept { KEPT_METHOD, KEPT_TARGET, KEPT_REFERER, KEPT_AGENT, KEPT_COUNT };

static void keep(struct buffer *log, const char *text, size_t len)
{
    if (len == 0) {
        text = "-";
        len = 1;
    }
    len = len < KEPT_MAX ? len : KEPT_MAX;
    memcpy(log->bytes + log->end, text, len);
    log->end += (uint32_t)len;
    log->bytes[log->end++] = '\0';
}

static bool named(const char *from, const struct http1_field *f, const char *lower)
{
    size_t n = strlen(lower);
    if (f->name.len != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((from[f->name.at + i] | 0x20) != lower[i])
            return false;
    return true;
}

static void keep_field(struct exchange *x, const char *from, const char *lower)
{
    const struct http1_head *h = &x->request.head;
    for (unsigned i = 0; i < h->field_count; i++)
        if (named(from, &h->fields[i], lower)) {
            keep(x->log, from + h->fields[i].value.at, h->fields[i].value.len);
            return;
        }
    keep(x->log, "", 0);
}

void access_begin(struct exchange *x)
{
    struct worker *w = x->session->worker;
    const struct http1_request *r = &x->request;
    const char *from = x->in->bytes + x->head_at;
    if (w->hub->access_fd < 0 || !(x->log = buffer_lend(&w->buffers)))
        return;
    keep(x->log, from + r->method_name.at, r->method_name.len);
    keep(x->log, from + r->target.at, r->target.len);
    keep_field(x, from, "referer");
    keep_field(x, from, "user-agent");
}

/* As a quoted string of either format. */
static size_t quote(char *out, size_t room, const char *text, bool json)
{
    size_t n = 0;
    for (; *text != '\0' && n + 8 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, room - n, json ? "\\u%04x" : "\\x%02x", c);
    }
    out[n] = '\0';
    return n;
}

/* UTC: the zone files are out of reach for a process without files. */
static void format_time(char *out, size_t size, const char *format)
{
    time_t now = (time_t)(clock_wall_us() / USEC_PER_SEC);
    struct tm tm;
    strftime(out, size, format, gmtime_r(&now, &tm));
}

/* A client that left before its answer counts as others count it. */
static unsigned code_of(const struct exchange *x)
{
    return x->code >= 200 || x->code == 101 ? x->code : 499;
}

static int format_combined(char *out, size_t size, const struct exchange *x, const char *peer,
                           char kept[][1600])
{
    char when[40];
    format_time(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000");
    return snprintf(out, size, "%s - - [%s] \"%s %s HTTP/1.%u\" %u %llu \"%s\" \"%s\"\n", peer, when,
                    kept[KEPT_METHOD], kept[KEPT_TARGET], x->request.head.minor, code_of(x),
                    (unsigned long long)x->down.sent, kept[KEPT_REFERER], kept[KEPT_AGENT]);
}

static int format_json(char *out, size_t size, const struct exchange *x, const char *peer, char kept[][1600])
{
    char when[40];
    format_time(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ");
    return snprintf(
        out, size,
        "{\"time\":\"%s\",\"peer\":\"%s\",\"method\":\"%s\",\"target\":\"%s\",\"status\":%u,\"bytes\":%llu,"
        "\"duration_us\":%lld,\"referer\":\"%s\",\"agent\":\"%s\"}\n",
        when, peer, kept[KEPT_METHOD], kept[KEPT_TARGET], code_of(x), (unsigned long long)x->down.sent,
        (long long)(event_now(x->session->worker->loop) - x->started), kept[KEPT_REFERER], kept[KEPT_AGENT]);
}

static int format_line(char *out, size_t size, const struct exchange *x)
{
    bool json = x->session->worker->view->settings.options.access_log_format == CONFIG_ACCESS_JSON;
    const char *peer = x->session->peer_text;
    char kept[KEPT_COUNT][1600];
    const char *text = x->log->bytes + BUFFER_BASE;
    for (unsigned i = 0; i < KEPT_COUNT; i++) {
        quote(kept[i], i == KEPT_METHOD ? 64 : sizeof kept[i] / 2, text, json);
        text += strlen(text) + 1;
    }
    return json ? format_json(out, size, x, peer, kept) : format_combined(out, size, x, peer, kept);
}

static void put_line(struct worker *w, const struct exchange *x)
{
    if (!w->access && !(w->access = buffer_lend(&w->buffers)))
        return;
    if (BUFFER_LIMIT - w->access->end < LINE_MAX_BYTES)
        access_flush(w);
    int n = format_line(w->access->bytes + w->access->end, LINE_MAX_BYTES, x);
    if (n > 0 && n < LINE_MAX_BYTES)
        w->access->end += (uint32_t)n;
}

void access_end(struct exchange *x)
{
    struct worker *w = x->session->worker;
    if (!x->log)
        return;
    put_line(w, x);
    buffer_return(&w->buffers, x->log);
    x->log = NULL;
}

/* What the disk does not take is dropped: requests matter more than their record. */
void access_flush(struct worker *w)
{
    struct buffer *b = w->access;
    if (!b || b->start == b->end)
        return;
    ssize_t n = write(w->hub->access_fd, b->bytes + b->start, b->end - b->start);
    if (n != (ssize_t)(b->end - b->start) && !w->access_lost)
        log_warning("access log: cannot write: %s; lines are lost until it works again",
                    n < 0 ? strerror(errno) : "disk full");
    w->access_lost = n != (ssize_t)(b->end - b->start);
    b->start = b->end = BUFFER_BASE;
}
