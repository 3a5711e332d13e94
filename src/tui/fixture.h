/* SPDX-License-Identifier: MIT */
/* --snapshot with --fixture: the main screen of a state of affairs that was written down. */
#ifndef TUI_FIXTURE_H
#define TUI_FIXTURE_H
#include "tui/cli.h"

/* Returns the exit status. */
int fixture_print(const struct cli *cli);

#endif
