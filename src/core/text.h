/* SPDX-License-Identifier: MIT */
/* Text that came from an application or a file, made harmless and measured in columns. UTF-8, by small tables
 * of our own: wcwidth() would follow the locale. Pure. */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_REPLACEMENT 0xFFFDu

/* Reads one code point of the size bytes at text; returns how many bytes it took (0 only when size is 0).
 * Overlong forms, surrogates, cut sequences and stray bytes read as TEXT_REPLACEMENT, one byte each. */
size_t text_decode(const char *text, size_t size, uint32_t *out);

/* Code points that show nothing but change what is shown: controls, bidi marks, joiners, separators. */
bool text_is_hidden(uint32_t code);

/* Columns of one code point: 0 combining or invisible, 1, or 2 wide. */
int text_char_width(uint32_t code);

/* Columns of a text that has been sanitised. */
int text_width(const char *text);

/* Copies text so that no terminal obeys it: control bytes and DEL become '?', tab a blank, bidi marks and
 * other invisible controls '?', bad UTF-8 U+FFFD. Cuts at a whole character; returns the bytes written, NUL
 * apart. text need not end in NUL. out and text must not overlap. */
size_t text_sanitize(char *out, size_t out_size, const char *text, size_t size);

/* The same for a NUL-terminated text. */
size_t text_clean(char *out, size_t out_size, const char *text);

/* Copies a sanitised text cut to at most columns; a cut one ends in an ellipsis ("..." or U+2026 when
 * unicode). Returns the columns used. */
int text_truncate(char *out, size_t out_size, const char *text, int columns, bool unicode);

/* Text that grows at the end of a buffer; length counts what did not fit, too, as snprintf does. */
struct text_out {
    char *out;
    size_t size, length;
};

struct text_out text_out(char *out, size_t size); /* empty */
void text_put(struct text_out *o, const char *text);

/* Edits (insert, delete, replace, swap of neighbors) between two names, case aside; names past 63 bytes count
 * as cut. */
int text_distance(const char *a, const char *b);

#endif
