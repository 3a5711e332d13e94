/* SPDX-License-Identifier: MIT */
/* Which signals end a program. Any thread. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H
#include <signal.h>

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored, as nohup(1) leaves it to what is to outlive its terminal:
 * blocked for a signalfd or sigwait it would be told all the same. */
void signals_that_end(sigset_t *out);

#endif
