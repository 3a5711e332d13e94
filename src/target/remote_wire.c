/* SPDX-License-Identifier: MIT */
/* Distrusts every byte that comes back: an answer counts only when its status, type, JSON and both numbers
 * are good, all together. */
#include "target/remote_wire.h"
#include "base/file.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

/* A fleet measured over a moment may show a little more than everything it has; percents it would be are
 * refused. */
#define CPU_MAX 2.0

static __attribute__((format(printf, 2, 3))) bool add_header(struct remote_headers *headers,
                                                             const char *format, ...)
{
    size_t room = sizeof headers->text - headers->used;
    char *text = headers->text + headers->used;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, room, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= room || headers->count == REMOTE_HEADERS_MAX)
        return false;
    headers->items[headers->count++] = text;
    headers->used += (size_t)size + 1;
    headers->items[headers->count] = NULL;
    return true;
}

/* A token is one word of printable characters; the file may end in a newline. */
static bool is_token(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return length > 0;
}

static bool add_token(struct remote_headers *headers, const char *path, char *err, size_t err_size)
{
    char *token;
    size_t size;
    int error = file_read_private(path, SECRET_MAX, &token, &size);
    if (error != 0) {
        snprintf(err, err_size, "http.token_file (%s): %s", path,
                 error == -EPERM ? "others than its owner may read it; chmod 600 it" : strerror(-error));
        return false;
    }
    bool good =
        strlen(token) == size && is_token(token) && add_header(headers, "Authorization: Bearer %s", token);
    explicit_bzero(token, size);
    free(token);
    if (!good)
        snprintf(err, err_size, "http.token_file (%s): it does not hold one token on one line", path);
    return good;
}

/* libcurl reads them for every connection; that it cannot should be known before the first. */
static bool check_certificate(const char *key, const char *path, char *err, size_t err_size)
{
    if (path[0] == '\0' || access(path, R_OK) == 0)
        return true;
    snprintf(err, err_size, "http.%s (%s): %s", key, path, strerror(errno));
    return false;
}

static bool check_key(const char *path, char *err, size_t err_size)
{
    char *key;
    size_t size;
    if (path[0] == '\0')
        return true;
    int error = file_read_private(path, 64 * 1024, &key, &size);
    if (error != 0) {
        snprintf(err, err_size, "http.key_file (%s): %s", path,
                 error == -EPERM ? "others than its owner may read it; chmod 600 it" : strerror(-error));
        return false;
    }
    explicit_bzero(key, size);
    free(key);
    return true;
}

bool remote_headers_build(struct remote_headers *headers, const struct config_http *http, char *err,
                          size_t err_size)
{
    *headers = (struct remote_headers){0};
    if (!check_certificate("ca_file", http->ca_file, err, err_size) ||
        !check_certificate("cert_file", http->cert_file, err, err_size) ||
        !check_key(http->key_file, err, err_size))
        return false;
    bool good = add_header(headers, "Accept: application/json") &&
                add_header(headers, "Content-Type: application/json") &&
                add_header(headers, "User-Agent: ascale");
    for (const char *entry = NULL; good && (entry = config_map_next(http->headers, entry));) {
        int name = (int)strcspn(entry, "=");
        good = add_header(headers, "%.*s: %s", name, entry, entry[name] == '=' ? entry + name + 1 : "");
    }
    if (!good)
        snprintf(err, err_size, "http.header.*: more than %d headers or %d bytes", REMOTE_HEADERS_MAX,
                 REMOTE_HEADERS_SIZE);
    return good && (http->token_file[0] == '\0' || add_token(headers, http->token_file, err, err_size));
}

void remote_url(const char *app_url, const char *path, char *out, size_t size)
{
    int length = (int)strlen(app_url);
    while (length > 0 && app_url[length - 1] == '/')
        length--;
    snprintf(out, size, "%.*s%s", length, app_url, path);
}

void remote_url_shown(const char *app_url, char *out, size_t size)
{
    const char *host = strstr(app_url, "://");
    host = !host ? app_url : host + 3;
    const char *at = host + strcspn(host, "@/?#");
    snprintf(out, size, "%.*s%s", (int)(host - app_url), app_url, *at == '@' ? at + 1 : host);
}

