/* SPDX-License-Identifier: MIT */
/* Blocks of objects chained by their first word; a free object is chained by its own first word. */
#include "http/slab.h"
#include "http/poison.h"
#include <stdlib.h>
#include <string.h>

#define BLOCK_OBJECTS 32
#define ALIGNMENT     16

void slab_init(struct slab *s, size_t object_size)
{
    *s = (struct slab){.size = (object_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
}

void slab_fini(struct slab *s)
{
    while (s->blocks) {
        void *next = *(void **)s->blocks;
        free(s->blocks);
        s->blocks = next;
    }
    s->free = NULL;
}

static void add_block(struct slab *s)
{
    char *block = malloc(ALIGNMENT + BLOCK_OBJECTS * s->size);
    if (!block)
        return;
    *(void **)block = s->blocks;
    s->blocks = block;
    for (size_t i = BLOCK_OBJECTS; i-- > 0;)
        slab_give(s, block + ALIGNMENT + i * s->size);
}

void *slab_take_dirty(struct slab *s)
{
    if (!s->free)
        add_block(s);
    void *object = s->free;
    if (!object)
        return NULL;
    s->free = *(void **)object;
    POISON_LENT(object, s->size);
    return object;
}

void *slab_take(struct slab *s)
{
    void *object = slab_take_dirty(s);
    return !object ? NULL : memset(object, 0, s->size);
}

void slab_give(struct slab *s, void *object)
{
    *(void **)object = s->free;
    s->free = object;
    POISON_FREE(object, s->size);
}
