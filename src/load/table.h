/* SPDX-License-Identifier: MIT */
/* Progress on a terminal: a table that is drawn over the one before, or one line where there is no room for
 * it. Nothing but lines, so that it works on every terminal that can move its cursor up. */
#ifndef LOAD_TABLE_H
#define LOAD_TABLE_H
#include "load/output.h"

struct table {
    unsigned columns, rows; /* of the terminal, now */
    unsigned drawn;         /* lines of the last one, the cursor being below them */
};

void table_draw(FILE *out, struct table *table, const struct output_interval *what);

/* Takes the last one off the screen. */
void table_clear(FILE *out, struct table *table);

#endif
