/* SPDX-License-Identifier: MIT */
/* Three states of the settings meet here: as they were read, as they are in force, and as the file has them
 * now, which an editor may have changed since. The file is read anew for every plan, and what comes of it is
 * read back before anything is written. */
#include "control/config_save.h"
#include "base/file.h"
#include "base/file_save.h"
#include "base/ini.h"
#include "base/ini_edit.h"
#include "core/options.h"
#include "core/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The file as it is now, without the command line. */
struct on_file {
    struct config config;
    int *lines; /* by option: where the file sets it, 0 when it does not */
};

/* The changes to make. */
struct changes {
    const struct config_save *save;
    const struct on_file *file;
    const struct config *expected; /* the file with the command line over it */
    bool all;                      /* whatever differs */
    struct ini_change *items;
    char **texts; /* of each: its key, NUL, its value */
    size_t count, capacity;
    bool failed;
};

static bool set_from_file(void *context, const char *section, const char *key, const char *value, int line,
                          char *err, size_t err_size)
{
    struct on_file *file = context;
    if (!config_set(&file->config, section, key, value, err, err_size))
        return false;
    file->lines[option_find(section, key) - options] = line;
    return true;
}

static bool same(const struct config *a, const struct config *b, const struct option *option)
{
    return memcmp((const char *)a + option->offset, (const char *)b + option->offset, option->size) == 0;
}

static bool grow(struct changes *changes)
{
    size_t capacity = 2 * changes->capacity + 16;
    struct ini_change *items = realloc(changes->items, capacity * sizeof *items);
    if (items)
        changes->items = items;
    char **texts = realloc(changes->texts, capacity * sizeof *texts);
    if (texts)
        changes->texts = texts;
    if (items && texts)
        changes->capacity = capacity;
    return items && texts;
}

/* name: of an entry of a map, or "". */
static void add(struct changes *changes, const struct option *option, const char *name, const char *value)
{
    char *key;
    if (changes->failed || (changes->count == changes->capacity && !grow(changes)) ||
        asprintf(&key, "%.*s%s%c%s", (int)strcspn(option->key, "*"), option->key, name, '\0', value) < 0) {
        changes->failed = true;
        return;
    }
    changes->texts[changes->count] = key;
    changes->items[changes->count++] = (struct ini_change){option->section, key, key + strlen(key) + 1};
}

static void add_map(struct changes *changes, const struct option *option, const char *map)
{
    for (const char *entry = NULL; (entry = config_map_next(map, entry));) {
        char name[CONFIG_TEXT_MAX];
        size_t size = strcspn(entry, "=");
        snprintf(name, sizeof name, "%.*s", (int)size, entry);
        add(changes, option, name, entry + size + 1);
    }
}

/* What waits in the file for a reload or a start is left to that. */
static bool is_wanted(const struct changes *changes, const struct option *option)
{
    const struct config_save *save = changes->save;
    if (changes->all)
        return true;
    return option->type != OPTION_MAP &&
           (!same(save->read, save->now, option) ||
            (option->flags & OPTION_LIVE && !same(changes->expected, save->now, option)));
}

static void add_change(void *context, const struct option *option)
{
    struct changes *changes = context;
    const struct config *now = changes->save->now;
    char value[CONFIG_TEXT_MAX];
    if (!is_wanted(changes, option))
        return;
    if (option->type == OPTION_MAP) {
        add_map(changes, option, (const char *)now + option->offset);
        return;
    }
    config_get_text(now, option, value, sizeof value);
    add(changes, option, "", value);
}

static void free_changes(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->texts[i]);
    free(changes->texts);
    free(changes->items);
}

static bool reads_back(const char *path, const char *text, struct on_file *file, char *err, size_t err_size)
{
    char why[CONFIG_LOAD_ERROR_SIZE];
    config_init(&file->config);
    if (ini_read_text(path, text, strlen(text), set_from_file, config_is_key, file, why, sizeof why) &&
        config_check_all(&file->config, why, sizeof why))
        return true;
    snprintf(err, err_size, "not saved, what it would become is no good: %.1900s", why);
    return false;
}

static bool edit(const struct config_save *save, const struct changes *changes, struct config_plan *plan,
                 char *err, size_t err_size)
{
    int error = changes->failed ? -ENOMEM : 0;
    if (!error)
        error = ini_edit(save->path, plan->old ? plan->old : "", plan->old_size, changes->items,
                         changes->count, &plan->text, &plan->diff);
    if (error)
        snprintf(err, err_size, "not saved: %s", strerror(-error));
    return error == 0;
}

static bool attempt(const struct config_save *save, const struct on_file *file, const struct config *expected,
                    bool all, struct config_plan *plan, char *err, size_t err_size)
{
    struct changes changes = {.save = save, .file = file, .expected = expected, .all = all};
    struct on_file trial = {.lines = calloc(options_count, sizeof *trial.lines)};
    changes.failed = !trial.lines;
    config_diff(save->now, &file->config, add_change, &changes);
    for (size_t i = 0; i < changes.count; i++)
        plan->secret |= option_find(changes.items[i].section, changes.items[i].key)->flags & OPTION_SECRET;
    bool good = edit(save, &changes, plan, err, err_size);
    free_changes(&changes);
    if (good && !reads_back(save->path, plan->text, &trial, err, err_size)) {
        free(plan->text);
        free(plan->diff);
        plan->text = plan->diff = NULL;
        good = false;
    }
    free(trial.lines);
    return good;
}

