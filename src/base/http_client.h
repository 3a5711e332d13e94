/* SPDX-License-Identifier: MIT */
/* HTTP requests that never block, on libcurl's multi interface driven by a loop. http and https only, no
 * redirects, no proxy, certificates verified, bodies capped while they arrive. One thread: the loop's. */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H
#include "base/loop.h"
#include <stddef.h>

struct http_client;
struct http_client_call;

enum http_client_failure {
    HTTP_CLIENT_OK,        /* an answer came, of any status */
    HTTP_CLIENT_RESOLVE,   /* the host name has no address */
    HTTP_CLIENT_CONNECT,   /* refused or unreachable: nothing was delivered */
    HTTP_CLIENT_TLS,       /* certificate or handshake */
    HTTP_CLIENT_TIMEOUT,   /* timeout_us passed */
    HTTP_CLIENT_TOO_LARGE, /* more than body_max bytes */
    HTTP_CLIENT_BROKEN,    /* closed too early, or not HTTP */
    HTTP_CLIENT_REQUEST,   /* the request itself cannot be made: bad URL, unreadable certificate file */
};

struct http_client_result {
    enum http_client_failure failure;
    int status;               /* 200, ...; 0 when there was no answer */
    const char *error;        /* for the eye; "" when failure is OK */
    const char *body;         /* NUL-terminated for convenience, may hold NULs; never NULL */
    size_t body_size;         /* without that NUL */
    const char *content_type; /* "" when there was none */
    int64_t connect_us, first_byte_us, total_us; /* since the start; 0: not reached */
};

/* Everything pointed to is copied or used before http_client_start() returns. */
struct http_client_request {
    const char *method; /* NULL: GET */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const char *body;           /* may be NULL */
    size_t body_size;
    size_t body_max;                            /* of the answer; 0: 64 KiB */
    int64_t connect_timeout_us, timeout_us;     /* 0: 2 s, 5 s */
    const char *unix_socket;                    /* connect there instead; may be NULL */
    const char *ca_file, *cert_file, *key_file; /* NULL or "": the system's, none, none */
    bool fresh;                                 /* a connection of its own, closed afterwards */
    /* Called once, from the loop, never from within http_client_start() or after http_client_cancel(). What
     * result points to is gone when it returns. */
    void (*done)(void *context, const struct http_client_result *result);
    void *context;
};

/* 0 or -errno. Freeing cancels all calls, silently. Free it before its loop and not from within done. */
int http_client_new(struct loop *loop, struct http_client **out);
void http_client_free(struct http_client *client);

/* NULL only when out of memory. The call ends by done or by http_client_cancel(). */
struct http_client_call *http_client_start(struct http_client *client,
                                           const struct http_client_request *request);
void http_client_cancel(struct http_client_call *call);

#endif
