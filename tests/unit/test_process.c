/* SPDX-License-Identifier: MIT */
/* target/process with real instances: small shell scripts and Python servers, driven through the target's
 * door. */
#include "base/clock.h"
#include "base/loop.h"
#include "target/cgroup.h"
#include "target/proc.h"
#include "target/survivors.h"
#include "target/target.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "temporary.h"

enum { DEADLINE_US = 30 * 1000 * 1000, EVENTS_MAX = 64 };

#define SERVE "/usr/bin/python3 -m http.server --bind 127.0.0.1 {port}"

struct rig {
    struct loop *loop;
    struct config config;
    void *target;
    char directory[64];
    int event_count;
    struct event events[EVENTS_MAX];
    char note[256];
    bool applying, event_while_applying;
};

static void take_event(void *context, const struct event *event)
{
    struct rig *rig = context;
    rig->event_while_applying |= rig->applying;
    assert_true(rig->event_count < EVENTS_MAX);
    rig->events[rig->event_count++] = *event;
}

static void take_note(void *context, enum journal_level level, int instance, const char *text)
{
    (void)level, (void)instance;
    struct rig *rig = context;
    snprintf(rig->note, sizeof rig->note, "%s", text);
}

static void set(struct rig *rig, const char *key, const char *value)
{
    char err[CONFIG_ERROR_SIZE];
    if (!config_set(&rig->config, "app", key, value, err, sizeof err))
        fail_msg("%s", err);
    if (rig->target)
        target_process.reconfigure(rig->target, &rig->config);
}

static int rig_open(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    char err[256] = "";
    assert_non_null(rig);
    assert_int_equal(loop_new(&rig->loop), 0);
    temporary_folder(rig->directory);
    config_init(&rig->config);
    set(rig, "base_port", "0");
    set(rig, "health_path", "/");
    set(rig, "health_interval", "100ms");
    set(rig, "health_timeout", "500ms");
    struct target_setup setup = {
        .loop = rig->loop,
        .config = &rig->config,
        .state_dir = rig->directory,
        .launcher = "./ascale-launch",
        .program_dir = "/nonexistent",
        .ctx = rig,
        .event = take_event,
        .note = take_note,
    };
    rig->target = target_process.open(&setup, err, sizeof err);
    if (!rig->target)
        fail_msg("%s", err);
    *state = rig;
    return 0;
}

static int unlink_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status, (void)flag, (void)walk;
    return remove(path);
}

static bool nobody(void *context, const char *key)
{
    (void)context, (void)key;
    return false;
}

