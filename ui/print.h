/* SPDX-License-Identifier: MIT */
/* A grid as text, for pipes, tests and pictures. */
#ifndef UI_PRINT_H
#define UI_PRINT_H
#include "ui/grid.h"
#include <stdio.h>

/* A line a row; without color, trailing blanks are left out. False: the stream failed. */
bool print_grid(const struct grid *grid, bool unicode, bool color, enum theme_palette palette, FILE *out);

#endif
