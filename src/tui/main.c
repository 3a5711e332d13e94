/* SPDX-License-Identifier: MIT */
/* The control room: from the command line to settings, from settings to the control thread, a face in front
 * of it, and an exit status at the end. The main thread keeps the terminal; everything that scales lives in
 * the control thread. */
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/control.h"
#include "core/text.h"
#include "tui/cli.h"
#include "tui/face.h"
#include "tui/fixture.h"
#include "tui/programs.h"
#include "tui/settings.h"
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What happens before a control thread exists is told here; afterwards the journal and the log tell it. */
static int fail(int status, const char *message)
{
    fprintf(stderr, "ascale-tui: %s\n", message);
    return status;
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

static int run(const struct cli *cli, const struct settings *settings, struct state *state, enum face face,
               int signal_fd)
{
    char err[1024];
    struct programs programs;
    struct control_setup setup = {.config = &settings->config,
                                  .sources = &settings->sources,
                                  .config_path = settings->path,
                                  .config_sections = settings->sections,
                                  .state = state,
                                  .programs = &programs.view,
                                  .takes_signals = true,
                                  .files_max = limits_raise_files(),
                                  .hup_reloads = face == FACE_HEADLESS,
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
        bool shown = face_show(face, control, cli, signal_fd);
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
    file_fill_standard();
    if (!setlocale(LC_CTYPE, "")) /* it is not installed; the screen says so */
        setlocale(LC_CTYPE, "C.UTF-8");
    int status = cli_read(&cli, argc, argv);
    if (status >= 0)
        return status;
    if (cli.help_keys)
        return face_print_keys() ? EXIT_OK : EXIT_FAILED;
    if (cli.fixture)
        return fixture_print(&cli);
    if (cli.check_config && !cli.dump_config)
        return settings_check(&settings, &cli);
    if (!settings_load(&settings, &cli, err, sizeof err))
        return fail(EXIT_USAGE, err);
    if (cli.dump_config)
        return settings_print(&settings);
    if (!state_find_directory(settings.config.state.directory, directory, err, sizeof err))
        return fail(EXIT_USAGE, err);
    /* From here on a signal ends it in order, or waits until it can. */
    enum face face = face_choose(&cli);
    int signal_fd = face_open_signals(face);
    if (signal_fd < 0) {
        snprintf(err, sizeof err, "cannot watch for signals: %s; nothing was started", strerror(errno));
        return fail(EXIT_FAILED, err);
    }
    if (!state_open(&state, directory, err, sizeof err))
        return fail(EXIT_FAILED, err);
    status = run(&cli, &settings, &state, face, signal_fd);
    state_close(&state);
    return status;
}
