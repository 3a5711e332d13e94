/* SPDX-License-Identifier: MIT */
/* Binds and describes a listening TCP socket. SO_REUSEADDR but never SO_REUSEPORT: with the latter a second
 * listener would bind silently and take half of the users. */
#include "control/listener.h"
#include "core/config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

static int bind_one(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
    if (fd < 0)
        return -1;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static struct addrinfo *resolve(const char *address, char *err, size_t err_size)
{
    char host[128], service[8];
    int port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *list = NULL;
    if (!config_parse_address(address, host, sizeof host, &port)) {
        snprintf(err, err_size, "cannot listen on '%s': it is not host:port", address);
        return NULL;
    }
    snprintf(service, sizeof service, "%d", port);
    int problem = getaddrinfo(host, service, &hints, &list);
    if (problem)
        snprintf(err, err_size, "cannot listen on '%s': %s", address, gai_strerror(problem));
    return problem ? NULL : list;
}

int listener_open(const char *address, char *err, size_t err_size)
{
    struct addrinfo *list = resolve(address, err, err_size);
    if (!list)
        return -1;
    int fd = -1;
    for (struct addrinfo *info = list; info && fd < 0; info = info->ai_next)
        fd = bind_one(info);
    if (fd < 0)
        snprintf(err, err_size, "cannot listen on %s: %s; %sname another address in balancer.listen", address,
                 strerror(errno), errno == EADDRINUSE ? "end what holds it, or " : "");
    freeaddrinfo(list);
    return fd;
}

static bool same_endpoint(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_addr.s_addr == y->sin_addr.s_addr && (!y->sin_port || x->sin_port == y->sin_port);
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0 &&
           (!y->sin6_port || x->sin6_port == y->sin6_port);
}

bool listener_is_bound_to(int fd, const char *address)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char err[256];
    struct addrinfo *list = resolve(address, err, sizeof err);
    bool same = false;
    if (list && getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
        for (struct addrinfo *info = list; info && !same; info = info->ai_next)
            same = same_endpoint((struct sockaddr *)&bound, info->ai_addr);
    if (list)
        freeaddrinfo(list);
    return same;
}

bool listener_url(int fd, char *out, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.v6 = {0}};
    socklen_t length = sizeof bound;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, &bound.any, &length) < 0)
        return false;
    if (bound.any.sa_family == AF_INET) {
        if (bound.v4.sin_addr.s_addr == htonl(INADDR_ANY))
            bound.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        inet_ntop(AF_INET, &bound.v4.sin_addr, host, sizeof host);
        snprintf(out, size, "http://%s:%d", host, ntohs(bound.v4.sin_port));
        return true;
    }
    if (IN6_IS_ADDR_UNSPECIFIED(&bound.v6.sin6_addr))
        bound.v6.sin6_addr = in6addr_loopback;
    inet_ntop(AF_INET6, &bound.v6.sin6_addr, host, sizeof host);
    snprintf(out, size, "http://[%s]:%d", host, ntohs(bound.v6.sin6_port));
    return true;
}
