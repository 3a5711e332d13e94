/* SPDX-License-Identifier: MIT */
/* Everything works on whole code points read by text_decode(), so a cut never leaves half a character and no
 * byte sequence reaches a terminal that was not looked at. */
#include "core/text.h"
#include <string.h>

#define MARKS_MAX 4 /* on one character: more is mischief, and curses keeps no more */
#define NAME_MAX  63

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Length of the sequence a lead byte announces; 0 for a byte that leads nothing. */
static size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead < 0xE0)
        return 2;
    if (lead >= 0xE0 && lead < 0xF0)
        return 3;
    return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

static bool is_scalar(uint32_t code, size_t length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = code >= 0xD800 && code < 0xE000;
    bool noncharacter = (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code < 0xFDF0);
    return code >= smallest[length] && code < 0x110000 && !surrogate && !noncharacter;
}

size_t text_decode(const char *text, size_t size, uint32_t *out)
{
    static const unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    *out = TEXT_REPLACEMENT;
    if (size == 0)
        return 0;
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = sequence_length(bytes[0]);
    if (length == 0 || length > size)
        return 1;
    uint32_t code = bytes[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(bytes[i]))
            return 1;
        code = code << 6 | (bytes[i] & 0x3F);
    }
    if (!is_scalar(code, length))
        return 1;
    *out = code;
    return length;
}

int text_width(const char *text)
{
    int columns = 0;
    size_t left = strlen(text), length;
    uint32_t code;
    for (; (length = text_decode(text, left, &code)) > 0; text += length, left -= length)
        columns += text_char_width(code);
    return columns;
}

/* What one code point becomes; "" drops it. marks counts those on the character before; -1: there is none. */
static const char *harmless(uint32_t code, int *marks)
{
    if (code == '\t')
        code = ' ';
    bool hidden = text_is_hidden(code);
    if (!hidden && text_char_width(code) == 0) {
        if (*marks < 0)
            return "?"; /* it would land on whatever stands left of this text */
        return ++*marks > MARKS_MAX ? "" : NULL;
    }
    *marks = 0;
    if (hidden)
        return "?";
    return code == ' ' ? " " : code == TEXT_REPLACEMENT ? "\xEF\xBF\xBD" : NULL;
}

size_t text_sanitize(char *out, size_t out_size, const char *text, size_t size)
{
    size_t used = 0, length;
    uint32_t code;
    int marks = -1;
    if (out_size == 0)
        return 0;
    for (; (length = text_decode(text, size, &code)) > 0; text += length, size -= length) {
        const char *piece = harmless(code, &marks);
        size_t piece_size = piece ? strlen(piece) : length;
        if (piece_size >= out_size - used)
            break;
        memcpy(out + used, piece ? piece : text, piece_size);
        used += piece_size;
    }
    out[used] = '\0';
    return used;
}

size_t text_clean(char *out, size_t out_size, const char *text)
{
    return text_sanitize(out, out_size, text, strlen(text));
}

/* Bytes of text that fit into columns and into size bytes; adds up the columns they take. */
static size_t fitting(const char *text, size_t size, int columns, int *used)
{
    size_t at = 0, length, left = strlen(text);
    uint32_t code;
    *used = 0;
    while ((length = text_decode(text + at, left - at, &code)) > 0) {
        int width = text_char_width(code);
        if (*used + width > columns || at + length > size)
            break;
        *used += width;
        at += length;
    }
    return at;
}

int text_truncate(char *out, size_t out_size, const char *text, int columns, bool unicode)
{
    if (out_size == 0)
        return 0;
    int used;
    size_t taken = fitting(text, out_size - 1, columns, &used);
    const char *ellipsis = "";
    if (text[taken] != '\0') {
        ellipsis = unicode ? "\xE2\x80\xA6" : "...";
        int width = unicode ? 1 : 3;
        size_t size = strlen(ellipsis);
        if (columns < width || out_size <= size) {
            ellipsis = "";
        } else {
            taken = fitting(text, out_size - 1 - size, columns - width, &used);
            used += width;
        }
    }
    memcpy(out, text, taken);
    memcpy(out + taken, ellipsis, strlen(ellipsis) + 1);
    return used;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char)c;
}

static int least(int a, int b, int c)
{
    int smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

/* Optimal string alignment, three rows at a time: before, above and the one being filled. */
int text_distance(const char *a, const char *b)
{
    int rows[3][NAME_MAX + 1];
    size_t a_size = strnlen(a, NAME_MAX), b_size = strnlen(b, NAME_MAX);
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a_size; i++) {
        int *row = rows[i % 3], *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_size; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            bool swapped =
                i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return rows[a_size % 3][b_size];
}

struct text_out text_out(char *out, size_t size)
{
    if (size)
        *out = '\0';
    return (struct text_out){out, size, 0};
}

void text_put(struct text_out *o, const char *text)
{
    size_t room = o->length < o->size ? o->size - o->length : 0, length = strlen(text);
    if (room) {
        size_t fits = length < room ? length : room - 1;
        memcpy(o->out + o->length, text, fits);
        o->out[o->length + fits] = '\0';
    }
    o->length += length;
}