/* RFC 6901: "/cpu/highPriority"; ~1 stands for a slash, ~0 for a tilde. NULL: nothing there. */
static const json_t *follow_pointer(const json_t *value, const char *pointer)
{
    char name[128];
    while (value && *pointer == '/') {
        size_t length = 0;
        for (pointer++; *pointer != '\0' && *pointer != '/' && length + 1 < sizeof name; pointer++) {
            bool escaped = pointer[0] == '~' && (pointer[1] == '0' || pointer[1] == '1');
            pointer += escaped;
            name[length++] = !escaped ? *pointer : *pointer == '1' ? '/' : '~';
        }
        name[length] = '\0';
        value = json_is_array(value) ? json_array_get(value, (size_t)strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
    }
    return value;
}

static bool read_cpu(const json_t *root, const char *pointer, double *out, char *err, size_t err_size)
{
    const json_t *value = follow_pointer(root, pointer);
    if (!json_is_number(value)) {
        snprintf(err, err_size, "the status has no number at %.40s", pointer);
        return false;
    }
    *out = 100 * json_number_value(value);
    if (*out >= 0 && *out <= 100 * CPU_MAX)
        return true;
    snprintf(err, err_size, "cpu %g is not a fraction of 1", json_number_value(value));
    return false;
}

static bool read_replicas(const json_t *root, const char *pointer, int *out, char *err, size_t err_size)
{
    const json_t *value = follow_pointer(root, pointer);
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (number >= 0 && number <= REMOTE_REPLICAS_MAX && number == floor(number)) {
        *out = (int)number;
        return true;
    }
    snprintf(err, err_size, "the status has no count at %.40s", pointer);
    return false;
}

static bool is_json(const char *type)
{
    size_t length = strcspn(type, "; ");
    return length == 0 || (length == 16 && strncasecmp(type, "application/json", 16) == 0) ||
           (length > 5 && strncasecmp(type + length - 5, "+json", 5) == 0);
}

bool remote_failed(const struct http_client_result *result, char *err, size_t err_size)
{
    static const struct {
        int status;
        const char *hint;
    } hints[] = {
        {401, " (is the token right?)"},
        {403, " (may this token do that?)"},
        {404, " (is the path right?)"},
    };
    if (result->failure != HTTP_CLIENT_OK) {
        bool tls = result->failure == HTTP_CLIENT_TLS || strstr(result->error, "TLS");
        snprintf(err, err_size, "%s%s", result->error,
                 tls ? " (is it https? are http.ca_file and http.cert_file right?)" : "");
        return true;
    }
    if (result->status >= 200 && result->status < 300)
        return false;
    const char *hint = result->status >= 300 && result->status < 400 ? " (redirects are not followed)" : "";
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (hints[i].status == result->status)
            hint = hints[i].hint;
    snprintf(err, err_size, "status %d%s", result->status, hint);
    return true;
}

bool remote_may_retry(const struct http_client_result *result)
{
    if (result->failure == HTTP_CLIENT_REQUEST || result->failure == HTTP_CLIENT_TLS)
        return false;
    if (result->failure != HTTP_CLIENT_OK || result->status == 408 || result->status == 429)
        return true;
    return result->status < 300 || result->status >= 500;
}

bool remote_status_read(const struct http_client_result *result, const struct config_http *http,
                        struct remote_status *out, char *err, size_t err_size)
{
    if (remote_failed(result, err, err_size))
        return false;
    if (!is_json(result->content_type)) {
        snprintf(err, err_size, "the answer is %.60s, not JSON", result->content_type);
        return false;
    }
    json_error_t error;
    json_t *root = json_loadb(result->body, result->body_size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        snprintf(err, err_size, "the answer is not JSON: %.80s", error.text);
        return false;
    }
    struct remote_status status;
    bool good = read_cpu(root, http->cpu_pointer, &status.cpu_pct, err, err_size) &&
                read_replicas(root, http->replicas_pointer, &status.replicas, err, err_size);
    json_decref(root);
    if (good)
        *out = status;
    return good;
}

int remote_order_text(const char *key, int count, char *out, size_t size)
{
    json_t *object = json_pack("{s:i}", key, count);
    if (!object)
        return -ENOMEM;
    size_t length = json_dumpb(object, out, size - 1, JSON_COMPACT);
    json_decref(object);
    if (length == 0 || length >= size)
        return -E2BIG;
    out[length] = '\0';
    return (int)length;
}
