/* SPDX-License-Identifier: MIT */
/* Owns the listening socket, the libmicrohttpd daemon and the count of requests in flight. Pages run on the
 * thread of their connection; what is shared between threads here is atomic or set before the daemon starts.
 * Invariant: an exchange lives from the first call of answer() until finished(), and is counted in flight. */
#include "config.h"

#include "app/server.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    BODY_MAX = 1 << 20,
    DISCARD_MAX = 16 << 20, /* swallowed beyond the cap so that the client can read its 413 */
    CONNECTIONS_MAX = 4096,
    IDLE_TIMEOUT_S = 120,
    THREAD_STACK = 256 << 10,
    PEM_MAX = 1 << 20,
};

struct server {
    struct MHD_Daemon *daemon;
    const struct server_page *pages;
    void *context;
    int listen_fd, stop_fd, port;
    char *cert, *key;
    atomic_int in_flight;
    atomic_bool stopping;
};

struct request {
    struct exchange exchange;
    char *body;
    size_t size, discarded;
    unsigned refusal; /* status to answer instead of the page's; 0: none */
};

enum MHD_Result exchange_reply(struct exchange *exchange, unsigned status, const char *type, const void *body,
                               size_t size)
{
    void *bytes = (void *)(uintptr_t)body; /* the library only copies it */
    struct MHD_Response *response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (atomic_load(&exchange->server->stopping))
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(exchange->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result exchange_text(struct exchange *exchange, unsigned status, const char *text)
{
    return exchange_reply(exchange, status, "text/plain; charset=utf-8", text, strlen(text));
}

enum MHD_Result exchange_json(struct exchange *exchange, unsigned status, const char *text)
{
    return exchange_reply(exchange, status, "application/json", text, strlen(text));
}

enum MHD_Result exchange_cut(struct exchange *exchange)
{
    (void)exchange;
    return MHD_NO;
}

const char *exchange_query(const struct exchange *exchange, const char *key)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, key);
}

const char *exchange_header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

int64_t exchange_number(const struct exchange *exchange, const char *key, int64_t fallback, int64_t max)
{
    const char *text = exchange_query(exchange, key);
    if (!text)
        return fallback;
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 15)
        return -1;
    int64_t value = strtoll(text, NULL, 10);
    return value <= max ? value : -1;
}

bool exchange_sleep(const struct exchange *exchange, int64_t duration_us)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    bool endless = duration_us < 0;
    struct pollfd waits[] = {
        {.fd = info ? info->connect_fd : -1, .events = endless ? POLLRDHUP : 0},
        {.fd = endless ? exchange->server->stop_fd : -1, .events = POLLIN},
    };
    int64_t until = clock_now_us() + duration_us;
    while (waits[0].revents == 0 && waits[1].revents == 0) {
        int64_t left = endless ? INT32_MAX : until - clock_now_us();
        if (left <= 0)
            return true;
        struct timespec wait = {left / 1000000, left % 1000000 * 1000};
        ppoll(waits, 2, endless ? NULL : &wait, NULL);
    }
    return false;
}

struct header_count {
    const char *name;
    unsigned count;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind, (void)value;
    struct header_count *wanted = context;
    wanted->count += strcasecmp(name, wanted->name) == 0;
    return MHD_YES;
}

static unsigned header_times(struct MHD_Connection *connection, const char *name)
{
    struct header_count wanted = {name, 0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &wanted);
    return wanted.count;
}

