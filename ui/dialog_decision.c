/* SPDX-License-Identifier: MIT */
/* Explains one entry of the journal: every reason of a decision, the deciding one first; all of an event's
 * text. */
#include "core/decision.h"
#include "core/journal.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/view.h"
#include <stdio.h>

static const struct journal_entry *entry_find(const struct room *room)
{
    const struct snapshot *snap = room->snap;
    for (int i = snap->journal_count - 1; i >= 0; i--)
        if (snap->journal[i].seq == room->state.entry.seq)
            return &snap->journal[i];
    return NULL;
}

static struct dialog_size decision_size(const struct room *room)
{
    const struct journal_entry *entry = entry_find(room);
    int reasons = entry && entry->kind == JOURNAL_DECISION ? entry->decision.reason_count : 2;
    return (struct dialog_size){92, reasons * 2 + 6};
}

static void outcome_draw(const struct decision *decision, struct area area)
{
    static const char *const meanings[] = {[VERDICT_HOLD] = "the count stays",
                                           [VERDICT_UP] = "more instances",
                                           [VERDICT_DOWN] = "fewer instances",
                                           [VERDICT_MANUAL] = "by the operator"};
    int x =
        draw_textf(area, 0, 0, view_verdict_role(decision->verdict), "%s", verdict_name(decision->verdict));
    if (decision->from != decision->to)
        x = draw_textf(area, x, 0, ROLE_STRONG, "  %d -> %d", decision->from, decision->to);
    else
        x = draw_textf(area, x, 0, ROLE_STRONG, "  %d", decision->to);
    draw_textf(area, x, 0, ROLE_DIM, "  %s",
               decision->verdict <= VERDICT_MANUAL ? meanings[decision->verdict] : "");
}

static int times_draw(const struct room *room, const struct decision *decision, struct area area)
{
    char first[FORMAT_SIZE], last[FORMAT_SIZE];
    format_time(first, decision->at + room->snap->wall_offset_us);
    format_time(last, decision->last_at + room->snap->wall_offset_us);
    if (decision->repeats > 1)
        draw_textf(area, 0, 1, ROLE_DIM, "first at %s, last at %s, %d times", first, last, decision->repeats);
    else
        draw_textf(area, 0, 1, ROLE_DIM, "at %s", first);
    return 3;
}

static void decision_draw(struct room *room, struct area area)
{
    const struct journal_entry *entry = entry_find(room);
    char text[200], clock[FORMAT_SIZE];
    if (!entry) {
        draw_text(area, 0, 0, ROLE_DIM, "This entry is no longer in the journal.");
    } else if (entry->kind == JOURNAL_EVENT) {
        draw_textf(area, 0, 0, ROLE_DIM, "at %s", format_time(clock, entry->at + room->snap->wall_offset_us));
        if (entry->instance > 0)
            draw_textf(area, 14, 0, ROLE_STRONG, "i%d", entry->instance);
        dialog_wrap(area, 2, ROLE_NORMAL, entry->text);
    } else {
        const struct decision *decision = &entry->decision;
        outcome_draw(decision, area);
        int y = times_draw(room, decision, area);
        for (int i = 0; i < decision->reason_count && i < DECISION_REASONS_MAX; i++) {
            reason_format(&decision->reasons[i], text, sizeof text);
            draw_text(area, 0, y, ROLE_DIM, i ? "and" : "because");
            y += dialog_wrap(area_part(area, 9, 0, area.width - 9, area.height), y, ROLE_NORMAL, text);
        }
    }
    dialog_hint(area, "Esc: close");
}

static void decision_key(struct room *room, int key)
{
    if (key == UI_KEY_ESC || key == UI_KEY_ENTER || key == 'q')
        room_close(room);
}

static void decision_brief(const struct room *room, char *out, size_t size)
{
    const struct journal_entry *entry = entry_find(room);
    out[0] = '\0';
    if (entry && entry->kind == JOURNAL_DECISION)
        decision_format(&entry->decision, out, size);
    else if (entry)
        snprintf(out, size, "%s", entry->text);
}

const struct dialog_ops dialog_decision = {"Why",        NULL, decision_size, decision_draw,
                                           decision_key, NULL, decision_brief};
