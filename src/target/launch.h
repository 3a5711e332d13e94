/* SPDX-License-Identifier: MIT */
/* Turns the configuration into one running ascale-launch: command, environment, limits. The control thread.
 */
#ifndef TARGET_LAUNCH_H
#define TARGET_LAUNCH_H
#include "core/config.h"
#include "target/cgroup.h"
#include <sys/types.h>

struct launch_request {
    const struct config *config;
    const char *launcher;
    const char *program_dir; /* first in its PATH; may be NULL */
    const char *log_path;
    const char *key;            /* marks its processes, see target/proctree.h */
    const struct cgroup *group; /* it joins these; memory they limit is not limited a second time */
    int id, port;
};

/* The descriptors are close-on-exec and the caller's. */
struct launched {
    pid_t pid;
    int pidfd;
    int error_fd; /* non-blocking: ends empty once the command runs, else a line says why it does not */
};

/* False: nothing was started, err says why. */
bool launch_instance(const struct launch_request *request, struct launched *out, char *err, size_t err_size);

#endif
