/* SPDX-License-Identifier: MIT */
/* The plain value that goes out to whoever looks: screen, API, recording, test. It owns nothing and points
 * nowhere. Instants are monotonic; add wall_offset_us for the wall clock. NaN and negative latencies mean
 * "not measured". About half a megabyte: keep it on the heap or static, never on a stack. */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H
#include "core/action.h"
#include "core/breaker.h"
#include "core/command.h"
#include "core/config.h"
#include "core/decision.h"
#include "core/history.h"
#include "core/hold.h"
#include "core/instance.h"
#include "core/journal.h"
#include "core/units.h"

#define SNAPSHOT_VERSION      2
#define SNAPSHOT_ANSWERS_MAX  16
#define SNAPSHOT_DETAIL_LINES 64

struct instance_view {
    int id; /* shown as i%d */
    int port, pid;
    enum instance_state state;
    int restarts;
    int in_flight;
    double cpu_pct, rpm, error_pct;
    int64_t mem_bytes, p50_us, p95_us, p99_us;
    usec_t started_at, state_since, checked_at; /* 0 = never */
    usec_t deadline;                            /* when the state times out; USEC_NEVER = does not */
    char cause[128];                            /* why it is in this state; "" = as expected */
    char last_line[160];                        /* of its log, as it wrote it: sanitise before showing */
};

/* What the next step will look at. */
struct outlook {
    enum signal signal;
    double up, down;    /* its thresholds */
    double value, mean; /* now, and over the window decisions use */
    usec_t mean_window;
    usec_t above_for, above_need; /* how long past the up threshold, how long it must be */
    usec_t below_for, below_need;
    usec_t cooldown_up_left, cooldown_down_left;
    usec_t next_step_at;
};

struct load_view {
    bool running;
    int pid;
    int threads, connections, shape; /* as struct config_load has them, of the load that runs */
    usec_t duration;
    double rate_rps;            /* asked; 0 = closed loop */
    usec_t started_at, ends_at; /* USEC_NEVER = until stopped */
    int64_t requests, errors;
    double rps;
    int64_t p50_us, p95_us, p99_us;
    char url[160];
    char last[160]; /* how the last run ended; "" = none yet */
};

struct balancer_view {
    bool enabled, connected;
    int pid, restarts, priority;
    char url[96]; /* where users connect */
    double rpm, error_pct;
    int64_t requests, errors; /* all that came; those that failed for the user */
    int64_t unavailable;      /* of both: answered 503 or 502 for want of an instance */
    int64_t p50_us, p95_us, p99_us;
    int in_flight, queue, connections;
};

/* A target behind an API (TARGET_COUNT). */
struct remote_view {
    char url[160];
    bool reachable;
    int replicas; /* -1 = unknown */
    int ordered;  /* what it has yet to follow; -1 = nothing */
    usec_t answered_at, order_at;
    int64_t latency_us;
    int64_t calls, failures, retries, orders, orders_failed;
    enum breaker_state breaker;
    usec_t breaker_until;
    char last_error[160];
    char last_order[160]; /* how the last order went */
};

/* The answer to whatever view asked last (CMD_DETAIL_*, CMD_PREVIEW, CMD_SAVE_PREVIEW). */
struct detail {
    uint64_t command_id; /* 0 = empty */
    int instance;
    int line_count;
    char lines[SNAPSHOT_DETAIL_LINES][200];
};

struct snapshot {
    int version;
    uint64_t seq;
    usec_t at, started_at;
    int64_t wall_offset_us;
    unsigned target_flags; /* enum target_flag */
    char target[16];       /* "process", "http" */
    bool dry_run, read_only, stopping;
    bool manual; /* mode MANUAL, else AUTO */
    enum override_kind override;
    int override_count;
    usec_t override_until;
    int desired, ready, busy, unready, starting, draining, failed; /* busy ones are not in ready */
    bool panic;           /* too few are ready: the unready that answer get requests, too */
    int rolling;          /* instances that a roll has yet to replace; 0 = no roll */
    struct decision last; /* of the newest step */
    struct outlook outlook;
    struct config config;  /* secrets and env blanked */
    char config_path[256]; /* "" = built-in defaults */
    int unsaved;           /* settings that differ from the file */
    double host_cpu_pct, rpm, error_pct, cpu_pct;
    int64_t p50_us, p95_us, p99_us;
    int64_t dropped; /* log or history records lost */
    char alert[200]; /* "" = none; what the operator must know until acknowledged */
    struct load_view load;
    struct balancer_view balancer;
    struct remote_view remote;
    struct detail detail;
    struct answer answers[SNAPSHOT_ANSWERS_MAX]; /* newest last; id 0 = empty */
    int instance_count, history_count, journal_count;
    struct instance_view instances[INSTANCES_MAX]; /* by id */
    struct history_point history[HISTORY_MAX];     /* oldest first */
    struct journal_entry journal[JOURNAL_MAX];     /* oldest first */
};

#endif
