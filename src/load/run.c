/* SPDX-License-Identifier: MIT */
/* Owns the workers, and the descriptors the main thread waits on: signals, the end of workers, and standard
 * input when that is where orders come from. Each second it adds up what the workers show of themselves; it
 * never touches what they work with. */
#include "load/run.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
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
#include "config.h"
#include "load/commands.h"
#include "load/report.h"
#include "load/table.h"
#include "load/worker.h"

#define START_LEAD    USEC_PER_MSEC
#define STOP_PATIENCE (2 * USEC_PER_SEC) /* for requests in flight after a signal or an order to stop */

enum { WORKERS_MAX = 256, OPEN_LOOP_CONNECTIONS = 1000, OWN_DESCRIPTORS = 32, LINE_MAX_SIZE = 1024 };

struct run {
    const struct load_plan *plan;
    const struct load_options *options;
    struct worker *workers[WORKERS_MAX];
    int worker_count;
    int64_t users;
    int64_t connections; /* at once, in open loop */
    double rate_rps;
    usec_t start, stopped_at; /* stopped_at: when ordered to stop; 0: not */
    bool interrupted;
    enum load_progress progress;
    struct table table;

    struct load_stats total, before; /* now, and at the last progress */
    struct worker_view view;         /* scratch: too large for a stack that is called often */
    usec_t told_at;
    usec_t seen_at, counted_at; /* until when the workers had counted: now, and when it was told */
    int64_t in_flight;
    uint64_t late, missed;
    usec_t last_answer_at;
    bool busy, done;

    int signal_fd, done_fd;
    char line[LINE_MAX_SIZE]; /* of standard input, not complete yet */
    size_t line_size;
    bool skipping, control;
};

static int cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < WORKERS_MAX ? count : WORKERS_MAX;
}

/* The share of worker i when total is dealt out as evenly as whole numbers go. */
static int64_t share(const struct run *run, int64_t total, int i)
{
    return total / run->worker_count + (i < total % run->worker_count);
}

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
    int64_t allowed = allow_descriptors();
    bool asked = options->connections > 0 || run->rate_rps <= 0;
    run->connections = options->connections > 0 ? options->connections : OPEN_LOOP_CONNECTIONS;
    int64_t wanted = run->rate_rps > 0 ? run->connections : run->users;
    if ((asked && wanted > allowed) || allowed < 1) {
        fprintf(stderr,
                "ascale-load: cannot keep %lld connections open: the limit of open files leaves %lld "
                "(see ulimit -n); nothing was sent\n",
                (long long)wanted, (long long)(allowed > 0 ? allowed : 0));
        return false;
    }
    if (run->connections > allowed)
        run->connections = allowed;
    return true;
}

static struct pacer make_pacer(const struct run *run, int i)
{
    struct arrivals_plan arrivals = run->plan->arrivals;
    arrivals.rate_rps /= run->worker_count;
    arrivals.phase = (double)i / run->worker_count;
    arrivals.seed += (uint64_t)i * 0x9e3779b9u;
    struct pacer pacer;
    pacer_init(&pacer, &arrivals);
    pacer.users = share(run, run->users, i);
    pacer.in_flight_max = share(run, run->connections, i);
    if (run->options->requests > 0)
        pacer.left = share(run, run->options->requests, i);
    if (run->options->duration != USEC_NEVER)
        pacer.stop_at = run->options->duration;
    return pacer;
}

/* At most one a CPU, and none that could never have anything to do: orders may add users, but no connections.
 */
static int count_workers(const struct run *run)
{
    const struct load_options *options = run->options;
    int64_t most = run->rate_rps > 0 ? run->connections : run->users;
    if (run->control)
        most = options->connections > 0 ? options->connections : WORKERS_MAX;
    else if (options->threads < most)
        most = options->threads;
    return most < cpu_count() ? (int)most : cpu_count();
}

static void stop_workers(struct run *run, usec_t now, usec_t patience)
{
    if (run->stopped_at == 0)
        run->stopped_at = now;
    for (int i = 0; i < run->worker_count; i++)
        worker_stop(run->workers[i], now + patience);
}

static int make_worker(struct run *run, int i)
{
    struct pacer pacer = make_pacer(run, i);
    run->workers[i] = worker_new(run->plan, &pacer, (uint64_t)run->options->seed + (uint64_t)i, run->done_fd);
    return run->workers[i] != NULL ? worker_wait_ready(run->workers[i]) : -errno;
}

