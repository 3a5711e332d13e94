/* SPDX-License-Identifier: MIT */
/* A stack of free buffers: the warmest is lent first. One thread a pool. */
#include "http/buffer.h"
#include "http/poison.h"
#include <stdlib.h>

void buffer_pool_init(struct buffer_pool *pool, size_t keep)
{
    *pool = (struct buffer_pool){.keep = keep};
}

void buffer_pool_fini(struct buffer_pool *pool)
{
    while (pool->free) {
        struct buffer *b = pool->free;
        pool->free = b->next;
        free(b);
    }
    pool->free_count = 0;
}

struct buffer *buffer_lend(struct buffer_pool *pool)
{
    struct buffer *b = pool->free;
    if (b) {
        pool->free = b->next;
        pool->free_count--;
        POISON_LENT(b, sizeof *b);
    } else {
        b = malloc(sizeof *b);
        if (!b)
            return NULL;
    }
    b->next = NULL;
    b->start = b->end = BUFFER_BASE;
    pool->lent++;
    return b;
}

void buffer_return(struct buffer_pool *pool, struct buffer *b)
{
    if (!b)
        return;
    pool->lent--;
    if (pool->free_count >= pool->keep) {
        free(b);
        return;
    }
    b->next = pool->free;
    pool->free = b;
    pool->free_count++;
    POISON_FREE(b, sizeof *b);
}
