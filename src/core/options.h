/* SPDX-License-Identifier: MIT */
/* The option table: one row a setting. Parser, range check, default, --help, --dump-config, the comments of
 * autoscaler.ini and the screen's dialogs all come from the rows. Pure; a row is constant, a config a plain
 * value (core/config.h). */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H
#include "core/config.h"

enum option_type {
    OPTION_TEXT,     /* char[size]: any text */
    OPTION_FILE,     /* char[size]: a path of the file system */
    OPTION_URL,      /* char[size]: http://... or https://... */
    OPTION_URL_PATH, /* char[size]: begins with '/' */
    OPTION_ADDRESS,  /* char[size]: host:port, [v6]:port */
    OPTION_INT,      /* int */
    OPTION_BOOL,     /* bool: yes, no */
    OPTION_CHOICE,   /* int: index into choices */
    OPTION_PERCENT,  /* double, percent */
    OPTION_DURATION, /* usec_t */
    OPTION_RATE,     /* double, per second */
    OPTION_SIZE,     /* int64_t, bytes */
    OPTION_MAP,      /* char[size]: the key is "prefix.*"; see config_map_next() */
};

enum option_flag {
    OPTION_LIVE = 1 << 0,     /* takes effect at the next step; without it: at the next start */
    OPTION_INSTANCE = 1 << 1, /* takes effect on instances started from now on */
    OPTION_SECRET = 1 << 2,   /* values never leave the process: not on the screen, not in the API */
    OPTION_OPTIONAL = 1 << 3, /* text types: may be empty, which means "none" */
};

struct option {
    const char *section, *key;
    enum option_type type;
    const char *preset; /* the default, as one would write it in the ini */
    double min, max; /* in the unit of the field (percent, microseconds, bytes, ...); both 0: not numeric */
    const char *choices; /* "threshold|tracking", in the order of the enum; else NULL */
    size_t offset, size; /* of the field in struct config */
    unsigned flags;      /* enum option_flag */
    const char *help;    /* one line, no full stop */
};

extern const struct option options[];
extern const size_t options_count;

/* One line of explanation a section ("app" -> "The application: ..."); NULL when there is no such section. */
const char *option_section_help(const char *section);

/* The row; "env.PATH" finds "env.*". NULL when there is none. */
const struct option *option_find(const char *section, const char *key);

/* A number in the option's own unit, as one would write it ("35%", "3s", "10M"). As snprintf. */
int option_format_number(const struct option *option, double value, char *out, size_t size);

/* "0..1000", "threshold, tracking", "host:port"; what the value must look like. Returns what snprintf would.
 */
int option_range_text(const struct option *option, char *out, size_t size);

/* For "did you mean": the valid "section.key" nearest to this one. Never empty. */
void option_nearest(const char *section, const char *key, char *out, size_t size);

#endif
