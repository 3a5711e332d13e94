/* SPDX-License-Identifier: MIT */
/* The control thread: turns of samples, events and commands through the engine, its actions carried out by
 * the target and the balancer, and a snapshot of it all for whoever looks. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H
#include "control/config_load.h"
#include "control/state.h"
#include "core/port.h"

struct control;

/* Where our other programs lie. */
struct control_programs {
    const char *directory; /* put first in the PATH of instances */
    const char *launcher, *balancer, *load;
};

/* Borrowed until control_free(). */
struct control_setup {
    const struct config *config;
    const struct config_sources *sources; /* where it came from: for reading it again */
    const char *config_path;              /* the file it was read from, for saving; "" = none */
    unsigned config_sections;             /* that it has settings of: config_load_sections() */
    struct state *state;                  /* open; closed by the caller, after control_free() */
    const struct control_programs *programs;
    bool dry_run;    /* decide and say, keep the count at the minimum */
    bool read_only;  /* refuse commands that change anything */
    usec_t duration; /* stop in order after this; 0 = until told */
    /* It listens to TERM and INT (stop in order), HUP and USR1 (open the log anew); the caller has blocked
     * them. So nothing that the face in front of it is stuck in can keep it from hearing them. */
    bool takes_signals;
    int64_t files_max; /* how many may be open; 0 = not known */
    bool hup_reloads;  /* HUP reads the settings again; else it ends as TERM does */
};

/* Opens everything: binds the balancer's address, takes over what lives on from a crash. NULL: err says why
 * and nothing is left running. The calling thread must have blocked the signals that others wait for. */
struct control *control_new(const struct control_setup *setup, char *err, size_t err_size);

/* Starts the thread; it ends after a quit has been carried out in order. 0 or -errno. */
int control_start(struct control *control);

/* For readers, from any thread, until control_free(). */
struct port control_port(struct control *control);
int control_wake_fd(const struct control *control); /* eventfd, readable when a snapshot is new */
int control_end_fd(
    const struct control *control); /* readable, for good, once the thread has ended its work */

/* Waits for the thread. True: all was stopped in order. */
bool control_join(struct control *control);
void control_free(struct control *control);

#endif
