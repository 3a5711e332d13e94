/* SPDX-License-Identifier: MIT */
/* Picks the face by what there is to show it on, and stands between it and the control thread: the port, the
 * descriptors to wait on, and the order to stop when the face is lost. Main thread. */
#include "tui/face.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/printer.h"
#include "ui/ui.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What a face that is stuck gets when all else has ended. */
#define END_PATIENCE USEC_PER_SEC

enum face face_choose(const struct cli *cli)
{
    if (cli->headless)
        return FACE_HEADLESS;
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
        fprintf(stderr, "ascale-tui: no terminal on standard input and output; running headless\n");
        return FACE_HEADLESS;
    }
    return cli->plain || !ui_possible() ? FACE_PLAIN : FACE_SCREEN;
}

int face_open_signals(enum face face)
{
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1}, shown[] = {SIGWINCH, SIGTSTP, SIGCONT};
    sigset_t all, set;
    sigemptyset(&all);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        sigaddset(&all, ours[i]);
    for (size_t i = 0; i < sizeof shown / sizeof *shown && face == FACE_SCREEN; i++) {
        sigaddset(&all, shown[i]);
        sigaddset(&set, shown[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &all, NULL) < 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void print_line(void *context, const char *text)
{
    printer_put(context, text);
}

static int show_lines(const struct port *port, struct ui_options *opts)
{
    struct printer *printer;
    int error = printer_new(&printer, STDOUT_FILENO);
    if (error)
        return error;
    opts->line = print_line;
    opts->line_context = printer;
    error = ui_run_plain(port, opts);
    printer_end(printer, END_PATIENCE);
    return error;
}

/* What waits for the end of a main thread that may be stuck in its terminal. */
struct last_watch {
    int end_fd, left_fd; /* control has ended; the face has been left */
    pthread_t thread;
};

static void *watch_end(void *context)
{
    const struct last_watch *watch = context;
    struct pollfd end = {watch->end_fd, POLLIN, 0}, left = {watch->left_fd, POLLIN, 0};
    while (poll(&end, 1, -1) < 0)
        ;
    if (poll(&left, 1, (int)(END_PATIENCE / USEC_PER_MSEC)) == 1)
        return NULL;
    log_warning("the terminal takes nothing: left as it is");
    ui_abandon();
    _exit(0);
}

static int show_screen(const struct port *port, const struct ui_options *opts, char *err, size_t err_size)
{
    struct last_watch watch = {.end_fd = opts->end_fd, .left_fd = eventfd(0, EFD_CLOEXEC)};
    uint64_t one = 1;
    bool watched = watch.left_fd >= 0 && pthread_create(&watch.thread, NULL, watch_end, &watch) == 0;
    int error = ui_run(port, opts, err, err_size);
    if (error && watched) /* then control is yet to end, and does not wait for a terminal */
        pthread_cancel(watch.thread);
    if (watched && write(watch.left_fd, &one, sizeof one) == sizeof one)
        pthread_join(watch.thread, NULL);
    if (watch.left_fd >= 0)
        close(watch.left_fd);
    return error;
}

bool face_show(enum face face, struct control *control, const struct cli *cli, int signal_fd)
{
    char err[256];
    struct port port = control_port(control);
    struct ui_options opts = {.now = clock_now_us,
                              .signal_fd = signal_fd,
                              .wake_fd = control_wake_fd(control),
                              .end_fd = control_end_fd(control),
                              .read_only = cli->read_only,
                              .mono = cli->mono};
    int error = face == FACE_SCREEN ? show_screen(&port, &opts, err, sizeof err) : show_lines(&port, &opts);
    if (error) {
        if (face != FACE_SCREEN)
            snprintf(err, sizeof err, "cannot print lines: %s", strerror(-error));
        log_error("%s; stopping in order", err);
        fprintf(stderr, "ascale-tui: %s; stopping in order\n", err);
        port.post(port.ctx, &(struct command){.kind = CMD_QUIT, .count = 1});
    }
    bool went_away = face == FACE_SCREEN && error == -EIO; /* an operator may leave so */
    return error == 0 || went_away;
}

bool face_print_keys(void)
{
    ui_print_keys(stdout);
    return file_end_output("ascale-tui", "the keys");
}
