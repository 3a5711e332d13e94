/* SPDX-License-Identifier: MIT */
/* Settings written out: as an ini with comments, and as help. All of it follows the option table. */
#include "control/config_load.h"
#include "core/options.h"
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
