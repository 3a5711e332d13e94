/* SPDX-License-Identifier: MIT */
/* A line made of pieces with roles of their own; the less important ones go when it does not fit. */
#ifndef UI_SPANS_H
#define UI_SPANS_H
#include "ui/grid.h"

#define SPANS_MAX      40
#define SPANS_TEXT_MAX 256

struct span {
    char text[SPANS_TEXT_MAX];
    enum role role;
    int rank; /* 0 stays; the highest goes first */
};

struct spans {
    int count;
    struct span items[SPANS_MAX];
};

void spans_add(struct spans *spans, int rank, enum role role, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int spans_width(const struct spans *spans);
void spans_fit(struct spans *spans, int columns);
/* Returns the column after it. */
int spans_draw(const struct spans *spans, struct area area, int x, int y);

#endif
