/* SPDX-License-Identifier: MIT */
/* The first row: mode, where users connect, how many instances, the load, since when. Below it the banners:
 * what the operator must know until it is over or acknowledged. And all of it in one line for tiny windows.
 */
#include "core/text.h"
#include "ui/format.h"
#include "ui/spans.h"
#include "ui/view.h"
#include <math.h>
#include <stdio.h>

/* Control is silent when its snapshot is this much older than its own period. */
#define SILENT_AFTER (5 * USEC_PER_SEC)

static void add_mode(struct spans *spans, const struct room *room)
{
    const struct snapshot *snap = room->snap;
    char left[FORMAT_SIZE];
    spans_add(spans, 0, ROLE_BAR_NAME, " ascale ");
    spans_add(spans, 6, ROLE_BAR, " ");
    spans_add(spans, 0, snap->manual ? ROLE_MANUAL_MODE : ROLE_AUTO, snap->manual ? "[MANUAL]" : "[AUTO]");
    if (snap->override != OVERRIDE_NONE && !snap->manual) {
        bool floor_kind = snap->override == OVERRIDE_FLOOR;
        spans_add(spans, 1, ROLE_BAR_NAME, " %s %d", floor_kind ? "floor" : "ceiling", snap->override_count);
        if (snap->override_until != USEC_NEVER)
            spans_add(spans, 3, ROLE_BAR_DIM, " %s left",
                      format_span(left, snap->override_until - room->now));
    }
    if (snap->dry_run)
        spans_add(spans, 1, ROLE_MANUAL_MODE, " DRY RUN ");
    if (!room_writable(room))
        spans_add(spans, 2, ROLE_BAR_DIM, " read-only");
}

static void add_load(struct spans *spans, const struct room *room)
{
    const struct load_view *load = &room->snap->load;
    char rate[FORMAT_SIZE], left[FORMAT_SIZE];
    if (!load->running)
        return;
    spans_add(spans, 3, ROLE_BAR_DIM, "  load ");
    spans_add(spans, 3, ROLE_BAR, "%s rpm", format_number(rate, load->rps * 60));
    if (load->ends_at != USEC_NEVER)
        spans_add(spans, 5, ROLE_BAR_DIM, " %s left", format_span(left, load->ends_at - room->now));
}

void view_header_draw(struct room *room, struct area area)
{
    const struct snapshot *snap = room->snap;
    char clock[FORMAT_SIZE], period[FORMAT_SIZE], up[FORMAT_SIZE];
    struct spans spans = {0};
    draw_fill(area, 0, 0, area.width, 1, ROLE_BAR, ' ');
    format_time(clock, room->now + snap->wall_offset_us);
    units_format_duration(period, sizeof period, snap->config.scaling.polling_interval);
    units_format_clock(up, sizeof up, room->now - snap->started_at);
    add_mode(&spans, room);
    bool remote = snap->target_flags & TARGET_COUNT;
    spans_add(&spans, 4, ROLE_BAR, "  %s", remote ? snap->remote.url : snap->balancer.url);
    spans_add(&spans, 0, ROLE_BAR_NAME, "  %d ready", snap->ready);
    spans_add(&spans, 2, ROLE_BAR, " (%d..%d)", snap->config.scaling.min_instances,
              snap->config.scaling.max_instances);
    add_load(&spans, room);
    spans_add(&spans, 6, ROLE_BAR_DIM, "  every ");
    spans_add(&spans, 6, ROLE_BAR, "%s", period);
    spans_add(&spans, 7, ROLE_BAR_DIM, "  up ");
    spans_add(&spans, 7, ROLE_BAR, "%s", up);
    if (snap->unsaved > 0)
        spans_add(&spans, 8, ROLE_BAR_DIM, "  %d unsaved (w)", snap->unsaved);
    spans_fit(&spans, area.width - 10);
    spans_draw(&spans, area, 0, 0);
    draw_right(area, area.width - 1, 0, ROLE_BAR, clock);
}

enum banner { BANNER_ALERT, BANNER_STOPPING, BANNER_SILENT, BANNER_FROZEN, BANNER_DROPPED, BANNER_LIMIT };

