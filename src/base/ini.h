/* SPDX-License-Identifier: MIT */
/* Reads an ini file. inih finds the sections and keys; values come from a reader of ours before it, as inih
 * would split long lines and cut values. It refuses NUL and control bytes, keys outside a section or set
 * twice. A " ;" is part of its value: comments have lines of their own. An indented line continues the value
 * above: the pieces are joined by one blank, comments between them are skipped, and a blank line ends it.
 * Comments are lines that begin with '#' or ';'. Any thread. */
#ifndef BASE_INI_H
#define BASE_INI_H
#include <stdbool.h>
#include <stddef.h>

#define INI_SIZE_MAX (256 * 1024) /* bytes a file may have */

/* One "key = value". Return false after writing the reason into err: parsing ends there. */
typedef bool ini_each(void *context, const char *section, const char *key, const char *value, int line,
                      char *err, size_t err_size);

/* Whether this is a key of that section: an indented "key = value" of one is a slip, not a continuation. */
typedef bool ini_is_key(const char *section, const char *key);

/* is_key may be NULL. True when every line was good. Otherwise err reads "FILE:LINE: what is wrong" ("FILE:
 * ..." for the file itself). */
bool ini_read_file(const char *path, ini_each *each, ini_is_key *is_key, void *context, char *err,
                   size_t err_size);

/* One thing that is wrong, as err of ini_read_text(). */
typedef void ini_fault(void *context, const char *message);

/* Reads on past what is wrong and tells all of it; returns how many faults there are. */
unsigned ini_examine_file(const char *path, ini_each *each, ini_is_key *is_key, ini_fault *fault,
                          void *context);

/* The same of a text; name stands for the file in messages. */
bool ini_read_text(const char *name, const char *text, size_t size, ini_each *each, ini_is_key *is_key,
                   void *context, char *err, size_t err_size);

#endif
