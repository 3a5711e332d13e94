/* SPDX-License-Identifier: MIT */
/* The HTTP server under ascale-app: libmicrohttpd with a thread a connection, so that a page that sleeps or
 * hangs holds up nobody, and with the checks that library leaves out (repeated headers, body cap). */
#ifndef APP_SERVER_H
#define APP_SERVER_H
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

/* One request on its connection's thread. The body is whole and belongs to the server. */
struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    const char *method, *path;
    const char *body;
    size_t body_size;
};

struct server_page {
    const char *path;
    const char *methods; /* "GET HEAD"; others get 405 */
    /* Answers by one of the exchange_ functions and returns its result. */
    enum MHD_Result (*serve)(void *context, struct exchange *exchange);
};

struct server_options {
    const char *host;
    int port;
    bool listen_later; /* refuse connections until server_listen() */
    const char *tls_cert, *tls_key;
    const struct server_page *pages; /* up to one without a path */
    void *context;                   /* handed to every page */
};

/* Binds and starts. NULL: error says which step failed on what and why. */
struct server *server_start(const struct server_options *options, char *error, size_t error_size);
int server_port(const struct server *server);
void server_listen(struct server *server);

/* Takes no new connection, wakes those that hang, gives the requests in flight patience_us to end, frees. */
void server_stop(struct server *server, int64_t patience_us);

/* Answers. The text is copied. */
enum MHD_Result exchange_reply(struct exchange *exchange, unsigned status, const char *type, const void *body,
                               size_t size);
enum MHD_Result exchange_text(struct exchange *exchange, unsigned status, const char *text);
enum MHD_Result exchange_json(struct exchange *exchange, unsigned status, const char *text);
/* Closes the connection without an answer. */
enum MHD_Result exchange_cut(struct exchange *exchange);

/* The number in ?key=N: fallback where it is absent, -1 where it is not a number from 0 to max. */
int64_t exchange_number(const struct exchange *exchange, const char *key, int64_t fallback, int64_t max);
/* NULL when there is none. */
const char *exchange_query(const struct exchange *exchange, const char *key);
const char *exchange_header(const struct exchange *exchange, const char *name);

/* Sleeps; false when it ended early because the connection is gone. A negative duration is endless: it ends
 * only when the client hangs up or the server stops. */
bool exchange_sleep(const struct exchange *exchange, int64_t duration_us);

#endif
