/* SPDX-License-Identifier: MIT */
/* ascale-balance: arguments -> listening socket -> runtime -> exit status. */
#include "balance/cli.h"
#include "balance/runtime.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "core/text.h"
#include "http/conn.h"
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

/* An inherited socket must be a listening one; it becomes non-blocking and stays here at exec. */
static int inherit(int fd)
{
    int listening = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof listening;
    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening) {
        fprintf(stderr, "ascale-balance: --listen-fd %d is not a listening socket\n", fd);
        return -1;
    }
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "ascale-balance: --listen-fd %d: %s\n", fd, strerror(errno));
        return -1;
    }
    conn_prepare_listener(fd);
    return fd;
}

static int bind_address(const char *text)
{
    struct sockaddr_storage address;
    socklen_t len;
    int fd = -EINVAL;
    if (conn_parse_address(text, &address, &len))
        fd = conn_listen((struct sockaddr *)&address, len, BACKLOG);
    if (fd < 0)
        fprintf(stderr, "ascale-balance: cannot listen on %s: %s\n", text, strerror(-fd));
    return fd;
}

/* 0, or the exit status. */
static int add_backends(struct runtime *rt, const struct cli *cli)
{
    static struct backend_spec specs[BACKENDS_MAX];
    char err[CONFIG_ERROR_SIZE];
    for (unsigned i = 0; i < cli->backend_count; i++)
        specs[i] = (struct backend_spec){.id = cli->backends[i], .address = cli->backends[i]};
    int error = registry_set(&rt->registry, specs, cli->backend_count, clock_now_us(), err, sizeof err);
    if (error < 0)
        fprintf(stderr, "ascale-balance: %s\n", err);
    return error == 0 ? 0 : error == -EINVAL ? 2 : 1;
}

int main(int argc, char **argv)
{
    static struct cli cli;
    static struct runtime rt;
    file_fill_standard();
    setlocale(LC_CTYPE, "");
    log_clean_with(text_clean);
    int status = cli_read(&cli, argc, argv);
    if (status >= 0)
        return status;
    int fd = cli.listen_fd >= 0 ? inherit(cli.listen_fd) : bind_address(cli.config.balancer.listen);
    if (fd < 0)
        return 1;
    bool shared = cli.listen_fd >= 0 || cli.control;
    status = runtime_open(&rt, &cli.config, fd, shared, cli.control) ? 0 : 1;
    if (status == 0 && cli.backend_count > 0)
        status = add_backends(&rt, &cli);
    if (status == 0)
        status = runtime_run(&rt);
    runtime_close(&rt);
    return status;
}
