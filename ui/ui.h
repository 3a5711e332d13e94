/* SPDX-License-Identifier: MIT */
/* The control room's front door. Everything the screen needs comes in here: the port to control, a clock, the
 * descriptors to wait on. Main thread only. The caller has set LC_CTYPE and blocked the signals of signal_fd.
 */
#ifndef UI_UI_H
#define UI_UI_H
#include "core/port.h"
#include <stdio.h>

struct ui_options {
    usec_t (*now)(void); /* the monotonic clock of the snapshots */
    int signal_fd;       /* signalfd of WINCH, TSTP, CONT, borrowed; -1 = none */
    int wake_fd; /* eventfd, readable when a snapshot is new; read here, borrowed; -1 = the frame timer alone
                  */
    int end_fd;  /* readable when control has ended; borrowed; -1 = the snapshot says when it is over */
    bool read_only; /* keys that change anything are refused */
    bool mono;      /* no colors, whatever the palette says; NO_COLOR does the same */
    bool color;     /* of ui_print_snapshot() alone: with color sequences */
    /* Of ui_run_plain() alone: takes a line without its end, and never blocks. */
    void (*line)(void *context, const char *text);
    void *line_context;
};

/* False where a screen makes no sense: no terminal on stdin or stdout, TERM unset, unknown or without
 * a cursor to move. Then use plain. */
bool ui_possible(void);

/* Runs the screen until control has ended. 0 = in order, -EIO = the terminal went away (post CMD_QUIT, and
 * wait for control), other -errno = the terminal could not be opened; message in err. */
int ui_run(const struct port *port, const struct ui_options *opts, char *err, size_t err_size);

/* Makes the terminal of a screen that is stuck sane again, as far as it takes anything, from any thread: the
 * process ends next. */
void ui_abandon(void);

/* One timestamped line an event or decision to opts->line, until control has ended. 0 or -ENOMEM. */
int ui_run_plain(const struct port *port, const struct ui_options *opts);

/* Prints the main screen as it would be at this size (1x1..400x120). 0 or -errno. */
int ui_print_snapshot(const struct snapshot *snapshot, int width, int height, const struct ui_options *opts,
                      FILE *out);

/* The key table as "keys<TAB>what it does" lines: for --help-keys and the man page's test. */
void ui_print_keys(FILE *out);

#endif
