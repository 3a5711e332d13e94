/* SPDX-License-Identifier: MIT */
/* Edits by whole UTF-8 characters; control characters never get in. */
#include "ui/line.h"
#include "ui/key.h"
#include <stdio.h>
#include <string.h>

void line_set(struct line *line, const char *text)
{
    snprintf(line->text, sizeof line->text, "%s", text);
    line->cursor = strlen(line->text);
}

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static size_t step_left(const struct line *line, size_t at)
{
    if (at > 0)
        at--;
    while (at > 0 && continues(line->text[at]))
        at--;
    return at;
}

static size_t step_right(const struct line *line, size_t at)
{
    if (line->text[at])
        at++;
    while (continues(line->text[at]))
        at++;
    return at;
}

static void cut(struct line *line, size_t from, size_t to)
{
    memmove(line->text + from, line->text + to, strlen(line->text + to) + 1);
    line->cursor = from;
}

static size_t encode(char out[4], unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(lead[more] | code >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3F));
    return more + 1;
}

static void insert(struct line *line, unsigned code)
{
    char bytes[4];
    size_t size = encode(bytes, code), length = strlen(line->text);
    if (length + size >= sizeof line->text)
        return;
    memmove(line->text + line->cursor + size, line->text + line->cursor, length - line->cursor + 1);
    memcpy(line->text + line->cursor, bytes, size);
    line->cursor += size;
}

bool line_key(struct line *line, int key)
{
    size_t end = strlen(line->text);
    switch (key) {
    case UI_KEY_LEFT:
        line->cursor = step_left(line, line->cursor);
        return true;
    case UI_KEY_RIGHT:
        line->cursor = step_right(line, line->cursor);
        return true;
    case UI_KEY_HOME:
    case UI_CTRL('a'):
        line->cursor = 0;
        return true;
    case UI_KEY_END:
    case UI_CTRL('e'):
        line->cursor = end;
        return true;
    case UI_KEY_BACKSPACE:
    case 8:
        cut(line, step_left(line, line->cursor), line->cursor);
        return true;
    case UI_KEY_DELETE:
        cut(line, line->cursor, step_right(line, line->cursor));
        return true;
    case UI_CTRL('u'):
        cut(line, 0, line->cursor);
        return true;
    default:
        if (key < ' ' || key == 127 || (key >= 0x80 && key < 0xA0) || key >= UI_KEY_UP)
            return false;
        insert(line, (unsigned)key);
        return true;
    }
}
