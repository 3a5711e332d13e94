/* SPDX-License-Identifier: MIT */
/* Buffers that are lent for as long as bytes are under way, so that an idle connection owns none. One pool a
 * thread; the one returned last is lent next. */
#ifndef HTTP_BUFFER_H
#define HTTP_BUFFER_H
#include <stddef.h>
#include <stdint.h>

#define BUFFER_SIZE     65536
#define BUFFER_BASE     32 /* where content begins; before it is room for a chunk's size line */
#define BUFFER_LIMIT    (BUFFER_BASE + BUFFER_SIZE)
#define BUFFER_TAILROOM 32 /* after BUFFER_LIMIT: room for a chunk's end */

/* bytes[start..end) are in use; the pool lends it empty, both at BUFFER_BASE, and the borrower moves them. */
struct buffer {
    struct buffer *next;
    uint32_t start, end;
    char bytes[BUFFER_LIMIT + BUFFER_TAILROOM];
};

struct buffer_pool {
    struct buffer *free;
    size_t free_count, lent;
    size_t keep; /* more than these free ones go back to the system */
};

void buffer_pool_init(struct buffer_pool *pool, size_t keep);
void buffer_pool_fini(struct buffer_pool *pool);

/* NULL when there is no memory. */
struct buffer *buffer_lend(struct buffer_pool *pool);
void buffer_return(struct buffer_pool *pool, struct buffer *b); /* NULL is fine */

#endif
