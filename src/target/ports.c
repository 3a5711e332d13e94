/* SPDX-License-Identifier: MIT */
/* Free ports are found by binding, owners by matching the inodes of /proc/net/tcp{,6} with the descriptors of
 * the processes. Keeps nothing between calls; every call is a moment's truth, so who chose a port checks its
 * listener before trusting it. */
#include "target/ports.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORT_MAX = 65535, LISTENERS_MAX = 64 };

int ports_resolve(const char *host, struct sockaddr_storage *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0)
        return error;
    memset(out, 0, sizeof *out);
    memcpy(out, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return 0;
}

static socklen_t address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

void ports_set(struct sockaddr_storage *address, int port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

void ports_url(const char *host, int port, const char *path, char *out, size_t size)
{
    snprintf(out, size, strchr(host, ':') ? "http://[%s]:%d%s" : "http://%s:%d%s", host, port, path);
}

static int get_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* Every address of the machine: an instance may well bind that instead of its host. */
static struct sockaddr_storage wildcard(const struct sockaddr_storage *host)
{
    struct sockaddr_storage any = {.ss_family = host->ss_family};
    ports_set(&any, get_port(host));
    return any;
}

/* Binds and listens for a moment; the port that was bound, or -errno. */
static int try_bind(const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_storage bound = *address;
    socklen_t size = sizeof bound;
    int yes = 1, result = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* as servers do: TIME_WAIT is no obstacle */
    if (bind(fd, (const struct sockaddr *)address, address_size(address)) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
        result = -errno;
    close(fd);
    return result < 0 ? result : get_port(&bound);
}

/* The port when it is free on the host and on the wildcard, else -errno. */
static int try_port(const struct sockaddr_storage *host, int port)
{
    struct sockaddr_storage address = *host;
    ports_set(&address, port);
    int bound = try_bind(&address);
    if (bound < 0)
        return bound;
    ports_set(&address, bound);
    address = wildcard(&address);
    return try_bind(&address);
}

static int choose_any(const struct sockaddr_storage *host, bool (*held)(void *ctx, int port), void *ctx)
{
    int port = -EADDRINUSE;
    for (int attempt = 0; attempt < 64; attempt++) {
        port = try_port(host, 0);
        if (port > 0 && !held(ctx, port))
            return port;
    }
    return port < 0 ? port : -EADDRINUSE;
}

int ports_choose(const struct sockaddr_storage *host, int base, bool (*held)(void *ctx, int port), void *ctx)
{
    if (base == 0)
        return choose_any(host, held, ctx);
    for (int port = base; port <= PORT_MAX; port++) {
        int result = held(ctx, port) ? -EADDRINUSE : try_port(host, port);
        if (result != -EADDRINUSE)
            return result;
    }
    return -EADDRINUSE;
}

/* One row of /proc/net/tcp or tcp6: addresses are 32-bit words in the order of the host, printed as hex. */
struct listener {
    uint32_t words[4];
    int word_count, port, state;
    uint64_t inode;
};

static bool parse_listener(const char *line, struct listener *out)
{
    char address[33];
    unsigned port, state;
    if (sscanf(line, " %*d: %32[0-9A-Fa-f]:%X %*s %X %*s %*s %*s %*s %*s %" SCNu64, address, &port, &state,
               &out->inode) != 4)
        return false;
    out->word_count = (int)strlen(address) / 8;
    for (int i = 0; i < out->word_count; i++) {
        char word[9];
        snprintf(word, sizeof word, "%.8s", address + 8 * i);
        out->words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    out->port = (int)port;
    out->state = (int)state;
    return out->word_count == 1 || out->word_count == 4;
}

/* Whether connections to the host can arrive at this listener. */
static bool listener_serves(const struct listener *listener, const struct sockaddr_storage *host)
{
    uint32_t any[4] = {0}, own[4] = {0};
    if (host->ss_family == AF_INET6)
        memcpy(own, &((const struct sockaddr_in6 *)host)->sin6_addr, sizeof own);
    else
        memcpy(own, &((const struct sockaddr_in *)host)->sin_addr, sizeof own[0]);
    if (memcmp(own, any, sizeof own) == 0)
        return true; /* whoever has the port has it on one of our addresses */
    if (listener->word_count == 1)
        return host->ss_family == AF_INET && (listener->words[0] == 0 || listener->words[0] == own[0]);
    if (memcmp(listener->words, any, sizeof any) == 0)
        return true;
    if (host->ss_family == AF_INET6)
        return memcmp(listener->words, own, sizeof own) == 0;
    uint32_t mapped[4] = {0, 0, htonl(0xFFFF), own[0]};
    return memcmp(listener->words, mapped, sizeof mapped) == 0;
}

/* Appends the inodes of the listeners of a table. Listening sockets stand first in it, so reading ends early
 * even where there are many connections. */
static int find_listeners(const char *table, const struct sockaddr_storage *host, int port, uint64_t *inodes,
                          int count)
{
    enum { STATE_LISTEN = 10 };
    FILE *stream = fopen(table, "re");
    if (!stream)
        return count;
    char line[512];
    struct listener listener;
    bool heading = fgets(line, sizeof line, stream) != NULL;
    while (heading && count < LISTENERS_MAX && fgets(line, sizeof line, stream)) {
        if (!parse_listener(line, &listener))
            continue;
        if (listener.state != STATE_LISTEN)
            break;
        if (listener.port == port && listener_serves(&listener, host))
            inodes[count++] = listener.inode;
    }
    fclose(stream);
    return count;
}

/* Strikes out the inodes that this process has open; false: we may not look. */
static bool strike_open(pid_t pid, uint64_t *inodes, int count)
{
    char path[32], link[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT;
    const struct dirent *entry;
    uint64_t inode;
    while ((entry = readdir(directory))) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = '\0';
        if (sscanf(link, "socket:[%" SCNu64 "]", &inode) != 1)
            continue;
        for (int i = 0; i < count; i++)
            if (inodes[i] == inode)
                inodes[i] = 0;
    }
    closedir(directory);
    return true;
}

enum ports_listener ports_listener_of(const struct sockaddr_storage *host, int port, const pid_t *pids,
                                      int count)
{
    uint64_t inodes[LISTENERS_MAX];
    int listeners = find_listeners("/proc/net/tcp", host, port, inodes, 0);
    listeners = find_listeners("/proc/net/tcp6", host, port, inodes, listeners);
    if (listeners == 0)
        return PORTS_NOBODY;
    bool looked = true;
    for (int i = 0; i < count; i++)
        looked &= strike_open(pids[i], inodes, listeners);
    for (int i = 0; i < listeners; i++)
        if (inodes[i] != 0)
            return looked ? PORTS_FOREIGN : PORTS_UNKNOWN;
    return PORTS_OURS;
}
