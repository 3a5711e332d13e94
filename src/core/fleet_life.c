/* SPDX-License-Identifier: MIT */
/* The life of an instance.
 *
 *               SPAWN           ADMIT              DRAIN              TERM            KILL
 *     (none) --------> STARTING -----> READY ----------> DRAINING -------> STOPPING -------> KILLING
 *                       ^    |          ^  |   order       drained,          timeout          |  exited
 *                next   |    | failed   |  | no answer     timeout                            v
 *                try    |    v          |  v                                        leaves: REMOVE, (none)
 *                    BACKOFF,        BUSY <-> UNREADY                               restart: SPAWN, STARTING
 *                     FAILED            no sign of life -> KILLING                  else it failed: SPAWN,
 *                                                                                   BACKOFF or FAILED
 *
 * One whose checks wait behind its requests is BUSY and stays in; one that answers them badly, or not at all
 * with nothing to do, is UNREADY and gets no requests. Neither is ended for it: only what shows no sign of
 * life is, one at a time (fleet.c). The table says it exactly: one row a state and event; what has no row is
 * ignored, for answers may come late. Where an instance goes when its processes have ended is not the row's
 * to say but its fate's (fleet.h). */
#include "core/fleet_life.h"

#define DO(kind) LIFE_DO(kind)

