/* SPDX-License-Identifier: MIT */
/* Changes values in the text of an ini file and leaves everything else, comments and order included, as it
 * is. Pure. */
#ifndef BASE_INI_EDIT_H
#define BASE_INI_EDIT_H
#include <stddef.h>

struct ini_change {
    const char *section, *key, *value;
};

/* The edited text and, when diff is not NULL, a unified diff naming path (empty when nothing changes); both
 * are the caller's to free. A key that is there keeps its line, a new one goes to the end of its section, a
 * new section to the end of the text. 0 or -ENOMEM. */
int ini_edit(const char *path, const char *text, size_t size, const struct ini_change *changes, size_t count,
             char **edited, char **diff);

#endif
