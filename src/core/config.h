/* SPDX-License-Identifier: MIT */
/* The settings as plain values: what every part of the program reads. Copy it freely; it holds no pointer.
 * Durations are microseconds, percents are 35.0 for 35%, sizes bytes, texts NUL-terminated.
 * Filled only through config_init() and config_set(), which check ranges by the option table. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H
#include "core/signal.h"
#include "core/strategies.h"
#include "core/units.h"

#define CONFIG_INSTANCES_MAX 1000
#define CONFIG_TEXT_MAX      1024 /* the longest value of any option, its NUL included */
#define CONFIG_ENV_SIZE      8192
#define CONFIG_HEADERS_SIZE  2048
#define CONFIG_ERROR_SIZE    512 /* room for any message of this module */

enum config_target { CONFIG_TARGET_PROCESS, CONFIG_TARGET_HTTP };
#define CONFIG_STRATEGY_ID(id, name) CONFIG_STRATEGY_##id,
enum config_strategy { STRATEGIES(CONFIG_STRATEGY_ID) CONFIG_STRATEGY_COUNT };
#undef CONFIG_STRATEGY_ID
enum config_cpu_source { CONFIG_CPU_INSTANCES, CONFIG_CPU_SYSTEM };
enum config_algorithm { CONFIG_ROUND_ROBIN, CONFIG_LEAST_IN_FLIGHT, CONFIG_P2C_EWMA, CONFIG_STICKY };
enum config_forwarded {
    CONFIG_FORWARDED_NONE,
    CONFIG_FORWARDED_X,
    CONFIG_FORWARDED_RFC7239,
    CONFIG_FORWARDED_BOTH
};
enum config_access_format { CONFIG_ACCESS_COMBINED, CONFIG_ACCESS_JSON };
enum config_shape {
    CONFIG_SHAPE_CONSTANT,
    CONFIG_SHAPE_RAMP,
    CONFIG_SHAPE_SINE,
    CONFIG_SHAPE_STEP,
    CONFIG_SHAPE_SPIKE
};
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_glyphs { CONFIG_GLYPHS_AUTO, CONFIG_GLYPHS_BRAILLE, CONFIG_GLYPHS_BLOCK, CONFIG_GLYPHS_ASCII };
enum config_palette { CONFIG_PALETTE_AUTO, CONFIG_PALETTE_DARK, CONFIG_PALETTE_LIGHT, CONFIG_PALETTE_MONO };

struct config_app {
    char command[1024]; /* {port}, {id} and {host} are substituted; split into words, no shell */
    char host[64];
    int base_port; /* 0: any free port */
    char directory[256];
    char health_path[256]; /* empty: an accepted connection is enough */
    usec_t health_interval, health_timeout;
    char liveness_path[256]; /* empty: none is asked */
    usec_t unresponsive_timeout, restart_delay_max;
    usec_t start_timeout, stop_timeout, drain_timeout;
    char requests_path[256]; /* empty: requests are counted by the balancer */
    char user[64];
    int64_t memory_limit; /* bytes; 0: none */
    int max_processes;    /* 0: none */
    int max_files;        /* 0: none */
    char env[CONFIG_ENV_SIZE];
};

/* An amount in the unit of its signal. */
union config_amount {
    int count;      /* UNIT_NUMBER */
    double percent; /* UNIT_PERCENT */
    int64_t whole;  /* UNIT_DURATION (microseconds), UNIT_SIZE (bytes) */
};

/* Thresholds of a signal other than CPU; no up: it is not in use; no target: between the two. */
struct config_signal {
    union config_amount up, down, target;
};

struct config_scaling {
    int target;   /* enum config_target */
    int strategy; /* enum config_strategy */
    int min_instances, max_instances;
    double scale_up_threshold, scale_down_threshold; /* percent */
    double target_cpu;                               /* percent */
    usec_t polling_interval;
    int cpu_source; /* enum config_cpu_source */
    usec_t cooldown_up, cooldown_down;
    usec_t stabilization, stabilization_down;
    int max_step;
    usec_t manual_expiry; /* 0: never */
    struct config_signal signals[SIGNAL_COUNT];
};

