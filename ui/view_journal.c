/* SPDX-License-Identifier: MIT */
/* Decisions and events, newest first; a decision that repeats is as new as its last time. The selection is an
 * entry's number; none selected means the newest, and then the list follows. */
#include "core/decision.h"
#include "core/journal.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/spans.h"
#include "ui/view.h"
#include <stdio.h>
#include <string.h>

static void entry_text(const struct journal_entry *entry, char *out, size_t size)
{
    if (entry->kind == JOURNAL_DECISION)
        decision_format(&entry->decision, out, size);
    else
        journal_entry_format(entry, out, size);
}

static const char *entry_word(const struct journal_entry *entry)
{
    static const char *const words[] = {
        [LEVEL_INFO] = "event", [LEVEL_WARNING] = "WARNING", [LEVEL_ERROR] = "ERROR"};
    if (entry->kind == JOURNAL_DECISION)
        return verdict_name(entry->decision.verdict);
    return entry->level <= LEVEL_ERROR ? words[entry->level] : "event";
}

static enum role entry_role(const struct journal_entry *entry)
{
    static const enum role roles[] = {
        [LEVEL_INFO] = ROLE_DIM, [LEVEL_WARNING] = ROLE_WARN, [LEVEL_ERROR] = ROLE_BAD};
    if (entry->kind == JOURNAL_DECISION)
        return view_verdict_role(entry->decision.verdict);
    return entry->level <= LEVEL_ERROR ? roles[entry->level] : ROLE_DIM;
}

static bool matches(const struct room *room, const struct journal_entry *entry)
{
    const char *filter = room->filter[PANEL_JOURNAL].text;
    char text[600], line[700];
    if (!filter[0])
        return true;
    entry_text(entry, text, sizeof text);
    snprintf(line, sizeof line, "%s %s", entry_word(entry), text);
    return strcasestr(line, filter) != NULL;
}

static usec_t entry_time(const struct journal_entry *entry)
{
    bool decided = entry->kind == JOURNAL_DECISION;
    return decided && entry->decision.last_at ? entry->decision.last_at : entry->at;
}

/* Indices into the journal of the entries shown, newest first: almost in order, but for HOLDs that fold. */
static int rows_of(const struct room *room, short rows[JOURNAL_MAX])
{
    const struct journal_entry *journal = room->snap->journal;
    int count = 0;
    for (int i = room->snap->journal_count - 1; i >= 0; i--) {
        if (!matches(room, &journal[i]))
            continue;
        int at = count++;
        for (; at > 0 && entry_time(&journal[rows[at - 1]]) < entry_time(&journal[i]); at--)
            rows[at] = rows[at - 1];
        rows[at] = (short)i;
    }
    return count;
}

static int index_of(const struct room *room, const short rows[], int count)
{
    for (int i = 0; room->entry && i < count; i++)
        if (room->snap->journal[rows[i]].seq == room->entry)
            return i;
    return 0;
}

static void title_draw(struct room *room, struct area area, int count, int page)
{
    bool focused = room->focus == PANEL_JOURNAL;
    const char *filter = room->filter[PANEL_JOURNAL].text;
    char place[64];
    draw_fill(area, 0, 0, area.width, 1, ROLE_RULE, room->glyphs->rule);
    draw_text(area, 1, 0, ROLE_RULE, " ");
    if (focused)
        draw_code(area, 0, 0, ROLE_FOCUS, room->glyphs->focus);
    int x = draw_text(area, 2, 0, focused ? ROLE_FOCUS : ROLE_TITLE, "Decisions");
    x = draw_text(area, x, 0, ROLE_DIM, area.width >= 70 ? ", newest first (Enter = explain) " : " ");
    if (filter[0])
        draw_textf(area, x + 1, 0, ROLE_NOTICE, " filter: %s ", filter);
    int last = room->journal_top + page < count ? room->journal_top + page : count;
    snprintf(place, sizeof place, " %d-%d/%d ", count ? room->journal_top + 1 : 0, last, count);
    draw_right(area, area.width - 2, 0, ROLE_DIM, place);
}

static void row_draw(struct room *room, const struct journal_entry *entry, struct area area, int y)
{
    const struct snapshot *snap = room->snap;
    const struct decision *decision = &entry->decision;
    bool unicode = room->glyphs->unicode, decided = entry->kind == JOURNAL_DECISION;
    enum role role = entry_role(entry);
    char clock[FORMAT_SIZE], text[600], change[24] = "", repeats[24] = "";
    draw_text(area, 1, y, ROLE_DIM, format_time(clock, entry_time(entry) + snap->wall_offset_us));
    draw_text(area, 11, y, role, entry_word(entry));
    if (decided && decision->from != decision->to)
        snprintf(change, sizeof change, "%d>%d", decision->from, decision->to);
    else if (decided)
        snprintf(change, sizeof change, "%d", decision->to);
    draw_text(area, 19, y, decided && decision->verdict != VERDICT_HOLD ? role : ROLE_DIM, change);
    if (decided && decision->repeats > 1)
        snprintf(repeats, sizeof repeats, " (x%d)", decision->repeats);
    int end = area.width - 1 - (int)strlen(repeats);
    entry_text(entry, text, sizeof text);
    bool quiet = decided && decision->verdict == VERDICT_HOLD;
    int x = draw_fit(area, decided ? 26 : 19, end, y, quiet ? ROLE_DIM : ROLE_NORMAL, text, unicode);
    draw_text(area, x, y, ROLE_DIM, repeats);
}

static void journal_draw(struct room *room, struct area area)
{
    short rows[JOURNAL_MAX];
    int count = rows_of(room, rows), page = area.height - 1, index = index_of(room, rows, count);
    bool focused = room->focus == PANEL_JOURNAL;
    room->rows[PANEL_JOURNAL] = page;
    room->journal_top = view_scroll(room->journal_top, index, count, page);
    title_draw(room, area, count, page);
    for (int y = 0; y < page && room->journal_top + y < count; y++) {
        row_draw(room, &room->snap->journal[rows[room->journal_top + y]], area, y + 1);
        if (room->journal_top + y != index || !focused)
            continue;
        draw_code(area, 0, y + 1, ROLE_FOCUS, room->glyphs->selected);
        draw_select(area, y + 1);
    }
    if (!count)
        draw_text(area, 2, 1, ROLE_DIM,
                  room->snap->journal_count ? "nothing matches the filter" : "nothing yet");
}

static void select_row(struct room *room, const short rows[], int count, int index)
{
    if (index >= 0 && index < count)
        room->entry = index ? room->snap->journal[rows[index]].seq : 0;
}

static bool journal_act(struct room *room, enum ui_action action)
{
    short rows[JOURNAL_MAX];
    int count = rows_of(room, rows), index = index_of(room, rows, count);
    int moved = view_move(action, index, count, room->rows[PANEL_JOURNAL]);
    if (moved >= 0) {
        select_row(room, rows, count, moved);
        return true;
    }
    if ((action == ACT_FIND_NEXT || action == ACT_FIND_PREVIOUS) && count) {
        select_row(room, rows, count, (index + count + (action == ACT_FIND_NEXT ? 1 : -1)) % count);
        return true;
    }
    if (action != ACT_OPEN || !count)
        return false;
    room_open(room, &dialog_decision);
    room->state.entry.seq = room->snap->journal[rows[index]].seq;
    return true;
}

static void journal_click(struct room *room, int row)
{
    short rows[JOURNAL_MAX];
    int count = rows_of(room, rows);
    select_row(room, rows, count, room->journal_top + row - 1);
}

const struct view_ops view_journal = {"decisions", journal_draw, journal_act, journal_click, NULL};
