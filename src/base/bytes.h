/* SPDX-License-Identifier: MIT */
/* Bytes that arrive at one end and leave at the other; grows up to a maximum and then refuses. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H
#include <stdbool.h>
#include <stddef.h>

/* Zero it and set max. data + start holds size bytes. */
struct bytes {
    char *data;
    size_t start, size, capacity, max;
};

void bytes_fini(struct bytes *bytes);

/* Room for at least count bytes behind the last one; NULL: past max, or out of memory. Then bytes_commit().
 */
char *bytes_reserve(struct bytes *bytes, size_t count);
void bytes_commit(struct bytes *bytes, size_t count);

/* False: nothing was added. */
bool bytes_append(struct bytes *bytes, const void *data, size_t size);

/* Drops the first count bytes. */
void bytes_consume(struct bytes *bytes, size_t count);

/* The first line, its '\n' overwritten by NUL and it consumed with it; NULL: no whole line yet. Valid until
 * the next reserve or append. */
char *bytes_take_line(struct bytes *bytes);

#endif
