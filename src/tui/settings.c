/* SPDX-License-Identifier: MIT */
/* Puts the overrides of the command line together, in the order in which later ones win, and keeps them: a
 * reload lays the same ones over the file again. Main thread, once. */
#include "tui/settings.h"
#include "base/file.h"
#include <stdio.h>
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

bool settings_load(struct settings *s, const struct cli *cli, char *err, size_t err_size)
{
    memset(s, 0, sizeof *s);
    memcpy(s->overrides, cli->settings, (size_t)cli->setting_count * sizeof s->overrides[0]);
    s->sources = (struct config_sources){
        .file = cli->config_path, .overrides = s->overrides, .override_count = (size_t)cli->setting_count};
    return add_short_form(s, "state.directory", cli->state_directory, s->state_override,
                          sizeof s->state_override, err, err_size) &&
           add_short_form(s, "ui.glyphs", cli->glyphs, s->glyphs_override, sizeof s->glyphs_override, err,
                          err_size) &&
           config_load_sections(&s->sources, &s->config, s->path, &s->sections, err, err_size);
}

int settings_print(const struct settings *s, const struct cli *cli)
{
    char advice[CONFIG_ERROR_SIZE];
    if (cli->dump_config) {
        config_dump(&s->config, stdout);
        return file_end_output("ascale-tui", "the settings") ? 0 : 1;
    }
    printf("%s: good\n", s->path[0] ? s->path : "built-in defaults");
    if (config_advise(&s->config, advice, sizeof advice))
        printf("but: %s\n", advice);
    return file_end_output("ascale-tui", "what it found") ? 0 : 1;
}
