/* SPDX-License-Identifier: MIT */
/* Where the threads meet: the newest snapshot goes out, commands come in, and nothing else crosses.
 * One control thread publishes and takes; any number of others use the port. */
#ifndef CONTROL_MAILBOX_H
#define CONTROL_MAILBOX_H
#include "core/port.h"

#define EXCHANGE_COMMANDS_MAX 64

struct mailbox;

/* 0 or -errno. Free it after the last user of its port has ended. */
int mailbox_new(struct mailbox **out);
void mailbox_free(struct mailbox *mailbox);

/* For readers, from any thread. */
struct port mailbox_port(struct mailbox *mailbox);

/* Eventfds: readable when a snapshot was published (its reader clears it), and, for good, once closed. */
int mailbox_snapshot_fd(const struct mailbox *mailbox);
int mailbox_end_fd(const struct mailbox *mailbox);

/* The control thread's side. Publishing gives the snapshot its seq. */
void mailbox_publish(struct mailbox *mailbox, struct snapshot *snapshot);
int mailbox_command_fd(const struct mailbox *mailbox);           /* readable while commands may wait */
bool mailbox_take(struct mailbox *mailbox, struct command *out); /* false = none left */

/* No newer snapshot will come and no command is taken any more. */
void mailbox_close(struct mailbox *mailbox);

#endif
