/* SPDX-License-Identifier: MIT */
/* ascale-launch becomes an instance: it takes off everything the controller wears (session, descriptors,
 * signal mask, privileges), puts on what the arguments describe, and executes the command. It runs once,
 * alone, as one thread. When a step fails it says which, with the cause, through the error pipe; that pipe is
 * close-on-exec, so its silent end tells the controller that the command is running. The environment is used
 * as it was given. */
#include "core/units.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127, CGROUPS_MAX = 4 };

struct launch {
    const char *log, *directory, *user;
    const char *cgroups[CGROUPS_MAX];
    int cgroup_count;
    int64_t memory, files; /* 0: no limit */
    int64_t soft_files;    /* 0: as inherited */
    int error_fd;
    char **command;
};

static const struct option options[] = {
    {"log", required_argument, NULL, 'l'},    {"directory", required_argument, NULL, 'd'},
    {"user", required_argument, NULL, 'u'},   {"memory", required_argument, NULL, 'm'},
    {"files", required_argument, NULL, 'f'},  {"soft-files", required_argument, NULL, 's'},
    {"cgroup", required_argument, NULL, 'c'}, {"error-fd", required_argument, NULL, 'e'},
    {"help", no_argument, NULL, 'h'},         {0},
};

static const char usage[] =
    "usage: ascale-launch [OPTION]... -- COMMAND [ARGUMENT]...\n"
    "Becomes COMMAND in a session of its own with only descriptors 0, 1 and 2.\n"
    "  --log PATH         append its output to PATH (default: /dev/null)\n"
    "  --directory PATH   run it in PATH\n"
    "  --user NAME        run it as NAME, with the groups of NAME\n"
    "  --memory BYTES     limit of the data of each of its processes\n"
    "  --files N          limit of open files\n"
    "  --soft-files N     soft limit of open files, as it was before ascale raised its own\n"
    "  --cgroup PATH      join a control group: PATH is its cgroup.procs (may be repeated)\n"
    "  --error-fd N       report a failure there instead of on standard error\n";

/* Says "WHAT 'OBJECT': cause" to whoever waits for it, and ends. The line must fit an event of the
 * controller's, so only the end of a long object is shown. */
static _Noreturn void fail(const struct launch *launch, int code, const char *what, const char *object)
{
    enum { OBJECT_MAX = 60 };
    const char *cause = strerror(errno);
    size_t length = strlen(object), cut = length > OBJECT_MAX ? length - OBJECT_MAX : 0;
    char text[512];
    int size =
        snprintf(text, sizeof text, "%s '%s%s': %s\n", what, cut > 0 ? "..." : "", object + cut, cause);
    int fd = launch->error_fd >= 0 ? launch->error_fd : STDERR_FILENO;
    ssize_t written = write(fd, text, (size_t)size);
    (void)written; /* nobody is left to tell */
    _exit(code);
}

static int64_t parse_count(const char *name, const char *text)
{
    int64_t value;
    if (!units_parse_int(text, &value) || value < 0) {
        fprintf(stderr, "ascale-launch: --%s %s: not a count\n", name, text);
        exit(EXIT_USAGE);
    }
    return value;
}

static void parse_arguments(struct launch *launch, int argc, char **argv)
{
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "+", options, &index)) != -1) {
        switch (option) {
        case 'l':
            launch->log = optarg;
            break;
        case 'd':
            launch->directory = optarg;
            break;
        case 'u':
            launch->user = optarg;
            break;
        case 'm':
            launch->memory = parse_count("memory", optarg);
            break;
        case 'f':
            launch->files = parse_count("files", optarg);
            break;
        case 's':
            launch->soft_files = parse_count("soft-files", optarg);
            break;
        case 'e':
            launch->error_fd = (int)parse_count("error-fd", optarg);
            break;
        case 'c':
            if (launch->cgroup_count < CGROUPS_MAX)
                launch->cgroups[launch->cgroup_count++] = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            fputs(usage, stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind == argc) {
        fputs(usage, stderr);
        exit(EXIT_USAGE);
    }
    launch->command = argv + optind;
}

/* A descriptor above 2, so that putting it in its place closes nothing we still need. */
static int open_above_standard(const struct launch *launch, const char *what, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd >= 0 && fd <= STDERR_FILENO)
        fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0)
        fail(launch, EXIT_FAILURE, what, path);
    return fd;
}