/* What libmicrohttpd lets through and nobody should: the status to refuse it with, or 0. */
static unsigned find_refusal(struct MHD_Connection *connection, const char *version)
{
    unsigned hosts = header_times(connection, "Host"), lengths = header_times(connection, "Content-Length");
    unsigned codings = header_times(connection, "Transfer-Encoding");
    if (hosts > 1 || lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
        return MHD_HTTP_BAD_REQUEST;
    if (hosts == 0 && strcmp(version, "HTTP/1.1") == 0)
        return MHD_HTTP_BAD_REQUEST;
    if (header_times(connection, "Authorization") > 1)
        return MHD_HTTP_BAD_REQUEST;
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    if (length && strtoull(length, NULL, 10) > BODY_MAX)
        return MHD_HTTP_CONTENT_TOO_LARGE;
    return 0;
}

/* Keeps a piece of the body; false: cut the connection. */
static bool keep_body(struct request *request, const char *data, size_t size)
{
    if (request->size + size > BODY_MAX) {
        request->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
        request->discarded += size;
        return request->discarded <= DISCARD_MAX;
    }
    char *body = realloc(request->body, request->size + size + 1);
    if (!body)
        return false;
    memcpy(body + request->size, data, size);
    request->body = body;
    request->size += size;
    body[request->size] = '\0';
    return true;
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static enum MHD_Result serve_page(struct server *server, struct exchange *exchange)
{
    const struct server_page *page = server->pages;
    while (page->path && strcmp(page->path, exchange->path) != 0)
        page++;
    if (!page->path)
        return exchange_text(exchange, MHD_HTTP_NOT_FOUND, "no such page\n");
    if (!has_word(page->methods, exchange->method))
        return exchange_text(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "this page does not take that method\n");
    return page->serve(server->context, exchange);
}

static enum MHD_Result begin_request(struct server *server, struct MHD_Connection *connection,
                                     const char *version, void **slot)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        return MHD_NO;
    request->exchange.server = server;
    request->exchange.connection = connection;
    request->refusal = find_refusal(connection, version);
    atomic_fetch_add(&server->in_flight, 1);
    *slot = request;
    /* An answer before the body has come also ends the connection, which is what a refusal deserves. */
    return request->refusal != 0 ? exchange_text(&request->exchange, request->refusal, "refused\n") : MHD_YES;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *data_size,
                              void **slot)
{
    struct server *server = context;
    struct request *request = *slot;
    if (!request)
        return begin_request(server, connection, version, slot);
    if (*data_size > 0) {
        bool kept = keep_body(request, data, *data_size);
        *data_size = 0;
        return kept ? MHD_YES : MHD_NO;
    }
    struct exchange *exchange = &request->exchange;
    exchange->method = method;
    exchange->path = path;
    exchange->body = request->body ? request->body : "";
    exchange->body_size = request->size;
    if (request->refusal != 0)
        return exchange_text(exchange, request->refusal, "refused\n");
    return serve_page(server, exchange);
}

static void finished(void *context, struct MHD_Connection *connection, void **slot,
                     enum MHD_RequestTerminationCode code)
{
    (void)connection, (void)code;
    struct server *server = context;
    struct request *request = *slot;
    if (!request)
        return;
    free(request->body);
    free(request);
    *slot = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
}

/* Binds to the first address of the host. A descriptor or -1 with errno set. */
static int bind_to(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

static int bound_port(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char service[NI_MAXSERV] = "0";
    if (getsockname(fd, (struct sockaddr *)&name, &length) == 0)
        getnameinfo((struct sockaddr *)&name, length, NULL, 0, service, sizeof service, NI_NUMERICSERV);
    return atoi(service);
}

static bool open_socket(struct server *server, const struct server_options *options, char *error, size_t size)
{
    char service[16];
    snprintf(service, sizeof service, "%d", options->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int status = getaddrinfo(options->host, service, &hints, &found);
    if (status != 0) {
        snprintf(error, size, "cannot find address '%s': %s", options->host, gai_strerror(status));
        return false;
    }
    server->listen_fd = bind_to(found);
    int cause = errno;
    freeaddrinfo(found);
    if (server->listen_fd < 0 || (!options->listen_later && listen(server->listen_fd, SOMAXCONN) != 0)) {
        snprintf(error, size, "cannot listen on %s port %d: %s", options->host, options->port,
                 strerror(server->listen_fd < 0 ? cause : errno));
        return false;
    }
    server->port = bound_port(server->listen_fd);
    return true;
}

static bool read_pem(const char *path, char **out, char *error, size_t size)
{
    size_t length;
    int status = path ? file_read(path, PEM_MAX, out, &length) : 0;
    if (status < 0)
        snprintf(error, size, "cannot read %s: %s", path, strerror(-status));
    return status >= 0;
}

static bool start_daemon(struct server *server)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    bool secure = server->cert != NULL;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC;
    server->daemon = MHD_start_daemon(
        flags | (secure ? MHD_USE_TLS : 0), 0, NULL, NULL, answer, server, MHD_OPTION_LISTEN_SOCKET,
        server->listen_fd, MHD_OPTION_NOTIFY_COMPLETED, finished, server, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        secure ? tls : none, MHD_OPTION_END);
    return server->daemon != NULL;
}

static void free_server(struct server *server)
{
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    if (server->stop_fd >= 0)
        close(server->stop_fd);
    free(server->cert);
    free(server->key);
    free(server);
}

struct server *server_start(const struct server_options *options, char *error, size_t error_size)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    server->pages = options->pages;
    server->context = options->context;
    server->listen_fd = -1;
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!read_pem(options->tls_cert, &server->cert, error, error_size) ||
        !read_pem(options->tls_key, &server->key, error, error_size) ||
        !open_socket(server, options, error, error_size))
        goto out;
    if (start_daemon(server))
        return server;
    snprintf(error, error_size, "cannot start the HTTP server%s",
             server->cert ? ": is the key that of the certificate?" : "");
out:
    free_server(server);
    return NULL;
}

int server_port(const struct server *server)
{
    return server->port;
}

void server_listen(struct server *server)
{
    listen(server->listen_fd, SOMAXCONN);
}

void server_stop(struct server *server, int64_t patience_us)
{
    int64_t until = clock_now_us() + patience_us;
    atomic_store(&server->stopping, true);
    MHD_quiesce_daemon(server->daemon);
    eventfd_write(server->stop_fd, 1);
    while (atomic_load(&server->in_flight) > 0 && clock_now_us() < until)
        poll(NULL, 0, 5);
    MHD_stop_daemon(server->daemon);
    free_server(server);
}
