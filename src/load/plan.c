/* SPDX-License-Identifier: MIT */
/* Turns the words of the command line into what workers need. Runs once, before any thread; the only place
 * that waits for a name server. */
#include "load/plan.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config.h"

#define BODY_MAX (64 << 20)
#define CA_MAX   (16 << 20)

enum { EXIT_FAILED = 1, EXIT_BAD_USAGE = 2 };

__attribute__((format(printf, 2, 3))) static int refuse(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ascale-load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("; nothing was sent\n", stderr);
    va_end(arguments);
    return status;
}

/* The pieces of "http://host:port/path?query", as places in its text. */
struct url_parts {
    bool tls;
    const char *host, *port, *path;
    int host_size, port_size, path_size;
    int authority_size; /* from host, brackets and port included */
    const char *authority;
};

static bool split_authority(struct url_parts *parts)
{
    const char *end = parts->authority + parts->authority_size;
    const char *host_end;
    parts->host = parts->authority;
    if (parts->authority_size > 0 && parts->host[0] == '[') {
        host_end = memchr(parts->host, ']', (size_t)parts->authority_size);
        if (!host_end)
            return false;
        parts->host++;
    } else {
        const char *colon = memchr(parts->host, ':', (size_t)parts->authority_size);
        host_end = colon ? colon : end;
    }
    parts->host_size = (int)(host_end - parts->host);
    const char *rest = *host_end == ']' ? host_end + 1 : host_end;
    if (rest + 1 == end && *rest == ':') { /* a port may be empty, and is not sent then */
        parts->authority_size--;
        end--;
    }
    if (rest == end)
        return parts->host_size > 0;
    parts->port = rest + 1;
    parts->port_size = (int)(end - parts->port);
    return *rest == ':' && parts->host_size > 0 && parts->port_size >= 1 && parts->port_size <= 5 &&
           strspn(parts->port, "0123456789") >= (size_t)parts->port_size && atoi(parts->port) >= 1 &&
           atoi(parts->port) <= 65535;
}

