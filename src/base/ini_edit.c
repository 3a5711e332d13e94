/* SPDX-License-Identifier: MIT */
/* The text becomes a list of lines, each kept, removed or added; edited text and diff are two ways of writing
 * that list down. Lines that are kept or removed borrow from the text, added ones own their bytes. */
#include "base/ini_edit.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT_LINES 2

enum line_kind { LINE_KEPT = ' ', LINE_REMOVED = '-', LINE_ADDED = '+' };

struct line {
    enum line_kind kind;
    const char *text; /* without its '\n' */
    size_t size;
    char *own;
};

struct lines {
    struct line *items;
    size_t count, capacity;
};

static bool insert_line(struct lines *lines, size_t at, struct line line)
{
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity ? lines->capacity * 2 : 128;
        struct line *items = reallocarray(lines->items, capacity, sizeof *items);
        if (!items)
            return false;
        lines->items = items;
        lines->capacity = capacity;
    }
    memmove(lines->items + at + 1, lines->items + at, (lines->count - at) * sizeof *lines->items);
    lines->items[at] = line;
    lines->count++;
    return true;
}

static bool split(struct lines *lines, const char *text, size_t size)
{
    for (const char *end = text + size; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline ? newline : end) - text);
        if (!insert_line(lines, lines->count, (struct line){LINE_KEPT, text, length, NULL}))
            return false;
        text += length + (newline != NULL);
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A byte order mark at the head of the file is no part of its first section. */
static struct line without_mark(struct line line)
{
    if (line.size >= 3 && memcmp(line.text, "\xef\xbb\xbf", 3) == 0) {
        line.text += 3;
        line.size -= 3;
    }
    return line;
}

static bool is_section(const struct line *line, const char *name)
{
    size_t size = strlen(name);
    return line->size >= size + 2 && line->text[0] == '[' && memcmp(line->text + 1, name, size) == 0 &&
           line->text[size + 1] == ']';
}

/* Where the value begins in "key = value"; 0 when the line is not of this key. */
static size_t value_at(const struct line *line, const char *key)
{
    size_t at = strlen(key);
    if (line->size < at || memcmp(line->text, key, at) != 0)
        return 0;
    while (at < line->size && is_blank(line->text[at]))
        at++;
    if (at == line->size || (line->text[at] != '=' && line->text[at] != ':'))
        return 0;
    for (at++; at < line->size && is_blank(line->text[at]) && line->text[at] != '\r'; at++)
        ;
    return at;
}

static bool is_empty(const struct line *line)
{
    for (size_t i = 0; i < line->size; i++)
        if (!is_blank(line->text[i]))
            return false;
    return true;
}

static bool is_comment(const struct line *line)
{
    size_t at = 0;
    while (at < line->size && is_blank(line->text[at]))
        at++;
    return at < line->size && (line->text[at] == '#' || line->text[at] == ';');
}

/* Past the last line that continues the value of the key in this one, as base/ini.c reads it. */
static size_t value_end(const struct lines *lines, size_t at)
{
    size_t end = at + 1;
    for (size_t i = at + 1; i < lines->count; i++) {
        const struct line *line = &lines->items[i];
        if (line->kind == LINE_REMOVED || is_comment(line))
            continue;
        if (is_empty(line) || !is_blank(line->text[0]))
            break;
        end = i + 1;
    }
    return end;
}

/* Where a change goes: the key's line, or the place for a new one. */
struct place {
    bool has_section;
    size_t line, value; /* value 0: insert before line */
};

static struct place find_place(const struct lines *lines, const struct ini_change *change)
{
    struct place place = {false, lines->count, 0};
    bool inside = false;
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->items[i];
        if (line->kind == LINE_REMOVED)
            continue;
        const struct line bare = i == 0 ? without_mark(*line) : *line;
        bool heading = bare.size > 0 && bare.text[0] == '[';
        if (heading)
            inside = is_section(&bare, change->section);
        if (!inside)
            continue;
        size_t value = heading ? 0 : value_at(line, change->key);
        if (value > 0)
            return (struct place){true, i, value};
        if (!is_empty(line))
            place = (struct place){true, i + 1, 0};
    }
    return place;
}

__attribute__((format(printf, 3, 4))) static bool add_line(struct lines *lines, size_t at, const char *format,
                                                           ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0)
        return false;
    if (insert_line(lines, at, (struct line){LINE_ADDED, text, (size_t)size, text}))
        return true;
    free(text);
    return false;
}

