/* SPDX-License-Identifier: MIT */
/* The command line of a program as a table: one row an option drives the reading, the error and --help. Knows
 * "--name VALUE", "--name=VALUE", "-n VALUE", "-nVALUE", "--switch", --help and --version; no operands. */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H
#include <stdbool.h>
#include <stddef.h>

struct args_option {
    const char *name;    /* without the dashes */
    char letter;         /* 0: none */
    const char *operand; /* "DURATION" as --help shows it; NULL: a switch, which sets a bool */
    const char *expects; /* completes "it takes ...": "a duration such as 250ms or 3s" */
    /* Reads text into the field; false leaves a message to the caller. The field is at offset in the config.
     * Called once for every time the option is given. */
    bool (*read)(const char *text, void *field);
    size_t offset;
    const char *help;
};

struct args_program {
    const char *name;
    const char *about; /* one sentence */
    const char *notes; /* printed after the options; may be NULL */
    const struct args_option *options;
    size_t count;
};

/* Fills *config. -1: go on; otherwise the exit status: 0 after --help or --version, 1 when they could not be
 * written, 2 after an error on stderr. */
int args_read(const struct args_program *program, int argc, char **argv, void *config);

/* "--help" or "-h"; "--version" or "-V". */
bool args_ask_help(const char *word);
bool args_ask_version(const char *word);

/* A reader for options whose operand is kept as it is; the text belongs to argv. */
bool args_read_text(const char *text, void *field);

#endif
