/* SPDX-License-Identifier: MIT */
/* Output without a screen: the journal as lines, each printed once by its number. The same loop serves screen
 * readers, pipes and headless runs. */
#include "core/command.h"
#include "core/journal.h"
#include "core/snapshot.h"
#include "core/text.h"
#include "ui/ui.h"
#include "ui/view.h"
#include "ui/wait.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct plain {
    const struct port *port;
    const struct ui_options *options;
    struct snapshot *snap;
    uint64_t printed; /* seq of the newest entry printed */
};

static void print_entry(const struct plain *plain, const struct journal_entry *entry)
{
    static const char *const levels[] = {
        [LEVEL_INFO] = "", [LEVEL_WARNING] = "WARNING ", [LEVEL_ERROR] = "ERROR "};
    char clock[40] = "-", text[700], clean[1400], line[1500];
    const char *level = entry->kind == JOURNAL_EVENT ? levels[entry->level % 3] : "";
    time_t seconds = (time_t)((entry->at + plain->snap->wall_offset_us) / USEC_PER_SEC);
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(clock, sizeof clock, "%Y-%m-%dT%H:%M:%S%z", &local);
    journal_entry_format(entry, text, sizeof text);
    text_clean(clean, sizeof clean, text);
    snprintf(line, sizeof line, "%s %s%s", clock, level, clean);
    plain->options->line(plain->options->line_context, line);
}

static void print_new(struct plain *plain)
{
    if (!plain->port->read(plain->port->ctx, plain->snap))
        return;
    for (int i = 0; i < plain->snap->journal_count; i++) {
        const struct journal_entry *entry = &plain->snap->journal[i];
        if (entry->seq <= plain->printed)
            continue;
        print_entry(plain, entry);
        plain->printed = entry->seq;
    }
}

static bool over(const struct plain *plain, bool ended)
{
    const struct snapshot *snap = plain->snap;
    if (plain->options->end_fd >= 0)
        return ended;
    return snap->stopping && snap->instance_count == 0 && !snap->load.running;
}

int ui_run_plain(const struct port *port, const struct ui_options *opts)
{
    struct plain plain = {.port = port, .options = opts, .snap = calloc(1, sizeof *plain.snap)};
    if (!plain.snap)
        return -ENOMEM;
    for (bool ended = false;;) {
        print_new(&plain);
        if (over(&plain, ended))
            break;
        struct wait wait = {
            .input = -1, .output = -1, .signal_fd = -1, .wake_fd = opts->wake_fd, .end_fd = opts->end_fd};
        wait_for(&wait, USEC_PER_SEC);
        ended = wait.ended;
    }
    free(plain.snap);
    return 0;
}
