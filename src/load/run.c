/* SPDX-License-Identifier: MIT */
/* Owns the team of workers, and the descriptors the main thread waits on: signals, the end of workers, and
 * standard input when that is where orders come from. Once a second it tells what they show of themselves. */
#include "load/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/signals.h"
#include "config.h"
#include "load/commands.h"
#include "load/output.h"
#include "load/table.h"
#include "load/team.h"

#define STOP_PATIENCE (2 * USEC_PER_SEC) /* for requests in flight after a signal or an order to stop */

enum { OPEN_LOOP_CONNECTIONS = 1000, OWN_DESCRIPTORS = 32, LINE_MAX_SIZE = 1024 };

struct run {
    const struct load_options *options;
    struct team team;
    usec_t stopped_at; /* when ordered to stop; 0: not */
    bool interrupted;
    enum load_progress progress;
    struct table table;

    struct load_stats before;   /* at the last progress */
    usec_t told_at, counted_at; /* when that was, and until when the workers had counted then */

    int signal_fd, done_fd;
    char line[LINE_MAX_SIZE]; /* of standard input, not complete yet */
    size_t line_size;
    bool skipping, control;
    bool unread; /* who read standard output has gone */
};

/* Descriptors that the load may use, after asking for as many as there may be. */
static int64_t allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return INT64_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_max - OWN_DESCRIPTORS;
}

/* How many connections may be open at once. What was not asked for gives way to the limit of open files. */
static bool settle_connections(struct run *run)
{
    const struct load_options *options = run->options;
    int64_t allowed = run->team.open_max = allow_descriptors();
    bool asked = options->connections > 0 || run->team.rate_rps <= 0;
    run->team.connections = options->connections > 0 ? options->connections : OPEN_LOOP_CONNECTIONS;
    int64_t wanted = run->team.rate_rps > 0 ? run->team.connections : run->team.users;
    if ((asked && wanted > allowed) || allowed < 1) {
        fprintf(stderr,
                "ascale-load: cannot keep %lld connections open: the limit of open files leaves %lld "
                "(see ulimit -n); nothing was sent\n",
                (long long)wanted, (long long)(allowed > 0 ? allowed : 0));
        return false;
    }
    if (run->team.connections > allowed)
        run->team.connections = allowed;
    return true;
}

static void tell_line(const struct output_interval *what)
{
    char line[256];
    output_line(line, sizeof line, what);
    fprintf(stderr, "%s\n", line);
}

static void tell_table(struct run *run, const struct output_interval *what)
{
    struct winsize size = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    run->table.columns = size.ws_col;
    run->table.rows = size.ws_row;
    table_draw(stderr, &run->table, what);
}

static void tell_progress(struct run *run, usec_t now)
{
    struct load_stats interval = run->team.stats;
    load_stats_subtract(&interval, &run->before);
    struct output_interval what = {
        .options = run->options,
        .url = run->team.plan->targets[0].url,
        .elapsed = run->team.seen_at - run->team.start,
        .length = run->team.seen_at - run->counted_at,
        .total = &run->team.stats,
        .interval = &interval,
        .in_flight = run->team.in_flight,
        .asked_rps = team_asked_rps(&run->team, run->counted_at, run->team.seen_at),
        .users = run->team.users,
    };
    if (run->options->output == LOAD_OUTPUT_CSV)
        output_csv_row(stdout, &what);
    if (run->progress == LOAD_PROGRESS_JSON)
        output_json_line(stdout, &what);
    else if (run->progress == LOAD_PROGRESS_LINE)
        tell_line(&what);
    else if (run->progress == LOAD_PROGRESS_AUTO)
        tell_table(run, &what);
    run->before = run->team.stats;
    run->told_at = now;
    run->counted_at = run->team.seen_at;
}

/* After this AUTO stands for a table on a terminal. */
static enum load_progress settle_progress(const struct load_options *options)
{
    if (options->progress != LOAD_PROGRESS_AUTO)
        return options->progress;
    const char *term = getenv("TERM");
    bool rows_there = options->output == LOAD_OUTPUT_CSV && isatty(STDOUT_FILENO);
    if (isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !rows_there)
        return LOAD_PROGRESS_AUTO;
    return options->output == LOAD_OUTPUT_TEXT ? LOAD_PROGRESS_LINE : LOAD_PROGRESS_NONE;
}

