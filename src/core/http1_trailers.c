/* SPDX-License-Identifier: MIT */
/* Trailers: the lines of a head without its first, and which of them may follow a body. */
#include "core/http1_parse.h"
#include <string.h>

static const char head_only[][20] = {
    "accept-encoding",
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "vary",
    "warning",
    "www-authenticate",
};

bool http1_head_only(const char *name, size_t len)
{
    bool blurred;
    for (size_t i = 0; i < sizeof head_only / sizeof head_only[0]; i++)
        if (strlen(head_only[i]) == len && http1_same_blurred(name, len, head_only[i], &blurred))
            return true;
    return false;
}

void http1_trailers_init(struct http1_head *h)
{
    http1_head_init(h);
    h->started = true;
}

enum http1_result http1_trailers_parse(struct http1_head *h, const char *buf, size_t len,
                                       const struct http1_limits *limits)
{
    return http1_lines(h, buf, len, limits, NULL);
}
