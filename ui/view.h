/* SPDX-License-Identifier: MIT */
/* A view draws one panel from the snapshot shown and answers the keys that move within it. */
#ifndef UI_VIEW_H
#define UI_VIEW_H
#include "core/instance.h"
#include "ui/format.h"
#include "ui/room.h"

struct view_ops {
    const char *name;
    void (*draw)(struct room *room, struct area area);
    /* False: the action means nothing here. */
    bool (*act)(struct room *room, enum ui_action action);
    /* A click on a row of the panel, row 0 its title; NULL = none. */
    void (*click)(struct room *room, int row);
    const char *no_detail; /* why Enter has nothing to show; NULL = it has */
};

/* By panel; the table's place is taken by the target's panel where instances are not ours. */
const struct view_ops *view_of(const struct room *room, enum panel panel);

extern const struct view_ops view_cpu, view_count, view_rpm, view_latency;
extern const struct view_ops view_instances, view_remote, view_journal;

/* Index of the chart window in force. */
int view_window(const struct room *room);

/* Rows the table or the target's panel would like to have, its head counted. */
int view_instances_wish(const struct room *room);
int view_remote_wish(const struct room *room);

void view_header_draw(struct room *room, struct area area);
/* Banner rows wanted: alert, stopping, frozen. */
int view_banners_wish(const struct room *room);
void view_banners_draw(struct room *room, struct area area);
void view_outlook_draw(struct room *room, struct area area);
void view_footer_draw(struct room *room, struct area area);
/* The whole state in one line, for windows too small for more. */
void view_line_draw(struct room *room, struct area area);

/* How many are ready: "?" before a target that only counts has said it. */
const char *view_ready(const struct snapshot *snap, char out[FORMAT_SIZE]);

enum role view_verdict_role(enum verdict verdict);
enum role view_state_role(enum instance_state state);

/* Moves a list's selection: new index of count rows, page rows a page. */
int view_move(enum ui_action action, int index, int count, int page);
/* First row shown so that index is visible. */
int view_scroll(int top, int index, int count, int page);

#endif
