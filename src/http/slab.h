/* SPDX-License-Identifier: MIT */
/* Objects of one size from blocks that are never given back while the slab lives: taking and giving is moving
 * a pointer. One thread a slab. */
#ifndef HTTP_SLAB_H
#define HTTP_SLAB_H
#include <stddef.h>

struct slab {
    size_t size;
    void *free, *blocks;
};

void slab_init(struct slab *s, size_t object_size);
void slab_fini(struct slab *s);

/* Zeroed; NULL when there is no memory. */
void *slab_take(struct slab *s);

/* As it was when given back: its owner initializes what it needs. NULL when there is no memory. */
void *slab_take_dirty(struct slab *s);

void slab_give(struct slab *s, void *object);

#endif
