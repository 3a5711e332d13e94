/* SPDX-License-Identifier: MIT */
/* Output without a screen: the journal as lines, each printed once by its number. The same loop serves screen
 * readers, pipes and headless runs. */
#include "core/text.h"
#include "ui/ui.h"
#include "ui/view.h"
#include "ui/wait.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct plain {
    const struct port *port;
    const struct ui_options *options;
    FILE *out;
    struct snapshot *snap;
    uint64_t printed; /* seq of the newest entry printed */
    bool stop_wanted, stop_posted;
};

static void print_entry(const struct plain *plain, const struct journal_entry *entry)
{
    static const char *const levels[] = {
        [LEVEL_INFO] = "", [LEVEL_WARNING] = "WARNING ", [LEVEL_ERROR] = "ERROR "};
    char clock[40] = "-", text[700], clean[1400];
    const char *level = entry->kind == JOURNAL_EVENT ? levels[entry->level % 3] : "";
    time_t seconds = (time_t)((entry->at + plain->snap->wall_offset_us) / USEC_PER_SEC);
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(clock, sizeof clock, "%Y-%m-%dT%H:%M:%S%z", &local);
    journal_entry_format(entry, text, sizeof text);
    text_clean(clean, sizeof clean, text);
    fprintf(plain->out, "%s %s%s\n", clock, level, clean);
}

static int print_new(struct plain *plain)
{
    if (!plain->port->read(plain->port->ctx, plain->snap))
        return 0;
    for (int i = 0; i < plain->snap->journal_count; i++) {
        const struct journal_entry *entry = &plain->snap->journal[i];
        if (entry->seq <= plain->printed)
            continue;
        print_entry(plain, entry);
        plain->printed = entry->seq;
    }
    return fflush(plain->out) == 0 ? 0 : -errno;
}

static void post(struct plain *plain, enum command_kind kind)
{
    struct command command = {.kind = kind};
    uint64_t id = plain->port->post(plain->port->ctx, &command);
    if (kind == CMD_QUIT)
        plain->stop_posted = id != 0;
}

static void signals_serve(struct plain *plain)
{
    for (int number; (number = wait_signal(plain->options->signal_fd)) > 0;) {
        if (number == SIGHUP && plain->options->hup_reloads)
            post(plain, CMD_RELOAD);
        else if (number == SIGTERM || number == SIGINT || number == SIGHUP)
            plain->stop_wanted = true, plain->stop_posted = false; /* asked again, it stops sooner */
    }
}

static bool over(const struct plain *plain, bool ended)
{
    const struct snapshot *snap = plain->snap;
    if (plain->options->end_fd >= 0)
        return ended;
    return snap->stopping && snap->instance_count == 0 && !snap->load.running;
}

static int plain_loop(struct plain *plain)
{
    for (bool ended = false;;) {
        int error = print_new(plain);
        if (error || over(plain, ended))
            return error;
        if (plain->stop_wanted && !plain->stop_posted)
            post(plain, CMD_QUIT);
        struct wait wait = {.input = -1,
                            .signal_fd = plain->options->signal_fd,
                            .wake_fd = plain->options->wake_fd,
                            .end_fd = plain->options->end_fd};
        wait_for(&wait, USEC_PER_SEC);
        if (wait.signaled)
            signals_serve(plain);
        ended = wait.ended;
    }
}

int ui_run_plain(const struct port *port, const struct ui_options *opts, FILE *out)
{
    struct plain plain = {.port = port, .options = opts, .out = out, .snap = calloc(1, sizeof *plain.snap)};
    if (!plain.snap)
        return -ENOMEM;
    int error = plain_loop(&plain);
    free(plain.snap);
    return error;
}