struct config_limits {
    double up, down, target;
};

struct config_balancer {
    bool enabled;
    char listen[128];
    int algorithm; /* enum config_algorithm */
    int threads;
    int priority; /* nice value */
    usec_t busy_poll;
    usec_t header_timeout, body_timeout, connect_timeout, response_timeout, idle_timeout;
    usec_t drain_timeout;
    usec_t queue_timeout;
    int queue_limit;
    int max_connections;
    int max_in_flight; /* an instance; 0: no limit */
    usec_t slow_start;
    int eject_failures;
    usec_t eject_time;
    double panic_threshold; /* percent; decided by the controller */
    int64_t max_header_size;
    int64_t max_body_size;     /* 0: no limit */
    char trusted_proxies[512]; /* addresses or networks, separated by commas */
    int forwarded;             /* enum config_forwarded */
    bool via;
    char access_log[256];
    int access_log_format; /* enum config_access_format */
    bool hold_when_empty;
    usec_t retry_after;
    char user[64];
};

struct config_http {
    char app_url[512];
    char status_path[256], replicas_path[256];
    char cpu_pointer[128], replicas_pointer[128];
    char replicas_key[64];
    char headers[CONFIG_HEADERS_SIZE];
    char token_file[256], ca_file[256], cert_file[256], key_file[256];
    usec_t connect_timeout, timeout;
    int retries;
    usec_t retry_base, retry_max;
    int breaker_failures;
    usec_t breaker_open_time;
};

struct config_load {
    char url[512];
    int threads;
    int connections; /* 0: one a thread */
    double rate_rps; /* 0: closed loop */
    int shape;       /* enum config_shape */
    usec_t duration; /* 0: until stopped */
};

struct config_log {
    char file[256];
    int level; /* enum config_log_level */
    int64_t max_size;
};

struct config_state {
    char directory[256]; /* empty: $XDG_STATE_HOME/ascale */
};

struct config_ui {
    int glyphs; /* enum config_glyphs */
    usec_t frame_interval;
    int palette; /* enum config_palette */
    bool mouse;
    bool confirm;
};

struct config {
    struct config_app app;
    struct config_scaling scaling;
    struct config_balancer balancer;
    struct config_http http;
    struct config_load load;
    struct config_log log;
    struct config_state state;
    struct config_ui ui;
};

struct option;

/* All defaults; they pass config_check(). */
void config_init(struct config *cfg);

/* Sets one value from its ini text. On false nothing has changed and err names the key, the value, what is
 * allowed; for an unknown key also the nearest valid one. */
bool config_set(struct config *cfg, const char *section, const char *key, const char *value, char *err,
                size_t err_size);

/* The value as config_set() would take it; for an OPTION_MAP "N set", for the eye only. As snprintf. */
int config_get_text(const struct config *cfg, const struct option *option, char *out, size_t size);

/* The rules between keys (min <= max, down < up, ...). False: err names the keys and their values. */
bool config_check(const struct config *cfg, char *err, size_t err_size);

/* The same, told of every broken rule; returns how many there are. */
size_t config_faults(const struct config *cfg, void (*each)(void *context, const char *fault), void *context);

/* What is allowed but likely to disappoint (thresholds so near that one more instance undoes itself). */
bool config_advise(const struct config *cfg, char *advice, size_t size);

/* Calls back for every option whose value differs; returns how many do. */
size_t config_diff(const struct config *a, const struct config *b,
                   void (*each)(void *context, const struct option *option), void *context);

/* The thresholds of a signal in its own unit, and what tracking aims at. False: it is not in use. */
bool config_limits(const struct config_scaling *c, enum signal signal, struct config_limits *out);

/* "127.0.0.1:8000", "[::1]:8000", "localhost:0". The host comes without brackets. False: neither is touched.
 */
bool config_parse_address(const char *text, char *host, size_t host_size, int *port);

/* Walks an OPTION_MAP field: "NAME=VALUE" after NAME's predecessor, NULL at the end; begin with NULL. */
const char *config_map_next(const char *map, const char *previous);

#endif
