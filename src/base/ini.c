/* SPDX-License-Identifier: MIT */
/* The whole text is in memory; inih asks next_line() for one line after the other, and gets the heads alone:
 * "[section]" and "key =". A line is judged before that, the value of a key, over as many lines as it has, is
 * gathered here, and after the first bad line inih is told the text has ended, so nothing is read past an
 * error. */
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
    ini_is_key *is_key;
    void *context;
    char *value; /* of the key inih was last given; as large as the text */
    int key_line;
    ini_fault *fault; /* NULL: the first one ends it */
    unsigned faults;
    bool bad; /* the line at hand */
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
    reader->bad = true;
    reader->faults++;
    reader->failed = !reader->fault;
    if (reader->fault)
        reader->fault(reader->context, reader->err);
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
}

static size_t indent_of(const struct line *line)
{
    size_t indent = 0;
    while (indent < line->size && is_blank(line->text[indent]))
        indent++;
    return indent;
}

static bool is_comment(const struct line *line)
{
    size_t indent = indent_of(line);
    return indent < line->size && (line->text[indent] == '#' || line->text[indent] == ';');
}

/* Comments as well: nothing that a terminal would obey belongs into the file. */
static bool refuses_bytes(struct reader *reader, const struct line *line)
{
    char name[160];
    const char *bad = bad_byte(line);
    if (bad)
        fail(reader, "%s holds the byte 0x%02x", subject(reader, line, name, sizeof name),
             (unsigned char)*bad);
    return bad;
}

static void fail_indented(struct reader *reader)
{
    fail(reader, "indented, which would continue the line above; begin it in the first column");
}

/* A line that begins something: not a continuation. */
static void judge(struct reader *reader, const struct line *line)
{
    if (refuses_bytes(reader, line) || is_comment(line) || indent_of(line) == line->size)
        return;
    if (indent_of(line) > 0)
        fail_indented(reader);
    else if (line->text[0] == '[')
        judge_section(reader, *line);
    else
        judge_key(reader, line);
}

/* The next line that is no comment, when it continues a value: reader stands behind it then. */
static bool take_continuation(struct reader *reader, struct line *out)
{
    const char *at = reader->at;
    int line = reader->line;
    while (reader->at < reader->end && !reader->bad) {
        *out = take_line(reader);
        if (is_comment(out) && !refuses_bytes(reader, out))
            continue;
        size_t indent = indent_of(out);
        if (indent > 0 && indent < out->size)
            return true;
        break;
    }
    if (!reader->bad) {
        reader->at = at;
        reader->line = line;
    }
    return false;
}

/* "key = value" of a key that the section has. */
static bool is_misplaced_key(const struct reader *reader, const struct line *line)
{
    char key[NAME_MAX_BYTES + 1];
    size_t start = indent_of(line), end = start;
    while (end < line->size && line->text[end] != '=' && line->text[end] != ':')
        end++;
    if (!reader->is_key || end == line->size)
        return false;
    while (end > start && is_blank(line->text[end - 1]))
        end--;
    snprintf(key, sizeof key, "%.*s", (int)(end - start < sizeof key ? end - start : 0), line->text + start);
    return key[0] && reader->is_key(reader->section, key);
}

static void append(struct reader *reader, const char *text, size_t size)
{
    size_t used = strlen(reader->value);
    while (size > 0 && is_blank(*text))
        text++, size--;
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    if (used && size)
        reader->value[used++] = ' ';
    memcpy(reader->value + used, text, size);
    reader->value[used + size] = '\0';
}

static void gather_value(struct reader *reader, const struct line *line, size_t value_at)
{
    struct line more;
    reader->key_line = reader->line;
    reader->value[0] = '\0';
    append(reader, line->text + value_at, line->size - value_at);
    while (!reader->bad && take_continuation(reader, &more)) {
        if (refuses_bytes(reader, &more))
            return;
        if (is_misplaced_key(reader, &more))
            fail_indented(reader);
        else
            append(reader, more.text, more.size);
    }
}

