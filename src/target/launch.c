/* SPDX-License-Identifier: MIT */
/* Builds the arguments and the environment of an instance. The environment is made from nothing: a short list
 * of ours that programs need, then what [app] env.* sets, then what tells the instance who it is; so nothing
 * secret of the controller's leaks. Keeps no state. */
#include "target/launch.h"
#include "base/limits.h"
#include "base/spawn.h"
#include "core/argv.h"
#include "target/proctree.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS_MAX = 512, TEXT_SIZE = 32 * 1024, ERROR_FD = 3 };

/* Strings with their text, NULL at the end: an argv or an environment. */
struct list {
    int count;
    size_t used;
    bool full;
    char *items[ITEMS_MAX + 1];
    char text[TEXT_SIZE];
};

/* Copies the text to place `at`, the end or one that is taken. */
static void put_item(struct list *list, int at, const char *text)
{
    size_t size = strlen(text) + 1;
    if (at == ITEMS_MAX || size > sizeof list->text - list->used) {
        list->full = true;
        return;
    }
    list->items[at] = memcpy(list->text + list->used, text, size);
    list->used += size;
    list->count += at == list->count;
}

/* Sets "NAME=VALUE"; a name that is there already is replaced. */
static void set_entry(struct list *env, const char *entry)
{
    size_t name = strcspn(entry, "=") + 1;
    int at = 0;
    while (at < env->count && strncmp(env->items[at], entry, name) != 0)
        at++;
    put_item(env, at, entry);
}

static __attribute__((format(printf, 2, 3))) void set_variable(struct list *env, const char *format, ...)
{
    char entry[8192];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(entry, sizeof entry, format, arguments);
    va_end(arguments);
    if (size < (int)sizeof entry)
        set_entry(env, entry);
    else
        env->full = true;
}

static void inherit(struct list *env)
{
    static const char *const names[] = {"HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "TZ", NULL};
    for (int i = 0; names[i]; i++)
        if (getenv(names[i]))
            set_variable(env, "%s=%s", names[i], getenv(names[i]));
    for (char *const *entry = environ; *entry; entry++)
        if (strncmp(*entry, "LC_", 3) == 0)
            set_entry(env, *entry);
}

static void build_environment(struct list *env, const struct launch_request *request)
{
    const char *path = getenv("PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    if (request->program_dir)
        set_variable(env, "PATH=%s:%s", request->program_dir, path);
    else
        set_variable(env, "PATH=%s", path);
    inherit(env);
    set_variable(env, "PORT=%d", request->port);
    for (const char *entry = NULL; (entry = config_map_next(request->config->app.env, entry));)
        set_entry(env, entry);
    set_variable(env, "ASCALE_INSTANCE=%d", request->id);
    set_variable(env, "ASCALE_PORT=%d", request->port); /* PORT may have been set to something else */
    set_variable(env, "%s=%s", PROCTREE_MARK, request->key);
}

static void add_argument(struct list *arguments, const char *text)
{
    put_item(arguments, arguments->count, text);
}

static void add_option(struct list *arguments, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    add_argument(arguments, name);
    add_argument(arguments, value);
}

static void add_number(struct list *arguments, const char *name, int64_t value)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)value);
    add_option(arguments, name, value > 0 ? number : "");
}

static void build_arguments(struct list *arguments, const struct launch_request *request,
                            const struct argv *command)
{
    const struct config_app *app = &request->config->app;
    add_argument(arguments, request->launcher);
    add_option(arguments, "--log", request->log_path);
    add_option(arguments, "--directory", app->directory);
    add_option(arguments, "--user", app->user);
    char groups[CGROUP_KINDS][CGROUP_PATH_MAX];
    int count = cgroup_join_files(request->group, groups);
    for (int i = 0; i < count; i++)
        add_option(arguments, "--cgroup", groups[i]);
    add_number(arguments, "--memory", request->group->limits_memory ? 0 : app->memory_limit);
    add_number(arguments, "--files", app->max_files);
    add_number(arguments, "--soft-files", limits_found_files());
    add_number(arguments, "--error-fd", ERROR_FD);
    add_argument(arguments, "--");
    for (int i = 0; i < command->count; i++)
        add_argument(arguments, command->words[i]);
}

static int spawn_launcher(const struct launch_request *request, const struct argv *command,
                          struct launched *out)
{
    struct list env = {0}, arguments = {0};
    build_environment(&env, request);
    build_arguments(&arguments, request, command);
    if (env.full || arguments.full)
        return -E2BIG;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    struct spawn_request spawn = {
        .path = request->launcher,
        .argv = arguments.items,
        .env = env.items,
        .fds = {{.source = ends[1], .target = ERROR_FD}},
        .fd_count = 1,
    };
    int error = spawn_process(&spawn, &out->pid, &out->pidfd);
    close(ends[1]);
    if (error != 0)
        close(ends[0]);
    out->error_fd = ends[0];
    return error;
}

bool launch_instance(const struct launch_request *request, struct launched *out, char *err, size_t err_size)
{
    char port[16], id[16];
    snprintf(port, sizeof port, "%d", request->port);
    snprintf(id, sizeof id, "%d", request->id);
    const struct argv_variable variables[] = {
        {"port", port}, {"id", id}, {"host", request->config->app.host}, {NULL, NULL}};
    struct argv command;
    if (!argv_split(&command, request->config->app.command, variables, err, err_size))
        return false;
    int error = spawn_launcher(request, &command, out);
    if (error != 0 && !limits_explain(-error, request->config->scaling.max_instances, err, err_size))
        snprintf(err, err_size, "launcher '%s': %s", request->launcher, strerror(-error));
    return error == 0;
}
