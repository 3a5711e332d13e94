/* SPDX-License-Identifier: MIT */
/* The settings in force, written into the ini as it is at that moment. Any thread. */
#ifndef CONTROL_CONFIG_SAVE_H
#define CONTROL_CONFIG_SAVE_H
#include "control/config_load.h"
#include <stdint.h>

struct config_save {
    const char *path;
    const struct config_sources *sources; /* what the command line says is not written */
    const struct config *read;            /* as it was read, command line included */
    const struct config *now;             /* in force */
    unsigned sections;                    /* that the file had when it was read */
};

/* What saving would do; all of it the plan's own, see config_plan_free(). */
struct config_plan {
    char *old; /* NULL: there is no file (any more) */
    size_t old_size;
    char *text;     /* has been read back and checked */
    char *diff;     /* unified; "" when nothing would change */
    char note[400]; /* what to ask about besides; "" = nothing */
    bool secret;    /* a new file would hold secrets */
};

/* Compares with the file as it is now. Written are the settings that were changed since it was read, and
 * those live ones that somebody else changed in the file; where that file would be no good, or has lost
 * sections, all that differ. A file that is gone is made anew of all that are not the defaults. False: err
 * says why nothing can be saved, and there is no plan. */
bool config_plan_save(const struct config_save *save, struct config_plan *plan, char *err, size_t err_size);

/* The same number for the same change of the same file. */
uint64_t config_plan_mark(const struct config_plan *plan);

/* Does it, if the file is still the one that the plan was made of. False: err says why not, the reason first.
 */
bool config_save(const char *path, const struct config_plan *plan, char *err, size_t err_size);

void config_plan_free(struct config_plan *plan);

#endif
