/* SPDX-License-Identifier: MIT */
/* The table of instances: a row of the column table drives head, cells, sorting and what goes first in a
 * narrow window. The selection is an instance's id, not a row, so that it stays with its instance. */
#include "ui/format.h"
#include "ui/view.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct column {
    const char *title;
    int width; /* 0: what is left */
    int from;  /* shown in windows at least this wide */
    bool left; /* aligned */
    void (*text)(const struct room *room, const struct instance_view *instance, char out[FORMAT_SIZE]);
    double (*value)(const struct room *room, const struct instance_view *instance);
};

static void id_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    snprintf(out, FORMAT_SIZE, "i%d", i->id);
}

static double id_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->id;
}

static void port_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    snprintf(out, FORMAT_SIZE, i->port > 0 ? "%d" : "-", i->port);
}

static double port_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->port;
}

static void pid_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    snprintf(out, FORMAT_SIZE, i->pid > 0 ? "%d" : "-", i->pid);
}

static double pid_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->pid;
}

static void state_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    snprintf(out, FORMAT_SIZE, "%s", instance_state_name(i->state));
}

static double state_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->state;
}

static void cpu_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_number(out, i->cpu_pct);
}

static double cpu_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->cpu_pct;
}

static void mem_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_megabytes(out, i->mem_bytes);
}

static double mem_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return (double)i->mem_bytes;
}

static void rpm_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_number(out, i->rpm);
}

static double rpm_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->rpm;
}

static void p50_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_ms(out, i->p50_us);
}

static double p50_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return (double)i->p50_us;
}

static void p95_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_ms(out, i->p95_us);
}

static double p95_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return (double)i->p95_us;
}

static void error_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_rate(out, i->error_pct);
}

static double error_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->error_pct;
}

static void flight_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    format_number(out, i->in_flight);
}

static double flight_value(const struct room *room, const struct instance_view *i)
{
    (void)room;
    return i->in_flight;
}

static void up_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    strcpy(out, "-");
    if (i->started_at > 0)
        units_format_clock(out, FORMAT_SIZE, room->now - i->started_at);
}

static double up_value(const struct room *room, const struct instance_view *i)
{
    return i->started_at > 0 ? (double)(room->now - i->started_at) : 0;
}

/* Whole seconds from one on: tenths would change in every frame. */
static void check_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    usec_t age = room->snap->at - i->checked_at;
    strcpy(out, "-");
    if (i->checked_at > 0)
        snprintf(out, FORMAT_SIZE,
                 age < USEC_PER_SEC          ? "<1s"
                 : age < 1000 * USEC_PER_SEC ? "%ds"
                                             : ">15m",
                 (int)(age / USEC_PER_SEC));
}

static double check_value(const struct room *room, const struct instance_view *i)
{
    return (double)(room->snap->at - i->checked_at);
}

static void log_text(const struct room *room, const struct instance_view *i, char out[FORMAT_SIZE])
{
    (void)room;
    (void)i;
    out[0] = '\0';
}

static const struct column columns[] = {
    {"ID", 5, 0, true, id_text, id_value},
    {"PORT", 6, 0, true, port_text, port_value},
    {"PID", 8, 60, true, pid_text, pid_value},
    {"STATE", 10, 0, true, state_text, state_value},
    {"CPU%", 5, 0, false, cpu_text, cpu_value},
    {"MEM MB", 7, 80, false, mem_text, mem_value},
    {"RPM", 6, 50, false, rpm_text, rpm_value},
    {"p50", 5, 96, false, p50_text, p50_value},
    {"p95", 5, 80, false, p95_text, p95_value},
    {"ERR", 5, 80, false, error_text, error_value},
    {"INFL", 5, 80, false, flight_text, flight_value},
    {"UP", 10, 70, false, up_text, up_value},
    {"CHECK", 6, 110, false, check_text, check_value},
    {"LAST LOG LINE", 0, 90, true, log_text, id_value},
};

#define COLUMNS (int)(sizeof columns / sizeof *columns)

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
    double left = column->value(room, a), right = column->value(room, b);
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

static void head_draw(struct room *room, struct area area)
{
    bool focused = room->focus == PANEL_INSTANCES;
    draw_fill(area, 0, 0, area.width, 1, ROLE_HEAD, ' ');
    draw_code(area, 0, 0, ROLE_HEAD, focused ? room->glyphs->focus : ' ');
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
    const char *filter = room->filter[PANEL_INSTANCES].text;
    if (filter[0]) {
        char note[LINE_MAX_BYTES + 16];
        snprintf(note, sizeof note, " filter: %s ", filter);
        draw_right(area, area.width, 0, ROLE_NOTICE, note);
    }
}

static enum role cell_role(const struct room *room, const struct column *column,
                           const struct instance_view *i)
{
    if (column->text == state_text)
        return view_state_role(i->state);
    if (column->text == cpu_text && i->cpu_pct > room->snap->config.scaling.scale_up_threshold)
        return ROLE_WARN;
    if (column->text == error_text && i->error_pct > 0)
        return ROLE_BAD;
    if (column->text == id_text)
        return ROLE_STRONG;
    return i->state == INSTANCE_READY ? ROLE_NORMAL : ROLE_DIM;
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
        column->text(room, instance, text);
        enum role role = cell_role(room, column, instance);
        if (!column->width)
            draw_fit(area, x, area.width, y, instance->cause[0] ? ROLE_WARN : ROLE_DIM,
                     instance->cause[0] ? instance->cause : instance->last_line, unicode);
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

const struct view_ops view_instances = {"instances", instances_draw, instances_act, instances_click};