/* A log that cannot be opened is no reason not to serve; the controller says so. */
static int open_log(const struct launch *launch)
{
    int fd = open(launch->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return open_above_standard(launch, "log", "/dev/null", O_WRONLY);
    close(fd);
    return open_above_standard(launch, "log", launch->log, O_WRONLY | O_APPEND);
}

/* Each start is marked in the log, as it goes on over many of them. */
static void mark_start(const struct launch *launch, int log)
{
    char line[512], when[40] = "";
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S%z", &local);
    int used = snprintf(line, sizeof line, "%s ascale: started as pid %d:", when, (int)getpid());
    for (char **word = launch->command; *word && used < (int)sizeof line - 2; word++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %s", *word);
    if (used > (int)sizeof line - 2)
        used = (int)sizeof line - 2;
    for (int i = 0; i < used; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = '?';
    line[used] = '\n';
    ssize_t written = write(log, line, (size_t)used + 1);
    (void)written; /* a full disk: it goes on without */
}

static void join_cgroup(const struct launch *launch, const char *path)
{
    int fd = open_above_standard(launch, "control group", path, O_WRONLY);
    if (write(fd, "0\n", 2) != 2)
        fail(launch, EXIT_FAILURE, "control group", path);
}

static void set_limit(const struct launch *launch, const char *name, int resource, int64_t value)
{
    if (value == 0)
        return;
    struct rlimit limit = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};
    if (setrlimit(resource, &limit) < 0) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)value);
        fail(launch, EXIT_FAILURE, name, number);
    }
}

static void set_soft_files(const struct launch *launch)
{
    struct rlimit limit;
    if (!launch->soft_files || launch->files || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur =
        (rlim_t)launch->soft_files < limit.rlim_max ? (rlim_t)launch->soft_files : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void set_limits(const struct launch *launch)
{
    /* RLIMIT_AS would end runtimes that reserve address space they never touch; RLIMIT_NPROC counts all that
     * the user runs, and nothing for root. */
    set_limit(launch, "memory limit", RLIMIT_DATA, launch->memory);
    set_limit(launch, "limit of open files", RLIMIT_NOFILE, launch->files);
    set_soft_files(launch);
}

static void become_user(const struct launch *launch)
{
    errno = 0;
    const struct passwd *entry = getpwnam(launch->user);
    if (!entry) {
        errno = errno != 0 ? errno : ENOENT;
        fail(launch, EXIT_FAILURE, "user", launch->user);
    }
    if (entry->pw_uid == geteuid() && entry->pw_gid == getegid())
        return;
    if (initgroups(entry->pw_name, entry->pw_gid) < 0 ||
        setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0)
        fail(launch, EXIT_FAILURE, "groups of user", launch->user);
    if (setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
        fail(launch, EXIT_FAILURE, "user", launch->user);
    setenv("HOME", entry->pw_dir, 1);
    setenv("USER", entry->pw_name, 1);
    setenv("LOGNAME", entry->pw_name, 1);
}

static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* fails for KILL, STOP and those of libc: they need none */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Standard input from nowhere, output to the log; everything else closes itself when the command takes over.
 */
static void take_descriptors(struct launch *launch, int input, int output)
{
    if (launch->error_fd < 0)
        launch->error_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        fail(launch, EXIT_FAILURE, "standard descriptors of", launch->command[0]);
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        fail(launch, EXIT_FAILURE, "descriptors of", launch->command[0]);
}

/* Runs the command, looked for in PATH when its name has no slash. execvp() would not do: it runs what is no
 * program by a shell, and a directory of PATH that is closed to the user makes it blame the permissions of a
 * file that is nowhere. Returns only when that fails, with errno. */
static void execute(char **command)
{
    char path[PATH_MAX];
    int error = ENOENT;
    if (strchr(command[0], '/')) {
        execv(command[0], command);
        return;
    }
    const char *list = getenv("PATH");
    for (const char *at = list ? list : "/usr/bin:/bin"; at; at = strchr(at, ':')) {
        at += *at == ':';
        int size = (int)strcspn(at, ":");
        if (size == 0 || snprintf(path, sizeof path, "%.*s/%s", size, at, command[0]) >= (int)sizeof path)
            continue;
        execv(path, command);
        if (errno != ENOENT && errno != ENOTDIR && access(path, F_OK) == 0)
            error = errno;
    }
    errno = error;
}

int main(int argc, char **argv)
{
    struct launch launch = {.log = "/dev/null", .error_fd = -1};
    parse_arguments(&launch, argc, argv);
    int input = open_above_standard(&launch, "input", "/dev/null", O_RDONLY);
    int output = open_log(&launch);
    if (setsid() < 0 && getsid(0) != getpid())
        fail(&launch, EXIT_FAILURE, "session for", launch.command[0]);
    for (int i = 0; i < launch.cgroup_count; i++)
        join_cgroup(&launch, launch.cgroups[i]);
    set_limits(&launch);
    if (launch.user)
        become_user(&launch);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail(&launch, EXIT_FAILURE, "no_new_privs for", launch.command[0]);
    if (launch.directory && chdir(launch.directory) < 0)
        fail(&launch, EXIT_FAILURE, "directory", launch.directory);
    take_descriptors(&launch, input, output);
    reset_signals();
    if (strcmp(launch.log, "/dev/null") != 0)
        mark_start(&launch, STDOUT_FILENO);
    execute(launch.command);
    fail(&launch, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, "command", launch.command[0]);
}
