/* SPDX-License-Identifier: MIT */
/* What the operator sees of a running control room: a screen, lines on a terminal, or lines in a log. Main
 * thread. */
#ifndef TUI_FACE_H
#define TUI_FACE_H
#include "control/control.h"
#include "tui/cli.h"

enum face { FACE_SCREEN, FACE_PLAIN, FACE_HEADLESS };

/* Says so when there is no terminal to show a screen on. */
enum face face_choose(const struct cli *cli);

/* Blocks the signals this face listens to, before there is a second thread that could get them. Returns their
 * signalfd, or -1. */
int face_open_signals(enum face face);

/* Shows what control does until it has ended. Whatever becomes of the face, everything is then being stopped
 * in order; false: the face failed, and that was told. */
bool face_show(enum face face, struct control *control, const struct cli *cli, int signal_fd);

/* The key table on standard output; false when that cannot be written. */
bool face_print_keys(void);

#endif
