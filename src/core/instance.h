/* SPDX-License-Identifier: MIT */
/* The words for an instance's life, shared by fleet, snapshot, commands and screen. */
#ifndef CORE_INSTANCE_H
#define CORE_INSTANCE_H

/* The most instances anything in the house can hold. */
#define INSTANCES_MAX 256

enum instance_state {
    INSTANCE_NONE,     /* the slot is free */
    INSTANCE_STARTING, /* spawned or about to be, not yet ready */
    INSTANCE_READY,    /* healthy and admitted to the balancer */
    INSTANCE_BUSY,     /* its checks wait behind its requests: counts as ready and fully used */
    INSTANCE_UNREADY,  /* was ready, fails its checks: out of the balancer, but alive */
    INSTANCE_DRAINING, /* gets no new requests, finishes those in flight */
    INSTANCE_STOPPING, /* told to stop (TERM), given stop_timeout */
    INSTANCE_KILLING,  /* KILL sent to all of it */
    INSTANCE_BACKOFF,  /* failed; waits before the next start */
    INSTANCE_FAILED,   /* failed again and again; the next try is the longest wait away */
    INSTANCE_STATE_COUNT
};

extern const char *const instance_state_names[INSTANCE_STATE_COUNT];
const char *instance_state_name(enum instance_state state); /* "STARTING", ... */

#endif
