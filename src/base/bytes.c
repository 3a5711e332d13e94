/* SPDX-License-Identifier: MIT */
/* A growing array whose front is consumed lazily: the rest moves to the start only when room is needed. */
#include "base/bytes.h"
#include <stdlib.h>
#include <string.h>

void bytes_fini(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){.max = bytes->max};
}

char *bytes_reserve(struct bytes *bytes, size_t count)
{
    if (bytes->size > bytes->max || count > bytes->max - bytes->size)
        return NULL;
    size_t needed = bytes->size + count;
    if (bytes->start > 0 && bytes->start + needed > bytes->capacity) {
        memmove(bytes->data, bytes->data + bytes->start, bytes->size);
        bytes->start = 0;
    }
    if (needed > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity : 256;
        while (capacity < needed)
            capacity *= 2;
        char *data = realloc(bytes->data, capacity);
        if (!data)
            return NULL;
        bytes->data = data;
        bytes->capacity = capacity;
    }
    return bytes->data + bytes->start + bytes->size;
}

void bytes_commit(struct bytes *bytes, size_t count)
{
    bytes->size += count;
}

bool bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    char *room = bytes_reserve(bytes, size);
    if (!room)
        return false;
    if (size > 0)
        memcpy(room, data, size);
    bytes->size += size;
    return true;
}

void bytes_consume(struct bytes *bytes, size_t count)
{
    bytes->start += count;
    bytes->size -= count;
    if (bytes->size == 0)
        bytes->start = 0;
}

char *bytes_take_line(struct bytes *bytes)
{
    char *line = bytes->data + bytes->start;
    char *end = bytes->size > 0 ? memchr(line, '\n', bytes->size) : NULL;
    if (!end)
        return NULL;
    *end = '\0';
    bytes_consume(bytes, (size_t)(end - line) + 1);
    return line;
}
