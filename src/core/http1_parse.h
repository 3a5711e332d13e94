/* SPDX-License-Identifier: MIT */
/* What the http1 files share and nobody else needs: character classes, fields, lines. Pure. */
#ifndef CORE_HTTP1_PARSE_H
#define CORE_HTTP1_PARSE_H
#include "core/http1.h"

enum {
    CHAR_TOKEN = 1 << 0,  /* of a method or a field name */
    CHAR_VALUE = 1 << 1,  /* of a field value: blanks, visible, 0x80 and up */
    CHAR_TARGET = 1 << 2, /* of a request target, as browsers send it: no " < > # and nothing above 0x7e */
    CHAR_HOST = 1 << 3,   /* of a host name or an IPv4 address */
    CHAR_HEX = 1 << 4
};
extern const uint8_t http1_chars[256];

static inline bool http1_is(char c, unsigned classes)
{
    return (http1_chars[(unsigned char)c] & classes) != 0;
}

static inline char http1_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Do the len bytes at a spell b, an all-lower-case name? */
bool http1_same(const char *a, size_t len, const char *b);

/* The same but for case? */
bool http1_same_spans(const char *a, struct http1_span of_a, const char *b, struct http1_span of_b);

/* The same with '_' as '-' (lower is all lower-case)? *blurred: there was one. */
bool http1_same_blurred(const char *name, size_t len, const char *lower, bool *blurred);

/* Says BAD: the status a server answers and the reason. */
enum http1_result http1_refuse(struct http1_head *h, unsigned status, const char *why);

void http1_head_init(struct http1_head *h);

/* Takes the first line, [at, at + len) of buf without its CRLF. */
typedef enum http1_result http1_first_line(struct http1_head *h, const char *buf, size_t at, size_t len);

/* Goes on through the lines of a head; DONE at the empty one. */
enum http1_result http1_lines(struct http1_head *h, const char *buf, size_t len,
                              const struct http1_limits *limits, http1_first_line *first);

/* Reads "HTTP/1.x"; false when it is not of that form, *major_ok false when it is but of another major or
 * minor. */
bool http1_version(const char *text, uint8_t *minor, bool *major_ok);

/* After the last line: Connection's options, and with them keep_alive, upgrade_named and what is hop by hop.
 */
enum http1_result http1_connection(struct http1_head *h, const char *buf);

/* The next element of a comma-separated list from *at on, blanks trimmed, empty ones skipped; false at the
 * end. */
bool http1_list_next(const char *buf, struct http1_span value, size_t *at, struct http1_span *element);

#endif
