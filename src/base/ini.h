/* SPDX-License-Identifier: MIT */
/* Reads an ini file through inih, behind a reader that refuses what inih would misread without a word: lines
 * longer than it takes, NUL and control bytes, indentation (which would repeat the key above), keys outside a
 * section or set twice, and " ;" in a value (which would cut it). Comments are lines that begin with '#' or
 * ';'. Any thread. */
#ifndef BASE_INI_H
#define BASE_INI_H
#include <stdbool.h>
#include <stddef.h>

#define INI_SIZE_MAX (256 * 1024) /* bytes a file may have */

/* One "key = value". Return false after writing the reason into err: parsing ends there. */
typedef bool ini_each(void *context, const char *section, const char *key, const char *value, int line,
                      char *err, size_t err_size);

/* True when every line was good. Otherwise err reads "FILE:LINE: what is wrong" ("FILE: ..." for the file
 * itself). */
bool ini_read_file(const char *path, ini_each *each, void *context, char *err, size_t err_size);

/* The same of a text; name stands for the file in messages. */
bool ini_read_text(const char *name, const char *text, size_t size, ini_each *each, void *context, char *err,
                   size_t err_size);

#endif
