/* SPDX-License-Identifier: MIT */
/* The least an HTTP server can do, so that a generator and not the server is what a benchmark measures: one
 * thread, two system calls a request, 128 bytes back. A request is taken to come in one piece. With STALL_MS
 * and EVERY_MS it stands still that long that often, which makes the latencies it causes known beforehand.
 *
 *     bench_responder PORT [STALL_MS EVERY_MS]      port 0: any free one, printed */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char answer[256];
static size_t answer_size;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof name;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&name, size) != 0 || listen(fd, 1024) != 0)
        return -1;
    getsockname(fd, (struct sockaddr *)&name, &size);
    printf("%d\n", ntohs(name.sin_port));
    fflush(stdout);
    return fd;
}

static void add(int epoll_fd, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void serve(int fd)
{
    char request[4096];
    ssize_t size = recv(fd, request, sizeof request, 0);
    if (size > 0)
        send(fd, answer, answer_size, MSG_NOSIGNAL);
    else if (size == 0)
        close(fd);
}

static void stall(double stall_ms, double every_ms, double *next)
{
    if (stall_ms <= 0 || now_ms() < *next)
        return;
    struct timespec pause = {0, (long)(stall_ms * 1e6)};
    nanosleep(&pause, NULL);
    *next += every_ms;
}

int main(int argc, char **argv)
{
    double stall_ms = argc > 3 ? atof(argv[2]) : 0, every_ms = argc > 3 ? atof(argv[3]) : 0;
    char body[129];
    memset(body, 'x', 128);
    body[128] = '\0';
    answer_size = (size_t)snprintf(
        answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n%s",
        body);
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll_fd < 0) {
        perror("bench_responder");
        return 1;
    }
    add(epoll_fd, listener, EPOLLIN);
    struct epoll_event events[256];
    for (double next = now_ms() + every_ms;;) {
        int count = epoll_wait(epoll_fd, events, 256, stall_ms > 0 ? 1 : -1);
        stall(stall_ms, every_ms, &next);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                serve(events[i].data.fd);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0)
                add(epoll_fd, fd, EPOLLIN | EPOLLET);
        }
    }
}