/* All but what the authority is made of. */
static bool split_ends(const char *url, struct url_parts *parts)
{
    *parts = (struct url_parts){.tls = strncasecmp(url, "https://", 8) == 0};
    if (!parts->tls && strncasecmp(url, "http://", 7) != 0)
        return false;
    for (const unsigned char *c = (const unsigned char *)url; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return false;
    parts->port = parts->tls ? "443" : "80";
    parts->port_size = (int)strlen(parts->port);
    parts->authority = url + (parts->tls ? 8 : 7);
    parts->authority_size = (int)strcspn(parts->authority, "/?#");
    parts->path = parts->authority + parts->authority_size;
    parts->path_size = (int)strcspn(parts->path, "#");
    return true;
}

/* False: what is wrong has been said; a user name is refused without showing the password that may be with
 * it. */
static bool split_url(const char *url, struct url_parts *parts)
{
    bool good = split_ends(url, parts);
    const char *at = good ? memrchr(parts->authority, '@', (size_t)parts->authority_size) : NULL;
    if (!at && good && split_authority(parts))
        return true;
    if (at)
        refuse(EXIT_BAD_USAGE,
               "user names in URLs are not supported: ask %.*s with --header 'Authorization: ...'",
               (int)(parts->path - at - 1), at + 1);
    else
        refuse(EXIT_BAD_USAGE, "'%s' is not a URL such as http://127.0.0.1:8000/", url);
    return false;
}

/* Asked of a datagram socket, which takes no port that a connection could want. */
static bool has_way(const struct sockaddr *to, socklen_t length)
{
    int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool none = fd >= 0 && connect(fd, to, length) < 0 && errno == EADDRNOTAVAIL;
    if (fd >= 0)
        close(fd);
    return !none;
}

static int resolve(struct load_origin *origin)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    int error = getaddrinfo(origin->host, origin->port, &hints, &found);
    if (error != 0)
        return refuse(EXIT_FAILED, "cannot find the address of '%s': %s", origin->host, gai_strerror(error));
    origin->no_way = true;
    for (struct addrinfo *a = found; a && origin->address_count < LOAD_ADDRESSES_MAX; a = a->ai_next) {
        memcpy(&origin->addresses[origin->address_count], a->ai_addr, a->ai_addrlen);
        origin->address_lengths[origin->address_count++] = a->ai_addrlen;
        origin->no_way = origin->no_way && !has_way(a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(found);
    return 0;
}

static int find_origin(struct load_plan *plan, const struct url_parts *parts, size_t *out)
{
    struct load_origin wanted = {.tls = parts->tls};
    if ((size_t)parts->host_size >= sizeof wanted.host)
        return refuse(EXIT_BAD_USAGE, "a host name of %d bytes is too long", parts->host_size);
    memcpy(wanted.host, parts->host, (size_t)parts->host_size);
    memcpy(wanted.port, parts->port, (size_t)parts->port_size);
    for (*out = 0; *out < plan->origin_count; ++*out) {
        const struct load_origin *known = &plan->origins[*out];
        if (known->tls == wanted.tls && strcmp(known->host, wanted.host) == 0 &&
            strcmp(known->port, wanted.port) == 0)
            return 0;
    }
    plan->tls = plan->tls || wanted.tls;
    plan->origins[plan->origin_count] = wanted;
    return resolve(&plan->origins[plan->origin_count++]);
}

/* A header of the user's replaces ours. */
static void write_head(FILE *out, const struct load_plan *plan, const struct url_parts *parts)
{
    const struct load_options *options = plan->options;
    fprintf(out, "%s %s%.*s HTTP/1.1\r\n", options->method, parts->path[0] == '/' ? "" : "/",
            parts->path_size, parts->path);
    if (!load_options_header(options, "Host"))
        fprintf(out, "Host: %.*s\r\n", parts->authority_size, parts->authority);
    if (!load_options_header(options, "User-Agent"))
        fputs("User-Agent: ascale-load/" PACKAGE_VERSION "\r\n", out);
    for (size_t i = 0; i < options->headers.count; i++)
        fprintf(out, "%s\r\n", options->headers.text[i]);
    if (options->no_keepalive && !load_options_header(options, "Connection"))
        fputs("Connection: close\r\n", out);
    if (plan->sends_length && !load_options_header(options, "Content-Length"))
        fprintf(out, "Content-Length: %zu\r\n", plan->body_size);
    fputs("\r\n", out);
}

static int build_request(struct load_plan *plan, struct load_target *target, const struct url_parts *parts)
{
    FILE *out = open_memstream(&target->request, &target->request_size);
    if (!out)
        return refuse(EXIT_FAILED, "out of memory");
    write_head(out, plan, parts);
    if (plan->body_size > 0)
        fwrite(plan->body, 1, plan->body_size, out);
    return fclose(out) == 0 ? 0 : refuse(EXIT_FAILED, "out of memory");
}

/* Cuts "@WEIGHT" off the end; 1 when there is none, 0 or less when it is none that can be. */
static double take_weight(char *url)
{
    char *at = strrchr(url, '@');
    double weight;
    if (!at || !units_parse_double(at + 1, &weight))
        return 1;
    *at = '\0';
    return weight;
}

static int add_target(struct load_plan *plan, const char *text)
{
    struct load_target *target = &plan->targets[plan->target_count++];
    target->url = strdup(text);
    if (!target->url)
        return refuse(EXIT_FAILED, "out of memory");
    target->upto = take_weight(target->url);
    if (target->upto <= 0)
        return refuse(EXIT_BAD_USAGE, "the weight of '%s' is not above 0", text);
    struct url_parts parts;
    if (!split_url(target->url, &parts))
        return EXIT_BAD_USAGE;
    int status = find_origin(plan, &parts, &target->origin);
    return status != 0 ? status : build_request(plan, target, &parts);
}

static void sum_weights(struct load_plan *plan)
{
    double sum = 0;
    for (size_t i = 0; i < plan->target_count; i++)
        sum = plan->targets[i].upto += sum;
    for (size_t i = 0; i < plan->target_count; i++)
        plan->targets[i].upto /= sum;
}

static enum http1_method find_method(const char *name)
{
    static const char *const names[] = {
        [HTTP1_GET] = "GET",       [HTTP1_HEAD] = "HEAD",       [HTTP1_POST] = "POST",   [HTTP1_PUT] = "PUT",
        [HTTP1_DELETE] = "DELETE", [HTTP1_OPTIONS] = "OPTIONS", [HTTP1_TRACE] = "TRACE",
    };
    for (size_t i = HTTP1_GET; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum http1_method)i;
    return HTTP1_METHOD_OTHER;
}

static int read_trace(struct load_plan *plan)
{
    const struct load_options *options = plan->options;
    char why[160];
    if (!options->trace)
        return 0;
    if (!trace_read(options->trace, options->trace_speed, &plan->trace, why, sizeof why))
        return refuse(EXIT_BAD_USAGE, "trace %s: %s", options->trace, why);
    plan->arrivals.shape = (struct arrivals_shape){
        .kind = ARRIVALS_TRACE, .points = plan->trace.points, .count = plan->trace.count};
    if (plan->arrivals.rate_rps <= 0)
        plan->arrivals.rate_rps = plan->trace.peak_rps;
    return 0;
}

static int read_body(struct load_plan *plan)
{
    const char *path = plan->options->body_file;
    int error = path ? file_read_stream(path, BODY_MAX, &plan->body, &plan->body_size) : 0;
    return error < 0 ? refuse(EXIT_BAD_USAGE, "cannot read body %s: %s", path, strerror(-error)) : 0;
}

/* libcurl reads it itself, but only when it connects. */
static int check_ca_file(const char *path)
{
    char *text = NULL;
    size_t size;
    int error = path ? file_read(path, CA_MAX, &text, &size) : 0;
    if (error < 0)
        return refuse(EXIT_BAD_USAGE, "cannot read CA file %s: %s", path,
                      error == -EINVAL ? "it is no regular file" : strerror(-error));
    bool good = !path || strstr(text, "-----BEGIN ");
    free(text);
    return good ? 0 : refuse(EXIT_BAD_USAGE, "CA file %s holds no certificate in PEM form", path);
}

static int fill_plan(struct load_plan *plan)
{
    const struct load_options *options = plan->options;
    int status = read_body(plan);
    if (status == 0)
        status = check_ca_file(options->ca_file);
    for (size_t i = 0; i < options->urls.count && status == 0; i++)
        status = add_target(plan, options->urls.text[i]);
    if (status == 0)
        sum_weights(plan);
    if (status == 0)
        status = read_trace(plan);
    return status;
}

/* Connection: close is how users of other tools ask for it. */
static bool wants_close(const struct load_options *options)
{
    const char *value = load_options_header(options, "Connection");
    return options->no_keepalive || (value && strcasecmp(value + strspn(value, " \t"), "close") == 0);
}

static bool method_has_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

struct load_plan *load_plan_new(const struct load_options *options, int *status)
{
    struct load_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        *status = refuse(EXIT_FAILED, "out of memory");
        return NULL;
    }
    plan->options = options;
    plan->method = find_method(options->method);
    plan->sends_length = options->body_file || method_has_body(options->method);
    plan->close = wants_close(options);
    plan->arrivals = (struct arrivals_plan){
        .rate_rps = options->rate_rps,
        .timing = options->poisson ? ARRIVALS_POISSON : ARRIVALS_EVEN,
        .shape = options->shape,
        .seed = (uint64_t)options->seed,
    };
    *status = fill_plan(plan);
    if (*status == 0)
        return plan;
    load_plan_free(plan);
    return NULL;
}

void load_plan_free(struct load_plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++) {
        free(plan->targets[i].url);
        free(plan->targets[i].request);
    }
    free(plan->body);
    free(plan->trace.points);
    free(plan);
}

size_t load_plan_pick(const struct load_plan *plan, double unit)
{
    size_t i = 0;
    while (i + 1 < plan->target_count && unit >= plan->targets[i].upto)
        i++;
    return i;
}
