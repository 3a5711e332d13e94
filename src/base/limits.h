/* SPDX-License-Identifier: MIT */
/* The limit of open files: raised as far as it goes for us, and given back to what we start. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H
#include <stdint.h>

/* Raises the soft limit to the hard one; returns how many files may be open now. Once, before threads start.
 */
int64_t limits_raise_files(void);

/* The soft limit as it was found; 0 = it was not raised. */
int64_t limits_found_files(void);

/* A descriptor kept for what must work when none is left: given up before it, taken again after it. One
 * thread. */
void limits_take_reserve(void);
void limits_give_reserve(void);

#endif
