/* SPDX-License-Identifier: MIT */
/* Splits the command of an instance into words the way a shell would, but without a shell: blanks separate,
 * '...' keeps everything, "..." keeps all but \" and \\, a backslash keeps the next character. {name} is
 * replaced wherever it stands, quoted or not, and never splits a word; a \{ and an unknown {name} stay as
 * they are. */
#ifndef CORE_ARGV_H
#define CORE_ARGV_H
#include <stdbool.h>
#include <stddef.h>

#define ARGV_WORDS_MAX 128
#define ARGV_TEXT_MAX  4096

struct argv_variable {
    const char *name, *value; /* an array of these ends with name NULL */
};

/* words[count] is NULL, so words serves as an argv; they point into text: copy the struct and they do not
 * follow. */
struct argv {
    int count;
    char *words[ARGV_WORDS_MAX + 1];
    char text[ARGV_TEXT_MAX];
};

/* False: err says why (nothing to run, an open quote, too long). */
bool argv_split(struct argv *out, const char *command, const struct argv_variable *variables, char *err,
                size_t err_size);

#endif