static const struct life_row life[] = {
    {INSTANCE_STARTING, LIFE_SPAWNED, NEXT_SAME, 0},
    {INSTANCE_STARTING, LIFE_SPAWN_FAILED, NEXT_BY_FATE, 0},
    {INSTANCE_STARTING, LIFE_UNREADY, NEXT_SAME, 0},
    {INSTANCE_STARTING, LIFE_HEALTHY, INSTANCE_READY, DO(ACTION_ADMIT), LEVEL_INFO, "ready in $t"},
    {INSTANCE_STARTING, LIFE_EXITED, NEXT_BY_FATE, 0},
    {INSTANCE_STARTING, LIFE_TIMEOUT, INSTANCE_KILLING, DO(ACTION_KILL), LEVEL_WARNING,
     "not ready within $t$w; killing it"},
    {INSTANCE_STARTING, LIFE_LEAVE, INSTANCE_STOPPING, DO(ACTION_TERM)},
    {INSTANCE_STARTING, LIFE_RESTART, INSTANCE_STOPPING, DO(ACTION_TERM)},
    {INSTANCE_STARTING, LIFE_KILL, INSTANCE_KILLING, DO(ACTION_KILL), LEVEL_INFO, "killed by the operator"},

    {INSTANCE_READY, LIFE_BUSY, INSTANCE_BUSY, DO(ACTION_SPARE), LEVEL_INFO,
     "is busy: its health checks wait behind its requests$w"},
    {INSTANCE_READY, LIFE_UNREADY, INSTANCE_UNREADY, DO(ACTION_EJECT), LEVEL_WARNING,
     "fails its health checks$w; gets no requests until it recovers"},
    {INSTANCE_READY, LIFE_SUSPENDED, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is stopped by a signal and does not answer$w; killing it"},
    {INSTANCE_READY, LIFE_LIFELESS, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is not alive any more$w; killing it"},
    {INSTANCE_READY, LIFE_EXITED, NEXT_BY_FATE, DO(ACTION_EJECT)},
    {INSTANCE_READY, LIFE_LEAVE, INSTANCE_DRAINING, DO(ACTION_DRAIN)},
    {INSTANCE_READY, LIFE_RESTART, INSTANCE_DRAINING, DO(ACTION_DRAIN)},
    {INSTANCE_READY, LIFE_KILL, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_INFO,
     "killed by the operator"},

    {INSTANCE_BUSY, LIFE_HEALTHY, INSTANCE_READY, DO(ACTION_ADMIT), LEVEL_INFO,
     "answers its checks again after $t"},
    {INSTANCE_BUSY, LIFE_BUSY, NEXT_SAME, 0},
    {INSTANCE_BUSY, LIFE_UNREADY, INSTANCE_UNREADY, DO(ACTION_EJECT), LEVEL_WARNING,
     "fails its health checks$w; gets no requests until it recovers"},
    {INSTANCE_BUSY, LIFE_SUSPENDED, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is stopped by a signal and does not answer$w; killing it"},
    {INSTANCE_BUSY, LIFE_LIFELESS, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is not alive any more$w; killing it"},
    {INSTANCE_BUSY, LIFE_EXITED, NEXT_BY_FATE, DO(ACTION_EJECT)},
    {INSTANCE_BUSY, LIFE_LEAVE, INSTANCE_DRAINING, DO(ACTION_DRAIN)},
    {INSTANCE_BUSY, LIFE_RESTART, INSTANCE_DRAINING, DO(ACTION_DRAIN)},
    {INSTANCE_BUSY, LIFE_KILL, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_INFO,
     "killed by the operator"},

    {INSTANCE_UNREADY, LIFE_HEALTHY, INSTANCE_READY, DO(ACTION_ADMIT), LEVEL_INFO,
     "healthy again after $t; gets requests again"},
    {INSTANCE_UNREADY, LIFE_BUSY, INSTANCE_BUSY, DO(ACTION_SPARE)},
    {INSTANCE_UNREADY, LIFE_UNREADY, NEXT_SAME, 0},
    {INSTANCE_UNREADY, LIFE_SUSPENDED, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is stopped by a signal and does not answer$w; killing it"},
    {INSTANCE_UNREADY, LIFE_LIFELESS, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is not alive any more$w; killing it"},
    {INSTANCE_UNREADY, LIFE_EXITED, NEXT_BY_FATE, DO(ACTION_EJECT)},
    {INSTANCE_UNREADY, LIFE_LEAVE, INSTANCE_DRAINING, DO(ACTION_DRAIN)},
    {INSTANCE_UNREADY, LIFE_RESTART, INSTANCE_DRAINING, DO(ACTION_DRAIN)},
    {INSTANCE_UNREADY, LIFE_KILL, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_INFO,
     "killed by the operator"},

    {INSTANCE_DRAINING, LIFE_DRAINED, INSTANCE_STOPPING, DO(ACTION_TERM), LEVEL_INFO,
     "drained in $t; stopping"},
    {INSTANCE_DRAINING, LIFE_TIMEOUT, INSTANCE_STOPPING, DO(ACTION_TERM), LEVEL_WARNING,
     "still busy after $t of draining; stopping it all the same"},
    {INSTANCE_DRAINING, LIFE_SUSPENDED, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_WARNING,
     "is stopped by a signal and will not finish its requests$w; killing it"},
    {INSTANCE_DRAINING, LIFE_EXITED, NEXT_BY_FATE, DO(ACTION_EJECT)},
    {INSTANCE_DRAINING, LIFE_LEAVE, NEXT_SAME, 0},
    {INSTANCE_DRAINING, LIFE_KILL, INSTANCE_KILLING, DO(ACTION_EJECT) | DO(ACTION_KILL), LEVEL_INFO,
     "killed by the operator"},

    {INSTANCE_STOPPING, LIFE_SPAWNED, NEXT_SAME, DO(ACTION_TERM)},
    {INSTANCE_STOPPING, LIFE_SPAWN_FAILED, NEXT_BY_FATE, 0},
    {INSTANCE_STOPPING, LIFE_EXITED, NEXT_BY_FATE, 0},
    {INSTANCE_STOPPING, LIFE_TIMEOUT, INSTANCE_KILLING, DO(ACTION_KILL), LEVEL_WARNING,
     "has not stopped $t after TERM; killing all of its processes"},
    {INSTANCE_STOPPING, LIFE_LEAVE, NEXT_SAME, 0},
    {INSTANCE_STOPPING, LIFE_KILL, INSTANCE_KILLING, DO(ACTION_KILL), LEVEL_INFO, "killed by the operator"},

    {INSTANCE_KILLING, LIFE_SPAWNED, NEXT_SAME, DO(ACTION_KILL)},
    {INSTANCE_KILLING, LIFE_SPAWN_FAILED, NEXT_BY_FATE, 0},
    {INSTANCE_KILLING, LIFE_EXITED, NEXT_BY_FATE, 0},
    {INSTANCE_KILLING, LIFE_TIMEOUT, INSTANCE_KILLING, DO(ACTION_KILL), LEVEL_ERROR,
     "still there $t after KILL; trying again"},
    {INSTANCE_KILLING, LIFE_LEAVE, NEXT_SAME, 0},
    {INSTANCE_KILLING, LIFE_RESTART, NEXT_SAME, 0},

    {INSTANCE_BACKOFF, LIFE_TIMEOUT, NEXT_START, 0},
    {INSTANCE_BACKOFF, LIFE_LEAVE, NEXT_GONE, 0},
    {INSTANCE_BACKOFF, LIFE_RESTART, NEXT_START, 0},

    {INSTANCE_FAILED, LIFE_TIMEOUT, NEXT_START, 0},
    {INSTANCE_FAILED, LIFE_LEAVE, NEXT_GONE, 0},
    {INSTANCE_FAILED, LIFE_RESTART, NEXT_START, 0},
};

const struct life_row *life_find(enum instance_state state, enum life_event event)
{
    for (size_t i = 0; i < sizeof life / sizeof *life; i++)
        if (life[i].state == state && life[i].event == event)
            return &life[i];
    return NULL;
}
