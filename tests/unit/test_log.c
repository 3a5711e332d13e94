/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/log.h"
#include "core/text.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static char directory[64], path[96], old_path[104];

static int open_one(void **state)
{
    (void)state;
    temporary_folder(directory);
    snprintf(path, sizeof path, "%s/log", directory);
    snprintf(old_path, sizeof old_path, "%s.1", path);
    log_clean_with(text_clean);
    return log_open(path, LOG_LEVEL_INFO, 0);
}

static int close_one(void **state)
{
    (void)state;
    log_open(NULL, LOG_LEVEL_INFO, 0);
    unlink(path);
    unlink(old_path);
    return rmdir(directory);
}

static char *content(const char *of)
{
    char *text;
    assert_int_equal(file_read(of, 1 << 24, &text, NULL), 0);
    return text;
}

static void a_message_is_one_stamped_line_of_its_level(void **state)
{
    (void)state;
    log_info("hello %d", 7);
    log_debug("not this");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("but this");
    char *text = content(path);
    int year, millis, end = 0;
    assert_int_equal(
        sscanf(text, "%4d-%*2d-%*2d %*2d:%*2d:%*2d.%3d info    hello 7\n%n", &year, &millis, &end), 2);
    assert_true(end > 0 && year >= 2024);
    assert_non_null(strstr(text, " debug   but this\n"));
    assert_null(strstr(text, "not this"));
    free(text);
}

static void no_message_forges_a_line(void **state)
{
    (void)state;
    log_error("a\nb\x1b[2J\r\xe2\x80\xae\xff \xc3\xa9");
    char *text = content(path);
    assert_non_null(strstr(text, "error   a?b?[2J??\xEF\xBF\xBD \xc3\xa9\n"));
    free(text);
    log_clean_with(NULL);
    log_error("c\nd \xc3\xa9");
    text = content(path);
    assert_non_null(strstr(text, "error   c?d ??\n"));
    free(text);
}

static void a_long_message_is_cut_not_torn(void **state)
{
    (void)state;
    static char large[10000];
    memset(large, 'x', sizeof large - 1);
    log_info("%s", large);
    log_info("next");
    char *text = content(path);
    size_t length = strcspn(text, "\n");
    assert_true(length > 2000 && length < 2100);
    assert_non_null(strstr(text + length, " next\n"));
    free(text);
}

static void rotation_holds_the_cap(void **state)
{
    (void)state;
    assert_int_equal(log_open(path, LOG_LEVEL_INFO, 1000), 0);
    for (int i = 0; i < 200; i++)
        log_info("message %d of many", i);
    struct stat now, before;
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(stat(old_path, &before), 0);
    assert_true(now.st_size <= 1000 && before.st_size <= 1000);
    char *text = content(path);
    assert_non_null(strstr(text, "message 199 of many\n"));
    free(text);
    assert_int_equal(log_dropped(), 0);
}

static void *log_many(void *context)
{
    for (int i = 0; i < 500; i++)
        log_info("from %s %s", (const char *)context, "0123456789012345678901234567890123456789");
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    (void)state;
    static char names[4][4] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = content(path), *rest = text, *line;
    int lines = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        lines++;
        assert_non_null(strstr(line, "info    from "));
        assert_string_equal(line + strlen(line) - 10, "0123456789");
    }
    assert_int_equal(lines, 2000);
    free(text);
}

static void a_file_that_cannot_be_opened_leaves_the_log(void **state)
{
    (void)state;
    assert_int_equal(log_open("/nonexistent/log", LOG_LEVEL_INFO, 0), -ENOENT);
    assert_int_equal(log_open(directory, LOG_LEVEL_INFO, 0), -EISDIR);
    log_info("still here");
    char *text = content(path);
    assert_non_null(strstr(text, "still here"));
    free(text);
}

static void what_is_lost_is_counted(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    uint64_t before = log_dropped();
    assert_int_equal(log_open("/dev/full", LOG_LEVEL_INFO, 0), 0);
    log_info("into the void");
    log_info("again");
    assert_int_equal(log_dropped(), before + 2);
}

static void a_line_written_in_part_does_not_swallow_the_next(void **state)
{
    (void)state;
    struct rlimit limit, small;
    struct stat status;
    log_info("before");
    assert_int_equal(stat(path, &status), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){(rlim_t)status.st_size + 10, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    log_info("cut off");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("after");
    log_info("last");
    char *text = content(path), *rest = text + status.st_size + 10;
    assert_int_equal(*rest, '\n');
    assert_int_equal(strcspn(rest + 1, "\n"), strlen("2026-11-21 21:00:00.000 info    after"));
    assert_null(strstr(rest, "\n\n"));
    free(text);
}

static void errno_survives(void **state)
{
    (void)state;
    errno = ENOSPC;
    log_info("x");
    assert_int_equal(errno, ENOSPC);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_one, close_one)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_one_stamped_line_of_its_level),
        TEST(no_message_forges_a_line),
        TEST(a_long_message_is_cut_not_torn),
        TEST(rotation_holds_the_cap),
        TEST(threads_do_not_mix_lines),
        TEST(a_file_that_cannot_be_opened_leaves_the_log),
        TEST(what_is_lost_is_counted),
        TEST(a_line_written_in_part_does_not_swallow_the_next),
        TEST(errno_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
