/* SPDX-License-Identifier: MIT */
/* What can be scaled. A target carries out actions and measures; it decides nothing.
 * All calls come from the control thread and none blocks; results arrive through the setup's callbacks, from
 * the loop and never from within a call. The process target expects its caller to be a child subreaper
 * (PR_SET_CHILD_SUBREAPER), and takes children in another session than the caller's for orphans of instances
 * unless is_own says otherwise. */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H
#include "core/action.h"
#include "core/config.h"
#include "core/event.h"
#include "core/journal.h"
#include "core/sample.h"

struct loop;
struct snapshot;

struct target_setup {
    struct loop *loop;
    const struct config *config; /* borrowed until close; changes are announced by reconfigure */
    const char *state_dir;       /* exists, 0700 */
    const char *launcher;        /* path of ascale-launch */
    const char *program_dir; /* where our own programs lie: put first in the PATH of instances; may be NULL */
    void *ctx;
    void (*event)(void *ctx, const struct event *event);
    void (*note)(void *ctx, enum journal_level level, int instance, const char *text);
    /* Whether a child process is a program of the caller's own. May be NULL. */
    bool (*is_own)(void *ctx, int pid);
    /* The first values have come: a step need not wait for its time. May be NULL. */
    void (*first_sample)(void *ctx);
};

struct target_adoption {
    int id, pid, port;
    uint64_t start_ticks;
    bool ready;
};

struct target_ops {
    const char *name;
    unsigned flags; /* enum target_flag */
    /* NULL on failure with the reason in err. */
    void *(*open)(const struct target_setup *setup, char *err, size_t err_size);
    void (*reconfigure)(void *target, const struct config *config);
    /* The newest values it has; per-instance targets append one entry an instance. */
    void (*sample)(void *target, struct sample *out, usec_t now);
    /* Starts it; what became of it comes as an event. ADMIT, EJECT and DRAIN are the balancer's, not the
     * target's. */
    void (*apply)(void *target, const struct action *action, usec_t now);
    /* Takes over an instance that outlived an earlier controller; start_ticks is field 22 of its
     * /proc/PID/stat, ready says that it had passed its checks. False, with the reason: that process is not
     * there any more, and what it may have left behind is ended. Then tell the engine with engine_adopt().
     * May be NULL. */
    bool (*adopt)(void *target, const struct target_adoption *adoption, usec_t now, char *err,
                  size_t err_size);
    /* Instances of an earlier controller with the same state directory that live, recorded or not; which of
     * them had passed its checks is not known (ready is false). Returns how many. May be NULL, as may: kills
     * what is left of instances that were not adopted, and returns how many processes that were. */
    int (*survivors)(void *target, struct target_adoption *out, int max);
    int (*end_rest)(void *target);
    /* Fills the fields of the snapshot that only it knows (last log lines, remote view). */
    void (*view)(void *target, struct snapshot *out, usec_t now);
    /* The last lines of an instance's log, oldest first; returns how many. May be NULL. */
    int (*log_tail)(void *target, int id, char lines[][200], int max);
    /* Ends its own timers and connections; running instances are not touched. */
    void (*close)(void *target);
};

extern const struct target_ops target_process; /* our own processes on this machine */
extern const struct target_ops target_http;    /* an application behind an API */

/* By its name in the ini; NULL = none such. */
const struct target_ops *target_find(const char *name);

#endif
