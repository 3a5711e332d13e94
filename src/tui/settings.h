/* SPDX-License-Identifier: MIT */
/* From the command line to settings, and settings back to text. Main thread, before control starts. */
#ifndef TUI_SETTINGS_H
#define TUI_SETTINGS_H
#include "control/config_load.h"
#include "tui/cli.h"
#include <limits.h>

struct settings {
    struct config config;
    struct config_sources sources; /* for reading them again; its list is the one below */
    const char *overrides[CLI_SETTINGS_MAX + 2];
    char state_override[512], glyphs_override[64];
    char path[PATH_MAX]; /* of the file read; "" = none */
    unsigned sections;   /* that the file has settings of */
};

/* Built-in defaults < the file < -s and its short forms. False: err says what is wrong, and where. */
bool settings_load(struct settings *settings, const struct cli *cli, char *err, size_t err_size);

/* --dump-config; returns the exit status. */
int settings_print(const struct settings *settings);

/* --check-config: every fault and warning, not the first; returns the exit status. */
int settings_check(struct settings *settings, const struct cli *cli);

#endif
