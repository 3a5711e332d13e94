/* SPDX-License-Identifier: MIT */
/* The command line of ascale-balance: every option of [balancer], with dashes, and a few of its own. */
#ifndef BALANCE_CLI_H
#define BALANCE_CLI_H
#include "balance/hub.h"

struct cli {
    struct config config;
    int listen_fd;       /* inherited; -1: bind config.balancer.listen */
    const char *control; /* path; NULL: none */
    const char *backends[BACKENDS_MAX];
    unsigned backend_count;
    bool hold_said; /* --hold-when-empty was given */
};

/* -1: go on; otherwise the exit status as of args_read(). */
int cli_read(struct cli *cli, int argc, char **argv);

#endif
