/* SPDX-License-Identifier: MIT */
/* Which panel goes where at which size. Pure. */
#ifndef UI_LAYOUT_H
#define UI_LAYOUT_H
#include <stdbool.h>

enum panel { PANEL_CPU, PANEL_COUNT, PANEL_RPM, PANEL_LATENCY, PANEL_INSTANCES, PANEL_JOURNAL, PANEL_LIMIT };

#define PANEL_CHARTS 4 /* the first ones */

enum layout_kind {
    LAYOUT_LINE,   /* one live line */
    LAYOUT_SPARKS, /* a chart is a row */
    LAYOUT_CHARTS,
    LAYOUT_ZOOM, /* one panel has it all */
};

struct box {
    int x, y, width, height;
};

struct layout_wish {
    int width, height;
    int banners;   /* rows wanted for alerts and the like */
    int charts;    /* how many have something to show: 2 or PANEL_CHARTS */
    int instances; /* rows of the table or of the target's panel */
    bool zoomed;
    enum panel focus;
};

/* A panel that is not shown has height 0. */
struct layout {
    enum layout_kind kind;
    struct box header, banners, outlook, footer;
    struct box panels[PANEL_LIMIT];
};

void layout_fit(const struct layout_wish *wish, struct layout *out);

#endif
