/* SPDX-License-Identifier: MIT */
/* A control thread that is not there: gives out the snapshot a test fills, keeps what is posted, answers it.
 */
#ifndef TESTS_FAKE_PORT_H
#define TESTS_FAKE_PORT_H
#include "core/port.h"

#define FAKE_POSTED_MAX 64

struct fake_port {
    struct port port;
    struct snapshot *snapshot;              /* change it, then fake_publish() */
    struct command posted[FAKE_POSTED_MAX]; /* the newest ones, oldest first */
    int posted_count;
    uint64_t next_id;
    bool full;          /* refuse to queue */
    const char *refuse; /* refuse every command with these words; NULL = accept */
};

/* From a fixture of tests/unit/fixtures, without ".json"; fails the test when it cannot be read. */
void fake_port_init(struct fake_port *fake, const char *fixture);
void fake_port_fini(struct fake_port *fake);
void fake_publish(struct fake_port *fake);
/* The newest command, its kind CMD_NONE when none was posted; forgets all of them. */
struct command fake_take(struct fake_port *fake);
/* A file of the source tree. */
void fake_source_path(char *out, size_t size, const char *name);

#endif
