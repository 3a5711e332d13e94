/* SPDX-License-Identifier: MIT */
/* Tells the address sanitizer what of our own free lists must not be touched, which malloc would tell it of
 * its own. Nothing without a sanitizer. */
#ifndef HTTP_POISON_H
#define HTTP_POISON_H
#if defined(__has_include)
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(from, size)   ((void)(from), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#endif

/* All of an object but its first word, the link of its free list. */
#define POISON_FREE(object, size)                                                                            \
    ASAN_POISON_MEMORY_REGION((char *)(object) + sizeof(void *), (size) - sizeof(void *))
#define POISON_LENT(object, size) ASAN_UNPOISON_MEMORY_REGION((object), (size))

#endif