static void stop_load(struct run *run, usec_t now, usec_t patience)
{
    if (run->stopped_at == 0)
        run->stopped_at = now;
    team_stop(&run->team, now + patience);
}

/* Each user may have a connection, as at the start: what this machine cannot open is no error of the
 * server's.
 */
static bool allow_users(const struct run *run, int64_t users)
{
    if (users <= run->team.open_max)
        return true;
    fprintf(stderr,
            "ascale-load: order refused: cannot keep %lld connections open: the limit of open files leaves "
            "%lld (see ulimit -n); nothing was changed\n",
            (long long)users, (long long)run->team.open_max);
    return false;
}

static void obey(struct run *run, const char *line, usec_t now)
{
    struct load_command command;
    char why[200];
    if (!load_command_parse(line, &command, why, sizeof why)) {
        fprintf(stderr, "ascale-load: order refused: %s; nothing was changed\n", why);
        return;
    }
    switch (command.kind) {
    case LOAD_COMMAND_RATE:
        if (command.value > 0 || allow_users(run, run->team.users))
            team_set_rate(&run->team, command.value);
        break;
    case LOAD_COMMAND_THREADS:
        if (allow_users(run, (int64_t)command.value))
            team_set_users(&run->team, (int64_t)command.value);
        break;
    case LOAD_COMMAND_STOP:
        stop_load(run, now, STOP_PATIENCE);
        break;
    }
}

/* Cuts what has come into lines; what is too long for one is skipped to its end. */
static void take_orders(struct run *run, const char *data, size_t size, usec_t now)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n') {
            run->skipping = run->skipping || run->line_size == sizeof run->line - 1;
            if (!run->skipping)
                run->line[run->line_size++] = data[i];
            continue;
        }
        run->line[run->line_size] = '\0';
        if (run->skipping)
            fprintf(stderr, "ascale-load: order refused: the line is too long; nothing was changed\n");
        else if (run->line_size > 0)
            obey(run, run->line, now);
        run->line_size = 0;
        run->skipping = false;
    }
}

static void read_orders(struct run *run, usec_t now)
{
    char data[4096];
    ssize_t size = read(STDIN_FILENO, data, sizeof data);
    if (size > 0) {
        take_orders(run, data, (size_t)size, now);
    } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
        run->control = false; /* whoever gave the orders is gone */
        stop_load(run, now, STOP_PATIENCE);
    }
}

static void read_signal(struct run *run, usec_t now)
{
    struct signalfd_siginfo info;
    if (read(run->signal_fd, &info, sizeof info) != sizeof info)
        return;
    /* A second signal does not wait for what is in flight. */
    stop_load(run, now, run->interrupted ? 0 : STOP_PATIENCE);
    run->interrupted = true;
}

static void wait_for_news(struct run *run, usec_t until)
{
    struct pollfd waits[] = {
        {.fd = run->signal_fd, .events = POLLIN},
        {.fd = run->done_fd, .events = POLLIN},
        {.fd = run->control ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = run->unread ? -1 : STDOUT_FILENO}, /* only its errors, which nobody can mask */
    };
    usec_t now = clock_now_us();
    int wait_ms = until > now ? (int)((until - now + 999) / 1000) : 0;
    if (poll(waits, sizeof waits / sizeof waits[0], wait_ms) <= 0)
        return;
    now = clock_now_us();
    uint64_t ended;
    if (waits[0].revents != 0)
        read_signal(run, now);
    if (waits[1].revents != 0 && read(run->done_fd, &ended, sizeof ended) > 0)
        team_look(&run->team);
    if (waits[2].revents != 0)
        read_orders(run, now);
    if (waits[3].revents != 0) {
        run->unread = true;
        stop_load(run, now, 0); /* nobody will ever know */
    }
}

static void watch(struct run *run)
{
    while (!run->team.done) {
        usec_t now = clock_now_us();
        if (now - run->told_at >= USEC_PER_SEC) {
            team_look(&run->team);
            tell_progress(run, now);
            if (ferror(stdout) && run->stopped_at == 0)
                stop_load(run, now, 0); /* nobody will ever know */
        }
        if (!run->team.done)
            wait_for_news(run, run->told_at + USEC_PER_SEC);
    }
}

