/* SPDX-License-Identifier: MIT */
/* Values are texts as the ini would have them; the option table judges them, so a form has no rules of its
 * own. */
#include "ui/form.h"
#include "core/config.h"
#include "core/text.h"
#include "ui/key.h"
#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 22, VALUE_WIDTH = 12, FIELD_WIDTH = 16, RANGE_WIDTH = 20, WIDE_FROM = 60 };

static const struct option *find(const char *name)
{
    char section[32];
    const char *dot = strchr(name, '.');
    if (!dot || (size_t)(dot - name) >= sizeof section)
        return NULL;
    snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
    return option_find(section, dot + 1);
}

void form_open(struct form *form, const char *const keys[], const struct config *config)
{
    *form = (struct form){0};
    for (int i = 0; keys[i] && form->count < FORM_ROWS_MAX; i++) {
        const struct option *option = find(keys[i]);
        if (!option)
            continue;
        struct form_row *row = &form->rows[form->count++];
        row->option = option;
        char value[CONFIG_TEXT_MAX];
        config_get_text(config, option, value, sizeof value);
        snprintf(row->was, sizeof row->was, "%.*s", LINE_MAX_BYTES - 1, value);
        line_set(&row->line, row->was);
    }
}

static void form_check(struct form *form, const struct config *config)
{
    struct config trial = *config;
    form->error[0] = '\0';
    for (int i = 0; i < form->count; i++) {
        const struct form_row *row = &form->rows[i];
        if (strcmp(row->line.text, row->was) != 0 &&
            !config_set(&trial, row->option->section, row->option->key, row->line.text, form->error,
                        sizeof form->error))
            return;
    }
    config_check(&trial, form->error, sizeof form->error);
}

bool form_changed(const struct form *form)
{
    for (int i = 0; i < form->count; i++)
        if (strcmp(form->rows[i].line.text, form->rows[i].was) != 0)
            return true;
    return false;
}

int form_text(const struct form *form, bool all, char *out, size_t size)
{
    size_t used = 0;
    int lines = 0;
    out[0] = '\0';
    for (int i = 0; i < form->count; i++) {
        const struct form_row *row = &form->rows[i];
        if (!all && strcmp(row->line.text, row->was) == 0)
            continue;
        char line[LINE_MAX_BYTES + 80];
        int length = snprintf(line, sizeof line, "%s%s.%s=%s", lines ? "\n" : "", row->option->section,
                              row->option->key, row->line.text);
        if (used + (size_t)length >= size)
            continue;
        memcpy(out + used, line, (size_t)length + 1);
        used += (size_t)length;
        lines++;
    }
    return lines;
}

static bool is_choice(const struct form_row *row)
{
    return row->option->type == OPTION_CHOICE || row->option->type == OPTION_BOOL;
}

bool form_takes_text(const struct form *form)
{
    return form->at < form->count && !is_choice(&form->rows[form->at]);
}

static const char *choices_of(const struct form_row *row)
{
    return row->option->type == OPTION_BOOL ? "no|yes" : row->option->choices;
}

/* The choice before or after the present one, around the end. */
static void choice_step(struct form_row *row, int direction)
{
    const char *names[16];
    size_t lengths[16];
    int count = 0, at = 0;
    for (const char *p = choices_of(row); p && count < 16; count++) {
        lengths[count] = strcspn(p, "|");
        names[count] = p;
        if (strlen(row->line.text) == lengths[count] && strncmp(p, row->line.text, lengths[count]) == 0)
            at = count;
        p = p[lengths[count]] ? p + lengths[count] + 1 : NULL;
    }
    if (!count)
        return;
    at = (at + count + direction) % count;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)lengths[at], names[at]);
    line_set(&row->line, text);
}

static double step_of(double value)
{
    return value >= 20 ? value / 10 : 1;
}

bool form_nudge(struct form *form, int direction, const struct config *config)
{
    if (form->at >= form->count)
        return false;
    struct form_row *row = &form->rows[form->at];
    const struct option *option = row->option;
    int64_t whole;
    double number;
    usec_t span;
    char text[64];
    if (option->type == OPTION_INT && units_parse_int(row->line.text, &whole)) {
        number = (double)whole + direction * (double)(int64_t)step_of((double)whole);
        snprintf(text, sizeof text, "%.0f", number < option->min ? option->min : number);
    } else if (option->type == OPTION_PERCENT && units_parse_percent(row->line.text, &number)) {
        number += direction;
        units_format_percent(text, sizeof text, number < 0 ? 0 : number);
    } else if (option->type == OPTION_RATE && units_parse_rate(row->line.text, &number)) {
        number += direction * step_of(number);
        units_format_rate(text, sizeof text, number < 0 ? 0 : number);
    } else if (option->type == OPTION_DURATION && units_parse_duration(row->line.text, &span)) {
        usec_t step = span >= 20 * USEC_PER_SEC ? span / 10 / USEC_PER_SEC * USEC_PER_SEC : USEC_PER_SEC;
        span += direction * step;
        units_format_duration(text, sizeof text, span < 0 ? 0 : span);
    } else {
        return false;
    }
    line_set(&row->line, text);
    form_check(form, config);
    return true;
}

