/* SPDX-License-Identifier: MIT */
/* Lines through a pipe that is read, full, closed, or a disk that is full: whoever prints never waits, and
 * what is lost is counted and said. */
#include "base/clock.h"
#include "base/printer.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_US (60 * INT64_C(1000000))

enum { LINES = 40000 }; /* more than both buffers and a pipe hold, so that some must be lost */

static int ends[2];
static struct printer *printer;

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(printer_new(&printer, ends[1]), 0);
    return 0;
}

static void put_lines(int from, int count)
{
    char line[64];
    for (int i = from; i < from + count; i++) {
        snprintf(line, sizeof line, "line %08d of many", i);
        printer_put(printer, line);
    }
}

/* Reads to the end of what the other end's last holder writes. */
static char *read_all(size_t *size)
{
    char *text = malloc(8 << 20);
    ssize_t n;
    *size = 0;
    while ((n = read(ends[0], text + *size, (8 << 20) - 1 - *size)) > 0)
        *size += (size_t)n;
    text[*size] = '\0';
    return text;
}

static void lines_come_whole_and_in_order(void **state)
{
    size_t size;
    (void)state;
    put_lines(0, 100);
    printer_end(printer, PATIENCE_US);
    close(ends[1]);
    char *text = read_all(&size), *at = text;
    for (int i = 0; i < 100; i++) {
        int number = -1, used = 0;
        assert_int_equal(sscanf(at, "line %d of many\n%n", &number, &used), 1);
        assert_int_equal(number, i);
        at += used;
    }
    assert_int_equal(*at, '\0');
    free(text);
    close(ends[0]);
}

static void lost_lines_are_told_where_they_are_missing(void **state)
{
    unsigned long long told = 0;
    size_t size;
    (void)state;
    put_lines(0, LINES);
    int flags = fcntl(ends[0], F_GETFL);
    fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
    char *text = malloc(8 << 20);
    int64_t deadline = clock_now_us() + PATIENCE_US;
    size = 0;
    while (!told && clock_now_us() < deadline) { /* the note comes before what is put once there is room */
        poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 10);
        ssize_t n = read(ends[0], text + size, (8 << 20) - 1 - size);
        size += n > 0 ? (size_t)n : 0;
        text[size] = '\0';
        const char *note = strstr(text, "(");
        if (note && strchr(note, '\n'))
            sscanf(note, "(%llu line", &told);
        else
            put_lines(LINES, 1);
    }
    free(text);
    assert_in_range(told, 1, printer_lost(printer));
    close(ends[0]); /* nobody reads the rest */
    printer_end(printer, PATIENCE_US);
    close(ends[1]);
}

static void wait_for_loss(void)
{
    int64_t deadline = clock_now_us() + PATIENCE_US;
    while (!printer_lost(printer))
        assert_true(clock_now_us() < deadline);
}

static void a_reader_that_is_gone_costs_lines_alone(void **state)
{
    (void)state;
    close(ends[0]);
    put_lines(0, 10);
    wait_for_loss();
    printer_end(printer, PATIENCE_US);
    close(ends[1]);
}

static void a_full_disk_costs_lines_alone(void **state)
{
    struct printer *usual = printer;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    (void)state;
    assert_int_equal(printer_new(&printer, full), 0);
    put_lines(0, 10);
    wait_for_loss();
    printer_end(printer, PATIENCE_US);
    printer_end(usual, PATIENCE_US);
    close(full);
    close(ends[0]);
    close(ends[1]);
}

/* A disk that fills in the middle of a line: the note about it is a line of its own all the same. */
static void a_note_never_joins_a_torn_line(void **state)
{
    struct printer *usual = printer;
    struct rlimit before, little;
    char path[] = "test_printer.XXXXXX", text[512] = "";
    int file = mkstemp(path);
    (void)state;
    assert_true(file >= 0);
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
    assert_int_equal(printer_new(&printer, file), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    printer_put(printer, "a line that is torn");
    wait_for_loss();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    printer_put(printer, "whole");
    printer_end(printer, PATIENCE_US);
    assert_true(pread(file, text, sizeof text - 1, 0) > 0);
    assert_memory_equal(text, "a line tha\n(1 line lost here: ", 30);
    assert_non_null(strstr(text, ")\nwhole\n"));
    printer_end(usual, PATIENCE_US);
    close(file);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_come_whole_and_in_order, set_up),
        cmocka_unit_test_setup(lost_lines_are_told_where_they_are_missing, set_up),
        cmocka_unit_test_setup(a_reader_that_is_gone_costs_lines_alone, set_up),
        cmocka_unit_test_setup(a_full_disk_costs_lines_alone, set_up),
        cmocka_unit_test_setup(a_note_never_joins_a_torn_line, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
