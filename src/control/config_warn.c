/* SPDX-License-Identifier: MIT */
/* What a command is hardly meant to be: words that only a shell would understand, a placeholder that is none,
 * a program that is nowhere. */
#include "control/config_load.h"
#include "core/argv.h"
#include "core/text.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct warning {
    config_told *told;
    void *context;
};

__attribute__((format(printf, 2, 3))) static void warn(const struct warning *w, const char *format, ...)
{
    char text[CONFIG_LOAD_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    w->told(w->context, false, text);
}

static void warn_of_placeholders(const struct warning *w, const char *command)
{
    static const char *const known[] = {"port", "id", "host"};
    for (const char *at = command; (at = strchr(at, '{')); at++) {
        size_t size = strcspn(at + 1, "}");
        const char *meant = NULL;
        bool exact = false;
        char word[16];
        snprintf(word, sizeof word, "%.*s", size < sizeof word ? (int)size : 0, at + 1);
        for (size_t i = 0; at[1 + size] && word[0] && i < sizeof known / sizeof *known; i++) {
            int far = text_distance(word, known[i]);
            exact |= far == 0;
            meant = far <= 2 && size > 1 ? known[i] : meant;
        }
        if (meant && !exact)
            warn(w, "app.command: {%.*s} is passed on as it is; is {%s} meant?", (int)size, at + 1, meant);
    }
    if (!strstr(command, "{port}"))
        warn(w, "app.command has no {port}: the instances cannot be told which port is theirs");
}

static void warn_of_shell_words(const struct warning *w, const struct argv *command)
{
    for (int i = 0; i < command->count; i++) {
        const char *word = command->words[i], *dollar = strchr(word, '$');
        if (i > 0 && strcmp(command->words[i - 1], "-c") == 0)
            continue; /* the shell's own text */
        if (word[0] == '#')
            warn(w, "app.command: '%.60s' is an argument, no comment; a comment needs a line of its own",
                 word);
        else if (word[0] == '~' && (!word[1] || word[1] == '/'))
            warn(w,
                 "app.command: '%.60s' is taken literally, no shell is involved: write the path out, or use "
                 "sh -c",
                 word);
        else if (dollar && (dollar[1] == '{' || dollar[1] == '_' || (dollar[1] >= 'A' && dollar[1] <= 'Z')))
            warn(w, "app.command: '%.60s' is taken literally, no shell is involved: use env.NAME, or sh -c",
                 word);
    }
}

static bool is_in_path(const char *program)
{
    char path[PATH_MAX];
    const char *list = getenv("PATH");
    for (const char *at = list ? list : "/usr/bin:/bin"; *at; at += strcspn(at, ":"), at += *at == ':') {
        int size = (int)strcspn(at, ":");
        if (size > 0 && snprintf(path, sizeof path, "%.*s/%s", size, at, program) < (int)sizeof path &&
            access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* Our own programs are found beside the one that runs. */
static void warn_of_program(const struct warning *w, const struct config *cfg, const char *program)
{
    char path[PATH_MAX];
    bool rooted = program[0] == '/', named = strchr(program, '/') != NULL;
    if (strncmp(program, "ascale-", 7) == 0)
        return;
    snprintf(path, sizeof path, "%s%s%s", rooted ? "" : cfg->app.directory,
             rooted || !cfg->app.directory[0] ? "" : "/", program);
    if (named ? access(path, X_OK) != 0 : !is_in_path(program))
        warn(w, "app.command: the program '%.100s' is not found%s", program, named ? "" : " in PATH");
}

void config_warn(const struct config *cfg, config_told *told, void *context)
{
    const struct warning w = {told, context};
    struct argv command;
    char text[CONFIG_ERROR_SIZE];
    if (config_advise(cfg, text, sizeof text))
        warn(&w, "%s", text);
    if (cfg->scaling.target != CONFIG_TARGET_PROCESS ||
        !argv_split(&command, cfg->app.command, NULL, text, sizeof text))
        return;
    warn_of_placeholders(&w, cfg->app.command);
    warn_of_shell_words(&w, &command);
    warn_of_program(&w, cfg, command.words[0]);
}
