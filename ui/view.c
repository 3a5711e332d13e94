/* SPDX-License-Identifier: MIT */
/* What several views share: which view a panel has, roles of the words, and how a list moves. */
#include "ui/view.h"
#include "core/action.h"
#include "core/decision.h"
#include "core/instance.h"
#include "core/snapshot.h"
#include <stdio.h>
#include <string.h>

const struct view_ops *view_of(const struct room *room, enum panel panel)
{
    static const struct view_ops *const views[PANEL_LIMIT] = {
        [PANEL_CPU] = &view_cpu,         [PANEL_COUNT] = &view_count,         [PANEL_RPM] = &view_rpm,
        [PANEL_LATENCY] = &view_latency, [PANEL_INSTANCES] = &view_instances, [PANEL_JOURNAL] = &view_journal,
    };
    bool counted = room->snap->target_flags & TARGET_COUNT && !(room->snap->target_flags & TARGET_INSTANCES);
    return panel == PANEL_INSTANCES && counted ? &view_remote : views[panel];
}

const struct instance_view *room_instance(const struct room *room, int id)
{
    for (int i = 0; id && i < room->snap->instance_count; i++)
        if (room->snap->instances[i].id == id)
            return &room->snap->instances[i];
    return NULL;
}

const char *view_ready(const struct snapshot *snap, char out[FORMAT_SIZE])
{
    bool unknown = snap->target_flags & TARGET_COUNT && snap->remote.replicas < 0;
    snprintf(out, FORMAT_SIZE, unknown ? "?" : "%d", snap->ready);
    return out;
}

enum role view_verdict_role(enum verdict verdict)
{
    static const enum role roles[] = {[VERDICT_HOLD] = ROLE_DIM,
                                      [VERDICT_UP] = ROLE_UP,
                                      [VERDICT_DOWN] = ROLE_DOWN,
                                      [VERDICT_MANUAL] = ROLE_MANUAL};
    return verdict <= VERDICT_MANUAL ? roles[verdict] : ROLE_NORMAL;
}

enum role view_state_role(enum instance_state state)
{
    static const enum role roles[INSTANCE_STATE_COUNT] = {
        [INSTANCE_NONE] = ROLE_DIM,      [INSTANCE_STARTING] = ROLE_BUSY, [INSTANCE_READY] = ROLE_GOOD,
        [INSTANCE_BUSY] = ROLE_WARN,     [INSTANCE_UNREADY] = ROLE_BAD,   [INSTANCE_DRAINING] = ROLE_DOWN,
        [INSTANCE_STOPPING] = ROLE_DOWN, [INSTANCE_KILLING] = ROLE_WARN,  [INSTANCE_BACKOFF] = ROLE_WARN,
        [INSTANCE_FAILED] = ROLE_BAD,
    };
    return state < INSTANCE_STATE_COUNT ? roles[state] : ROLE_NORMAL;
}

int view_move(enum ui_action action, int index, int count, int page)
{
    page = page > 1 ? page - 1 : 1;
    switch (action) {
    case ACT_UP:
        index--;
        break;
    case ACT_DOWN:
        index++;
        break;
    case ACT_PAGE_UP:
        index -= page;
        break;
    case ACT_PAGE_DOWN:
        index += page;
        break;
    case ACT_FIRST:
        index = 0;
        break;
    case ACT_LAST:
        index = count - 1;
        break;
    default:
        return -1;
    }
    index = index >= count ? count - 1 : index;
    return index < 0 ? 0 : index;
}

int view_scroll(int top, int index, int count, int page)
{
    if (index < top)
        top = index;
    if (index >= top + page)
        top = index - page + 1;
    if (top > count - page)
        top = count - page;
    return top < 0 ? 0 : top;
}