/* False: this banner has nothing to say. */
static bool banner_text(const struct room *room, enum banner banner, struct spans *spans)
{
    const struct snapshot *live = room->live;
    char age[FORMAT_SIZE];
    usec_t silent = room->now - live->at;
    switch (banner) {
    case BANNER_ALERT:
        if (!live->alert[0])
            return false;
        spans_add(spans, 0, ROLE_ALERT, " ! %s", live->alert);
        spans_add(spans, 1, ROLE_ALERT, "   (press ! to acknowledge)");
        return true;
    case BANNER_STOPPING:
        if (!live->stopping && !room->quitting)
            return false;
        spans_add(spans, 0, ROLE_NOTICE, " STOPPING  %d instances left: drain, TERM, then KILL",
                  live->instance_count);
        return true;
    case BANNER_SILENT:
        if (silent < SILENT_AFTER + 3 * live->config.scaling.polling_interval)
            return false;
        spans_add(spans, 0, ROLE_ALERT, " ! the scaler has said nothing for %s; what you see is that old",
                  format_span(age, silent));
        return true;
    case BANNER_FROZEN:
        if (!room->frozen)
            return false;
        spans_add(spans, 0, ROLE_NOTICE, " FROZEN %s ago", format_span(age, room->now - room->frozen_at));
        spans_add(spans, 0, ROLE_NOTICE, "  the scaler still runs, %d ready now", live->ready);
        spans_add(spans, 1, ROLE_NOTICE, "   (Space goes on)");
        return true;
    case BANNER_DROPPED:
        if (live->dropped <= 0)
            return false;
        spans_add(spans, 0, ROLE_NOTICE, " %lld log or history records were lost", (long long)live->dropped);
        return true;
    case BANNER_LIMIT:
        break;
    }
    return false;
}

int view_banners_wish(const struct room *room)
{
    int wanted = 0;
    for (int banner = 0; banner < BANNER_LIMIT; banner++) {
        struct spans spans = {0};
        wanted += banner_text(room, (enum banner)banner, &spans);
    }
    return wanted;
}

void view_banners_draw(struct room *room, struct area area)
{
    int y = 0;
    for (int banner = 0; banner < BANNER_LIMIT && y < area.height; banner++) {
        struct spans spans = {0};
        if (!banner_text(room, (enum banner)banner, &spans))
            continue;
        spans_fit(&spans, area.width);
        draw_fill(area, 0, y, area.width, 1, spans.items[0].role, ' ');
        spans_draw(&spans, area, 0, y++);
    }
}

void view_line_draw(struct room *room, struct area area)
{
    const struct snapshot *snap = room->snap;
    char number[FORMAT_SIZE], text[200];
    if (room->dialog) {
        room->dialog->brief(room, text, sizeof text);
        draw_fit(area, 0, area.width, 0, ROLE_STRONG, text, room->glyphs->unicode);
        return;
    }
    if (room->message[0]) {
        draw_fit(area, 0, area.width, 0, room->message_role, room->message, room->glyphs->unicode);
        return;
    }
    struct spans spans = {0};
    spans_add(&spans, 0, snap->manual ? ROLE_MANUAL_MODE : ROLE_AUTO, snap->manual ? "MAN" : "AUTO");
    if (snap->alert[0])
        spans_add(&spans, 1, ROLE_ALERT, "!");
    spans_add(&spans, 0, ROLE_STRONG, " %d/%d", snap->ready, snap->desired);
    spans_add(&spans, 1, ROLE_CPU, " cpu %s%%", format_number(number, snap->cpu_pct));
    spans_add(&spans, 2, view_verdict_role(snap->last.verdict), " %s",
              snap->stopping ? "STOP" : verdict_name(snap->last.verdict));
    spans_add(&spans, 3, ROLE_RPM, " %s rpm", format_number(number, snap->rpm));
    if (!isnan(snap->error_pct))
        spans_add(&spans, 4, ROLE_NORMAL, " err %s%%", format_rate(number, snap->error_pct));
    spans_fit(&spans, area.width);
    spans_draw(&spans, area, 0, 0);
}
