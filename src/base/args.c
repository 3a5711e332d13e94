/* SPDX-License-Identifier: MIT */
/* Reads a command line by its table. It is run once, at start, on the main thread, and keeps nothing. */
#include "base/args.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "config.h"

enum { HELP_COLUMN = 26 };

static const struct args_option *find_named(const struct args_program *program, const char *name,
                                            size_t length)
{
    for (size_t i = 0; i < program->count; i++) {
        const struct args_option *option = &program->options[i];
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

static const struct args_option *find_letter(const struct args_program *program, char letter)
{
    for (size_t i = 0; i < program->count; i++)
        if (program->options[i].letter == letter)
            return &program->options[i];
    return NULL;
}

/* Letters two names share from the start, less those left over: enough to find what a typing slip meant. */
static int likeness(const char *a, const char *b)
{
    size_t same = 0;
    while (a[same] != '\0' && a[same] == b[same])
        same++;
    return (int)(4 * same) - (int)(strlen(a + same) + strlen(b + same));
}

static const char *nearest(const struct args_program *program, const char *name)
{
    const char *best = "help";
    for (size_t i = 0; i < program->count; i++)
        if (likeness(program->options[i].name, name) > likeness(best, name))
            best = program->options[i].name;
    return best;
}

static void print_option(const struct args_option *option)
{
    char left[80];
    int width = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
                         option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
                         option->operand ? " " : "", option->operand ? option->operand : "");
    printf("%-*s%s", HELP_COLUMN, left, width >= HELP_COLUMN ? "\n" : "");
    printf("%*s%s\n", width >= HELP_COLUMN ? HELP_COLUMN : 0, "", option->help);
}

static void print_help(const struct args_program *program)
{
    printf("usage: %s [OPTION]...\n%s\n\n", program->name, program->about);
    for (size_t i = 0; i < program->count; i++)
        print_option(&program->options[i]);
    printf("%-*sshow this and stop\n%-*sshow the version and stop\n", HELP_COLUMN, "  -h, --help",
           HELP_COLUMN, "  -V, --version");
    if (program->notes)
        printf("\n%s\n", program->notes);
}

static int fail_usage(const struct args_program *program)
{
    fprintf(stderr, "%s: nothing was started; see %s --help\n", program->name, program->name);
    return 2;
}

static int fail_unknown(const struct args_program *program, const char *word)
{
    if (word[0] != '-')
        fprintf(stderr, "%s: unexpected argument '%s': everything is said by options\n", program->name, word);
    else
        fprintf(stderr, "%s: unknown option '%s'; the nearest is --%s\n", program->name, word,
                nearest(program, word + strspn(word, "-")));
    return fail_usage(program);
}

static const struct args_option *match_letter(const struct args_program *program, const char *word,
                                              const char **value)
{
    const struct args_option *option = find_letter(program, word[1]);
    if (word[2] == '\0' || !option)
        return option;
    *value = word + 2;
    return option->operand ? option : NULL;
}

/* Finds the option of a word and, where the word brings it ("--name=VALUE", "-nVALUE"), the value. */
static const struct args_option *match(const struct args_program *program, const char *word,
                                       const char **value)
{
    *value = NULL;
    if (word[0] != '-' || word[1] == '\0')
        return NULL;
    if (word[1] != '-')
        return match_letter(program, word, value);
    const char *equals = strchr(word, '=');
    *value = equals ? equals + 1 : NULL;
    return find_named(program, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
}

static bool set_option(const struct args_program *program, const struct args_option *option,
                       const char *value, void *config)
{
    void *field = (char *)config + option->offset;
    if (!option->operand && value) {
        fprintf(stderr, "%s: --%s takes no value\n", program->name, option->name);
        return false;
    }
    if (!option->operand) {
        *(bool *)field = true;
        return true;
    }
    if (!value) {
        fprintf(stderr, "%s: --%s needs its %s\n", program->name, option->name, option->operand);
        return false;
    }
    if (!option->read(value, field)) {
        fprintf(stderr, "%s: --%s '%s': it takes %s\n", program->name, option->name, value, option->expects);
        return false;
    }
    return true;
}

bool args_ask_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool args_ask_version(const char *word)
{
    return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0;
}

int args_read(const struct args_program *program, int argc, char **argv, void *config)
{
    for (int i = 1; i < argc; i++) {
        if (args_ask_help(argv[i])) {
            print_help(program);
            return file_end_output(program->name, "its help") ? 0 : 1;
        }
        if (args_ask_version(argv[i])) {
            printf("%s %s\n", program->name, PACKAGE_VERSION);
            return file_end_output(program->name, "its version") ? 0 : 1;
        }
        const char *value;
        const struct args_option *option = match(program, argv[i], &value);
        if (!option)
            return fail_unknown(program, argv[i]);
        if (!value && option->operand && i + 1 < argc)
            value = argv[++i];
        if (!set_option(program, option, value, config))
            return fail_usage(program);
    }
    return -1;
}

bool args_read_text(const char *text, void *field)
{
    *(const char **)field = text;
    return text[0] != '\0';
}
