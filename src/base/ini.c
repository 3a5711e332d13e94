/* SPDX-License-Identifier: MIT */
/* The whole text is in memory; inih asks next_line() for one line after the other. A line is judged there
 * before inih sees it, and after the first bad one inih is told the text has ended, so nothing is read past
 * an error. */
#include "base/ini.h"
#include "base/file.h"
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 49 /* inih cuts longer section names */

/* A key that was set, for finding it set again. */
struct seen {
    char *name; /* "section.key" */
    int line;
};

struct reader {
    const char *name; /* of the file */
    const char *at, *end;
    int line;
    char section[NAME_MAX_BYTES + 1];
    struct seen *seen;
    size_t seen_count, seen_capacity;
    ini_each *each;
    void *context;
    bool failed;
    char *err;
    size_t err_size;
};

__attribute__((format(printf, 2, 3))) static void fail(struct reader *reader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = snprintf(reader->err, reader->err_size, "%s:%d: ", reader->name, reader->line);
    if (used >= 0 && (size_t)used < reader->err_size)
        vsnprintf(reader->err + used, reader->err_size - (size_t)used, format, args);
    va_end(args);
    reader->failed = true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One line without its end; text .. text + size. */
struct line {
    const char *text;
    size_t size;
};

static struct line take_line(struct reader *reader)
{
    struct line line = {reader->at, (size_t)(reader->end - reader->at)};
    const char *newline = memchr(line.text, '\n', line.size);
    if (newline)
        line.size = (size_t)(newline - line.text);
    reader->at = newline ? newline + 1 : reader->end;
    reader->line++;
    if (line.size > 0 && line.text[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* "section.key" of the line, for messages; "this line" when there is no key to see. */
static const char *subject(const struct reader *reader, const struct line *line, char *out, size_t size)
{
    size_t length = 0;
    while (length < line->size && line->text[length] != '=' && line->text[length] != ':')
        length++;
    if (length == line->size)
        return "this line";
    while (length > 0 && is_blank(line->text[length - 1]))
        length--;
    snprintf(out, size, "%s.%.*s", reader->section, length < 64 ? (int)length : 64, line->text);
    return out;
}

static const char *bad_byte(const struct line *line)
{
    for (size_t i = 0; i < line->size; i++)
        if (((unsigned char)line->text[i] < ' ' && line->text[i] != '\t') || line->text[i] == 0x7F)
            return line->text + i;
    return NULL;
}

static bool has_inline_comment(const struct line *line)
{
    for (size_t i = 1; i < line->size; i++)
        if (line->text[i] == ';' && is_blank(line->text[i - 1]))
            return true;
    return false;
}

static void judge_section(struct reader *reader, struct line line)
{
    while (line.size > 0 && is_blank(line.text[line.size - 1]))
        line.size--;
    const char *close = memchr(line.text, ']', line.size);
    if (!close || close + 1 != line.text + line.size) {
        fail(reader, "a section is '[name]' and nothing else on its line");
        return;
    }
    size_t size = line.size - 2;
    if (size == 0 || size > NAME_MAX_BYTES) {
        fail(reader, "a section name has 1 to %d bytes", NAME_MAX_BYTES);
        return;
    }
    memcpy(reader->section, line.text + 1, size);
    reader->section[size] = '\0';
}

static void judge_key(struct reader *reader, const struct line *line)
{
    char name[160];
    if (!memchr(line->text, '=', line->size) && !memchr(line->text, ':', line->size))
        fail(reader, "neither 'key = value', nor '[section]', nor a comment");
    else if (reader->section[0] == '\0')
        fail(reader, "%s stands before any [section]", subject(reader, line, name, sizeof name) + 1);
    else if (has_inline_comment(line))
        fail(
            reader,
            "%s: ' ;' would cut the value there; a comment needs a line of its own, a ';' no blank before it",
            subject(reader, line, name, sizeof name));
}

static void judge(struct reader *reader, const struct line *line, size_t max)
{
    char name[160];
    const char *bad = bad_byte(line);
    size_t indent = 0;
    while (indent < line->size && is_blank(line->text[indent]))
        indent++;
    bool comment = indent < line->size && (line->text[indent] == '#' || line->text[indent] == ';');
    if (bad)
        fail(reader, "%s holds the byte 0x%02x", subject(reader, line, name, sizeof name),
             (unsigned char)*bad);
    else if (line->size > max)
        fail(reader, "%s: the line has %zu bytes, at most %zu can be read",
             subject(reader, line, name, sizeof name), line->size, max);
    else if (comment || indent == line->size)
        return;
    else if (indent > 0)
        fail(reader, "indented, which would continue the line above; begin it in the first column");
    else if (line->text[0] == '[')
        judge_section(reader, *line);
    else
        judge_key(reader, line);
}

static char *next_line(char *out, int capacity, void *stream)
{
    struct reader *reader = stream;
    if (reader->failed || reader->at == reader->end)
        return NULL;
    struct line line = take_line(reader);
    judge(reader, &line, (size_t)capacity - 2);
    if (reader->failed)
        return NULL;
    memcpy(out, line.text, line.size);
    memcpy(out + line.size, "\n", 2);
    return out;
}

static bool remember(struct reader *reader, const char *section, const char *key)
{
    char name[512];
    snprintf(name, sizeof name, "%s.%s", section, key);
    for (size_t i = 0; i < reader->seen_count; i++)
        if (strcmp(reader->seen[i].name, name) == 0) {
            fail(reader, "%s is set twice, first in line %d", name, reader->seen[i].line);
            return false;
        }
    if (reader->seen_count == reader->seen_capacity) {
        size_t capacity = reader->seen_capacity ? reader->seen_capacity * 2 : 64;
        struct seen *more = reallocarray(reader->seen, capacity, sizeof *more);
        if (!more) {
            fail(reader, "out of memory");
            return false;
        }
        reader->seen = more;
        reader->seen_capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy) {
        fail(reader, "out of memory");
        return false;
    }
    reader->seen[reader->seen_count++] = (struct seen){copy, reader->line};
    return true;
}

/* inih's callback: 1 is success. */
static int on_key(void *user, const char *section, const char *key, const char *value)
{
    struct reader *reader = user;
    char why[512] = "";
    if (reader->failed || !key || !remember(reader, section, key))
        return !reader->failed;
    if (!reader->each(reader->context, section, key, value ? value : "", reader->line, why, sizeof why))
        fail(reader, "%s", why);
    return !reader->failed;
}

bool ini_read_text(const char *name, const char *text, size_t size, ini_each *each, void *context, char *err,
                   size_t err_size)
{
    static const char mark[] = "\xEF\xBB\xBF";
    struct reader reader = {.name = name,
                            .at = text,
                            .end = text + size,
                            .each = each,
                            .context = context,
                            .err = err,
                            .err_size = err_size};
    if (size >= 3 && memcmp(text, mark, 3) == 0)
        reader.at += 3;
    int line = ini_parse_stream(next_line, &reader, on_key, &reader);
    if (line != 0 && !reader.failed) {
        reader.line = line > 0 ? line : reader.line;
        fail(&reader, "cannot be understood");
    }
    for (size_t i = 0; i < reader.seen_count; i++)
        free(reader.seen[i].name);
    free(reader.seen);
    return !reader.failed;
}

static const char *read_error(int error)
{
    return error == EINVAL  ? "not a regular file"
           : error == EFBIG ? "larger than any such file"
                            : strerror(error);
}

bool ini_read_file(const char *path, ini_each *each, void *context, char *err, size_t err_size)
{
    char *text;
    size_t size;
    int error = file_read(path, INI_SIZE_MAX, &text, &size);
    if (error) {
        snprintf(err, err_size, "%s: cannot be read: %s", path, read_error(-error));
        return false;
    }
    bool good = ini_read_text(path, text, size, each, context, err, err_size);
    free(text);
    return good;
}
