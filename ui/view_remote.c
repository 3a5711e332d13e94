/* SPDX-License-Identifier: MIT */
/* A target that only takes a count: its health in place of a table of instances. */
#include "core/breaker.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/spans.h"
#include "ui/view.h"
#include <stdio.h>

enum { REMOTE_ROWS = 6 };

int view_remote_wish(const struct room *room)
{
    (void)room;
    return REMOTE_ROWS;
}

static void row_label(struct area area, int y, const char *label)
{
    draw_text(area, 2, y, ROLE_DIM, label);
}

static void health_draw(const struct room *room, struct area area, int y)
{
    const struct remote_view *remote = &room->snap->remote;
    char age[FORMAT_SIZE], latency[FORMAT_SIZE];
    struct spans spans = {0};
    row_label(area, y, "Health");
    spans_add(&spans, 0, remote->reachable ? ROLE_GOOD : ROLE_BAD,
              remote->reachable ? "ANSWERING" : "NOT ANSWERING");
    if (remote->answered_at > 0)
        spans_add(&spans, 0, ROLE_NORMAL, "  last answer %s ago in %s ms",
                  format_span(age, room->now - remote->answered_at), format_ms(latency, remote->latency_us));
    else
        spans_add(&spans, 0, ROLE_WARN, "  never answered");
    spans_add(&spans, 1, ROLE_DIM, "   %lld calls, %lld failed, %lld retries", (long long)remote->calls,
              (long long)remote->failures, (long long)remote->retries);
    spans_fit(&spans, area.width - 13);
    spans_draw(&spans, area, 13, y);
}

static void breaker_draw(const struct room *room, struct area area, int y)
{
    static const struct {
        const char *text;
        enum role role;
    } states[] = {[BREAKER_CLOSED] = {"closed: calls go through", ROLE_GOOD},
                  [BREAKER_OPEN] = {"OPEN: calls are held back", ROLE_BAD},
                  [BREAKER_HALF_OPEN] = {"HALF OPEN: one call tries", ROLE_BUSY}};
    const struct remote_view *remote = &room->snap->remote;
    char left[FORMAT_SIZE];
    row_label(area, y, "Breaker");
    int x = draw_text(area, 13, y, states[remote->breaker].role, states[remote->breaker].text);
    if (remote->breaker == BREAKER_OPEN && remote->breaker_until != USEC_NEVER)
        draw_textf(area, x, y, ROLE_NORMAL, ", next try in %s",
                   format_span(left, remote->breaker_until - room->now));
}

static void count_row_draw(const struct room *room, struct area area, int y)
{
    const struct remote_view *remote = &room->snap->remote;
    char age[FORMAT_SIZE];
    row_label(area, y, "Replicas");
    bool lags = remote->replicas >= 0 && remote->ordered >= 0 && remote->replicas != remote->ordered;
    int x = remote->replicas < 0 ? draw_text(area, 13, y, ROLE_STRONG, "unknown")
                                 : draw_textf(area, 13, y, ROLE_STRONG, "%d", remote->replicas);
    usec_t waited = room->now - remote->order_at;
    bool late = lags && waited >= room->snap->config.scaling.polling_interval;
    if (remote->ordered >= 0)
        x = draw_textf(area, x, y, late ? ROLE_WARN : ROLE_NORMAL, ", ordered %d", remote->ordered);
    if (late && remote->order_at > 0)
        draw_textf(area, x, y, ROLE_WARN, ", not there after %s", format_span(age, waited));
    else if (lags)
        draw_text(area, x, y, ROLE_DIM, ", the next look will tell");
}

static void order_draw(const struct room *room, struct area area, int y)
{
    const struct remote_view *remote = &room->snap->remote;
    char age[FORMAT_SIZE], text[320];
    row_label(area, y, "Orders");
    int x = draw_textf(area, 13, y, ROLE_NORMAL, "%lld given, %lld failed", (long long)remote->orders,
                       (long long)remote->orders_failed);
    if (!remote->last_order[0])
        return;
    snprintf(text, sizeof text, "   last %s ago: %s",
             remote->order_at > 0 ? format_span(age, room->now - remote->order_at) : "-", remote->last_order);
    draw_fit(area, x, area.width, y, ROLE_DIM, text, room->glyphs->unicode);
}

static void remote_draw(struct room *room, struct area area)
{
    const struct remote_view *remote = &room->snap->remote;
    bool focused = room->focus == PANEL_INSTANCES;
    draw_fill(area, 0, 0, area.width, 1, ROLE_HEAD, ' ');
    if (focused)
        draw_code(area, 0, 0, ROLE_HEAD, room->glyphs->focus);
    int x = draw_text(area, 1, 0, ROLE_HEAD, "TARGET  ");
    draw_fit(area, x, area.width, 0, ROLE_HEAD, remote->url, room->glyphs->unicode);
    health_draw(room, area, 1);
    count_row_draw(room, area, 2);
    order_draw(room, area, 3);
    breaker_draw(room, area, 4);
    row_label(area, 5, "Last error");
    draw_fit(area, 13, area.width, 5, remote->last_error[0] && !remote->reachable ? ROLE_BAD : ROLE_DIM,
             remote->last_error[0] ? remote->last_error : "none", room->glyphs->unicode);
}

const struct view_ops view_remote = {"target", remote_draw, NULL, NULL,
                                     "the instances of this target are not ours, so there is no detail"};
