/* SPDX-License-Identifier: MIT */
/* How whoever looks (screen, API) reaches control. Both calls are quick and safe from any thread. */
#ifndef CORE_PORT_H
#define CORE_PORT_H
#include "core/command.h"
#include "core/snapshot.h"

struct port {
    void *ctx;
    /* Copies the newest snapshot into *out when its seq differs from out->seq; false = nothing newer. */
    bool (*read)(void *ctx, struct snapshot *out);
    /* Queues a copy of the command; returns its id, by which its answer is found, or 0 when the queue is
     * full. */
    uint64_t (*post)(void *ctx, const struct command *command);
};

#endif
