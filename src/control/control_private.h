/* SPDX-License-Identifier: MIT */
/* What the files of the control thread share: control.c (turns, events, actions), ending.c (stopping),
 * commands.c (what the operator wants), publish.c (what goes out), adopt.c (what an earlier controller left).
 * Nobody else includes it; everything in it belongs to the control thread. */
#ifndef CONTROL_CONTROL_PRIVATE_H
#define CONTROL_CONTROL_PRIVATE_H
#include "base/loop.h"
#include "control/balancer.h"
#include "control/control.h"
#include "control/loadgen.h"
#include "control/mailbox.h"
#include "core/backoff.h"
#include "core/engine.h"
#include "target/target.h"
#include <pthread.h>

/* Ending goes one way, a stage after the other. */
enum stage { STAGE_RUN, STAGE_STOP_LOAD, STAGE_STOP_INSTANCES, STAGE_STOP_BALANCER, STAGE_DONE };

/* An instance that has processes. */
struct live_instance {
    int id, port, pid;
    bool ready; /* takes requests */
};

struct control {
    struct control_setup setup;
    struct config config;    /* in force */
    struct config on_file;   /* what the ini and the command line say: the rest is unsaved */
    struct config candidate; /* of the command at hand */
    unsigned sections;       /* that the ini has settings of */
    uint64_t shown_save;     /* the newest CMD_SAVE_PREVIEW, and the mark of its plan */
    uint64_t shown_mark;
    char ini[STATE_PATH_MAX]; /* its name from the root; "" = none */

    struct loop *loop;
    struct mailbox *mailbox;
    struct loop_watch command_watch;
    struct engine *engine;
    void *engine_scratch;
    const struct target_ops *ops;
    void *target;
    struct balancer *balancer; /* NULL = none in the path */
    struct loadgen *loadgen;
    pthread_t thread;
    bool started, orderly;

    int live_count;
    struct live_instance live[INSTANCES_MAX];
    bool record_due;  /* what the record says may have changed */
    usec_t record_at; /* not before */
    usec_t place_check_at;
    bool place_lost; /* the state directory could not be made again yet, and that was said */
    struct backoff record_backoff;

    usec_t started_at, next_step_at, burst_step_at, end_at;
    enum stage stage;
    usec_t stage_deadline;
    bool hurried, leaving;

    bool dirty; /* something to publish */
    usec_t publish_at;
    uint64_t logged_seq; /* of the journal */
    int detail_instance; /* kept fresh; 0 = none */
    int unsaved;
    struct sample sample;
    struct snapshot snapshot; /* detail, answers and alert live here; the rest is filled anew */
    struct state_record record, next_record;
};

/* commands.c */
void commands_run(struct control *control, const struct command *command);

/* publish.c */
void publish_prepare(struct control *control);
void publish_config(struct control *control);
void publish_answer(struct control *control, uint64_t id, bool accepted, const char *text);
void publish_detail_instance(struct control *control);
void publish_snapshot(struct control *control, usec_t now);

/* adopt.c */
/* Instances live whose ini is gone, and no other was named: err says so. */
bool adopt_is_orphaned(const struct control *control, const struct state_record *left, char *err,
                       size_t err_size);
void adopt_survivors(struct control *control, const struct state_record *left);
void adopt_record(struct control *control);

/* ending.c */
void ending_quit(struct control *control); /* asked again: sooner */
void ending_leave(struct control *control);
void ending_advance(struct control *control, usec_t now); /* once a turn, before actions are carried out */

/* control.c */
void control_apply_config(struct control *control, const struct config *config);
void control_note(struct control *control, enum journal_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void control_track(struct control *control, int id, int port, int pid);
void control_admit(struct control *control, int id);

#endif
