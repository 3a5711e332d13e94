/* SPDX-License-Identifier: MIT */
/* Whatever the file is, afterwards it is the same one with another content, or untouched. */
#include "base/file.h"
#include "base/file_save.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

enum { NOBODY = 65534 };

static char directory[TEMPORARY_PATH_MAX];

static const char *in(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 128, "%s/%s", directory, name);
    return path;
}

static int enter(void **state)
{
    (void)state;
    temporary_folder(directory);
    return 0;
}

static int leave(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
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
    assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
    assert_string_equal(text, expected);
    free(text);
}

static int save(const char *path, const char *old, const char *new)
{
    return file_save(path, (struct file_text){old, old ? strlen(old) : 0},
                     (struct file_text){new, strlen(new)}, 0640);
}

static int count_entries(void)
{
    char command[128];
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", directory);
    FILE *pipe = popen(command, "r");
    int count = -1;
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static struct stat status_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status;
}

/* What a child without privilege (or with its own mounts) gets. */
static int in_child(int (*run)(void))
{
    int result;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(-run());
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return -WEXITSTATUS(result);
}

static bool become_nobody(void)
{
    return geteuid() != 0 ||
           (setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static void mode_and_owner_are_kept(void **state)
{
    (void)state;
    static const mode_t modes[] = {0644, 0600, 0604, 0444, 0400};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put(in("x"), "old", modes[i]);
        if (geteuid() == 0)
            assert_int_equal(chown(in("x"), NOBODY, 7), 0);
        struct stat before = status_of(in("x"));
        assert_int_equal(save(in("x"), "old", "new"), 0);
        struct stat after = status_of(in("x"));
        assert_int_equal(after.st_mode, before.st_mode);
        assert_int_equal(after.st_uid, before.st_uid);
        assert_int_equal(after.st_gid, before.st_gid);
        assert_holds(in("x"), "new");
        assert_int_equal(unlink(in("x")), 0);
    }
    assert_int_equal(count_entries(), 0);
}

static void links_stay_links(void **state)
{
    struct stat status;
    (void)state;
    assert_int_equal(mkdir(in("there"), 0700), 0);
    put(in("there/real"), "old", 0644);
    assert_int_equal(symlink("there/real", in("link")), 0);
    assert_int_equal(symlink("link", in("second")), 0);
    assert_int_equal(save(in("second"), "old", "new"), 0);
    assert_holds(in("there/real"), "new");
    assert_int_equal(lstat(in("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(link(in("there/real"), in("hard")), 0);
    assert_int_equal(save(in("hard"), "new", "newer"), 0);
    assert_holds(in("there/real"), "newer");
    assert_int_equal(status_of(in("hard")).st_nlink, 2);
    assert_int_equal(symlink("there/later", in("dangling")), 0);
    assert_int_equal(save(in("dangling"), NULL, "made"), 0);
    assert_holds(in("there/later"), "made");
    assert_int_equal(lstat(in("dangling"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(symlink("loop", in("loop")), 0);
    assert_int_equal(save(in("loop"), NULL, "x"), -ELOOP);
}

static void what_is_not_as_expected_is_left_alone(void **state)
{
    (void)state;
    put(in("x"), "edited", 0644);
    static const char *const others[] = {"", "edite", "edited!", "Edited"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(save(in("x"), others[i], "new"), -ESTALE);
    assert_int_equal(save(in("x"), NULL, "new"), -ESTALE);
    assert_holds(in("x"), "edited");
    assert_int_equal(link(in("x"), in("y")), 0); /* in place, too */
    assert_int_equal(save(in("y"), "other", "new"), -ESTALE);
    assert_int_equal(save(in("none"), "old", "new"), -ESTALE);
    assert_int_equal(save(in("no/folder"), NULL, "new"), -ENOENT);
    assert_int_equal(mkdir(in("dir"), 0700), 0);
    assert_int_equal(save(in("dir"), "old", "new"), -EISDIR);
    assert_int_equal(mkfifo(in("fifo"), 0600), 0);
    assert_int_equal(save(in("fifo"), "old", "new"), -EINVAL);
    assert_int_equal(count_entries(), 4);
}

static void a_new_file_gets_the_mode(void **state)
{
    (void)state;
    assert_int_equal(save(in("x"), NULL, "new"), 0);
    assert_int_equal(status_of(in("x")).st_mode & 07777, 0640);
    assert_int_equal(status_of(in("x")).st_nlink, 1);
    assert_holds(in("x"), "new");
    assert_int_equal(count_entries(), 1);
}

/* From within: folders above may be closed to nobody. */
static int save_as_nobody(void)
{
    return chdir(directory) == 0 && become_nobody() ? save("x", "old", "new") : -EDOM;
}

/* Owned by root, in a folder of nobody's: a rename would give it to another owner. */
static void a_file_of_another_owner_stays_theirs(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(directory, NOBODY, NOBODY), 0);
    put(in("x"), "old", 0644);
    assert_int_equal(in_child(save_as_nobody), -EACCES);
    put(in("x"), "old", 0444);
    assert_int_equal(in_child(save_as_nobody), -EACCES);
    assert_holds(in("x"), "old");
    put(in("x"), "old", 0666);
    assert_int_equal(in_child(save_as_nobody), 0);
    assert_holds(in("x"), "new");
    assert_int_equal(status_of(in("x")).st_uid, 0);
    assert_int_equal(count_entries(), 1);
}

static void a_folder_that_takes_no_file_is_no_hindrance(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    put(in("x"), "old", 0644);
    assert_int_equal(chown(in("x"), NOBODY, NOBODY), 0);
    assert_int_equal(chmod(directory, 0755), 0); /* root's */
    assert_int_equal(in_child(save_as_nobody), 0);
    assert_holds(in("x"), "new");
}

static int save_mount_point(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(in("source"), in("x"), NULL, MS_BIND, NULL) != 0)
        return -EDOM;
    return save(in("x"), "old", "new");
}

/* As docker -v FILE:FILE does it: it cannot be renamed over. */
static void a_bind_mount_is_written_in_place(void **state)
{
    (void)state;
    put(in("source"), "old", 0644);
    put(in("x"), "below", 0644);
    int result = in_child(save_mount_point);
    if (result == -EDOM)
        skip();
    assert_int_equal(result, 0);
    assert_holds(in("source"), "new");
    assert_holds(in("x"), "below");
    assert_int_equal(count_entries(), 2);
}

static char large[100000];

static int save_large(void)
{
    signal(SIGXFSZ, SIG_IGN);
    memset(large, 'x', sizeof large);
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000}) != 0)
        return -EDOM;
    return file_save(in("x"), (struct file_text){"old", 3}, (struct file_text){large, sizeof large}, 0600);
}

static void what_cannot_be_written_leaves_the_old_content(void **state)
{
    (void)state;
    put(in("x"), "old", 0600);
    assert_int_equal(in_child(save_large), -EFBIG);
    assert_holds(in("x"), "old");
    assert_int_equal(count_entries(), 1);
    assert_int_equal(link(in("x"), in("y")), 0);
    assert_int_equal(in_child(save_large), -EFBIG);
    assert_holds(in("x"), "old");
}

static int save_on_full_disk(void)
{
    char name[96];
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, "tmpfs", 0, "size=64k") != 0)
        return -EDOM;
    put(in("x"), "old", 0644);
    snprintf(name, sizeof name, "%s", in("filler"));
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    while (write(fd, large, 4096) > 0)
        ;
    memset(large, 'x', sizeof large);
    int renamed = file_save(in("x"), (struct file_text){"old", 3}, (struct file_text){large, 9000}, 0600);
    assert_int_equal(link(in("x"), in("y")), 0);
    int in_place = file_save(in("x"), (struct file_text){"old", 3}, (struct file_text){large, 9000}, 0600);
    assert_holds(in("x"), "old");
    return renamed == in_place ? renamed : -EDOM;
}

static void a_full_disk_leaves_the_old_content(void **state)
{
    (void)state;
    int result = in_child(save_on_full_disk);
    if (result == -EDOM && geteuid() != 0)
        skip();
    assert_int_equal(result, -ENOSPC);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(mode_and_owner_are_kept),
        TEST(links_stay_links),
        TEST(what_is_not_as_expected_is_left_alone),
        TEST(a_new_file_gets_the_mode),
        TEST(a_file_of_another_owner_stays_theirs),
        TEST(a_folder_that_takes_no_file_is_no_hindrance),
        TEST(a_bind_mount_is_written_in_place),
        TEST(what_cannot_be_written_leaves_the_old_content),
        TEST(a_full_disk_leaves_the_old_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
