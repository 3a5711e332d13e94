/* SPDX-License-Identifier: MIT */
/* Owns the lock that makes this controller the only one of its state directory, and the record of what it
 * runs. The record need only survive us, not the machine (its pids would mean nothing after a reboot, and it
 * names the boot it belongs to), so nothing here may wait for the disk: the file and its spare change places,
 * each overwritten where it lies, because ext4 has a new file written out before it lets it replace another
 * (90 ms a record beside busy writers, against 1). Nothing read back is believed before pid and start time
 * agree with the kernel. */
#include "control/state.h"
#include "base/file.h"
#include "target/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RECORD_FILE     "state.json"
#define SPARE_FILE      RECORD_FILE ".new"
#define RECORD_SIZE_MAX (1u << 20)
#define LOCK_TRIES      100
/* Files of it must have room for their names behind it. */
#define DIRECTORY_MAX (STATE_PATH_MAX - 32)

bool state_find_directory(const char *configured, char out[STATE_PATH_MAX], char *err, size_t err_size)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (configured[0])
        length = snprintf(out, STATE_PATH_MAX, "%s", configured);
    else if (xdg && xdg[0] == '/')
        length = snprintf(out, STATE_PATH_MAX, "%s/ascale", xdg);
    else if (home && home[0] == '/')
        length = snprintf(out, STATE_PATH_MAX, "%s/.local/state/ascale", home);
    else {
        snprintf(err, err_size,
                 "no state directory: neither XDG_STATE_HOME nor HOME is set; name one in "
                 "state.directory or by --state-dir");
        return false;
    }
    if (length >= STATE_PATH_MAX) {
        snprintf(err, err_size, "state directory '%.100s...': its name is longer than %d bytes", out,
                 STATE_PATH_MAX);
        return false;
    }
    return true;
}

bool state_path(const struct state *state, const char *name, char *out, size_t size)
{
    int length = snprintf(out, size, "%s/%s", state->directory, name);
    return length >= 0 && (size_t)length < size;
}

static bool check_directory(const char *directory, char *err, size_t err_size)
{
    struct stat st;
    if (stat(directory, &st) < 0 || !S_ISDIR(st.st_mode)) {
        snprintf(err, err_size, "state directory '%s': not a directory", directory);
        return false;
    }
    if (st.st_uid != geteuid()) {
        snprintf(err, err_size,
                 "state directory '%s' belongs to another user; name one of your own in "
                 "state.directory or by --state-dir",
                 directory);
        return false;
    }
    /* Logs and the control socket in it are nobody else's business. */
    if ((st.st_mode & 077) && chmod(directory, 0700) < 0) {
        snprintf(err, err_size, "state directory '%s': cannot take it from other users: %s", directory,
                 strerror(errno));
        return false;
    }
    return true;
}

/* From here on it has one name, whatever directory anybody works in, and a descriptor. */
static bool resolve_directory(struct state *state, const char *directory, char *err, size_t err_size)
{
    int error = file_make_directories(directory, 0700);
    char *real = error ? NULL : realpath(directory, NULL);
    if (!real) {
        snprintf(err, err_size, "cannot make the state directory '%s': %s", directory,
                 strerror(error ? -error : errno));
        return false;
    }
    bool fits = strlen(real) <= DIRECTORY_MAX;
    if (fits)
        snprintf(state->directory, sizeof state->directory, "%s", real);
    else
        snprintf(err, err_size,
                 "state directory '%.100s...': its name is longer than %d bytes; name a shorter one in "
                 "state.directory or by --state-dir",
                 real, DIRECTORY_MAX);
    free(real);
    return fits && check_directory(state->directory, err, err_size);
}

static bool lives(int pid)
{
    struct proc_stat stat;
    return pid > 0 && proc_stat_get(pid, &stat) == 0 && stat.state != 'Z' && stat.state != 'X';
}

/* What a controller was just starting when it was killed holds its lock until it has become another program.
 */
static int lock_after_the_dead(const char *path, pid_t *holder)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int fd = file_lock(path, holder);
    for (int i = 0; i < LOCK_TRIES && fd == -EWOULDBLOCK && *holder && !lives(*holder); i++) {
        nanosleep(&pause, NULL);
        fd = file_lock(path, holder);
    }
    return fd;
}

static bool lock_directory(struct state *state, char *err, size_t err_size)
{
    char path[STATE_PATH_MAX + 16];
    pid_t holder = 0;
    state_path(state, "lock", path, sizeof path);
    state->lock_fd = lock_after_the_dead(path, &holder);
    if (state->lock_fd == -EWOULDBLOCK)
        snprintf(
            err, err_size,
            "another ascale-tui (pid %d) runs with the state directory '%s'; stop it first, or give this "
            "one a directory of its own by --state-dir",
            (int)holder, state->directory);
    else if (state->lock_fd < 0)
        snprintf(err, err_size, "cannot lock '%s': %s", path, strerror(-state->lock_fd));
    return state->lock_fd >= 0;
}

