/* SPDX-License-Identifier: MIT */
/* The control room: from the command line to settings, from settings to the control thread, a face in front
 * of it, and an exit status at the end. The main thread keeps the terminal; everything that scales lives in
 * the control thread. */
#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "core/text.h"
#include "tui/cli.h"
#include "tui/fixture.h"
#include "tui/programs.h"
#include "tui/settings.h"
#include "ui/ui.h"
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum face { FACE_SCREEN, FACE_PLAIN, FACE_HEADLESS };

/* What happens before a control thread exists is told here; afterwards the journal and the log tell it. */
static int fail(int status, const char *message)
{
    fprintf(stderr, "ascale-tui: %s\n", message);
    return status;
}

static enum face choose_face(const struct cli *cli)
{
    if (cli->headless)
        return FACE_HEADLESS;
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
        fprintf(stderr, "ascale-tui: no terminal on standard input and output; running headless\n");
        return FACE_HEADLESS;
    }
    return cli->plain || !ui_possible() ? FACE_PLAIN : FACE_SCREEN;
}

/* Blocked in every thread, because they are blocked before there is a second one. */
static int open_signals(enum face face)
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

static bool open_log(const struct config *config, const struct state *state, char *err, size_t err_size)
{
    char path[STATE_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s", config->log.file);
    if (!path[0])
        state_path(state, "ascale.log", path, sizeof path);
    log_clean_with(text_clean);
    int error = log_open(path, (enum log_level)config->log.level, config->log.max_size);
    if (error)
        snprintf(err, err_size, "cannot write the log '%s': %s; name another in log.file", path,
                 strerror(-error));
    return error == 0;
}

/* Whatever becomes of the face, everything is stopped in order before we end. */
static bool show(struct control *control, const struct cli *cli, enum face face, int signal_fd)
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
        port.post(port.ctx, &(struct command){.kind = CMD_QUIT});
    }
    bool went_away = face == FACE_SCREEN && error == -EIO; /* an operator may leave so */
    return error == 0 || went_away;
}

static int run(const struct cli *cli, const struct settings *settings, struct state *state, enum face face,
               int signal_fd)
{
    char err[1024];
    struct programs programs;
    struct control_setup setup = {.config = &settings->config,
                                  .sources = &settings->sources,
                                  .config_path = settings->path,
                                  .state = state,
                                  .programs = &programs.view,
                                  .dry_run = cli->dry_run,
                                  .read_only = cli->read_only,
                                  .duration = cli->duration};
    /* Processes of an instance that outlive their parent come to us and are ended with it. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!programs_find(&programs, &settings->config, err, sizeof err) ||
        !open_log(&settings->config, state, err, sizeof err))
        return fail(EXIT_FAILED, err);
    struct control *control = control_new(&setup, err, sizeof err);
    if (!control)
        return fail(EXIT_FAILED, err);
    int status = EXIT_FAILED;
    if (control_start(control) != 0) {
        fail(status, "cannot start the control thread: no resources for a thread");
    } else {
        bool shown = show(control, cli, face, signal_fd);
        status = control_join(control) && shown ? EXIT_OK : EXIT_FAILED;
    }
    control_free(control);
    return status;
}

int main(int argc, char **argv)
{
    static struct settings settings;
    struct cli cli;
    struct state state;
    char err[CONFIG_LOAD_ERROR_SIZE], directory[STATE_PATH_MAX];
    setlocale(LC_CTYPE, "");
    int status = cli_read(&cli, argc, argv);
    if (status >= 0)
        return status;
    if (cli.fixture)
        return fixture_print(&cli);
    if (!settings_load(&settings, &cli, err, sizeof err))
        return fail(EXIT_USAGE, err);
    if (cli.check_config || cli.dump_config)
        return settings_print(&settings, &cli);
    if (!state_find_directory(settings.config.state.directory, directory, err, sizeof err))
        return fail(EXIT_USAGE, err);
    /* From here on a signal ends it in order, or waits until it can. */
    enum face face = choose_face(&cli);
    int signal_fd = open_signals(face);
    if (!state_open(&state, directory, err, sizeof err))
        return fail(EXIT_FAILED, err);
    status = run(&cli, &settings, &state, face, signal_fd);
    state_close(&state);
    return status;
}
