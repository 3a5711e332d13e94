/* SPDX-License-Identifier: MIT */
/* The table of instances: a row of the column table drives head, cells, sorting and what goes first in a
 * narrow window. The selection is an instance's id, not a row, so that it stays with its instance. */
#include "core/instance.h"
#include "core/snapshot.h"
#include "ui/format.h"
#include "ui/view.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum column_kind {
    COLUMN_ID,
    COLUMN_INT,   /* int; 0 is none */
    COLUMN_COUNT, /* int; negative is none */
    COLUMN_STATE,
    COLUMN_NUMBER,  /* double */
    COLUMN_ERRORS,  /* double, percent */
    COLUMN_BYTES,   /* int64_t */
    COLUMN_LATENCY, /* int64_t, microseconds */
    COLUMN_SINCE,   /* usec_t: how long ago, as a clock */
    COLUMN_CHECKED, /* usec_t: how long ago, coarse: tenths would change in every frame */
    COLUMN_LOG,
};

struct column {
    const char *title;
    int width; /* 0: what is left */
    int from;  /* shown in windows at least this wide */
    bool left; /* aligned */
    enum column_kind kind;
    size_t offset; /* in struct instance_view */
};

#define AT(member) offsetof(struct instance_view, member)

static const struct column columns[] = {
    {"ID", 5, 0, true, COLUMN_ID, AT(id)},
    {"PORT", 6, 0, true, COLUMN_INT, AT(port)},
    {"PID", 8, 60, true, COLUMN_INT, AT(pid)},
    {"STATE", 10, 0, true, COLUMN_STATE, AT(state)},
    {"CPU%", 5, 0, false, COLUMN_NUMBER, AT(cpu_pct)},
    {"MEM MB", 7, 80, false, COLUMN_BYTES, AT(mem_bytes)},
    {"RPM", 6, 50, false, COLUMN_NUMBER, AT(rpm)},
    {"p50", 5, 96, false, COLUMN_LATENCY, AT(p50_us)},
    {"p95", 5, 80, false, COLUMN_LATENCY, AT(p95_us)},
    {"ERR", 5, 80, false, COLUMN_ERRORS, AT(error_pct)},
    {"INFL", 5, 80, false, COLUMN_COUNT, AT(in_flight)},
    {"UP", 10, 70, false, COLUMN_SINCE, AT(started_at)},
    {"CHECK", 6, 110, false, COLUMN_CHECKED, AT(checked_at)},
    {"LAST LOG LINE", 0, 90, true, COLUMN_LOG, 0},
};

#define COLUMNS          (int)(sizeof columns / sizeof *columns)
#define HEAD_PLACE_WIDTH 115 /* from here on the log column leaves room in the head */

static double column_value(const struct column *column, const struct instance_view *instance)
{
    const void *member = (const char *)instance + column->offset;
    switch (column->kind) {
    case COLUMN_ID:
    case COLUMN_INT:
    case COLUMN_COUNT:
        return *(const int *)member;
    case COLUMN_STATE:
        return instance->state;
    case COLUMN_NUMBER:
    case COLUMN_ERRORS:
        return *(const double *)member;
    case COLUMN_BYTES:
    case COLUMN_LATENCY:
        return (double)*(const int64_t *)member;
    case COLUMN_SINCE:
    case COLUMN_CHECKED:
        return -(double)*(const usec_t *)member; /* later is younger */
    case COLUMN_LOG:
        break;
    }
    return 0;
}

static void age_text(enum column_kind kind, usec_t age, char out[FORMAT_SIZE])
{
    if (kind == COLUMN_SINCE)
        units_format_clock(out, FORMAT_SIZE, age);
    else
        snprintf(out, FORMAT_SIZE,
                 age < USEC_PER_SEC          ? "<1s"
                 : age < 1000 * USEC_PER_SEC ? "%ds"
                                             : ">15m",
                 (int)(age / USEC_PER_SEC));
}

