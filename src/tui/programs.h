/* SPDX-License-Identifier: MIT */
/* Where our other programs are: beside this one, else in libexecdir; $ASCALE_PROGRAM_DIR goes before both. */
#ifndef TUI_PROGRAMS_H
#define TUI_PROGRAMS_H
#include "control/control.h"

#define PROGRAMS_PATH_MAX 600

struct programs {
    char directory[512];
    char launcher[PROGRAMS_PATH_MAX], balancer[PROGRAMS_PATH_MAX], load[PROGRAMS_PATH_MAX];
    struct control_programs view; /* points into the texts above */
};

/* False: one that these settings need is missing; err says which and where it was looked for. */
bool programs_find(struct programs *programs, const struct config *config, char *err, size_t err_size);

#endif
