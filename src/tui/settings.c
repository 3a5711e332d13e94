/* SPDX-License-Identifier: MIT */
/* Puts the overrides of the command line together, in the order in which later ones win, and keeps them: a
 * reload lays the same ones over the file again. Main thread, once. */
#include "tui/settings.h"
#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add_short_form(struct settings *s, const char *name, const char *value, char *out, size_t size,
                           char *err, size_t err_size)
{
    if (!value)
        return true;
    if (snprintf(out, size, "%s=%s", name, value) >= (int)size) {
        snprintf(err, err_size, "%s: the value is too long", name);
        return false;
    }
    s->overrides[s->sources.override_count++] = out;
    return true;
}

static bool take_overrides(struct settings *s, const struct cli *cli, char *err, size_t err_size)
{
    memset(s, 0, sizeof *s);
    memcpy(s->overrides, cli->settings, (size_t)cli->setting_count * sizeof s->overrides[0]);
    s->sources = (struct config_sources){
        .file = cli->config_path, .overrides = s->overrides, .override_count = (size_t)cli->setting_count};
    return add_short_form(s, "state.directory", cli->state_directory, s->state_override,
                          sizeof s->state_override, err, err_size) &&
           add_short_form(s, "ui.glyphs", cli->glyphs, s->glyphs_override, sizeof s->glyphs_override, err,
                          err_size);
}

bool settings_load(struct settings *s, const struct cli *cli, char *err, size_t err_size)
{
    return take_overrides(s, cli, err, err_size) &&
           config_load_sections(&s->sources, &s->config, s->path, &s->sections, err, err_size);
}

/* Warnings, kept until it is known how many there are. */
struct findings {
    FILE *warnings;
    unsigned count;
};

static void take_finding(void *context, bool is_error, const char *text)
{
    struct findings *found = context;
    if (is_error) {
        fprintf(stderr, "ascale-tui: %s\n", text);
        return;
    }
    fprintf(found->warnings, "  %s\n", text);
    found->count++;
}

int settings_check(struct settings *s, const struct cli *cli)
{
    char err[CONFIG_LOAD_ERROR_SIZE], *warnings = NULL;
    size_t size;
    struct findings found = {.warnings = open_memstream(&warnings, &size)};
    if (!found.warnings || !take_overrides(s, cli, err, sizeof err)) {
        fprintf(stderr, "ascale-tui: %s\n", found.warnings ? err : "out of memory");
        return 2;
    }
    unsigned faults = config_examine(&s->sources, &s->config, s->path, take_finding, &found);
    fclose(found.warnings);
    const char *name = s->path[0] ? s->path : "built-in defaults";
    if (faults)
        printf("%s: %u error%s", name, faults, faults == 1 ? "" : "s");
    else
        printf("%s: OK", name);
    if (found.count)
        printf(", %u warning%s:\n%s", found.count, found.count == 1 ? "" : "s", warnings);
    else
        printf("\n");
    free(warnings);
    return !file_end_output("ascale-tui", "what it found") ? 1 : faults ? 2 : 0;
}

int settings_print(const struct settings *s)
{
    config_dump(&s->config, stdout);
    return file_end_output("ascale-tui", "the settings") ? 0 : 1;
}
