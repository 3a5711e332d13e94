/* SPDX-License-Identifier: MIT */
/* The splitter: one pass over the command with the open quote as its only state. A word begins at its first
 * character or quote, so '' is an empty word. Pure. */
#include "core/argv.h"
#include <stdio.h>
#include <string.h>

struct splitter {
    struct argv *out;
    const struct argv_variable *variables;
    size_t used;
    char quote; /* ' or ", 0 outside */
    bool in_word, full;
};

static void put(struct splitter *s, char c)
{
    if (s->used < sizeof s->out->text)
        s->out->text[s->used++] = c;
    else
        s->full = true;
}

static void begin_word(struct splitter *s)
{
    if (s->in_word)
        return;
    s->in_word = true;
    if (s->out->count == ARGV_WORDS_MAX || s->used == sizeof s->out->text) {
        s->full = true;
        return;
    }
    s->out->words[s->out->count++] = s->out->text + s->used;
}

static void end_word(struct splitter *s)
{
    if (s->in_word)
        put(s, '\0');
    s->in_word = false;
}

/* Puts the value of the {name} at `at`; returns how many bytes of the command it was, 0: it is none. */
static size_t put_variable(struct splitter *s, const char *at)
{
    for (const struct argv_variable *v = s->variables; v && v->name; v++) {
        size_t length = strlen(v->name);
        if (strncmp(at + 1, v->name, length) != 0 || at[1 + length] != '}')
            continue;
        for (const char *c = v->value; *c != '\0'; c++)
            put(s, *c);
        return length + 2;
    }
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whether a backslash here takes away the meaning of the character after it. */
static bool escapes(const struct splitter *s, char next)
{
    if (s->quote == '\'' || next == '\0')
        return false;
    return s->quote == 0 || next == '"' || next == '\\' || next == '{';
}

/* Takes what stands at `at`; returns how many bytes it was. */
static size_t take(struct splitter *s, const char *at)
{
    if (s->quote == 0 && is_blank(*at)) {
        end_word(s);
        return 1;
    }
    begin_word(s);
    if (*at == '\\' && escapes(s, at[1])) {
        put(s, at[1]);
        return 2;
    }
    if ((*at == '\'' || *at == '"') && (s->quote == 0 || s->quote == *at)) {
        s->quote = s->quote == 0 ? *at : 0;
        return 1;
    }
    size_t taken = *at == '{' ? put_variable(s, at) : 0;
    if (taken != 0)
        return taken;
    put(s, *at);
    return 1;
}

bool argv_split(struct argv *out, const char *command, const struct argv_variable *variables, char *err,
                size_t err_size)
{
    struct splitter s = {.out = out, .variables = variables};
    out->count = 0;
    for (const char *at = command; *at != '\0' && !s.full;)
        at += take(&s, at);
    end_word(&s);
    out->words[out->count] = NULL;
    const char *why = NULL;
    if (s.full)
        why = "more than 128 words or 4095 bytes";
    else if (s.quote != 0)
        why = s.quote == '"' ? "a \" is never closed" : "a ' is never closed";
    else if (out->count == 0 || out->words[0][0] == '\0')
        why = "there is nothing to run";
    if (why)
        snprintf(err, err_size, "%s in command '%s'", why, command);
    return !why;
}
