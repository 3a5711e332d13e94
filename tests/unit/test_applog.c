/* SPDX-License-Identifier: MIT */
#include "target/applog.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

enum { MAX_BYTES = 1 << 20, KEPT = MAX_BYTES / 2 }; /* more than a pipe holds */

static char directory[64], path[96], old[96];

static int make_directory(void **state)
{
    (void)state;
    temporary_folder(directory);
    snprintf(path, sizeof path, "%s/i1.log", directory);
    snprintf(old, sizeof old, "%s/i1.log.1", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    unlink(old);
    return rmdir(directory);
}

static void append(const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static struct applog opened_log_past_its_maximum(void)
{
    struct applog log;
    char *text = malloc(MAX_BYTES + 2);
    memset(text, 'x', MAX_BYTES + 1);
    text[MAX_BYTES + 1] = '\n';
    append(text, MAX_BYTES + 2);
    free(text);
    assert_int_equal(applog_open(&log, path), 0);
    return log;
}

struct reader {
    char bytes[MAX_BYTES];
    size_t size;
};

/* The file of what is kept is a pipe here: its first byte comes while the rest of the copy is still being
 * made. */
static void *read_slowly(void *context)
{
    struct reader *reader = context;
    int fd = open(old, O_RDONLY);
    reader->size = (size_t)read(fd, reader->bytes, 1);
    append("late\n", 5);
    for (ssize_t n; (n = read(fd, reader->bytes + reader->size, sizeof reader->bytes - reader->size)) > 0;)
        reader->size += (size_t)n;
    close(fd);
    return NULL;
}

static void what_comes_during_the_copy_is_kept(void **state)
{
    (void)state;
    static struct reader reader;
    pthread_t thread;
    struct stat status;
    struct applog log = opened_log_past_its_maximum();
    assert_int_equal(mkfifo(old, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    applog_check(&log, MAX_BYTES, 1);
    pthread_join(thread, NULL);
    assert_int_equal(reader.size, KEPT + 5);
    assert_memory_equal(reader.bytes + KEPT, "late\n", 5);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 0);
    applog_close(&log);
}

static void what_is_cut_is_still_its_end(void **state)
{
    (void)state;
    char lines[4][APPLOG_LINE_SIZE];
    struct applog log = opened_log_past_its_maximum();
    append("last\n", 5);
    applog_check(&log, MAX_BYTES, 1);
    append("next\n", 5);
    assert_int_equal(applog_tail(&log, lines, 2), 2);
    assert_string_equal(lines[0], "last");
    assert_string_equal(lines[1], "next");
    applog_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_during_the_copy_is_kept, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(what_is_cut_is_still_its_end, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
