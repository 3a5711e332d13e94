/* SPDX-License-Identifier: MIT */
/* The orders that come in as JSON lines on standard input. Pure but for jansson's memory. */
#ifndef LOAD_COMMANDS_H
#define LOAD_COMMANDS_H
#include <stdbool.h>
#include <stddef.h>

enum load_command_kind { LOAD_COMMAND_RATE, LOAD_COMMAND_THREADS, LOAD_COMMAND_STOP };

struct load_command {
    enum load_command_kind kind;
    double value;
};

/* Reads one line without its end. On false, why says what is wrong with it. */
bool load_command_parse(const char *line, struct load_command *out, char *why, size_t why_size);

#endif
