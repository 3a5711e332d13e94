/* SPDX-License-Identifier: MIT */
/* What ascale-tui was asked to do on its command line. Written once at start; all text belongs to argv. */
#ifndef TUI_CLI_H
#define TUI_CLI_H
#include "core/units.h"

#define CLI_SETTINGS_MAX 128

struct cli {
    const char *config_path; /* NULL: look in the usual places */
    int setting_count;
    const char *settings[CLI_SETTINGS_MAX]; /* "section.key=value", in order */
    const char *glyphs, *state_directory;   /* short for a setting */
    bool headless, plain, mono, read_only, dry_run;
    bool dump_config, check_config, help_keys;
    usec_t duration;                     /* 0: until told */
    int snapshot_width, snapshot_height; /* 0: none asked for */
    const char *fixture;
};

/* -1: go on; otherwise the exit status, as of args_read(). */
int cli_read(struct cli *cli, int argc, char **argv);

#endif
