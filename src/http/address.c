/* SPDX-License-Identifier: MIT */
/* Addresses as text, both ways, and the listening socket. Numeric only, so nothing here waits for a name
 * server. */
#include "http/conn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool parse_port(const char *text, uint16_t *out)
{
    unsigned long port = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    if (port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

static bool parse_host(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *out_len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *out_len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *out_len = sizeof *v6;
        return true;
    }
    return false;
}

bool conn_parse_address(const char *text, struct sockaddr_storage *out, socklen_t *out_len)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    const char *port_text = colon ? colon + 1 : text;
    size_t len = colon ? (size_t)(colon - text) : 0;
    uint16_t port;
    if (len >= sizeof host || !parse_port(port_text, &port))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (len == 0 || strcmp(host, "localhost") == 0)
        return parse_host("127.0.0.1", port, out, out_len);
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return strchr(host, ':') && parse_host(host + 1, port, out, out_len);
    }
    return !strchr(host, ':') && parse_host(host, port, out, out_len);
}

/* What a socket of both families says of an IPv4 peer. */
static bool is_mapped(const struct sockaddr *a, struct sockaddr_in *out)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    if (a->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return false;
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = v6->sin6_port};
    memcpy(&out->sin_addr, &v6->sin6_addr.s6_addr[12], sizeof out->sin_addr);
    return true;
}

void conn_format_address(const struct sockaddr *a, bool with_port, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "unknown";
    struct sockaddr_in mapped;
    if (is_mapped(a, &mapped))
        a = (const struct sockaddr *)&mapped;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, size, with_port ? "%s:%d" : "%s", host, ntohs(v4->sin_port));
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, size, with_port ? "[%s]:%d" : "%s", host, ntohs(v6->sin6_port));
    } else {
        snprintf(out, size, "%s", host);
    }
}

void conn_prepare_listener(int fd)
{
    int on = 1;
    struct sockaddr_storage here;
    socklen_t len = sizeof here;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (getsockname(fd, (struct sockaddr *)&here, &len) == 0)
        conn_stop_pacing(fd, (struct sockaddr *)&here);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

void conn_stop_pacing(int fd, const struct sockaddr *a)
{
    static const char loss_based[] = "reno"; /* every kernel has it, and anybody may use it */
    if (is_loopback(a))
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, loss_based, sizeof loss_based - 1);
}

int conn_listen(const struct sockaddr *a, socklen_t len, int backlog)
{
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a, len) < 0 || listen(fd, backlog) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    conn_prepare_listener(fd);
    return fd;
}