static bool replace(struct lines *lines, const struct place *place, const char *value)
{
    const struct line *line = &lines->items[place->line];
    size_t end = line->size;
    bool carriage = end > 0 && line->text[end - 1] == '\r';
    while (end > place->value && is_blank(line->text[end - 1]))
        end--;
    size_t last = value_end(lines, place->line);
    if (last == place->line + 1 && end - place->value == strlen(value) &&
        memcmp(line->text + place->value, value, strlen(value)) == 0)
        return true;
    bool was_empty = end == place->value;
    size_t keep = place->value;
    while (was_empty && is_blank(line->text[keep - 1]))
        keep--;
    for (size_t i = place->line; i < last; i++) /* comments between its pieces stay */
        if (i == place->line || !is_comment(&lines->items[i]))
            lines->items[i].kind = LINE_REMOVED;
    if (!add_line(lines, last, "%.*s%s%s%s", (int)keep, line->text, was_empty ? " " : "", value,
                  carriage ? "\r" : ""))
        return false;
    return true;
}

static bool apply(struct lines *lines, const struct ini_change *change)
{
    struct place place = find_place(lines, change);
    if (place.value > 0)
        return replace(lines, &place, change->value);
    size_t at = place.line;
    if (!place.has_section) {
        if (at > 0 && lines->items[at - 1].size > 0 && !add_line(lines, at++, "%s", ""))
            return false;
        if (!add_line(lines, at++, "[%s]", change->section))
            return false;
    }
    return add_line(lines, at, "%s = %s", change->key, change->value);
}

static void write_text(FILE *out, const struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lines->items[i].kind != LINE_REMOVED)
            fprintf(out, "%.*s\n", (int)lines->items[i].size, lines->items[i].text);
}

/* Past the end of the hunk that begins with the change at first: changes nearer than two contexts share one.
 */
static size_t hunk_end(const struct lines *lines, size_t first)
{
    size_t end = first;
    for (size_t i = first; i < lines->count && i <= end + 2 * CONTEXT_LINES; i++)
        if (lines->items[i].kind != LINE_KEPT)
            end = i;
    end += 1 + CONTEXT_LINES;
    return end < lines->count ? end : lines->count;
}

static void write_hunk(FILE *out, const struct lines *lines, size_t from, size_t to)
{
    size_t before = 0, after = 0, old_count = 0, new_count = 0;
    for (size_t i = 0; i < to; i++) {
        bool old = lines->items[i].kind != LINE_ADDED, new = lines->items[i].kind != LINE_REMOVED;
        before += i < from && old;
        after += i < from && new;
        old_count += i >= from && old;
        new_count += i >= from && new;
    }
    fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", before + (old_count > 0), old_count, after + (new_count > 0),
            new_count);
    for (size_t i = from; i < to; i++)
        fprintf(out, "%c%.*s\n", (char)lines->items[i].kind, (int)lines->items[i].size, lines->items[i].text);
}

static void write_diff(FILE *out, const struct lines *lines, const char *path)
{
    bool named = false;
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->items[i].kind == LINE_KEPT)
            continue;
        if (!named)
            fprintf(out, "--- %s\n+++ %s\n", path, path);
        named = true;
        size_t to = hunk_end(lines, i);
        write_hunk(out, lines, i > CONTEXT_LINES ? i - CONTEXT_LINES : 0, to);
        i = to - 1;
    }
}

static char *write_down(const struct lines *lines, const char *diff_path)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (diff_path)
        write_diff(out, lines, diff_path);
    else
        write_text(out, lines);
    bool good = !ferror(out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}

int ini_edit(const char *path, const char *text, size_t size, const struct ini_change *changes, size_t count,
             char **edited, char **diff)
{
    struct lines lines = {0};
    bool good = split(&lines, text, size);
    char *new_text = NULL, *new_diff = NULL;
    for (size_t i = 0; i < count && good; i++)
        good = apply(&lines, &changes[i]);
    if (good)
        new_text = write_down(&lines, NULL);
    if (new_text && diff)
        new_diff = write_down(&lines, path);
    for (size_t i = 0; i < lines.count; i++)
        free(lines.items[i].own);
    free(lines.items);
    if (!new_text || (diff && !new_diff)) {
        free(new_text);
        free(new_diff);
        return -ENOMEM;
    }
    *edited = new_text;
    if (diff)
        *diff = new_diff;
    return 0;
}