static void column_text(const struct room *room, const struct column *column,
                        const struct instance_view *instance, char out[FORMAT_SIZE])
{
    double value = column_value(column, instance);
    switch (column->kind) {
    case COLUMN_ID:
        snprintf(out, FORMAT_SIZE, "i%d", instance->id);
        break;
    case COLUMN_INT:
        snprintf(out, FORMAT_SIZE, value > 0 ? "%.0f" : "-", value);
        break;
    case COLUMN_STATE:
        snprintf(out, FORMAT_SIZE, "%s", instance_state_name(instance->state));
        break;
    case COLUMN_COUNT:
    case COLUMN_NUMBER:
        format_number(out, value);
        break;
    case COLUMN_ERRORS:
        format_rate(out, value);
        break;
    case COLUMN_BYTES:
        format_megabytes(out, (int64_t)value);
        break;
    case COLUMN_LATENCY:
        format_ms(out, (int64_t)value);
        break;
    case COLUMN_SINCE:
    case COLUMN_CHECKED:
        strcpy(out, "-");
        if (value < 0)
            age_text(column->kind,
                     (column->kind == COLUMN_SINCE ? room->now : room->snap->at) + (usec_t)value, out);
        break;
    case COLUMN_LOG:
        out[0] = '\0';
        break;
    }
}

static bool matches(const struct room *room, const struct instance_view *instance)
{
    const char *filter = room->filter[PANEL_INSTANCES].text;
    char text[400];
    if (!filter[0])
        return true;
    snprintf(text, sizeof text, "i%d %d %d %s %s %s", instance->id, instance->port, instance->pid,
             instance_state_name(instance->state), instance->cause, instance->last_line);
    return strcasestr(text, filter) != NULL;
}

static bool comes_before(const struct room *room, const struct instance_view *a,
                         const struct instance_view *b)
{
    const struct column *column = &columns[room->sort_column];
    double left = column_value(column, a), right = column_value(column, b);
    if (isnan(left) || isnan(right))
        return !isnan(left) && isnan(right);
    if (left == right)
        return a->id < b->id;
    return room->sort_reversed ? left > right : left < right;
}

/* The rows as they are shown: matching ones, in order. Insertion: the order hardly changes. */
static int rows_of(const struct room *room, const struct instance_view *rows[INSTANCES_MAX])
{
    int count = 0;
    for (int i = 0; i < room->snap->instance_count; i++) {
        const struct instance_view *instance = &room->snap->instances[i];
        if (!matches(room, instance))
            continue;
        int at = count++;
        for (; at > 0 && comes_before(room, instance, rows[at - 1]); at--)
            rows[at] = rows[at - 1];
        rows[at] = instance;
    }
    return count;
}

static int index_of(const struct room *room, const struct instance_view *const rows[], int count)
{
    for (int i = 0; i < count; i++)
        if (rows[i]->id == room->selected)
            return i;
    return 0;
}

int view_instances_wish(const struct room *room)
{
    return 1 + (room->snap->instance_count > 0 ? room->snap->instance_count : 1);
}

/* What the head says beside the titles: a filter, and which rows are shown where that is not all. */
static void head_note_draw(struct room *room, struct area area, int count, int page)
{
    const char *filter = room->filter[PANEL_INSTANCES].text;
    char place[32] = "", note[LINE_MAX_BYTES + 48] = "";
    if (count > page && area.width >= HEAD_PLACE_WIDTH)
        snprintf(place, sizeof place, " %d-%d/%d ", room->table_top + 1,
                 room->table_top + page < count ? room->table_top + page : count, count);
    if (filter[0])
        snprintf(note, sizeof note, " filter: %s ", filter);
    draw_right(area, area.width, 0, ROLE_HEAD, place);
    draw_right(area, area.width - (int)strlen(place), 0, ROLE_NOTICE, note);
}

static void head_draw(struct room *room, struct area area)
{
    bool focused = room->focus == PANEL_INSTANCES;
    draw_fill(area, 0, 0, area.width, 1, ROLE_HEAD, ' ');
    if (focused)
        draw_code(area, 0, 0, ROLE_HEAD, room->glyphs->focus);
    int x = 1;
    for (int c = 0; c < COLUMNS; c++) {
        const struct column *column = &columns[c];
        if (area.width < column->from)
            continue;
        char title[32];
        const char *sign = c != room->sort_column || (c == 0 && !room->sort_reversed) ? ""
                           : room->sort_reversed                                      ? "v"
                                                                                      : "^";
        snprintf(title, sizeof title, "%s%s", column->title, sign);
        if (column->left)
            draw_text(area, x, 0, ROLE_HEAD, title);
        else
            draw_right(area, x + column->width - 1, 0, ROLE_HEAD, title);
        x += column->width;
    }
}