static int rig_close(void **state)
{
    struct rig *rig = *state;
    assert_false(rig->event_while_applying);
    /* Nor may a test that fails leave any. */
    char mark[SURVIVORS_MARK_SIZE];
    int left = survivors_mark(rig->directory, mark) == 0 ? survivors_end_rest(mark, nobody, NULL) : -1;
    target_process.close(rig->target);
    assert_int_equal(left, 0);
    loop_free(rig->loop);
    nftw(rig->directory, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
    free(rig);
    return 0;
}

static void apply(struct rig *rig, enum action_kind kind, int id)
{
    rig->applying = true;
    target_process.apply(rig->target, &(struct action){.kind = kind, .id = id}, clock_now_us());
    rig->applying = false;
}

static const struct event *find_event(const struct rig *rig, enum event_kind kind, int id)
{
    for (int i = 0; i < rig->event_count; i++)
        if (rig->events[i].kind == kind && rig->events[i].id == id)
            return &rig->events[i];
    return NULL;
}

static const struct event *wait_for(struct rig *rig, enum event_kind kind, int id)
{
    int64_t deadline = clock_now_us() + DEADLINE_US;
    const struct event *event;
    while (!(event = find_event(rig, kind, id))) {
        if (clock_now_us() > deadline)
            fail_msg("no event %d of i%d; the last was %d '%s'", kind, id,
                     rig->event_count > 0 ? (int)rig->events[rig->event_count - 1].kind : -1,
                     rig->event_count > 0 ? rig->events[rig->event_count - 1].text : "");
        assert_int_equal(loop_turn(rig->loop, clock_now_us() + 20000), 0);
    }
    return event;
}

/* Puts a script where its instance finds it. */
static void write_script(struct rig *rig, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", rig->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    set(rig, "directory", rig->directory);
}

static const struct event *spawn(struct rig *rig, int id, const char *command)
{
    set(rig, "command", command);
    apply(rig, ACTION_SPAWN, id);
    return wait_for(rig, EVENT_SPAWNED, id);
}

static void stop(struct rig *rig, int id)
{
    apply(rig, ACTION_KILL, id);
    wait_for(rig, EVENT_EXITED, id);
    apply(rig, ACTION_REMOVE, id);
}

/* Without the marks of its starts. */
static int log_lines(struct rig *rig, int id, char lines[][200], int max)
{
    int count = target_process.log_tail(rig->target, id, lines, max), kept = 0;
    for (int i = 0; i < count; i++)
        if (!strstr(lines[i], " ascale: started as pid "))
            memmove(lines[kept++], lines[i], sizeof lines[i]);
    return kept;
}

/* Waits until its log has so many lines. */
static void wait_for_lines(struct rig *rig, int id, char lines[][200], int count)
{
    int64_t deadline = clock_now_us() + DEADLINE_US;
    while (log_lines(rig, id, lines, 64) < count) {
        assert_true(clock_now_us() < deadline);
        loop_turn(rig->loop, clock_now_us() + 10000);
    }
}

static bool is_running(pid_t pid)
{
    struct proc_stat stat;
    return proc_stat_get(pid, &stat) == 0 && stat.state != 'Z';
}

static void a_server_becomes_healthy_and_stops(void **state)
{
    struct rig *rig = *state;
    const struct event *spawned = spawn(rig, 1, SERVE);
    pid_t pid = spawned->pid;
    assert_true(spawned->port > 0);
    assert_string_equal(wait_for(rig, EVENT_HEALTHY, 1)->text, "GET /: status 200");
    apply(rig, ACTION_TERM, 1);
    assert_string_equal(wait_for(rig, EVENT_EXITED, 1)->text, "killed by SIGTERM (15)");
    assert_false(is_running(pid));
    apply(rig, ACTION_REMOVE, 1);
}

static void an_exit_says_how(void **state)
{
    struct rig *rig = *state;
    spawn(rig, 1, "sh -c 'exit 3'");
    assert_string_equal(wait_for(rig, EVENT_EXITED, 1)->text, "exit status 3");
    spawn(rig, 2, "sh -c 'kill -9 $$'");
    assert_string_equal(wait_for(rig, EVENT_EXITED, 2)->text, "killed by SIGKILL (9)");
    rig->event_count = 0;
    spawn(rig, 1, "false"); /* the same number again, without a remove between */
    assert_string_equal(wait_for(rig, EVENT_EXITED, 1)->text, "exit status 1");
}

static void a_launch_that_fails_says_why(void **state)
{
    struct rig *rig = *state;
    static const char *const rows[][4] = {
        {"no-such-command {port}", "", "", "command 'no-such-command': No such file or directory"},
        {"/etc/passwd", "", "", "command '/etc/passwd': Permission denied"},
        {"true", "/no/such/place", "", "directory '/no/such/place': No such file or directory"},
        {"true", "", "no-such-user", "user 'no-such-user': No such file or directory"},
        {"sh -c 'open", "", "", "a ' is never closed in command 'sh -c 'open'"},
    };
    for (int i = 0; i < 5; i++) {
        set(rig, "command", rows[i][0]);
        set(rig, "directory", rows[i][1]);
        set(rig, "user", rows[i][2]);
        apply(rig, ACTION_SPAWN, i + 1);
        assert_string_equal(wait_for(rig, EVENT_SPAWN_FAILED, i + 1)->text, rows[i][3]);
        assert_null(find_event(rig, EVENT_SPAWNED, i + 1));
        apply(rig, ACTION_REMOVE, i + 1);
    }
}

static void kill_ends_what_ignores_term(void **state)
{
    struct rig *rig = *state;
    char lines[64][200];
    spawn(rig, 1, "sh -c 'trap \"\" TERM; sleep 1000 & echo $!; echo ready; while :; do sleep 1000; done'");
    wait_for_lines(rig, 1, lines, 2);
    pid_t child = (pid_t)atoi(lines[0]);
    apply(rig, ACTION_TERM, 1);
    for (int i = 0; i < 20; i++)
        loop_turn(rig->loop, clock_now_us() + 10000);
    assert_null(find_event(rig, EVENT_EXITED, 1));
    assert_true(is_running(child));
    apply(rig, ACTION_KILL, 1);
    assert_string_equal(wait_for(rig, EVENT_EXITED, 1)->text, "killed by SIGKILL (9)");
    assert_false(is_running(child));
}

static void nothing_of_a_daemon_is_left(void **state)
{
    struct rig *rig = *state;
    char lines[64][200];
    write_script(rig, "flee.sh",
                 "setsid sh -c '(trap \"\" TERM; while :; do sleep 1000; done) & echo $!; exit'\n"
                 "setsid sh -c 'setsid -f sh -c \"echo \\$\\$; exec sleep 1000\"'\n"
                 "exec sleep 1000\n");
    spawn(rig, 1, "sh flee.sh");
    wait_for_lines(rig, 1, lines, 2);
    pid_t first = (pid_t)atoi(lines[0]), second = (pid_t)atoi(lines[1]);
    assert_true(is_running(first) && is_running(second));
    stop(rig, 1);
    assert_false(is_running(first));
    assert_false(is_running(second));
}

/* The leader crashes; its worker lives on, ignoring TERM, and must not. */
static void what_a_crash_leaves_is_ended(void **state)
{
    struct rig *rig = *state;
    char lines[64][200];
    const struct event *spawned =
        spawn(rig, 1, "sh -c '(trap \"\" TERM; while :; do sleep 1000; done) & echo $!; wait'");
    wait_for_lines(rig, 1, lines, 1);
    pid_t worker = (pid_t)atoi(lines[0]);
    kill(spawned->pid, SIGKILL);
    assert_string_equal(wait_for(rig, EVENT_EXITED, 1)->text, "killed by SIGKILL (9)");
    assert_false(is_running(worker));
}

static void a_stopped_server_is_told_at_once_and_recovers(void **state)
{
    struct rig *rig = *state;
    set(rig, "health_timeout", "100ms");
    pid_t pid = spawn(rig, 1, SERVE)->pid;
    wait_for(rig, EVENT_HEALTHY, 1);
    rig->event_count = 0;
    kill(pid, SIGSTOP);
    wait_for(rig, EVENT_SUSPENDED, 1);
    assert_null(find_event(rig, EVENT_UNHEALTHY, 1));
    rig->event_count = 0;
    kill(pid, SIGCONT);
    wait_for(rig, EVENT_HEALTHY, 1);
    kill(pid, SIGSTOP);
    stop(rig, 1);
    assert_false(is_running(pid));
}

/* The kernel accepts connections for it all the same. */
static void a_stopped_server_is_told_without_path(void **state)
{
    struct rig *rig = *state;
    set(rig, "health_path", "");
    pid_t pid = spawn(rig, 1, SERVE)->pid;
    wait_for(rig, EVENT_HEALTHY, 1);
    kill(pid, SIGSTOP);
    assert_non_null(strstr(wait_for(rig, EVENT_SUSPENDED, 1)->text, "accepted by the kernel alone"));
    stop(rig, 1);
    assert_false(is_running(pid));
}

/* systemd does the same: a stopped one hears of TERM only when it goes on. */
static void a_stopped_one_ends_by_term(void **state)
{
    struct rig *rig = *state;
    pid_t pid = spawn(rig, 1, SERVE)->pid;
    wait_for(rig, EVENT_HEALTHY, 1);
    kill(pid, SIGSTOP);
    apply(rig, ACTION_TERM, 1);
    assert_string_equal(wait_for(rig, EVENT_EXITED, 1)->text, "killed by SIGTERM (15)");
    assert_false(is_running(pid));
}

static void errors_make_it_unhealthy(void **state)
{
    struct rig *rig = *state;
    char page[128];
    snprintf(page, sizeof page, "%s/page", rig->directory);
    close(open(page, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    set(rig, "health_path", "/page");
    set(rig, "directory", rig->directory);
    spawn(rig, 1, SERVE);
    wait_for(rig, EVENT_HEALTHY, 1);
    rig->event_count = 0;
    unlink(page);
    const struct event *bad = wait_for(rig, EVENT_UNHEALTHY, 1);
    assert_string_equal(bad->text, "GET /page: status 404");
    assert_int_equal(bad->check, CHECK_BAD);
    rig->event_count = 0;
    close(open(page, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    wait_for(rig, EVENT_HEALTHY, 1);
    stop(rig, 1);
}

/* What answers liveness_path is told beside the other checks, and only where there is one. */
static void liveness_is_asked_where_there_is_a_path(void **state)
{
    struct rig *rig = *state;
    spawn(rig, 1, SERVE);
    wait_for(rig, EVENT_HEALTHY, 1);
    assert_null(find_event(rig, EVENT_LIVENESS, 1));
    set(rig, "liveness_path", "/none");
    const struct event *bad = wait_for(rig, EVENT_LIVENESS, 1);
    assert_string_equal(bad->text, "GET /none: status 404");
    assert_int_equal(bad->check, CHECK_BAD);
    stop(rig, 1);
}

/* Three bad answers end an instance; that its silence came before makes one of them no more than one. */
static void bad_answers_are_counted_apart_from_silence(void **state)
{
    struct rig *rig = *state;
    char page[128];
    snprintf(page, sizeof page, "%s/page", rig->directory);
    assert_int_equal(mkfifo(page, 0600), 0); /* whoever reads it waits */
    set(rig, "directory", rig->directory);
    set(rig, "health_timeout", "200ms");
    spawn(rig, 1, SERVE);
    wait_for(rig, EVENT_HEALTHY, 1);
    set(rig, "liveness_path", "/page");
    for (int streak = 1; streak <= 3; streak++) {
        const struct event *silent = wait_for(rig, EVENT_LIVENESS, 1);
        assert_int_equal(silent->check, CHECK_SILENT);
        assert_int_equal(silent->streak, streak);
        rig->event_count = 0;
    }
    unlink(page);
    for (int streak = 1; streak <= 3; streak++) {
        const struct event *bad = wait_for(rig, EVENT_LIVENESS, 1);
        assert_int_equal(bad->check, CHECK_BAD);
        assert_int_equal(bad->streak, streak);
        rig->event_count = 0;
    }
    stop(rig, 1);
}

static void an_accepted_connection_is_enough_without_path(void **state)
{
    struct rig *rig = *state;
    set(rig, "health_path", "");
    spawn(rig, 1, SERVE);
    wait_for(rig, EVENT_HEALTHY, 1);
    stop(rig, 1);
}

static int listen_at(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void taken_ports_are_skipped(void **state)
{
    struct rig *rig = *state;
    char base[16];
    int fd = listen_at(0);
    snprintf(base, sizeof base, "%d", port_of(fd));
    set(rig, "base_port", base);
    int first = spawn(rig, 1, "sleep 1000")->port;
    int second = spawn(rig, 2, "sleep 1000")->port;
    assert_true(first > port_of(fd));
    assert_true(second > first);
    stop(rig, 1);
    stop(rig, 2);
    close(fd);
}

/* The foreign listener comes after the port was chosen; the instance does not mind, but we must. */
static void a_foreign_answer_is_not_ours(void **state)
{
    struct rig *rig = *state;
    set(rig, "health_path", "");
    int port = spawn(rig, 1, "sleep 1000")->port;
    int fd = listen_at(port);
    const struct event *ended = wait_for(rig, EVENT_EXITED, 1);
    assert_non_null(strstr(ended->text, "not its own"));
    assert_non_null(strstr(rig->note, "not its own"));
    assert_null(find_event(rig, EVENT_HEALTHY, 1));
    close(fd);
}

/* What a child sees: three descriptors, no blocked or ignored signal, only the environment that was made for
 * it. */
static void a_child_sees_nothing_of_ours(void **state)
{
    struct rig *rig = *state;
    char lines[64][200];
    int leaked = open("/dev/null", O_RDONLY); /* deliberately without O_CLOEXEC */
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    setenv("ASCALE_TEST_SECRET", "hunter2", 1);
    set(rig, "env.COLOR", "blue {port}");
    set(rig, "env.TZ", "Asia/Tokyo");
    write_script(rig, "dump.py",
                 "import os\n"
                 "print(*(fd for fd in range(256) if os.path.exists(f'/proc/self/fd/{fd}')))\n"
                 "for line in open('/proc/self/status'):\n"
                 "    if line.startswith('SigBlk'):\n"
                 "        print(line.split()[1])\n"
                 "for name in os.environ:\n"
                 "    print(f'{name}={os.environ[name]}')\n");
    write_script(rig, "dump.sh", "grep SigIgn /proc/$$/status | tr -d '\\t'; exec /usr/bin/python3 dump.py");
    int port = spawn(rig, 3, "sh dump.sh")->port;
    wait_for(rig, EVENT_EXITED, 3);
    int count = log_lines(rig, 3, lines, 64);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    unsetenv("ASCALE_TEST_SECRET");
    close(leaked);
    char all[8192] = "", expected[64];
    for (int i = 0; i < count; i++) {
        strcat(all, lines[i]);
        strcat(all, "\n");
    }
    static const char wanted[] = "SigIgn:0000000000000000\n0 1 2\n0000000000000000\n";
    if (strncmp(all, wanted, sizeof wanted - 1) != 0)
        fail_msg("%s", all);
    snprintf(expected, sizeof expected, "\nPORT=%d\n", port);
    assert_non_null(strstr(all, expected));
    assert_non_null(strstr(all, "\nASCALE_INSTANCE=3\n"));
    assert_non_null(strstr(all, "\nCOLOR=blue {port}\n"));
    assert_non_null(strstr(all, "\nTZ=Asia/Tokyo\n"));
    assert_non_null(strstr(all, "\nPATH=/nonexistent:"));
    assert_null(strstr(all, "hunter2"));
}

static void cpu_and_memory_of_the_whole_tree(void **state)
{
    struct rig *rig = *state;
    static struct sample sample;
    spawn(rig, 1, "sh -c 'sh -c \"while :; do :; done\"; true'");
    int64_t deadline = clock_now_us() + DEADLINE_US;
    double cpu = 0;
    while (!(cpu > 10)) { /* a loop takes a whole core; how much of one is free is not ours to say */
        assert_true(clock_now_us() < deadline);
        int64_t until = clock_now_us() + 300000;
        while (clock_now_us() < until)
            loop_turn(rig->loop, until);
        memset(&sample, 0, sizeof sample);
        target_process.sample(rig->target, &sample, clock_now_us());
        assert_int_equal(sample.instance_count, 1);
        cpu = sample.instances[0].cpu_pct;
    }
    assert_true(cpu < 150);
    assert_true(sample.instances[0].mem_bytes > 500000);
    assert_true(sample.host_cpu_pct > 0 && sample.host_cpu_pct <= 100);
    stop(rig, 1);
}

static void an_instance_outlives_its_controller(void **state)
{
    struct rig *rig = *state;
    char err[256];
    const struct event spawned = *spawn(rig, 1, SERVE);
    wait_for(rig, EVENT_HEALTHY, 1);
    target_process.close(rig->target);
    assert_true(is_running(spawned.pid));
    rig->event_count = 0;
    struct target_setup setup = {
        .loop = rig->loop,
        .config = &rig->config,
        .state_dir = rig->directory,
        .launcher = "./ascale-launch",
        .ctx = rig,
        .event = take_event,
        .note = take_note,
    };
    rig->target = target_process.open(&setup, err, sizeof err);
    struct proc_stat stat;
    assert_int_equal(proc_stat_get(spawned.pid, &stat), 0);
    struct target_adoption adoption = {.id = 1,
                                       .pid = spawned.pid,
                                       .port = spawned.port,
                                       .start_ticks = stat.start_ticks + 1,
                                       .ready = true};
    assert_false(target_process.adopt(rig->target, &adoption, clock_now_us(), err, sizeof err));
    assert_true(is_running(spawned.pid));
    adoption.start_ticks--;
    assert_true(target_process.adopt(rig->target, &adoption, clock_now_us(), err, sizeof err));
    apply(rig, ACTION_TERM, 1);
    wait_for(rig, EVENT_EXITED, 1);
    waitpid(spawned.pid, NULL, 0); /* it was our child all the time */
}

static void a_chatty_instance_is_kept_within_its_cap(void **state)
{
    struct rig *rig = *state;
    char path[128], lines[64][200];
    char err[CONFIG_ERROR_SIZE];
    assert_true(config_set(&rig->config, "log", "max_size", "2M", err, sizeof err));
    pid_t pid =
        spawn(rig, 1, "sh -c 'yes chatter | head -c 40000000; while echo done; do sleep 0.1; done'")->pid;
    snprintf(path, sizeof path, "%s/log/i1.log", rig->directory);
    int64_t deadline = clock_now_us() + DEADLINE_US;
    do {
        assert_true(clock_now_us() < deadline);
        loop_turn(rig->loop, clock_now_us() + 50000);
    } while (log_lines(rig, 1, lines, 1) != 1 || strcmp(lines[0], "done") != 0);
    struct stat status;
    do {
        assert_true(clock_now_us() < deadline);
        loop_turn(rig->loop, clock_now_us() + 50000);
        assert_int_equal(stat(path, &status), 0);
    } while (status.st_size > 2 << 20);
    strcat(path, ".1");
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size <= 2 << 20);
    assert_true(is_running(pid));
    stop(rig, 1);
}

static void the_requests_of_the_application_are_counted(void **state)
{
    struct rig *rig = *state;
    static struct sample sample;
    set(rig, "requests_path", "/requests");
    write_script(
        rig, "count.py",
        "import http.server, sys, time\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        body = b'{\"requests\": %d}' % (time.monotonic() * 10)\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', str(len(body)))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n");
    spawn(rig, 1, "/usr/bin/python3 count.py {port}");
    wait_for(rig, EVENT_HEALTHY, 1);
    int64_t deadline = clock_now_us() + DEADLINE_US;
    do {
        assert_true(clock_now_us() < deadline);
        int64_t until = clock_now_us() + 250000;
        while (clock_now_us() < until)
            loop_turn(rig->loop, until);
        sample.rpm = NAN;
        sample.instance_count = 0;
        target_process.sample(rig->target, &sample, clock_now_us());
    } while (!(fabs(sample.instances[0].rpm - 600) < 120));
    assert_true(sample.rpm == sample.instances[0].rpm); /* the only one is all of them */
    stop(rig, 1);
}

static void many_die_at_once(void **state)
{
    struct rig *rig = *state;
    enum { MANY = 24 };
    pid_t pids[MANY];
    for (int i = 0; i < MANY; i++)
        pids[i] = spawn(rig, i + 1, "sleep 1000")->pid;
    rig->event_count = 0;
    for (int i = 0; i < MANY; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < MANY; i++)
        wait_for(rig, EVENT_EXITED, i + 1);
    struct proc_stat stat;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(proc_stat_get(pids[i], &stat), -ESRCH); /* not even zombies */
}

static void a_memory_hog_is_contained_and_named(void **state)
{
    struct rig *rig = *state;
    struct cgroup_places places;
    cgroup_find_places(&places);
    set(rig, "memory_limit", "64M");
    spawn(rig, 1, "/usr/bin/python3 -c 'x = bytearray(400 << 20); import time; time.sleep(1000)'");
    const char *text = wait_for(rig, EVENT_EXITED, 1)->text;
    if (places.unified_limits || places.paths[CGROUP_MEMORY][0] != '\0')
        assert_string_equal(text, "killed by SIGKILL (9): over its memory_limit of 64M");
    else
        assert_string_equal(text, "exit status 1");
}

static void a_fork_bomb_is_contained_and_named(void **state)
{
    struct rig *rig = *state;
    set(rig, "max_processes", "20");
    spawn(rig, 1, "sh -c 'trap : TERM; while :; do sleep 1000 & done'");
    int64_t deadline = clock_now_us() + DEADLINE_US;
    while (!strstr(rig->note, "max_processes of 20") && !find_event(rig, EVENT_EXITED, 1)) {
        assert_true(clock_now_us() < deadline);
        loop_turn(rig->loop, clock_now_us() + 20000);
    }
    apply(rig, ACTION_KILL, 1);
    assert_non_null(strstr(wait_for(rig, EVENT_EXITED, 1)->text, "max_processes of 20"));
}

static void a_user_and_limits_are_taken_on(void **state)
{
    struct rig *rig = *state;
    char lines[64][200];
    bool root = geteuid() == 0; /* nobody else may become another user */
    if (root)
        set(rig, "user", "nobody");
    set(rig, "max_files", "77");
    spawn(rig, 1, "sh -c 'ulimit -n; id -un; echo as $USER; grep NoNewPrivs /proc/self/status | cut -f 2'");
    wait_for(rig, EVENT_EXITED, 1);
    assert_int_equal(log_lines(rig, 1, lines, 64), 4);
    assert_string_equal(lines[0], "77");
    if (root) {
        assert_string_equal(lines[1], "nobody");
        assert_string_equal(lines[2], "as nobody");
    }
    assert_string_equal(lines[3], "1");
}

static void turn_for(struct rig *rig, int64_t span_us)
{
    int64_t until = clock_now_us() + span_us;
    while (clock_now_us() < until)
        loop_turn(rig->loop, until);
}

/* Takes all descriptors that are left; what runs is kept, what should start says why it does not. */
static void without_descriptors_what_runs_is_kept(void **state)
{
    struct rig *rig = *state;
    static struct sample sample;
    enum { TAKEN_MAX = 4096 };
    static int taken[TAKEN_MAX];
    int count = 0;
    pid_t pid = spawn(rig, 1, SERVE)->pid;
    wait_for(rig, EVENT_HEALTHY, 1);
    struct rlimit limit, low = {.rlim_cur = 200, .rlim_max = 200};
    getrlimit(RLIMIT_NOFILE, &limit);
    low.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &low);
    while (count < TAKEN_MAX && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    rig->event_count = 0;
    turn_for(rig, 1000000); /* ten checks */
    apply(rig, ACTION_SPAWN, 2);
    assert_non_null(strstr(wait_for(rig, EVENT_SPAWN_FAILED, 2)->text, "Too many open files"));
    memset(&sample, 0, sizeof sample);
    target_process.sample(rig->target, &sample, clock_now_us());
    assert_int_equal(sample.instance_count, 1);
    assert_null(find_event(rig, EVENT_UNHEALTHY, 1));
    assert_null(find_event(rig, EVENT_EXITED, 1));
    while (count > 0)
        close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_true(is_running(pid));
    apply(rig, ACTION_SPAWN, 2);
    wait_for(rig, EVENT_HEALTHY, 2);
    stop(rig, 1);
    stop(rig, 2);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

int main(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const struct CMUnitTest tests[] = {
        RIGGED(a_server_becomes_healthy_and_stops),
        RIGGED(an_exit_says_how),
        RIGGED(a_launch_that_fails_says_why),
        RIGGED(kill_ends_what_ignores_term),
        RIGGED(nothing_of_a_daemon_is_left),
        RIGGED(what_a_crash_leaves_is_ended),
        RIGGED(a_stopped_server_is_told_at_once_and_recovers),
        RIGGED(a_stopped_server_is_told_without_path),
        RIGGED(a_stopped_one_ends_by_term),
        RIGGED(errors_make_it_unhealthy),
        RIGGED(liveness_is_asked_where_there_is_a_path),
        RIGGED(bad_answers_are_counted_apart_from_silence),
        RIGGED(an_accepted_connection_is_enough_without_path),
        RIGGED(taken_ports_are_skipped),
        RIGGED(a_foreign_answer_is_not_ours),
        RIGGED(a_child_sees_nothing_of_ours),
        RIGGED(cpu_and_memory_of_the_whole_tree),
        RIGGED(an_instance_outlives_its_controller),
        RIGGED(a_chatty_instance_is_kept_within_its_cap),
        RIGGED(the_requests_of_the_application_are_counted),
        RIGGED(many_die_at_once),
        RIGGED(without_descriptors_what_runs_is_kept),
        RIGGED(a_user_and_limits_are_taken_on),
        RIGGED(a_memory_hog_is_contained_and_named),
        RIGGED(a_fork_bomb_is_contained_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