static bool make_workers(struct run *run)
{
    run->worker_count = count_workers(run);
    for (int i = 0; i < run->worker_count; i++) {
        int error = make_worker(run, i);
        if (error == 0)
            continue;
        fprintf(stderr, "ascale-load: cannot start worker %d of %d: %s; nothing was sent\n", i + 1,
                run->worker_count, strerror(-error));
        run->worker_count = run->workers[i] != NULL ? i + 1 : i;
        return false;
    }
    return true;
}

/* The schedule begins when all workers wait for it, and a moment later for them to wake up in: what is late
 * from there on is late. */
static bool start_workers(struct run *run)
{
    bool made = make_workers(run);
    if (!made)
        stop_workers(run, clock_now_us(), 0);
    run->start = run->told_at = run->counted_at = clock_now_us() + START_LEAD;
    for (int i = 0; i < run->worker_count; i++)
        worker_start(run->workers[i], run->start);
    return made;
}

/* They show themselves now and then; of those at work the one that did so first counts, else the last to end.
 */
static void note_when_seen(struct run *run, usec_t at, bool first)
{
    bool ended = run->view.done;
    at = at > run->start ? at : run->start;
    if (first || (run->done && !ended) || (run->done ? at > run->seen_at : !ended && at < run->seen_at))
        run->seen_at = at;
}

/* Adds up what the workers show. */
static void look(struct run *run)
{
    run->total = (struct load_stats){0};
    run->in_flight = 0;
    run->late = run->missed = 0;
    run->done = true;
    run->busy = false;
    for (int i = 0; i < run->worker_count; i++) {
        worker_look(run->workers[i], &run->view);
        note_when_seen(run, run->view.at, i == 0);
        load_stats_merge(&run->total, &run->view.stats);
        run->in_flight += run->view.in_flight;
        run->late += run->view.late;
        run->missed += run->view.missed;
        run->busy = run->busy || (run->view.seconds > 0 && run->view.busy * 2 > run->view.seconds);
        run->done = run->done && run->view.done;
        if (run->view.last_answer_at > run->last_answer_at)
            run->last_answer_at = run->view.last_answer_at;
    }
}

static double asked_now(const struct run *run, usec_t now)
{
    return run->rate_rps * arrivals_factor(&run->plan->arrivals.shape, now - run->start);
}

static void tell_line(const struct report_interval *what)
{
    char line[256];
    report_line(line, sizeof line, what);
    fprintf(stderr, "%s\n", line);
}

static void tell_table(struct run *run, const struct report_interval *what)
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
    struct load_stats interval = run->total;
    load_stats_subtract(&interval, &run->before);
    struct report_interval what = {
        .options = run->options,
        .elapsed = now - run->start,
        .length = run->seen_at - run->counted_at,
        .total = &run->total,
        .interval = &interval,
        .in_flight = run->in_flight,
        .asked_rps = asked_now(run, now),
        .users = run->users,
    };
    if (run->options->output == LOAD_OUTPUT_CSV)
        report_csv_row(stdout, &what);
    if (run->progress == LOAD_PROGRESS_JSON)
        report_json_line(stdout, &what);
    else if (run->progress == LOAD_PROGRESS_LINE)
        tell_line(&what);
    else if (run->progress == LOAD_PROGRESS_AUTO)
        tell_table(run, &what);
    run->before = run->total;
    run->told_at = now;
    run->counted_at = run->seen_at;
}

/* After this AUTO stands for a table on a terminal. */
static enum load_progress settle_progress(const struct load_options *options)
{
    if (options->progress != LOAD_PROGRESS_AUTO)
        return options->progress;
    const char *term = getenv("TERM");
    bool rows_there = options->output == LOAD_OUTPUT_CSV && isatty(STDOUT_FILENO);
    if (isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0 && !rows_there)
        return LOAD_PROGRESS_AUTO;
    return options->output == LOAD_OUTPUT_TEXT ? LOAD_PROGRESS_LINE : LOAD_PROGRESS_NONE;
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
        run->rate_rps = command.value;
        for (int i = 0; i < run->worker_count; i++)
            worker_set_rate(run->workers[i], command.value / run->worker_count);
        break;
    case LOAD_COMMAND_THREADS:
        run->users = (int64_t)command.value;
        for (int i = 0; i < run->worker_count; i++)
            worker_set_users(run->workers[i], share(run, run->users, i));
        break;
    case LOAD_COMMAND_STOP:
        stop_workers(run, now, STOP_PATIENCE);
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
        stop_workers(run, now, STOP_PATIENCE);
    }
}

