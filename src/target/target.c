/* SPDX-License-Identifier: MIT */
/* The table of targets. */
#include "target/target.h"
#include <string.h>

static const struct target_ops *const targets[] = {&target_process, &target_http};

const struct target_ops *target_find(const char *name)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(targets[i]->name, name) == 0)
            return targets[i];
    return NULL;
}
