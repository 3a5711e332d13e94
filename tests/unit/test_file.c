/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

static char directory[64];

static const char *in(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 128, "%s/%s", directory, name);
    return path;
}

static int make_directory(void **state)
{
    (void)state;
    temporary_folder(directory);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int remove_directory(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void assert_holds(const char *path, const char *expected)
{
    char *text;
    size_t size;
    assert_int_equal(file_read(path, 1 << 20, &text, &size), 0);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
    free(text);
}

static void reading_has_a_cap_and_knows_its_files(void **state)
{
    (void)state;
    char *text = NULL;
    put(in("a"), "0123456789", 0644);
    assert_holds(in("a"), "0123456789");
    assert_int_equal(file_read(in("a"), 10, &text, NULL), 0);
    free(text);
    assert_int_equal(file_read(in("a"), 9, &text, NULL), -EFBIG);
    assert_int_equal(file_read(in("none"), 9, &text, NULL), -ENOENT);
    assert_int_equal(file_read(directory, 9, &text, NULL), -EISDIR);
    assert_int_equal(mkfifo(in("fifo"), 0600), 0);
    assert_int_equal(file_read(in("fifo"), 9, &text, NULL), -EINVAL);
    assert_int_equal(file_read("/proc/self/stat", 4096, &text, NULL), 0); /* stat() says it is empty */
    assert_true(strlen(text) > 10);
    free(text);
}

/* The writer may come later than who reads, and write in pieces. */
static void a_stream_is_waited_for(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    assert_int_equal(mkfifo(in("stream"), 0600), 0);
    pid_t writer = fork();
    if (writer == 0) {
        int fd = open(in("stream"), O_WRONLY);
        _exit(write(fd, "01234", 5) == 5 && write(fd, "56789", 5) == 5 ? 0 : 1);
    }
    assert_int_equal(file_read_stream(in("stream"), 10, &text, &size), 0);
    assert_int_equal(size, 10);
    assert_string_equal(text, "0123456789");
    free(text);
    int status;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(file_read_stream("/dev/zero", 10, &text, NULL), -EFBIG);
    assert_int_equal(file_read_stream(directory, 10, &text, NULL), -EISDIR);
    assert_int_equal(file_read_stream(in("none"), 10, &text, NULL), -ENOENT);
}

static void a_large_file_is_read_whole(void **state)
{
    (void)state;
    static char large[100001];
    memset(large, 'x', sizeof large - 1);
    put(in("large"), large, 0644);
    assert_holds(in("large"), large);
}

static void secrets_must_be_the_owners_alone(void **state)
{
    (void)state;
    static const mode_t bad[] = {0644, 0640, 0604, 0660, 0601};
    char *text;
    put(in("token"), "secret", 0600);
    assert_int_equal(file_read_private(in("token"), 100, &text, NULL), 0);
    free(text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(chmod(in("token"), bad[i]), 0);
        assert_int_equal(file_read_private(in("token"), 100, &text, NULL), -EPERM);
    }
}

static void directories_are_made_with_their_parents(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(file_make_directories(in("a/b/c"), 0700), 0);
    assert_int_equal(stat(in("a/b/c"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(file_make_directories(in("a/b/c"), 0700), 0);
    put(in("a/file"), "", 0600);
    assert_int_equal(file_make_directories(in("a/file"), 0700), -ENOTDIR);
    assert_int_equal(file_make_directories(in("a/file/x"), 0700), -ENOTDIR);
}

static void a_lock_has_one_holder_and_names_it(void **state)
{
    (void)state;
    pid_t holder = -1;
    int lock = file_lock(in("lock"), &holder);
    assert_true(lock >= 0);
    assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(file_lock(in("lock"), &holder), -EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    close(lock);
    lock = file_lock(in("lock"), &holder);
    assert_true(lock >= 0);
    close(lock);
}

static void closed_standard_descriptors_are_filled(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        close(0);
        close(2);
        file_fill_standard();
        int next = open("/dev/null", O_RDONLY);
        bool filled = fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0;
        _exit(filled && next > 2 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)
    const struct CMUnitTest tests[] = {
        TEST(reading_has_a_cap_and_knows_its_files),
        TEST(a_large_file_is_read_whole),
        TEST(a_stream_is_waited_for),
        TEST(secrets_must_be_the_owners_alone),
        TEST(directories_are_made_with_their_parents),
        TEST(a_lock_has_one_holder_and_names_it),
        TEST(closed_standard_descriptors_are_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
