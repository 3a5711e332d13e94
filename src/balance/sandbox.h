/* SPDX-License-Identifier: MIT */
/* Giving away what the balancer does not need once it has its sockets. What the kernel does not have is left
 * out and said; nothing of it is fatal but a user that was asked for and cannot be had. */
#ifndef BALANCE_SANDBOX_H
#define BALANCE_SANDBOX_H
#include <stdbool.h>

/* Becomes the user, when one is named and we are root; false: said on stderr. */
bool sandbox_drop_user(const char *user);

/* Before threads: no new privileges, no file is opened and no TCP port bound any more (landlock). */
void sandbox_close_files(void);

/* After threads, for all of them: only the system calls of serving are left (seccomp). */
void sandbox_close_calls(void);

#endif
