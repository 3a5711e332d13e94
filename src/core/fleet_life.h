/* SPDX-License-Identifier: MIT */
/* The table of an instance's life: what each event means in each state. For fleet.c. */
#ifndef CORE_FLEET_LIFE_H
#define CORE_FLEET_LIFE_H
#include "core/action.h"
#include "core/event.h"
#include "core/instance.h"
#include "core/journal.h"

enum life_event {
    LIFE_SPAWNED,
    LIFE_SPAWN_FAILED,
    LIFE_HEALTHY,
    LIFE_BUSY,
    LIFE_UNREADY,
    LIFE_LIFELESS, /* it is ended for it */
    LIFE_SUSPENDED,
    LIFE_DRAINED,
    LIFE_EXITED,
    LIFE_TIMEOUT,
    LIFE_LEAVE, /* orders from here on */
    LIFE_RESTART,
    LIFE_KILL,
};

enum life_next {
    NEXT_SAME = INSTANCE_STATE_COUNT, /* stays as it is */
    NEXT_BY_FATE,                     /* its processes are gone */
    NEXT_START,                       /* another try */
    NEXT_GONE,                        /* had no process: remove it */
};

/* A set of actions holds one bit a kind. */
#define LIFE_DO(kind) (1u << (kind))

struct life_row {
    enum instance_state state;
    enum life_event event;
    int next;         /* enum instance_state or enum life_next */
    unsigned actions; /* LIFE_DO() of enum action_kind */
    enum journal_level level;
    const char *note; /* $t = time spent in the state, $w = why; NULL = not worth a line */
};

/* NULL: the event means nothing in this state. */
const struct life_row *life_find(enum instance_state state, enum life_event event);

#endif
