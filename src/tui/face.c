/* SPDX-License-Identifier: MIT */
/* Picks the face by what there is to show it on, and stands between it and the control thread: the port, the
 * descriptors to wait on, and the order to stop when the face is lost. Main thread. */
#include "tui/face.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "ui/ui.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

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
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (face == FACE_SCREEN) {
        sigaddset(&set, SIGWINCH);
        sigaddset(&set, SIGTSTP);
        sigaddset(&set, SIGCONT);
    }
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool face_show(enum face face, struct control *control, const struct cli *cli, int signal_fd)
{
    char err[256];
    struct port port = control_port(control);
    struct ui_options face_options = {.now = clock_now_us,
                                      .signal_fd = signal_fd,
                                      .wake_fd = control_wake_fd(control),
                                      .end_fd = control_end_fd(control),
                                      .hup_reloads = face == FACE_HEADLESS,
                                      .read_only = cli->read_only,
                                      .mono = cli->mono};
    int error = face == FACE_SCREEN ? ui_run(&port, &face_options, err, sizeof err)
                                    : ui_run_plain(&port, &face_options, stdout);
    if (error) {
        if (face != FACE_SCREEN)
            snprintf(err, sizeof err, "cannot write to standard output: %s", strerror(-error));
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
