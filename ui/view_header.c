/* SPDX-License-Identifier: MIT */
/* The first row: mode, where users connect, how many instances, the load, since when. Below it the banners:
 * what the operator must know until it is over or acknowledged. And all of it in one line for tiny windows.
 */
#include "core/action.h"
#include "core/decision.h"
#include "core/hold.h"
#include "core/snapshot.h"
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

/* Those that are not ready, each state that there is with its word and colour. */
static void add_others(struct spans *spans, const struct snapshot *snap)
{
    const struct {
        int count;
        const char *word;
        enum role role;
    } others[] = {{snap->busy, "busy", ROLE_BAR_NAME},
                  {snap->unready, "unready", ROLE_ALERT},
                  {snap->failed, "failed", ROLE_ALERT},
                  {snap->starting, "starting", ROLE_BAR},
                  {snap->draining, "draining", ROLE_BAR_DIM}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].count > 0)
            spans_add(spans, 3, others[i].role, " +%d %s", others[i].count, others[i].word);
}

void view_header_draw(struct room *room, struct area area)
{
    const struct snapshot *snap = room->snap;
    char clock[FORMAT_SIZE], period[FORMAT_SIZE], up[FORMAT_SIZE], ready[FORMAT_SIZE];
    struct spans spans = {0};
    draw_fill(area, 0, 0, area.width, 1, ROLE_BAR, ' ');
    format_time(clock, room->now + snap->wall_offset_us);
    units_format_duration(period, sizeof period, snap->config.scaling.polling_interval);
    units_format_clock(up, sizeof up, room->now - snap->started_at);
    add_mode(&spans, room);
    bool remote = snap->target_flags & TARGET_COUNT;
    const char *url = remote ? snap->remote.url : snap->balancer.url;
    if (url[0])
        spans_add(&spans, 4, ROLE_BAR, "  %s", url);
    spans_add(&spans, 0, ROLE_BAR_NAME, "  %s ready", view_ready(snap, ready));
    add_others(&spans, snap);
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

enum banner {
    BANNER_ALERT,
    BANNER_STOPPING,
    BANNER_SILENT,
    BANNER_FROZEN,
    BANNER_PANIC,
    BANNER_ROLLING,
    BANNER_DROPPED,
    BANNER_LIMIT
};

struct banner_text {
    enum role role;
    char text[SPANS_TEXT_MAX];
    const char *hint; /* what to do about it; stays when the text is cut */
};

/* False: this banner has nothing to say. */
static bool banner_text(const struct room *room, enum banner banner, struct banner_text *out)
{
    const struct snapshot *live = room->live;
    char age[FORMAT_SIZE];
    usec_t silent = room->now - live->at;
    *out = (struct banner_text){.role = ROLE_NOTICE, .hint = ""};
    switch (banner) {
    case BANNER_ALERT:
        out->role = ROLE_ALERT;
        out->hint = "  ! = seen ";
        snprintf(out->text, sizeof out->text, " ! %s", live->alert);
        return live->alert[0];
    case BANNER_STOPPING:
        if (room->leaving)
            snprintf(out->text, sizeof out->text, " LEAVING  balancer and instances serve on");
        else
            snprintf(out->text, sizeof out->text, " STOPPING  %d instance%s left: drain, TERM, then KILL",
                     live->instance_count, live->instance_count == 1 ? "" : "s");
        return live->stopping || room->quitting;
    case BANNER_SILENT:
        out->role = ROLE_ALERT;
        snprintf(out->text, sizeof out->text,
                 " ! the scaler has said nothing for %s; what you see is that old", format_span(age, silent));
        return silent >= SILENT_AFTER + 3 * live->config.scaling.polling_interval;
    case BANNER_FROZEN:
        out->hint = "  Space = go on ";
        snprintf(out->text, sizeof out->text, " FROZEN %s ago; the scaler still runs, %d ready now",
                 format_span(age, room->now - room->frozen_at), live->ready);
        return room->frozen;
    case BANNER_PANIC:
        out->role = ROLE_ALERT;
        snprintf(
            out->text, sizeof out->text,
            " ! fewer than %g%% are ready: %d that fail their checks but answer get requests all the same",
            live->config.balancer.panic_threshold, live->unready);
        return live->panic;
    case BANNER_ROLLING:
        snprintf(out->text, sizeof out->text,
                 " ROLLING  %d instance%s left to replace: a new one is ready before an old one goes",
                 live->rolling, live->rolling == 1 ? "" : "s");
        return live->rolling > 0;
    case BANNER_DROPPED:
        snprintf(out->text, sizeof out->text, " %lld log or history records were lost",
                 (long long)live->dropped);
        return live->dropped > 0;
    case BANNER_LIMIT:
        break;
    }
    return false;
}

int view_banners_wish(const struct room *room)
{
    int wanted = 0;
    for (int banner = 0; banner < BANNER_LIMIT; banner++) {
        struct banner_text text;
        wanted += banner_text(room, (enum banner)banner, &text);
    }
    return wanted;
}

void view_banners_draw(struct room *room, struct area area)
{
    int y = 0;
    for (int banner = 0; banner < BANNER_LIMIT && y < area.height; banner++) {
        struct banner_text text;
        if (!banner_text(room, (enum banner)banner, &text))
            continue;
        int hint = text_width(text.hint);
        draw_fill(area, 0, y, area.width, 1, text.role, ' ');
        draw_fit(area, 0, area.width - hint, y, text.role, text.text, room->glyphs->unicode);
        draw_right(area, area.width, y++, text.role, text.hint);
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
    spans_add(&spans, 1, ROLE_CPU, " cpu %s", format_percent(format_number(number, snap->cpu_pct)));
    spans_add(&spans, 2, view_verdict_role(snap->last.verdict), " %s",
              snap->stopping ? "STOP" : verdict_name(snap->last.verdict));
    spans_add(&spans, 3, ROLE_RPM, " %s rpm", format_number(number, snap->rpm));
    if (!isnan(snap->error_pct))
        spans_add(&spans, 4, ROLE_NORMAL, " err %s", format_percent(format_rate(number, snap->error_pct)));
    spans_fit(&spans, area.width);
    spans_draw(&spans, area, 0, 0);
}
