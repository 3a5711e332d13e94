/* SPDX-License-Identifier: MIT */
/* A line of text being typed: the filter, a field of a form. Plain value. */
#ifndef UI_LINE_H
#define UI_LINE_H
#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX_BYTES 256

struct line {
    char text[LINE_MAX_BYTES]; /* UTF-8 */
    size_t cursor;             /* in bytes, at a character's start */
};

void line_set(struct line *line, const char *text); /* the cursor goes to the end */
/* False: not a key that edits. */
bool line_key(struct line *line, int key);

#endif
