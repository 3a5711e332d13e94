/* SPDX-License-Identifier: MIT */
/* Settings written out: as an ini with comments, as help, and as the change to an ini that is there. All of
 * it follows the option table. */
#include "base/file.h"
#include "base/ini.h"
#include "base/ini_edit.h"
#include "control/config_load.h"
#include "core/options.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS      110
#define HELP_COLUMNS 80

/* Words of text in as many lines as they need, each begun by the indent. */
static void print_wrapped(FILE *out, const char *indent, size_t columns, const char *text)
{
    size_t column = columns;
    for (const char *word = text; *word; word += strspn(word, " ")) {
        size_t size = strcspn(word, " ");
        if (column + 1 + size > columns) {
            fprintf(out, "%s%s", word == text ? "" : "\n", indent);
            column = strlen(indent);
        } else {
            fputc(' ', out);
            column++;
        }
        fwrite(word, 1, size, out);
        column += size;
        word += size;
    }
    fputc('\n', out);
}

static void print_comment(FILE *out, const char *text)
{
    print_wrapped(out, "# ", COLUMNS, text);
}

/* "help (what is allowed)" */
static void explain(const struct option *option, char *out, size_t size)
{
    char range[256];
    option_range_text(option, range, sizeof range);
    snprintf(out, size, "%s (%s)", option->help, range);
}

static void print_map(FILE *out, const struct option *option, const char *map)
{
    int prefix = (int)strlen(option->key) - 1;
    for (const char *entry = NULL; (entry = config_map_next(map, entry));) {
        size_t name = strcspn(entry, "=");
        fprintf(out, "%.*s%.*s = %s\n", prefix, option->key, (int)name, entry, entry + name + 1);
    }
}

static void print_option(FILE *out, const struct config *cfg, const struct option *option)
{
    char value[CONFIG_TEXT_MAX], comment[1024];
    explain(option, comment, sizeof comment);
    fputc('\n', out);
    print_comment(out, comment);
    if (option->type == OPTION_MAP) {
        print_map(out, option, (const char *)cfg + option->offset);
        return;
    }
    config_get_text(cfg, option, value, sizeof value);
    fprintf(out, "%s =%s%s\n", option->key, *value ? " " : "", value);
}

bool config_dump(const struct config *cfg, FILE *out)
{
    print_comment(
        out, "Settings of ascale. Percent: 35% or 0.35. Durations: 250ms, 3s, 2m, 1h. A comment has a line "
             "of its own; what is not set here has the value shown by ascale-tui --help.");
    for (size_t i = 0; i < options_count; i++) {
        const char *section = options[i].section;
        if (i == 0 || strcmp(section, options[i - 1].section) != 0) {
            fprintf(out, "\n[%s]\n", section);
            print_comment(out, option_section_help(section));
        }
        print_option(out, cfg, &options[i]);
    }
    return fflush(out) == 0 && !ferror(out);
}

void config_print_help(FILE *out)
{
    char text[1024];
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        if (i == 0 || strcmp(option->section, options[i - 1].section) != 0)
            fprintf(out, "%s%s\n", i == 0 ? "" : "\n", option_section_help(option->section));
        fprintf(out, "  %s.%s =%s%s\n", option->section, option->key, *option->preset ? " " : "",
                option->preset);
        explain(option, text, sizeof text);
        print_wrapped(out, "      ", HELP_COLUMNS, text);
    }
}

/* The changes to make, with room for their values. */
struct changes {
    const struct config *now;
    struct ini_change *items;
    char (*values)[CONFIG_TEXT_MAX];
    size_t count;
};

static void add_change(void *context, const struct option *option)
{
    struct changes *changes = context;
    if (option->type == OPTION_MAP)
        return; /* the screen does not change these */
    char *value = changes->values[changes->count];
    config_get_text(changes->now, option, value, CONFIG_TEXT_MAX);
    changes->items[changes->count++] = (struct ini_change){option->section, option->key, value};
}

static bool set_trial(void *context, const char *section, const char *key, const char *value, int line,
                      char *err, size_t err_size)
{
    (void)line;
    return config_set(context, section, key, value, err, err_size);
}

static bool reads_back(const char *path, const char *text, char *err, size_t err_size)
{
    struct config trial;
    char why[CONFIG_LOAD_ERROR_SIZE];
    config_init(&trial);
    if (ini_read_text(path, text, strlen(text), set_trial, config_is_key, &trial, why, sizeof why) &&
        config_check_all(&trial, why, sizeof why))
        return true;
    snprintf(err, err_size, "not saved, what it would become is no good: %s", why);
    return false;
}

static bool edit_file(const char *path, const struct changes *changes, char **text, char **diff, char *err,
                      size_t err_size)
{
    char *old = NULL;
    size_t size = 0;
    int error = file_read(path, INI_SIZE_MAX, &old, &size);
    if (error == -ENOENT)
        error = 0;
    if (!error)
        error = ini_edit(path, old ? old : "", size, changes->items, changes->count, text, diff);
    free(old);
    if (error)
        snprintf(err, err_size, "%s: cannot be edited: %s; nothing is saved", path, strerror(-error));
    return error == 0;
}

bool config_plan_save(const char *path, const struct config *before, const struct config *now, char **text,
                      char **diff, char *err, size_t err_size)
{
    struct changes changes = {.now = now};
    size_t count = config_diff(before, now, NULL, NULL);
    changes.items = calloc(count + 1, sizeof *changes.items);
    changes.values = calloc(count + 1, sizeof *changes.values);
    bool good = changes.items && changes.values;
    if (!good)
        snprintf(err, err_size, "not saved: out of memory");
    if (good) {
        config_diff(before, now, add_change, &changes);
        good = edit_file(path, &changes, text, diff, err, err_size);
    }
    free(changes.items);
    free(changes.values);
    if (good && !reads_back(path, *text, err, err_size)) {
        free(*text);
        free(*diff);
        good = false;
    }
    return good;
}
