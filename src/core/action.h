/* SPDX-License-Identifier: MIT */
/* What a target can do, and what it is told to do. Plain values. */
#ifndef CORE_ACTION_H
#define CORE_ACTION_H

/* What a target can do; keys that make no sense for it are greyed. */
enum target_flag {
    TARGET_INSTANCES = 1 << 0, /* per-instance actions, pids, logs */
    TARGET_COUNT = 1 << 1,     /* takes an absolute count */
    TARGET_BALANCED = 1 << 2,  /* our balancer is in its path */
};

/* What to do now; each is answered by an event. */
enum action_kind {
    ACTION_SPAWN,  /* start instance id; one that ended is started again under its id, without a REMOVE */
    ACTION_ADMIT,  /* give it requests */
    ACTION_SPARE,  /* give it requests only while no other has room */
    ACTION_EJECT,  /* give it none, at once */
    ACTION_DRAIN,  /* no new requests; EVENT_DRAINED when none is in flight */
    ACTION_TERM,   /* ask it to stop */
    ACTION_KILL,   /* end all of its processes */
    ACTION_REMOVE, /* it is gone: forget its backend, port and files */
    ACTION_COUNT,  /* TARGET_COUNT: order `count` replicas */
};

struct action {
    enum action_kind kind;
    int id;    /* instance */
    int count; /* of ACTION_COUNT */
};

#endif
