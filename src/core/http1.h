/* SPDX-License-Identifier: MIT */
/* HTTP/1.0 and 1.1 messages, strict, incremental, both sides: heads, body framing and trailers.
 * Pure: the caller owns the bytes and passes the whole head from its first byte on each call; the parser
 * keeps offsets into them and never looks at a byte twice for each call. What it does not accept has one
 * meaning only: refuse it and use the connection no more. */
#ifndef CORE_HTTP1_H
#define CORE_HTTP1_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_FIELDS_MAX 128   /* the table's room; http1_limits.fields may ask for less */
#define HTTP1_HEAD_MAX   65535 /* offsets are 16 bit */

enum http1_result {
    HTTP1_MORE,     /* not complete: call again with more bytes */
    HTTP1_DONE,     /* complete */
    HTTP1_DATA,     /* body only: a span of data is ready, call again */
    HTTP1_TRAILERS, /* body only: the last chunk is read; parse the trailers from here */
    HTTP1_BAD       /* refuse: status and why say how */
};

enum http1_field_id {
    HTTP1_OTHER,
    HTTP1_HOST,
    HTTP1_CONTENT_LENGTH,
    HTTP1_TRANSFER_ENCODING,
    HTTP1_CONNECTION,
    HTTP1_KEEP_ALIVE,
    HTTP1_PROXY_CONNECTION,
    HTTP1_PROXY_AUTHENTICATE,
    HTTP1_PROXY_AUTHORIZATION,
    HTTP1_TE,
    HTTP1_TRAILER,
    HTTP1_UPGRADE,
    HTTP1_HTTP2_SETTINGS,
    HTTP1_EXPECT,
    HTTP1_COOKIE,
    HTTP1_FORWARDED,
    HTTP1_X_FORWARDED_FOR,
    HTTP1_X_FORWARDED_HOST,
    HTTP1_X_FORWARDED_PROTO,
    HTTP1_X_REAL_IP,
    HTTP1_VIA,
    HTTP1_DATE,
    HTTP1_FIELD_IDS
};

enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH, /* content_length bytes */
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE /* responses only */
};

enum http1_method {
    HTTP1_METHOD_OTHER,
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_POST,
    HTTP1_PUT,
    HTTP1_DELETE,
    HTTP1_OPTIONS,
    HTTP1_TRACE
};

struct http1_limits {
    uint32_t line;   /* bytes of the first line without its CRLF: 414 (or 501 when it is the method) */
    uint32_t field;  /* bytes of one field line without its CRLF: 431 */
    uint32_t head;   /* bytes of the whole head with its empty line: 431; <= HTTP1_HEAD_MAX */
    uint32_t fields; /* field lines: 431; <= HTTP1_FIELDS_MAX */
};

/* 8 KiB, 16 KiB, 32 KiB, 100 fields. */
extern const struct http1_limits http1_limits_default;

/* Bytes [at, at + len) of the head. */
struct http1_span {
    uint16_t at, len;
};

struct http1_field {
    struct http1_span name, value; /* the value without its surrounding blanks */
    uint8_t id;                    /* enum http1_field_id */
    bool hop;                      /* concerns this connection only: not to be passed on */
};

/* What both kinds of message have. All spans count from the first byte of the head. */
struct http1_head {
    uint32_t length; /* bytes of the head with its empty line, once HTTP1_DONE */
    uint32_t line_at, scanned;
    uint16_t status; /* of HTTP1_BAD: what a server answers (400, 414, 417, 431, 501, 505); a proxy says 502
                        of a response */
    const char *why; /* of HTTP1_BAD: a few words, static */
    uint64_t content_length;
    enum http1_framing framing;
    uint8_t minor; /* of HTTP/1.x: 0 or 1 */
    bool started, keep_alive, close_named, upgrade_named, has_length, has_coding;
    bool fields_named; /* by Connection: others than those above, perhaps trailers */
    uint16_t field_count;
    int16_t index[HTTP1_FIELD_IDS]; /* first field with that id, -1 when there is none */
    struct http1_field fields[HTTP1_FIELDS_MAX];
};

struct http1_request {
    struct http1_head head;
    enum http1_method method;
    struct http1_span method_name;
    struct http1_span
        target; /* what to ask of a server: origin-form or "*"; "/" is put for an empty path (path_missing) */
    struct http1_span host; /* of the absolute target, else of Host; len 0: none was said (1.0 only) */
    bool
        path_missing; /* absolute-form without a path: the target is "/" and then the target span (a query) */
    bool expect_continue;
    bool upgrade; /* asks for a tunnel that may be granted (never h2c) */
};

struct http1_response {
    struct http1_head head;
    uint16_t code; /* 100..599 */
    struct http1_span reason;
};

/* Before each message. */
void http1_request_init(struct http1_request *r);
void http1_response_init(struct http1_response *r);

/* buf[0..len) is the head so far, from its first byte; it may have moved since the last call, not changed. */
enum http1_result http1_request_parse(struct http1_request *r, const char *buf, size_t len,
                                      const struct http1_limits *limits);

/* An answer to a request of this method. 1xx are answers of their own: HTTP1_NO_BODY, then parse the next. */
enum http1_result http1_response_parse(struct http1_response *r, const char *buf, size_t len,
                                       enum http1_method asked, const struct http1_limits *limits);

/* Does this 101, of HTTP/1.1 and its Connection naming it, name a protocol, and none but those that the
 * request offered and we let it? */
bool http1_upgrade_granted(const struct http1_request *q, const char *asked, const struct http1_response *r,
                           const char *answered);

/* May be sent again without harm when it is not known whether it arrived. */
bool http1_method_idempotent(enum http1_method m);

/* Is the comma-separated list of this field's values (all its lines) naming the token? Case is ignored. */
bool http1_head_lists(const struct http1_head *h, const char *buf, enum http1_field_id id, const char *token);

/* Is it one of the X-Forwarded- fields (Port, Prefix, Ssl ...), which applications believe of a proxy? To
 * many of them '_' is '-'. */
bool http1_speaks_for_proxy(const char *name, size_t len);

/* Does it change how a message is read, routed or trusted, so that it counts in a head only (RFC
 * 9110, 6.5.1)? Who merges trailers into the head must not find it there. Fields with an id of their own are
 * such, too. */
bool http1_head_only(const char *name, size_t len);

/* A body as it comes in, of any framing. */
struct http1_body {
    uint64_t left;  /* of the length, or of the chunk being read */
    uint64_t total; /* data bytes so far */
    enum http1_framing framing;
    uint8_t state;
    uint8_t digits;
    uint64_t extension; /* bytes of chunk extensions so far */
    const char *why;    /* of HTTP1_BAD */
};

void http1_body_init(struct http1_body *b, const struct http1_head *h);

/* Reads on in in[0..len): *used bytes are done with. HTTP1_DATA: of them, data_len at data_at are content;
 * call again with the rest. HTTP1_TRAILERS comes once at the end of a chunked body: in + *used is where
 * http1_trailers_parse begins. HTTP1_UNTIL_CLOSE never ends by itself. */
enum http1_result http1_body_next(struct http1_body *b, const char *in, size_t len, size_t *used,
                                  size_t *data_at, size_t *data_len);

/* The trailer section up to and with its empty line, into a table of its own; h by http1_trailers_init. */
void http1_trailers_init(struct http1_head *h);
enum http1_result http1_trailers_parse(struct http1_head *h, const char *buf, size_t len,
                                       const struct http1_limits *limits);

#endif