bool form_key(struct form *form, int key, const struct config *config)
{
    int last = form->count - (form->button ? 0 : 1);
    if (key == UI_KEY_UP || key == UI_KEY_BACK_TAB) {
        form->at = form->at > 0 ? form->at - 1 : last;
        return true;
    }
    if (key == UI_KEY_DOWN || key == UI_KEY_TAB) {
        form->at = form->at < last ? form->at + 1 : 0;
        return true;
    }
    if (form->at >= form->count)
        return false;
    struct form_row *row = &form->rows[form->at];
    if (is_choice(row)) {
        if (key != UI_KEY_LEFT && key != UI_KEY_RIGHT && key != ' ')
            return false;
        choice_step(row, key == UI_KEY_LEFT ? -1 : 1);
    } else {
        if (!row->typed && key >= ' ' && key < 127) /* as in every form: typing replaces what was there */
            line_set(&row->line, "");
        if (!line_key(&row->line, key))
            return false;
        row->typed = true;
    }
    form_check(form, config);
    return true;
}

static void field_draw(const struct form *form, int index, int width, struct area area, int x, int y)
{
    const struct form_row *row = &form->rows[index];
    bool here = form->at == index;
    struct area field = area_part(area, x, y, width, 1);
    char before[LINE_MAX_BYTES];
    snprintf(before, sizeof before, "%.*s", (int)row->line.cursor, row->line.text);
    int cursor = text_width(before), shift = here && cursor >= width ? cursor - width + 1 : 0;
    enum role role = here ? ROLE_FIELD : strcmp(row->line.text, row->was) != 0 ? ROLE_STRONG : ROLE_NORMAL;
    draw_fill(field, 0, 0, width, 1, role, ' ');
    draw_text(field, -shift, 0, role, row->line.text);
    if (here && !is_choice(row))
        draw_role(field, cursor - shift, 0, ROLE_CURSOR);
}

int form_height(const struct form *form, int height, int below)
{
    int rows = form->count + 1;
    if (rows > height - below)
        rows = height - below;
    return rows > 2 ? rows : 2;
}

/* Where the columns of a form begin; 0 = there is no room for it. */
struct columns {
    int field_width, was, preset, range;
};

static bool has_address(const struct form *form)
{
    for (int i = 0; i < form->count; i++)
        if (form->rows[i].option->type == OPTION_URL)
            return true;
    return false;
}

static struct columns columns_of(const struct form *form, int width)
{
    if (width < WIDE_FROM)
        return (struct columns){.field_width = width - NAME_WIDTH - 2};
    if (has_address(form)) { /* which takes the room of the defaults */
        struct columns columns = {.field_width = width - NAME_WIDTH - VALUE_WIDTH - RANGE_WIDTH};
        columns.was = NAME_WIDTH + columns.field_width + 2;
        columns.range = columns.was + VALUE_WIDTH;
        return columns;
    }
    struct columns columns = {.field_width = FIELD_WIDTH, .was = NAME_WIDTH + FIELD_WIDTH + 2};
    columns.preset = columns.was + VALUE_WIDTH;
    columns.range = width >= columns.preset + VALUE_WIDTH + 8 ? columns.preset + VALUE_WIDTH : 0;
    return columns;
}

static void row_draw(const struct form *form, int index, const struct glyphs *glyphs, struct area area, int y)
{
    const struct form_row *row = &form->rows[index];
    struct columns columns = columns_of(form, area.width);
    char range[128];
    enum role role = form->at == index ? ROLE_FOCUS : ROLE_NORMAL;
    draw_fit(area, 0, NAME_WIDTH - 1, y, role, row->option->key, glyphs->unicode);
    field_draw(form, index, columns.field_width, area, NAME_WIDTH, y);
    option_range_text(row->option, range, sizeof range);
    if (columns.was)
        draw_fit(area, columns.was, columns.was + VALUE_WIDTH - 1, y, ROLE_DIM, row->was, glyphs->unicode);
    if (columns.preset)
        draw_fit(area, columns.preset, columns.preset + VALUE_WIDTH - 1, y, ROLE_DIM, row->option->preset,
                 glyphs->unicode);
    if (columns.range)
        draw_fit(area, columns.range, area.width, y, ROLE_AXIS, range, glyphs->unicode);
}

void form_draw(const struct form *form, const struct glyphs *glyphs, struct area area)
{
    struct columns columns = columns_of(form, area.width);
    int shown = area.height - 1, at = form->at < form->count ? form->at : form->count - 1;
    int top = at >= shown ? at - shown + 1 : 0;
    draw_text(area, NAME_WIDTH, 0, ROLE_DIM, "new");
    if (columns.was)
        draw_text(area, columns.was, 0, ROLE_DIM, "in force");
    if (columns.preset)
        draw_text(area, columns.preset, 0, ROLE_DIM, "default");
    if (columns.range)
        draw_text(area, columns.range, 0, ROLE_DIM, "allowed");
    if (shown < form->count) {
        char place[32];
        snprintf(place, sizeof place, "%d-%d/%d", top + 1, top + shown, form->count);
        draw_right(area, area.width, 0, ROLE_DIM, place);
    }
    for (int y = 0; y < shown && top + y < form->count; y++)
        row_draw(form, top + y, glyphs, area, y + 1);
}

void form_help_draw(const struct form *form, const struct glyphs *glyphs, struct area area, int y)
{
    const struct form_row *row = form->at < form->count ? &form->rows[form->at] : NULL;
    char range[128], text[400];
    if (form->error[0]) {
        draw_fit(area, 0, area.width, y, ROLE_BAD, form->error, glyphs->unicode);
    } else if (row) {
        option_range_text(row->option, range, sizeof range);
        snprintf(text, sizeof text, is_choice(row) ? "%s: %s" : "%s", row->option->help, range);
        draw_fit(area, 0, area.width, y, ROLE_DIM, text, glyphs->unicode);
    }
}
