/* SPDX-License-Identifier: MIT */
/* The limit of open files: raised as far as it goes for us, and given back to what we start. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raises the soft limit to the hard one; returns how many files may be open now. Once, before threads start.
 */
int64_t limits_raise_files(void);

/* The soft limit as it was found; 0 = it was not raised. */
int64_t limits_found_files(void);

/* How many open files, and how many processes at the least, that many instances need beside our own. */
int64_t limits_files_needed(int instances);
int64_t limits_processes_needed(int instances);

/* What stands in the way of a start that failed with this errno, and the number needed; false where it is no
 * limit of these. */
bool limits_explain(int error, int instances, char *out, size_t size);

/* A descriptor kept for what must work when none is left: given up before it, taken again after it. One
 * thread. */
void limits_take_reserve(void);
void limits_give_reserve(void);

#endif
