/* SPDX-License-Identifier: MIT */
/* Where settings come from and go to: built-in < ini file < "-s section.key=value". Messages name file, line,
 * key and what is allowed, and are harmless to show. Any thread. */
#ifndef CONTROL_CONFIG_LOAD_H
#define CONTROL_CONFIG_LOAD_H
#include "core/config.h"
#include <stdio.h>

#define CONFIG_LOAD_ERROR_SIZE 2048

struct config_sources {
    const char *file; /* of -c; NULL: searched for */
    bool found;       /* file was searched for earlier: nobody vouches for it */
    const char *const *overrides;
    size_t override_count;
};

/* The file to read: ./autoscaler.ini, $XDG_CONFIG_HOME/ascale/autoscaler.ini (~/.config when unset), or
 * /etc/ascale/autoscaler.ini, the first that is there. False: there is none, and out is "". */
bool config_find_file(char *out, size_t size);

/* Reads and checks everything. On false cfg is untouched. path (PATH_MAX bytes) becomes the file read, "" for
 * none. */
bool config_load(const struct config_sources *sources, struct config *cfg, char *path, char *err,
                 size_t err_size);

/* The same, and which sections the file has settings of: a bit each, in the order of the option table, and
 * the highest one for app.command, which says whose instances these are. */
bool config_load_sections(const struct config_sources *sources, struct config *cfg, char *path,
                          unsigned *sections, char *err, size_t err_size);

/* The same bits, of lines by option: 0 = the file does not set it. */
unsigned config_sections_of(const int *lines);

/* The names of these, "[app] [log] app.command". As snprintf. */
int config_name_sections(unsigned sections, char *out, size_t size);

/* Whether the option table has that key, NAMEs of env.* and the like included. */
bool config_is_key(const char *section, const char *key);

/* Tells of all that is wrong with the settings, and of what is likely to disappoint. */
typedef void config_told(void *context, bool is_error, const char *text);

/* Reads everything as config_load() and tells all faults and warnings; returns how many faults there are. cfg
 * holds what was understood. */
unsigned config_examine(const struct config_sources *sources, struct config *cfg, char *path,
                        config_told *told, void *context);

/* config_warn.c: what is allowed, but hardly meant. */
void config_warn(const struct config *cfg, config_told *told, void *context);

/* config_check() of the core, and that trusted_proxies are addresses. False: err says which are not good. */
bool config_check_all(const struct config *cfg, char *err, size_t err_size);

/* An ini with comments that reads back to the same settings, secrets included. False: out could not be
 * written. */
bool config_dump(const struct config *cfg, FILE *out);

/* The options by section, as --help shows them. */
void config_print_help(FILE *out);

/* The manual page autoscaler.ini(5). */
bool config_print_manual(FILE *out);

#endif
