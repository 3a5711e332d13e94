/* SPDX-License-Identifier: MIT */
/* The command line of ascale-tui: one row an option. Its help ends in the settings of the ini, made from the
 * option table, because each of them can be given by -s. Main thread, once. */
#include "tui/cli.h"
#include "base/args.h"
#include "control/config_load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_setting(const char *text, void *field)
{
    struct cli *cli = field;
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    if (!dot || !equals || dot > equals || dot == text || cli->setting_count == CLI_SETTINGS_MAX)
        return false;
    cli->settings[cli->setting_count++] = text;
    return true;
}

static bool read_duration(const char *text, void *field)
{
    return units_parse_duration(text, field) && *(usec_t *)field > 0;
}

static bool read_size(const char *text, void *field)
{
    struct cli *cli = field;
    char end;
    return sscanf(text, "%3dx%3d%c", &cli->snapshot_width, &cli->snapshot_height, &end) == 2 &&
           cli->snapshot_width >= 1 && cli->snapshot_width <= 400 && cli->snapshot_height >= 1 &&
           cli->snapshot_height <= 120;
}

#define FIELD(name) offsetof(struct cli, name)

static const struct args_option rows[] = {
    {"config", 'c', "FILE", "a path", args_read_text, FIELD(config_path),
     "settings from this file (./autoscaler.ini, $XDG_CONFIG_HOME/ascale/, /etc/ascale/)"},
    {"set", 's', "SECTION.KEY=VALUE", "section.key=value, up to 128 times", read_setting, 0,
     "one setting, over the file's; may be repeated"},
    {"headless", 0, NULL, NULL, NULL, FIELD(headless),
     "no screen: a line an event; SIGHUP reads the file again"},
    {"plain", 0, NULL, NULL, NULL, FIELD(plain),
     "the same lines on a terminal, for screen readers and pipes"},
    {"duration", 0, "DURATION", "a duration such as 30s or 10m, above 0", read_duration, FIELD(duration),
     "stop in order after it"},
    {"dry-run", 0, NULL, NULL, NULL, FIELD(dry_run),
     "start the minimum, decide and say what would be done, but change no count"},
    {"read-only", 0, NULL, NULL, NULL, FIELD(read_only), "watch: every key that changes anything is refused"},
    {"state-dir", 0, "DIRECTORY", "a path", args_read_text, FIELD(state_directory),
     "state, lock and logs; one controller a directory"},
    {"glyphs", 0, "SET", "braille, block or ascii", args_read_text, FIELD(glyphs),
     "what charts are drawn with"},
    {"mono", 0, NULL, NULL, NULL, FIELD(mono), "no colors"},
    {"check-config", 0, NULL, NULL, NULL, FIELD(check_config), "check the settings, start nothing"},
    {"dump-config", 0, NULL, NULL, NULL, FIELD(dump_config),
     "print the settings in force as an ini, start nothing"},
    {"help-keys", 0, NULL, NULL, NULL, FIELD(help_keys), "list the keys of the screen and stop"},
    {"snapshot", 0, "WIDTHxHEIGHT", "a size such as 120x40", read_size, 0,
     "print the main screen at this size, as --fixture has it"},
    {"fixture", 0, "FILE", "a path", args_read_text, FIELD(fixture),
     "the state of affairs to print, as JSON"},
};

/* The settings of the ini, and what else --help ends in; the caller's to free. */
static char *make_notes(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("Settings, in the ini or by -s:\n\n", out);
    config_print_help(out);
    fputs("\nExit status: 0 stopped in order, 1 failure, 2 usage or settings. Ctrl-C or SIGTERM stops in "
          "order,\n"
          "a second one at once.",
          out);
    fclose(out);
    return text;
}

int cli_read(struct cli *cli, int argc, char **argv)
{
    memset(cli, 0, sizeof *cli);
    char *notes = make_notes();
    struct args_program program = {.name = "ascale-tui",
                                   .about =
                                       "A control room that starts, balances and scales a web application.",
                                   .notes = notes,
                                   .options = rows,
                                   .count = sizeof rows / sizeof rows[0]};
    int status = args_read(&program, argc, argv, cli);
    free(notes);
    if (status < 0 && (cli->snapshot_width != 0) != (cli->fixture != NULL)) {
        fprintf(stderr, "ascale-tui: --snapshot and --fixture belong together; nothing was started\n");
        return 2;
    }
    return status;
}