static enum role cell_role(const struct room *room, const struct column *column,
                           const struct instance_view *i)
{
    if (column->kind == COLUMN_STATE)
        return view_state_role(i->state);
    if (column->offset == AT(cpu_pct) && i->cpu_pct > room->snap->config.scaling.scale_up_threshold)
        return ROLE_WARN;
    if (column->kind == COLUMN_ERRORS && i->error_pct > 0)
        return ROLE_BAD;
    if (column->kind == COLUMN_ID)
        return ROLE_STRONG;
    return i->state == INSTANCE_READY ? ROLE_NORMAL : ROLE_DIM;
}

/* What became of it, else what it does, else what it says. */
static const char *log_text(const struct instance_view *instance, enum role *role)
{
    *role = instance->cause[0] ? ROLE_WARN : ROLE_DIM;
    if (instance->cause[0])
        return instance->cause;
    return instance->state == INSTANCE_STARTING ? "waiting for its health checks" : instance->last_line;
}

static void row_draw(struct room *room, const struct instance_view *instance, struct area area, int y)
{
    bool unicode = room->glyphs->unicode;
    int x = 1;
    for (int c = 0; c < COLUMNS; c++) {
        const struct column *column = &columns[c];
        if (area.width < column->from)
            continue;
        char text[FORMAT_SIZE];
        column_text(room, column, instance, text);
        enum role role = cell_role(room, column, instance), log_role;
        const char *log = log_text(instance, &log_role);
        if (!column->width)
            draw_fit(area, x, area.width, y, log_role, log, unicode);
        else if (column->left)
            draw_fit(area, x, x + column->width - 1, y, role, text, unicode);
        else
            draw_right(area, x + column->width - 1, y, role, text);
        x += column->width;
    }
}

static void instances_draw(struct room *room, struct area area)
{
    const struct instance_view *rows[INSTANCES_MAX];
    int count = rows_of(room, rows), page = area.height - 1;
    int index = index_of(room, rows, count);
    if (count)
        room->selected = rows[index]->id;
    room->rows[PANEL_INSTANCES] = page;
    room->table_top = view_scroll(room->table_top, index, count, page);
    head_draw(room, area);
    head_note_draw(room, area, count, page);
    for (int y = 0; y < page && room->table_top + y < count; y++) {
        const struct instance_view *instance = rows[room->table_top + y];
        row_draw(room, instance, area, y + 1);
        if (room->table_top + y != index)
            continue;
        bool focused = room->focus == PANEL_INSTANCES;
        draw_code(area, 0, y + 1, focused ? ROLE_FOCUS : ROLE_DIM, room->glyphs->selected);
        if (focused)
            draw_select(area, y + 1);
    }
    if (!count)
        draw_text(area, 2, 1, ROLE_DIM,
                  room->snap->instance_count ? "no instance matches the filter" : "no instance");
}

static void select_step(struct room *room, int step)
{
    const struct instance_view *rows[INSTANCES_MAX];
    int count = rows_of(room, rows);
    if (count)
        room->selected = rows[(index_of(room, rows, count) + count + step) % count]->id;
}

static void sort_by(struct room *room, int step)
{
    room->sort_column = (room->sort_column + COLUMNS - 1 + step) % (COLUMNS - 1);
}

static bool instances_act(struct room *room, enum ui_action action)
{
    const struct instance_view *rows[INSTANCES_MAX];
    int count = rows_of(room, rows);
    int moved = view_move(action, index_of(room, rows, count), count, room->rows[PANEL_INSTANCES]);
    if (moved >= 0) {
        if (count)
            room->selected = rows[moved]->id;
        return true;
    }
    switch (action) {
    case ACT_SORT_LEFT:
    case ACT_SORT_RIGHT:
        sort_by(room, action == ACT_SORT_RIGHT ? 1 : -1);
        return true;
    case ACT_SORT_REVERSE:
        room->sort_reversed = !room->sort_reversed;
        return true;
    case ACT_FIND_NEXT:
    case ACT_FIND_PREVIOUS:
        select_step(room, action == ACT_FIND_NEXT ? 1 : -1);
        return true;
    case ACT_OPEN:
        if (count) {
            room_open(room, &dialog_instance);
            return true;
        }
        return false;
    default:
        return false;
    }
}

static void instances_click(struct room *room, int row)
{
    const struct instance_view *rows[INSTANCES_MAX];
    int count = rows_of(room, rows), index = room->table_top + row - 1;
    if (row > 0 && index < count)
        room->selected = rows[index]->id;
}

const struct view_ops view_instances = {"instances", instances_draw, instances_act, instances_click, NULL};
