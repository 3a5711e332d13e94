/* SPDX-License-Identifier: MIT */
/* Draws without a terminal and without a control thread: what the screen shows depends on nothing but a
 * snapshot, and here that comes from a file. Main thread. */
#include "tui/fixture.h"
#include "base/file.h"
#include "ops/snapshot_json.h"
#include "ui/ui.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int fixture_print(const struct cli *cli)
{
    char err[512];
    int status = 2, error;
    struct ui_options face_options = {
        .signal_fd = -1, .wake_fd = -1, .end_fd = -1, .mono = cli->mono, .color = isatty(STDOUT_FILENO) == 1};
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) {
        fprintf(stderr, "ascale-tui: cannot print '%s': out of memory\n", cli->fixture);
        return 1;
    }
    if (!snapshot_from_file(cli->fixture, snapshot, err, sizeof err) ||
        (cli->glyphs && !config_set(&snapshot->config, "ui", "glyphs", cli->glyphs, err, sizeof err))) {
        fprintf(stderr, "ascale-tui: %s\n", err);
        goto out;
    }
    error = ui_print_snapshot(snapshot, cli->snapshot_width, cli->snapshot_height, &face_options, stdout);
    if (error == -ENOMEM)
        fprintf(stderr, "ascale-tui: cannot print '%s': out of memory\n", cli->fixture);
    status = error != -ENOMEM && file_end_output("ascale-tui", "the screen") ? 0 : 1;
out:
    free(snapshot);
    return status;
}