/* What the operator should know before a yes. */
static void write_note(const struct config_save *save, unsigned lost, struct config_plan *plan)
{
    struct stat status;
    char names[256];
    config_name_sections(lost, names, sizeof names);
    if (!plan->old)
        snprintf(plan->note, sizeof plan->note,
                 "The file is gone. A new one gets all that is not the default:");
    else if (lost)
        snprintf(plan->note, sizeof plan->note, "The file has no %s any more; that is written again:", names);
    else if (stat(save->path, &status) == 0 && !(status.st_mode & 0222))
        snprintf(plan->note, sizeof plan->note,
                 "The file is read-only (mode %04o). It stays so, with this change:",
                 (unsigned)status.st_mode & 07777);
}

/* The file as it is; settings that only together are no good may become good by what is saved. */
static bool read_now(const struct config_save *save, struct config_plan *plan, struct on_file *file,
                     char *err, size_t err_size)
{
    char why[CONFIG_LOAD_ERROR_SIZE];
    int error = file_read(save->path, INI_SIZE_MAX, &plan->old, &plan->old_size);
    config_init(&file->config);
    if (error && error != -ENOENT) {
        snprintf(err, err_size, "not saved: %s: %s", strerror(-error), save->path);
        return false;
    }
    if (error || ini_read_text(save->path, plan->old, plan->old_size, set_from_file, config_is_key, file, why,
                               sizeof why))
        return true;
    snprintf(err, err_size, "not saved, the file is no good as it is: %.1900s", why);
    return false;
}

/* They were good at the start: "section.key=value" each. */
static void lay_over(const struct config_sources *sources, struct config *config)
{
    char section[64], key[128], err[CONFIG_ERROR_SIZE];
    for (size_t i = 0; i < sources->override_count; i++) {
        const char *text = sources->overrides[i];
        size_t dot = strcspn(text, "."), equals = strcspn(text, "=");
        snprintf(section, sizeof section, "%.*s", (int)dot, text);
        snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), text + dot + 1);
        config_set(config, section, key, text + equals + 1, err, sizeof err);
    }
}

static bool plan(const struct config_save *save, struct on_file *file, struct config_plan *plan, char *err,
                 size_t err_size)
{
    if (!read_now(save, plan, file, err, err_size))
        return false;
    unsigned lost = save->sections & ~config_sections_of(file->lines);
    bool all = !plan->old || lost;
    struct config expected = file->config;
    lay_over(save->sources, &expected);
    if (!(!all && attempt(save, file, &expected, false, plan, err, err_size)) &&
        !attempt(save, file, &expected, true, plan, err, err_size))
        return false;
    write_note(save, lost, plan);
    return true;
}

bool config_plan_save(const struct config_save *save, struct config_plan *out, char *err, size_t err_size)
{
    char raw[CONFIG_LOAD_ERROR_SIZE] = "not saved: out of memory";
    struct on_file *file = calloc(1, sizeof *file);
    int *lines = calloc(options_count, sizeof *lines);
    memset(out, 0, sizeof *out);
    if (file)
        file->lines = lines;
    bool good = file && lines && plan(save, file, out, raw, sizeof raw);
    free(lines);
    free(file);
    if (!good) {
        config_plan_free(out);
        text_clean(err, err_size, raw);
    }
    return good;
}

/* FNV-1a. */
static uint64_t mix(uint64_t mark, const char *text)
{
    for (; text && *text; text++)
        mark = (mark ^ (unsigned char)*text) * 0x100000001b3u;
    return (mark ^ !text) * 0x100000001b3u;
}

uint64_t config_plan_mark(const struct config_plan *plan)
{
    return mix(mix(0xcbf29ce484222325u, plan->old), plan->text);
}

bool config_save(const char *path, const struct config_plan *plan, char *err, size_t err_size)
{
    char raw[CONFIG_LOAD_ERROR_SIZE];
    struct file_text old = {plan->old, plan->old_size}, new = {plan->text, strlen(plan->text)};
    int error = file_save(path, old, new, plan->secret ? 0600 : 0644);
    if (!error)
        return true;
    if (error == -ESTALE)
        snprintf(raw, sizeof raw,
                 "not saved: edited by somebody else meanwhile, look at the difference again: %s", path);
    else if (error == -ENOTRECOVERABLE)
        snprintf(raw, sizeof raw,
                 "saved in part, and the old content could not be put back: write it anew: %s", path);
    else
        snprintf(raw, sizeof raw, "not saved: %s; the file is as it was: %s", strerror(-error), path);
    text_clean(err, err_size, raw);
    return false;
}

void config_plan_free(struct config_plan *plan)
{
    free(plan->old);
    free(plan->text);
    free(plan->diff);
    memset(plan, 0, sizeof *plan);
}
