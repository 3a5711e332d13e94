/* SPDX-License-Identifier: MIT */
/* What comes back in: a wish of the operator or of another program, and the answer to it.
 * Plain values; the poster chooses nothing but the kind and its arguments, the port gives the id. */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H
#include <stdbool.h>
#include <stdint.h>

enum command_kind {
    CMD_NONE,
    CMD_SCALE,        /* count = desired instances */
    CMD_AUTO,         /* decisions by the strategy again; ends a floor or ceiling */
    CMD_MANUAL,       /* hold the present desired count */
    CMD_SET,          /* text = "section.key=value" lines; live options only, all or none */
    CMD_PREVIEW,      /* text as CMD_SET: what would be decided now; answer in the detail slot */
    CMD_SAVE_PREVIEW, /* the diff that CMD_SAVE would write; answer in the detail slot */
    CMD_SAVE, /* write changed settings to the ini; text = id of the preview that was agreed to, or "" */
    CMD_RELOAD_PREVIEW, /* what CMD_RELOAD would change; answer in the detail slot */
    CMD_RELOAD,         /* read the ini again; count 1: though whole sections have gone from it */
    CMD_LOAD_START,     /* text = "load.key=value" lines for this run; none = as configured */
    CMD_LOAD_SET,       /* text as above, of a running load */
    CMD_LOAD_STOP,
    CMD_INSTANCE_DRAIN, /* instance = id; the rest of these too */
    CMD_INSTANCE_RESTART,
    CMD_INSTANCE_STOP,
    CMD_INSTANCE_KILL,
    CMD_ROLL, /* replace all instances by new ones, one at a time, each ready before an old one goes */
    CMD_DETAIL_INSTANCE, /* health, history and log tail into the detail slot, kept fresh */
    CMD_DETAIL_NONE,
    CMD_ALERT_ACK,
    CMD_QUIT,  /* stop all in order, then end; asked again: without patience, unless count is 1 */
    CMD_LEAVE, /* end; instances and balancer serve on, the next start takes them over */
    CMD_COUNT
};

#define COMMAND_TEXT_MAX 512
#define ANSWER_TEXT_MAX  400

struct command {
    uint64_t id; /* given by the port */
    enum command_kind kind;
    int count;
    int instance;
    char text[COMMAND_TEXT_MAX];
};

struct answer {
    uint64_t id; /* of the command; 0 = empty */
    bool accepted;
    char text[ANSWER_TEXT_MAX]; /* what was done, or why not */
};

#endif