static void read_signal(struct run *run, usec_t now)
{
    struct signalfd_siginfo info;
    if (read(run->signal_fd, &info, sizeof info) != sizeof info)
        return;
    /* A second signal does not wait for what is in flight. */
    stop_workers(run, now, run->interrupted ? 0 : STOP_PATIENCE);
    run->interrupted = true;
}

static void wait_for_news(struct run *run, usec_t until)
{
    struct pollfd waits[] = {
        {.fd = run->signal_fd, .events = POLLIN},
        {.fd = run->done_fd, .events = POLLIN},
        {.fd = run->control ? STDIN_FILENO : -1, .events = POLLIN},
    };
    usec_t now = clock_now_us();
    int wait_ms = until > now ? (int)((until - now + 999) / 1000) : 0;
    if (poll(waits, 3, wait_ms) <= 0)
        return;
    now = clock_now_us();
    uint64_t ended;
    if (waits[0].revents != 0)
        read_signal(run, now);
    if (waits[1].revents != 0 && read(run->done_fd, &ended, sizeof ended) > 0)
        look(run);
    if (waits[2].revents != 0)
        read_orders(run, now);
}

static void watch(struct run *run)
{
    while (!run->done) {
        usec_t now = clock_now_us();
        if (now - run->told_at >= USEC_PER_SEC) {
            look(run);
            tell_progress(run, now);
            if (ferror(stdout) && run->stopped_at == 0)
                stop_workers(run, now, 0); /* nobody will ever know */
        }
        if (!run->done)
            wait_for_news(run, run->told_at + USEC_PER_SEC);
    }
}

/* Until when the rates are counted: the end that was set or ordered, or the last answer if that came later;
 * where only the number of requests ended it, now. */
static usec_t end_of(const struct run *run)
{
    usec_t now = clock_now_us();
    usec_t end = run->stopped_at > 0 ? run->stopped_at : now;
    if (run->options->duration != USEC_NEVER && run->start + run->options->duration < end)
        end = run->start + run->options->duration;
    if (run->last_answer_at > end)
        end = run->last_answer_at;
    return end > run->start ? end : now;
}

static double asked_mean(const struct run *run, usec_t end)
{
    if (run->rate_rps <= 0)
        return 0;
    const struct load_stats *total = &run->total;
    uint64_t due = total->answered + load_stats_errors(total) - total->errors[LOAD_ERROR_STATUS] +
                   total->unfinished + run->missed;
    usec_t sending = end - run->start;
    if (run->options->duration != USEC_NEVER && sending > run->options->duration)
        sending = run->options->duration;
    return (double)due * 1e6 / (double)sending;
}

static int tell_summary(const struct run *run)
{
    usec_t end = end_of(run);
    struct report_summary summary = {
        .options = run->options,
        .stats = &run->total,
        .elapsed = end - run->start,
        .cpu = clock_process_cpu_us(),
        .asked_rps = asked_mean(run, end),
        .missed = run->missed,
        .late = run->late,
        .generator_limited = run->busy || run->late * 100 > run->total.answered,
        .interrupted = run->interrupted,
    };
    bool told = true;
    if (run->progress == LOAD_PROGRESS_JSON)
        told = report_summary_json(stdout, &summary, "summary");
    else if (run->options->output == LOAD_OUTPUT_JSON)
        told = report_summary_json(stdout, &summary, NULL);
    else if (run->options->output == LOAD_OUTPUT_TEXT)
        report_summary_text(stdout, &summary);
    if (!told || ferror(stdout)) {
        fprintf(stderr, "ascale-load: cannot write what was measured: %s\n", strerror(errno));
        return 1;
    }
    char why[160];
    if (report_expectations_met(&summary, why, sizeof why))
        return 0;
    fprintf(stderr, "ascale-load: %s\n", why);
    return 1;
}

static bool open_descriptors(struct run *run)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
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
        report_csv_head(stdout);
    bool started = start_workers(run);
    if (started)
        watch(run);
    bool rows = run->options->output == LOAD_OUTPUT_CSV || run->progress == LOAD_PROGRESS_JSON;
    if (started && rows)
        tell_progress(run, clock_now_us()); /* so that the rows add up to the whole */
    table_clear(stderr, &run->table);
    int status = started ? tell_summary(run) : 1;
    for (int i = 0; i < run->worker_count; i++)
        worker_free(run->workers[i]);
    return status;
}

int run_load(const struct load_plan *plan)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        fprintf(stderr, "ascale-load: out of memory; nothing was sent\n");
        return 1;
    }
    run->plan = plan;
    run->options = plan->options;
    run->users = plan->options->connections > 0 ? plan->options->connections : plan->options->threads;
    run->rate_rps = plan->arrivals.rate_rps;
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
