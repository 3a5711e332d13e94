/* SPDX-License-Identifier: MIT */
/* Folders and files of a test, in TMPDIR: tests/contained gives it one that goes when the test does, however
 * it ends. */
#ifndef TESTS_TEMPORARY_H
#define TESTS_TEMPORARY_H
#include <stdio.h>
#include <stdlib.h>

enum { TEMPORARY_PATH_MAX = 64 }; /* short enough for sockets below it */

static inline void temporary_path(char path[TEMPORARY_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(path, TEMPORARY_PATH_MAX, "%s/test-XXXXXX", base && *base ? base : "/tmp");
    assert_true(length < TEMPORARY_PATH_MAX);
}

static inline void temporary_folder(char path[TEMPORARY_PATH_MAX])
{
    temporary_path(path);
    assert_non_null(mkdtemp(path));
}

/* Open for reading and writing. */
static inline int temporary_file(char path[TEMPORARY_PATH_MAX])
{
    temporary_path(path);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    return fd;
}

#endif
