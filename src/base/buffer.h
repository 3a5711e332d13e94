/* SPDX-License-Identifier: MIT */
/* Bytes that arrive at one end and leave at the other; grows up to a maximum and then refuses. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H
#include <stdbool.h>
#include <stddef.h>

/* Zero it and set max. data + start holds size bytes. */
struct buffer {
    char *data;
    size_t start, size, capacity, max;
};

void buffer_fini(struct buffer *buffer);

/* Room for at least count bytes behind the last one; NULL: past max, or out of memory. Then buffer_commit().
 */
char *buffer_reserve(struct buffer *buffer, size_t count);
void buffer_commit(struct buffer *buffer, size_t count);

/* False: nothing was added. */
bool buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Drops the first count bytes. */
void buffer_consume(struct buffer *buffer, size_t count);

/* The first line, its '\n' overwritten by NUL and it consumed with it; NULL: no whole line yet. Valid until
 * the next reserve or append. */
char *buffer_take_line(struct buffer *buffer);

#endif
