/* SPDX-License-Identifier: MIT */
/* The names of an instance's states. */
#include "core/instance.h"

const char *const instance_state_names[INSTANCE_STATE_COUNT] = {
    [INSTANCE_NONE] = "NONE",         [INSTANCE_STARTING] = "STARTING", [INSTANCE_READY] = "READY",
    [INSTANCE_BUSY] = "BUSY",         [INSTANCE_UNREADY] = "UNREADY",   [INSTANCE_DRAINING] = "DRAINING",
    [INSTANCE_STOPPING] = "STOPPING", [INSTANCE_KILLING] = "KILLING",   [INSTANCE_BACKOFF] = "BACKOFF",
    [INSTANCE_FAILED] = "FAILED",
};

const char *instance_state_name(enum instance_state state)
{
    return (unsigned)state < INSTANCE_STATE_COUNT ? instance_state_names[state] : "?";
}
