/* SPDX-License-Identifier: MIT */
/* The command line of ascale-balance, written and read again. Any thread. */
#ifndef CONTROL_BALANCER_ARGS_H
#define CONTROL_BALANCER_ARGS_H
#include "control/child.h"
#include "core/config.h"

/* args->overflow: it does not fit. */
void balancer_args_make(struct child_args *args, const char *program, int listen_fd, const char *socket_path,
                        const struct config *config);

/* What a running one was started with and keeps, unlike config: "threads=2, user=", "" when there is no such
 * thing or it cannot be read. */
void balancer_args_kept(pid_t pid, const struct config *config, char *out, size_t size);

#endif
