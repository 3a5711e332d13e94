/* SPDX-License-Identifier: MIT */
/* One line on what the next step looks at: the newest verdict and why, what holds it back, and how far it is
 * to the next change. Written from the data, so that it is true also when nothing happens. */
#include "core/config.h"
#include "core/decision.h"
#include "core/signal.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/spans.h"
#include "ui/view.h"
#include <math.h>
#include <stdio.h>

#define SHOWN_SPAN (50 * USEC_PER_MSEC) /* what is shorter would read 0.0s */

static void add_separator(struct spans *spans, const struct room *room, int rank)
{
    spans_add(spans, rank, ROLE_RULE, room->glyphs->unicode ? " \u2502 " : " | ");
}

static void add_way(struct spans *spans, const struct room *room, int rank, bool up)
{
    const struct outlook *outlook = &room->snap->outlook;
    usec_t have = up ? outlook->above_for : outlook->below_for,
           need = up ? outlook->above_need : outlook->below_need;
    double edge = up ? outlook->up : outlook->down;
    char span[FORMAT_SIZE], limit[FORMAT_SIZE];
    /* beside a whole number, so that no decimal is lost */
    signal_format(outlook->signal, edge, round(edge), false, limit, sizeof limit);
    add_separator(spans, room, rank);
    spans_add(spans, rank, up ? ROLE_UP : ROLE_DOWN, up ? "UP" : "DOWN");
    spans_add(spans, rank, ROLE_NORMAL, " needs %s %s %s", signal_names[outlook->signal], up ? ">" : "<",
              limit);
    if (need <= 0)
        return;
    if (have > need) /* held back by something else, which the reasons say */
        have = need;
    units_format_duration(span, sizeof span, need);
    spans_add(spans, rank, ROLE_NORMAL, " for %s", span);
    spans_add(spans, rank + 1, have > 0 ? ROLE_STRONG : ROLE_DIM, " (now %ld/%ld)",
              (long)(have / USEC_PER_SEC), (long)(need / USEC_PER_SEC));
}

static void add_cooldown(struct spans *spans, const struct room *room)
{
    const struct outlook *outlook = &room->snap->outlook;
    char left[FORMAT_SIZE];
    if (outlook->cooldown_up_left >= SHOWN_SPAN) {
        add_separator(spans, room, 2);
        spans_add(spans, 2, ROLE_NORMAL, "cooldown up %s", format_span(left, outlook->cooldown_up_left));
    }
    if (outlook->cooldown_down_left >= SHOWN_SPAN) {
        add_separator(spans, room, 3);
        spans_add(spans, 3, ROLE_NORMAL, "cooldown down %s", format_span(left, outlook->cooldown_down_left));
    }
}

void view_outlook_draw(struct room *room, struct area area)
{
    const struct snapshot *snap = room->snap;
    const struct decision *last = &snap->last;
    char why[SPANS_TEXT_MAX];
    struct spans spans = {0};
    uint32_t rule = room->glyphs->rule;
    draw_fill(area, 0, 0, area.width, 1, ROLE_RULE, rule);
    enum role role = last->verdict == VERDICT_HOLD ? ROLE_STRONG : view_verdict_role(last->verdict);
    spans_add(&spans, 0, role, " %s ", snap->stopping ? "STOPPING" : verdict_name(last->verdict));
    if (last->verdict != VERDICT_HOLD)
        spans_add(&spans, 0, role, "%d>%d ", last->from, last->to);
    decision_format(last, why, sizeof why);
    if (why[0])
        spans_add(&spans, 0, ROLE_NORMAL, " %s", why);
    if (!snap->manual && !snap->stopping) {
        bool down_first = snap->outlook.below_for > 0 && snap->desired > snap->config.scaling.min_instances;
        add_cooldown(&spans, room);
        add_way(&spans, room, down_first ? 6 : 4, true);
        add_way(&spans, room, down_first ? 4 : 6, false);
    }
    spans_fit(&spans, area.width - 4);
    int end = spans_draw(&spans, area, 2, 0);
    if (end >= area.width - 1)
        draw_text(area, area.width - (room->glyphs->unicode ? 1 : 3), 0, ROLE_DIM,
                  room->glyphs->unicode ? "\u2026" : "...");
    else
        draw_code(area, end, 0, ROLE_RULE, ' ');
}