/* Until when the rates are counted: the end that was set or ordered, or the last answer if that came later;
 * where only the number of requests ended it, now. */
static usec_t end_of(const struct run *run)
{
    usec_t now = clock_now_us();
    usec_t end = run->stopped_at > 0 ? run->stopped_at : now;
    if (run->options->duration != USEC_NEVER && run->team.start + run->options->duration < end)
        end = run->team.start + run->options->duration;
    if (run->team.last_answer_at > end)
        end = run->team.last_answer_at;
    return end > run->team.start ? end : run->team.start; /* stopped before it began */
}

/* A number of requests was the end that was asked for, and it was not reached. */
static void tell_shape_over(const struct run *run)
{
    const struct team *team = &run->team;
    uint64_t due = load_stats_tried(&team->stats) + team->stats.unfinished + team->missed;
    uint64_t asked = (uint64_t)run->options->requests;
    if (run->options->ends_with_shape && run->stopped_at == 0 && due < asked)
        fprintf(stderr, "ascale-load: the spike is over, so %llu of %llu requests were never due\n",
                (unsigned long long)(asked - due), (unsigned long long)asked);
}

static int tell_summary(const struct run *run)
{
    usec_t end = end_of(run);
    struct output_summary summary = {
        .options = run->options,
        .stats = &run->team.stats,
        .elapsed = end - run->team.start,
        .cpu = clock_process_cpu_us(),
        .asked_rps = team_asked_mean(&run->team),
        .missed = run->team.missed,
        .late = run->team.late,
        .held = run->team.held,
        .generator_limited = team_was_limit(&run->team),
        .interrupted = run->interrupted,
    };
    bool told = true;
    if (run->progress == LOAD_PROGRESS_JSON)
        told = output_summary_json(stdout, &summary, "summary");
    else if (run->options->output == LOAD_OUTPUT_JSON)
        told = output_summary_json(stdout, &summary, NULL);
    else if (run->options->output == LOAD_OUTPUT_TEXT)
        output_summary_text(stdout, &summary);
    if (!file_end_output("ascale-load", "what was measured"))
        return 1;
    if (!told) {
        fprintf(stderr, "ascale-load: cannot say what was measured: out of memory\n");
        return 1;
    }
    tell_shape_over(run);
    char why[200];
    if (output_expectations_met(&summary, why, sizeof why))
        return 0;
    fprintf(stderr, "ascale-load: %s\n", why);
    return 1;
}

static bool open_descriptors(struct run *run)
{
    sigset_t signals;
    signals_that_end(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread, so that all inherit it */
    signal(SIGPIPE, SIG_IGN);
    run->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    run->done_fd = eventfd(0, EFD_CLOEXEC);
    if (run->signal_fd >= 0 && run->done_fd >= 0)
        return true;
    fprintf(stderr, "ascale-load: cannot wait for signals: %s; nothing was sent\n", strerror(errno));
    return false;
}

static int run_to_end(struct run *run)
{
    if (!settle_connections(run))
        return 1;
    if (run->options->output == LOAD_OUTPUT_CSV)
        output_csv_head(stdout);
    bool started = team_start(&run->team, run->done_fd);
    run->told_at = run->counted_at = run->team.start;
    if (started)
        watch(run);
    bool rows = run->options->output == LOAD_OUTPUT_CSV || run->progress == LOAD_PROGRESS_JSON;
    if (started && rows)
        tell_progress(run, clock_now_us()); /* so that the rows add up to the whole */
    table_clear(stderr, &run->table);
    int status = started ? tell_summary(run) : 1;
    team_free(&run->team);
    return status;
}

int run_load(const struct load_plan *plan)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        fprintf(stderr, "ascale-load: out of memory; nothing was sent\n");
        return 1;
    }
    run->options = plan->options;
    run->team.plan = plan;
    run->team.users = plan->options->connections > 0 ? plan->options->connections : plan->options->threads;
    run->team.rate_rps = plan->arrivals.rate_rps;
    run->progress = settle_progress(plan->options);
    run->control = plan->options->control;
    run->signal_fd = run->done_fd = -1;
    int status = open_descriptors(run) ? run_to_end(run) : 1;
    if (run->signal_fd >= 0)
        close(run->signal_fd);
    if (run->done_fd >= 0)
        close(run->done_fd);
    free(run);
    return status;
}
