/* SPDX-License-Identifier: MIT */
/* Where the threads meet: the newest snapshot goes out, commands come in, and nothing else crosses.
 * One control thread publishes and takes; any number of others use the port. */
#ifndef CONTROL_EXCHANGE_H
#define CONTROL_EXCHANGE_H
#include "core/port.h"

#define EXCHANGE_COMMANDS_MAX 64

struct exchange;

/* 0 or -errno. Free it after the last user of its port has ended. */
int exchange_new(struct exchange **out);
void exchange_free(struct exchange *exchange);

/* For readers, from any thread. */
struct port exchange_port(struct exchange *exchange);

/* Eventfds: readable when a snapshot was published (its reader clears it), and, for good, once closed. */
int exchange_snapshot_fd(const struct exchange *exchange);
int exchange_end_fd(const struct exchange *exchange);

/* The control thread's side. Publishing gives the snapshot its seq. */
void exchange_publish(struct exchange *exchange, struct snapshot *snapshot);
int exchange_command_fd(const struct exchange *exchange);           /* readable while commands may wait */
bool exchange_take(struct exchange *exchange, struct command *out); /* false = none left */

/* No newer snapshot will come and no command is taken any more. */
void exchange_close(struct exchange *exchange);

#endif
