/* SPDX-License-Identifier: MIT */
/* One instance of the process target, from its launch to the end of its last process. Whatever the brain
 * calls it, here it lives like this:
 *
 *   FREE -> LAUNCHING -> RUNNING -> ENDING -> GONE -> (started again, or removed) FREE
 *
 * LAUNCHING ends when the error pipe closes: empty means the command runs. ENDING begins when the leader (the
 * process that was started) has ended; what it left behind gets TERM, then KILL, and only when nothing is
 * left EVENT_EXITED says so. Events go out from the loop only. The control thread. */
#ifndef TARGET_PROCESS_INSTANCE_H
#define TARGET_PROCESS_INSTANCE_H
#include "target/applog.h"
#include "target/cgroup.h"
#include "target/health.h"
#include "target/proctree.h"
#include "target/requests.h"
#include "target/survivors.h"
#include "target/target.h"

enum process_phase { PROCESS_FREE, PROCESS_LAUNCHING, PROCESS_RUNNING, PROCESS_ENDING, PROCESS_GONE };

/* What all instances share; it outlives them and does not move. */
struct process_house {
    struct target_setup setup;
    struct config config;
    char log_dir[256];
    char mark[SURVIVORS_MARK_SIZE];
    char host_name[sizeof((struct config_app *)0)->host]; /* whose address is: */
    struct sockaddr_storage host;
    struct http_client *client;
    struct proctree *tree;
    struct cgroup_places places;
    int cpu_files;                               /* kept open */
    usec_t scanned_at, settled_at;               /* the last scan, the last two scans in a row */
    bool (*holds_port)(void *context, int port); /* another instance has it */
    void *context;
};

/* Zero it: FREE. It must not move until it is free again. */
struct process_instance {
    struct process_house *house;
    enum process_phase phase;
    int id, port;
    pid_t pid;
    int pidfd, error_fd; /* -1: closed */
    bool adopted, stopping, killing;
    bool failed; /* never ran: cause says why */
    bool told_left_behind;
    char key[PROCTREE_KEY_SIZE];
    char cause[128]; /* why it ended, or will */
    char error[128]; /* what came through the error pipe */
    size_t error_size;
    struct loop_watch exit_watch, error_watch;
    struct loop_timer timer; /* the next round of ending it; when GONE a failure to report */
    usec_t round_us, kill_at;
    struct health health, liveness;
    struct requests requests;
    struct applog log;
    usec_t log_check_at;
    struct cgroup group;
    struct cgroup_hits hits; /* those the operator knows of */
    int64_t memory_limit;    /* in force, as it was started with; 0: none */
    int process_limit;
    bool cpu_by_group; /* its CPU time is what its control group says, else what the tree adds up to */
    double cpu_pct;    /* NaN: not measured yet */
    int cpu_fd;        /* of that group's count, -1: opened for each reading */
    uint64_t cpu_us;
    usec_t cpu_at;
    int64_t memory_bytes;
};

/* Starts it; what became of that comes as an event. */
void process_instance_start(struct process_instance *instance, struct process_house *house, int id,
                            usec_t now);
/* Takes over one that runs; false: it is not there any more, and what it left has been ended. */
bool process_instance_adopt(struct process_instance *instance, struct process_house *house,
                            const struct target_adoption *adoption, usec_t now, char *err, size_t err_size);
void process_instance_terminate(struct process_instance *instance, usec_t now);
void process_instance_kill(struct process_instance *instance, usec_t now);
/* Lets go of it without touching its processes: FREE. */
void process_instance_release(struct process_instance *instance);
/* Reads its CPU and memory after a scan of the tree. */
void process_instance_measure(struct process_instance *instance, usec_t now);

/* Says which limits it has hit since the last call; ends it when it has more processes than it may and no
 * control group sees to that. Call it after a scan, and more often for one that is watched in this way. */
void process_instance_enforce_limits(struct process_instance *instance, usec_t now);
bool process_instance_is_watched(const struct process_instance *instance);

/* Whether it has processes. */
bool process_instance_is_alive(const struct process_instance *instance);

/* One scan of the process tree for all. */
void process_instance_scan(struct process_house *house, usec_t now);

#endif