bool state_open(struct state *state, const char *directory, char *err, size_t err_size)
{
    memset(state, 0, sizeof *state);
    state->lock_fd = state->directory_fd = -1;
    if (!resolve_directory(state, directory, err, err_size))
        return false;
    state->directory_fd = open(state->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state->directory_fd < 0) {
        snprintf(err, err_size, "cannot open the state directory '%s': %s", state->directory,
                 strerror(errno));
        return false;
    }
    if (lock_directory(state, err, err_size)) {
        if (survivors_mark(state->directory, state->mark) < 0)
            state->mark[0] = '\0';
        return true;
    }
    state_close(state);
    return false;
}

static bool is_same(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

bool state_is_there(const struct state *state)
{
    char lock[STATE_PATH_MAX + 16];
    state_path(state, "lock", lock, sizeof lock);
    return is_same(state->directory_fd, state->directory) && is_same(state->lock_fd, lock);
}

/* The descriptor keeps its number: paths of sockets lead through it. */
static int reopen_directory(struct state *state)
{
    int fd = open(state->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = dup3(fd, state->directory_fd, O_CLOEXEC) < 0 ? -errno : 0;
    close(fd);
    return error;
}

int state_restore(struct state *state)
{
    char path[STATE_PATH_MAX + 16];
    pid_t holder;
    int error = file_make_directories(state->directory, 0700);
    if (error)
        return error;
    state_path(state, "lock", path, sizeof path);
    if (!is_same(state->lock_fd, path)) {
        int fd = file_lock(path, &holder);
        if (fd == -EWOULDBLOCK)
            state->foreign_pid = holder > 0 ? holder : -1;
        if (fd < 0)
            return fd;
        close(state->lock_fd);
        state->lock_fd = fd;
    }
    state->has_saved = false;
    state->foreign_pid = 0;
    error = reopen_directory(state);
    if (!error && state->mark[0])
        error = survivors_keep_mark(state->directory, state->mark);
    return error;
}

void state_close(struct state *state)
{
    if (state->lock_fd >= 0)
        close(state->lock_fd);
    if (state->directory_fd >= 0)
        close(state->directory_fd);
    state->lock_fd = state->directory_fd = -1;
}

bool state_socket_path(const struct state *state, const char *name, char *out, size_t size)
{
    int length = snprintf(out, size, "%s/%s", state->directory, name);
    if (length < (int)sizeof((struct sockaddr_un *)0)->sun_path)
        return length < (int)size;
    length = snprintf(out, size, "/proc/%d/fd/%d/%s", (int)getpid(), state->directory_fd, name);
    return length < (int)size;
}

static json_t *process_to_json(const struct state_process *process)
{
    return json_pack("{s:i, s:I}", "pid", process->pid, "start_ticks", (json_int_t)process->start_ticks);
}

static bool process_from_json(json_t *json, struct state_process *out)
{
    json_int_t ticks;
    if (json_unpack(json, "{s:i, s:I}", "pid", &out->pid, "start_ticks", &ticks) < 0)
        return false;
    out->start_ticks = (uint64_t)ticks;
    return out->pid >= 0 && ticks >= 0;
}

static json_t *hold_to_json(const struct hold *hold)
{
    return json_pack("{s:b, s:i, s:i, s:i, s:I}", "manual", hold->manual, "count", hold->count, "override",
                     (int)hold->override, "override_count", hold->override_count, "override_until",
                     (json_int_t)hold->override_until);
}

/* Instants of one boot mean the same to every process. */
static bool hold_from_json(json_t *json, struct hold *out)
{
    int manual, override;
    json_int_t until;
    if (json_unpack(json, "{s:b, s:i, s:i, s:i, s:I}", "manual", &manual, "count", &out->count, "override",
                    &override, "override_count", &out->override_count, "override_until", &until) < 0)
        return false;
    out->manual = manual;
    out->override = (enum override_kind) override;
    out->override_until = until;
    return override >= OVERRIDE_NONE && override <= OVERRIDE_CEILING;
}

static json_t *record_to_json(const struct state_record *record)
{
    char boot[64] = "";
    proc_boot_id(boot, sizeof boot);
    json_t *instances = json_array();
    for (int i = 0; i < record->instance_count; i++) {
        const struct state_instance *instance = &record->instances[i];
        json_array_append_new(instances,
                              json_pack("{s:i, s:i, s:b, s:b, s:o}", "id", instance->id, "port",
                                        instance->port, "ready", instance->ready, "old", instance->old,
                                        "process", process_to_json(&instance->process)));
    }
    return json_pack("{s:i, s:s, s:s, s:s, s:b, s:i, s:o, s:o, s:o}", "version", STATE_VERSION, "boot", boot,
                     "ini", record->ini, "sections", record->sections, "left", record->left, "roll",
                     record->roll, "balancer", process_to_json(&record->balancer), "hold",
                     hold_to_json(&record->hold), "instances", instances);
}

static bool instance_from_json(json_t *json, struct state_instance *out)
{
    json_t *process;
    int ready, old = 0;
    if (json_unpack(json, "{s:i, s:i, s:b, s?b, s:o}", "id", &out->id, "port", &out->port, "ready", &ready,
                    "old", &old, "process", &process) < 0)
        return false;
    out->ready = ready;
    out->old = old;
    return out->id > 0 && out->port >= 0 && out->port < 65536 && process_from_json(process, &out->process) &&
           out->process.pid > 1;
}

static bool record_from_json(json_t *json, struct state_record *out)
{
    json_t *balancer, *hold = NULL, *instances, *item;
    const char *ini = "", *sections = "";
    int left = 0;
    size_t i;
    if (json_unpack(json, "{s:o, s?o, s?s, s?s, s?b, s?i, s:o}", "balancer", &balancer, "hold", &hold, "ini",
                    &ini, "sections", &sections, "left", &left, "roll", &out->roll, "instances",
                    &instances) < 0 ||
        out->roll < 0 || out->roll > INSTANCES_MAX || !process_from_json(balancer, &out->balancer) ||
        (hold && !hold_from_json(hold, &out->hold)) || !json_is_array(instances) ||
        json_array_size(instances) > INSTANCES_MAX)
        return false;
    out->left = left;
    snprintf(out->ini, sizeof out->ini, "%s", ini);
    snprintf(out->sections, sizeof out->sections, "%s", sections);
    json_array_foreach(instances, i, item)
    {
        if (!instance_from_json(item, &out->instances[out->instance_count++]))
            return false;
    }
    return true;
}

/* NULL: usable; "" : of another time, to be passed over in silence; else what is wrong with it. */
static const char *read_record(json_t *json, struct state_record *out)
{
    char boot[64] = "";
    const char *its_boot;
    int version;
    proc_boot_id(boot, sizeof boot);
    if (json_unpack(json, "{s:i, s:s}", "version", &version, "boot", &its_boot) < 0)
        return "it is not a state record";
    if (version != STATE_VERSION)
        return "it is of another version of ascale";
    if (strcmp(boot, its_boot) != 0)
        return ""; /* the machine was started since: nothing of it can be alive */
    return record_from_json(json, out) ? NULL : "it is damaged";
}

bool state_load(const struct state *state, struct state_record *out, char *err, size_t err_size)
{
    char path[STATE_PATH_MAX + 16], *text = NULL;
    size_t size = 0;
    json_t *json = NULL;
    const char *problem = NULL;
    memset(out, 0, sizeof *out);
    err[0] = '\0';
    state_path(state, RECORD_FILE, path, sizeof path);
    int error = file_read(path, RECORD_SIZE_MAX, &text, &size);
    if (error == -ENOENT)
        return false;
    if (error) {
        problem = strerror(-error);
        goto out;
    }
    json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    problem = json_is_object(json) ? read_record(json, out) : "it is not JSON";
out:
    json_decref(json);
    free(text);
    if (!problem)
        return true;
    memset(out, 0, sizeof *out);
    if (problem[0])
        snprintf(err, err_size,
                 "state file '%s' cannot be used: %s; starting afresh, and leaving alone whatever "
                 "it may have named",
                 path, problem);
    return false;
}

static int overwrite(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t count = write(fd, text, size);
    int error = count < 0 ? -errno : (size_t)count < size ? -ENOSPC : 0;
    if (!error && ftruncate(fd, (off_t)size) < 0)
        error = -errno;
    close(fd);
    return error;
}

/* The first time there is nothing to change places with; some filesystems cannot. */
static int put_into_place(const char *spare, const char *path)
{
    if (renameat2(AT_FDCWD, spare, AT_FDCWD, path, RENAME_EXCHANGE) == 0 || rename(spare, path) == 0)
        return 0;
    return -errno;
}

int state_save(struct state *state, const struct state_record *record)
{
    if (state->foreign_pid || (state->has_saved && memcmp(&state->saved, record, sizeof *record) == 0))
        return 0;
    char path[STATE_PATH_MAX + 16], spare[STATE_PATH_MAX + 16];
    state_path(state, RECORD_FILE, path, sizeof path);
    state_path(state, SPARE_FILE, spare, sizeof spare);
    json_t *json = record_to_json(record);
    char *text = json_dumps(json, JSON_INDENT(1));
    int error = text ? overwrite(spare, text, strlen(text)) : -ENOMEM;
    if (!error)
        error = put_into_place(spare, path);
    if (error)
        unlink(spare);
    free(text);
    json_decref(json);
    if (!error) {
        state->saved = *record;
        state->has_saved = true;
    }
    return error;
}

void state_forget(struct state *state)
{
    char path[STATE_PATH_MAX + 16];
    if (state->foreign_pid)
        return;
    state_path(state, RECORD_FILE, path, sizeof path);
    unlink(path);
    state_path(state, SPARE_FILE, path, sizeof path);
    unlink(path);
    state->has_saved = false;
}

uint64_t state_start_ticks(int pid)
{
    struct proc_stat stat;
    return proc_stat_get(pid, &stat) == 0 ? stat.start_ticks : 0;
}

bool state_process_alive(const struct state_process *process)
{
    return process->pid > 1 && lives(process->pid) && state_start_ticks(process->pid) == process->start_ticks;
}