/* "key =" for inih; the value is ours. */
static void give_key(struct reader *reader, const struct line *line, char *out, size_t capacity)
{
    char name[160];
    size_t end = 0;
    while (line->text[end] != '=' && line->text[end] != ':')
        end++;
    size_t value_at = end + 1;
    while (end > 0 && is_blank(line->text[end - 1]))
        end--;
    if (end + sizeof " =\n" > capacity)
        fail(reader, "%s: a key has at most %zu bytes", subject(reader, line, name, sizeof name),
             capacity - sizeof " =\n");
    else
        snprintf(out, capacity, "%.*s =\n", (int)end, line->text);
    if (!reader->bad)
        gather_value(reader, line, value_at);
    if (reader->bad)
        strcpy(out, "\n");
}

static char *next_line(char *out, int capacity, void *stream)
{
    struct reader *reader = stream;
    if (reader->failed || reader->at == reader->end)
        return NULL;
    struct line line = take_line(reader);
    reader->bad = false;
    judge(reader, &line);
    strcpy(out, "\n");
    if (!reader->bad && line.size > 0 && !is_comment(&line) && indent_of(&line) < line.size) {
        if (line.text[0] == '[')
            snprintf(out, (size_t)capacity, "[%s]\n", reader->section);
        else
            give_key(reader, &line, out, (size_t)capacity);
    }
    return reader->failed ? NULL : out;
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
    reader->seen[reader->seen_count++] = (struct seen){copy, reader->key_line};
    return true;
}

/* inih's callback: 1 is success. What is wrong with a value is said of the line where it begins. */
static int on_key(void *user, const char *section, const char *key, const char *value)
{
    struct reader *reader = user;
    char why[512] = "";
    int line = reader->line;
    (void)value;
    if (reader->failed || !key)
        return !reader->failed;
    reader->line = reader->key_line;
    reader->bad = false;
    if (remember(reader, section, key) &&
        !reader->each(reader->context, section, key, reader->value, reader->key_line, why, sizeof why))
        fail(reader, "%s", why);
    reader->line = line;
    return !reader->failed;
}

/* What is not set in it is set here. */
static bool read_all(struct reader *reader, const char *text, size_t size)
{
    static const char mark[] = "\xEF\xBB\xBF";
    reader->at = text;
    reader->end = text + size;
    reader->value = malloc(size + 1);
    if (!reader->value) {
        fail(reader, "out of memory");
        return false;
    }
    if (size >= 3 && memcmp(text, mark, 3) == 0)
        reader->at += 3;
    int line = ini_parse_stream(next_line, reader, on_key, reader);
    if (line != 0 && !reader->faults) {
        reader->line = line > 0 ? line : reader->line;
        fail(reader, "cannot be understood");
    }
    for (size_t i = 0; i < reader->seen_count; i++)
        free(reader->seen[i].name);
    free(reader->seen);
    free(reader->value);
    return reader->faults == 0;
}

bool ini_read_text(const char *name, const char *text, size_t size, ini_each *each, ini_is_key *is_key,
                   void *context, char *err, size_t err_size)
{
    struct reader reader = {
        .name = name, .each = each, .is_key = is_key, .context = context, .err = err, .err_size = err_size};
    return read_all(&reader, text, size);
}

static const char *read_error(int error)
{
    return error == EINVAL  ? "not a regular file"
           : error == EFBIG ? "larger than any such file"
                            : strerror(error);
}

bool ini_read_file(const char *path, ini_each *each, ini_is_key *is_key, void *context, char *err,
                   size_t err_size)
{
    char *text;
    size_t size;
    int error = file_read(path, INI_SIZE_MAX, &text, &size);
    if (error) {
        snprintf(err, err_size, "%s: cannot be read: %s", path, read_error(-error));
        return false;
    }
    bool good = ini_read_text(path, text, size, each, is_key, context, err, err_size);
    free(text);
    return good;
}

unsigned ini_examine_file(const char *path, ini_each *each, ini_is_key *is_key, ini_fault *fault,
                          void *context)
{
    char err[1024], *text;
    size_t size;
    struct reader reader = {.name = path,
                            .each = each,
                            .is_key = is_key,
                            .fault = fault,
                            .context = context,
                            .err = err,
                            .err_size = sizeof err};
    int error = file_read(path, INI_SIZE_MAX, &text, &size);
    if (error) {
        snprintf(err, sizeof err, "%s: cannot be read: %s", path, read_error(-error));
        fault(context, err);
        return 1;
    }
    read_all(&reader, text, size);
    free(text);
    return reader.faults;
}
