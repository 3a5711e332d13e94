/* SPDX-License-Identifier: MIT */
/* The state directory: ours alone while we run, and what the next controller must know if we crash.
 * Quick: nothing here waits for the disk. Any one thread at a time. */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H
#include "core/hold.h"
#include "core/instance.h"
#include "core/units.h"
#include "target/survivors.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_VERSION       1
#define STATE_PATH_MAX      256
#define STATE_SECTIONS_SIZE 128

/* A process by a name that is never reused: its pid together with the instant it started. */
struct state_process {
    int pid; /* 0 = none */
    uint64_t start_ticks;
};

struct state_instance {
    int id, port;
    bool ready;
    bool old; /* a roll has yet to replace it */
    struct state_process process;
};

struct state_record {
    struct state_process balancer;
    struct hold hold;
    int roll;                           /* a roll is under way, and so many are wanted; 0 = none is */
    bool left;                          /* its operator has let them serve on; else it ended unasked */
    char ini[STATE_PATH_MAX];           /* the file of its settings, absolute; "" = none */
    char sections[STATE_SECTIONS_SIZE]; /* that the file had settings of, as config_name_sections() */
    int instance_count;
    struct state_instance instances[INSTANCES_MAX];
};

struct state {
    char directory[STATE_PATH_MAX];
    int lock_fd, directory_fd;      /* -1 = not open */
    char mark[SURVIVORS_MARK_SIZE]; /* of our instances; "" = none */
    int foreign_pid; /* the controller that took the place after ours was moved away; 0 = none: nothing is
                        written then */
    struct state_record saved;
    bool has_saved;
};

/* The configured directory, else $XDG_STATE_HOME/ascale, else ~/.local/state/ascale. False: there is no such
 * place, or its name is too long; err says which. */
bool state_find_directory(const char *configured, char out[STATE_PATH_MAX], char *err, size_t err_size);

/* Creates the directory for us only and locks it. False: err says why, naming the controller that holds it.
 */
bool state_open(struct state *state, const char *directory, char *err, size_t err_size);

/* Whether the directory and our lock in it are still where they were. */
bool state_is_there(const struct state *state);

/* Makes them again after somebody moved or removed them: under the same name, with the mark of our instances,
 * and the record is due. 0 or -errno: -EWOULDBLOCK where another controller was quicker, and foreign_pid is
 * its. */
int state_restore(struct state *state);

/* Unlocks. The record stays for the next start unless it was forgotten. */
void state_close(struct state *state);

/* "DIRECTORY/name"; false when that is longer than out. */
bool state_path(const struct state *state, const char *name, char *out, size_t size);

/* The same for a socket, whose path may be no longer than sockaddr_un allows: where it would be, a short one
 * that leads there for as long as this process lives. */
bool state_socket_path(const struct state *state, const char *name, char *out, size_t size);

/* What an earlier controller left. False: nothing (err is "") or nothing usable (err says why). */
bool state_load(const struct state *state, struct state_record *out, char *err, size_t err_size);

/* Writes the record when it differs from the last that was written; the file holds the old or the new, whole.
 * 0 or -errno. */
int state_save(struct state *state, const struct state_record *record);
void state_forget(struct state *state);

/* When the process started, in the kernel's ticks; 0 = there is no such process. */
uint64_t state_start_ticks(int pid);

/* The same process still lives (as more than a zombie). */
bool state_process_alive(const struct state_process *process);

#endif
