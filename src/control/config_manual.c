/* SPDX-License-Identifier: MIT */
/* The option table as the manual page autoscaler.ini(5). */
#include "control/config_load.h"
#include "core/options.h"
#include <string.h>

/* Text as roff takes it: no line begins with a request, no '-' becomes a hyphen, no '\' an escape. */
static void print_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-' || *text == '\'' || *text == '~' || *text == '^')
            fprintf(out, *text == '-' ? "\\-" : *text == '\'' ? "\\(aq" : *text == '~' ? "\\(ti" : "\\(ha");
        else
            fputc(*text, out);
    }
}

/* Help is written to follow a key; here it begins a sentence, unless its first word is something to type. */
static void print_sentence(FILE *out, const char *text)
{
    size_t word = strcspn(text, " ");
    bool plain = *text >= 'a' && *text <= 'z' && !memchr(text, '.', word) && !memchr(text, ':', word);
    if (plain)
        fputc(*text++ - 'a' + 'A', out);
    print_text(out, text);
    fputs(".\n", out);
}

static const char *when(const struct option *option)
{
    if (option->flags & OPTION_INSTANCE)
        return "on instances started from then on";
    return option->flags & OPTION_LIVE ? "at once" : "at the next start";
}

static void print_option(FILE *out, const struct option *option)
{
    char range[256];
    option_range_text(option, range, sizeof range);
    fputs(".TP\n.B ", out);
    print_text(out, option->key);
    fputc('\n', out);
    print_sentence(out, option->help);
    fputs("Allowed: ", out);
    print_text(out, range);
    fputs(".\n", out);
    if (*option->preset) {
        fputs("Default: \\fB", out);
        print_text(out, option->preset);
        fputs("\\fR.\n", out);
    }
    fprintf(out, "A change takes effect %s.\n", when(option));
}

static void print_section(FILE *out, const char *section)
{
    fprintf(out, ".SH [%s]\n", section);
    print_text(out, option_section_help(section));
    fputc('\n', out);
}

bool config_print_manual(FILE *out)
{
    fputs(".\\\" Made from the option table; a test compares them.\n"
          ".TH AUTOSCALER.INI 5 \"\" ascale\n"
          ".SH NAME\n"
          "autoscaler.ini \\- settings of ascale\n"
          ".SH DESCRIPTION\n"
          "The first of these files that is there is read, unless\n.B \\-c\nnames another:\n"
          ".IR ./autoscaler.ini ,\n.IR $XDG_CONFIG_HOME/ascale/autoscaler.ini\n"
          "(in\n.I \\(ti/.config\nwhen the variable is not set),\n.IR /etc/ascale/autoscaler.ini .\n"
          "What a file does not set has its default; \\fB\\-s section.key=value\\fR on the command line "
          "overrides both.\n"
          ".PP\n"
          "A line is \\fB[section]\\fR, \\fBkey = value\\fR, empty, or a comment that begins with \\fB#\\fR "
          "or \\fB;\\fR.\n"
          "An indented line continues the value above: the pieces are joined by one blank, comments between "
          "them are\n"
          "skipped, and an empty line ends the value.\n"
          "Unknown keys, keys set twice and keys that are indented are errors that name file, line and key.\n"
          ".PP\n"
          "A file that is found, and not named by\n.BR \\-c ,\n"
          "must belong to the user or to root and be writable by nobody else: its command is run.\n"
          ".PP\n"
          "Durations are written 250ms, 3s, 2m, 1h; sizes 512, 64k, 10M, 2G; rates 500/s, 30/m.\n"
          "Percentages are 35% or 0.35; without the sign a number below 1 is a fraction, one above 1 is "
          "percent,\n"
          "and a bare 1 is refused.\n",
          out);
    for (size_t i = 0; i < options_count; i++) {
        if (i == 0 || strcmp(options[i].section, options[i - 1].section) != 0)
            print_section(out, options[i].section);
        print_option(out, &options[i]);
    }
    fputs(".SH SEE ALSO\n.BR ascale\\-tui (1)\n", out);
    return fflush(out) == 0 && !ferror(out);
}
