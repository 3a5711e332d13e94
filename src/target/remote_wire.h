/* SPDX-License-Identifier: MIT */
/* What goes to and comes from the API of a remote application: addresses, headers, secrets out; a status in.
 * Nothing here calls anybody. Any thread. */
#ifndef TARGET_REMOTE_WIRE_H
#define TARGET_REMOTE_WIRE_H
#include "base/http_client.h"
#include "core/config.h"

#define REMOTE_HEADERS_MAX  40
#define REMOTE_HEADERS_SIZE 6144
#define REMOTE_REPLICAS_MAX 1000000

/* Headers of every call, made once. */
struct remote_headers {
    int count;
    const char *items[REMOTE_HEADERS_MAX + 1];
    size_t used;
    char text[REMOTE_HEADERS_SIZE];
};

/* Reads the token; checks that the certificates can be read and the key is the owner's only. False: err names
 * the file and the cause. */
bool remote_headers_build(struct remote_headers *headers, const struct config_http *http, char *err,
                          size_t err_size);

/* app_url and a path as one address; without_secret: with user and password taken out, to be shown. */
void remote_url(const char *app_url, const char *path, char *out, size_t size);
void remote_url_shown(const char *app_url, char *out, size_t size);

struct remote_status {
    double cpu_pct;
    int replicas;
};

/* The status an answer holds. False: it holds none, err says why in a few words. */
bool remote_status_read(const struct http_client_result *result, const struct config_http *http,
                        struct remote_status *out, char *err, size_t err_size);

/* Whether an answer is no success, and then why. */
bool remote_failed(const struct http_client_result *result, char *err, size_t err_size);

/* Whether trying again at once could help: not after an answer that says the call itself is wrong. */
bool remote_may_retry(const struct http_client_result *result);

/* {"KEY": count} */
int remote_order_text(const char *key, int count, char *out, size_t size);

#endif
