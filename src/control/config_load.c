/* SPDX-License-Identifier: MIT */
/* Joins the ini reader and the option table. Settings are gathered in a config of their own that replaces the
 * caller's only when all of it is good, so a bad reload keeps the old one whole. */
#include "control/config_load.h"
#include "base/ini.h"
#include "base/networks.h"
#include "core/options.h"
#include "core/text.h"
#include "target/remote_wire.h"
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A load under way. */
struct load {
    struct config cfg;
    int *lines; /* by option: where the file sets it, 0 when it does not */
    const char *path;
    char *err;
    size_t err_size;
};

__attribute__((format(printf, 3, 4))) static bool fail(char *err, size_t size, const char *format, ...)
{
    char raw[CONFIG_LOAD_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_clean(err, size, raw);
    return false;
}

static bool is_there(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool config_find_file(char *out, size_t size)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char user[PATH_MAX] = "";
    if (xdg && *xdg == '/')
        snprintf(user, sizeof user, "%s/ascale/autoscaler.ini", xdg);
    else if (home && *home)
        snprintf(user, sizeof user, "%s/.config/ascale/autoscaler.ini", home);
    const char *const places[] = {"autoscaler.ini", user, "/etc/ascale/autoscaler.ini"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (*places[i] && is_there(places[i])) {
            snprintf(out, size, "%s", places[i]);
            return true;
        }
    *out = '\0';
    return false;
}

bool config_is_key(const char *section, const char *key)
{
    return option_find(section, key);
}

static bool set_from_file(void *context, const char *section, const char *key, const char *value, int line,
                          char *err, size_t err_size)
{
    struct load *load = context;
    if (!config_set(&load->cfg, section, key, value, err, err_size))
        return false;
    load->lines[option_find(section, key) - options] = line;
    return true;
}

static bool read_file(struct load *load)
{
    char err[CONFIG_LOAD_ERROR_SIZE];
    if (!*load->path || ini_read_file(load->path, set_from_file, config_is_key, load, err, sizeof err))
        return true;
    return fail(load->err, load->err_size, "%s", err);
}

static bool apply_override(struct load *load, const char *text)
{
    char section[64], key[128], err[CONFIG_ERROR_SIZE];
    size_t dot = strcspn(text, ".="), equals = strcspn(text, "=");
    size_t key_size = text[dot] == '.' ? equals - dot - 1 : 0;
    if (text[dot] != '.' || text[equals] != '=' || dot >= sizeof section || key_size >= sizeof key)
        return fail(load->err, load->err_size, "-s %s: not of the form section.key=value", text);
    snprintf(section, sizeof section, "%.*s", (int)dot, text);
    snprintf(key, sizeof key, "%.*s", (int)key_size, text + dot + 1);
    if (!config_set(&load->cfg, section, key, text + equals + 1, err, sizeof err))
        return fail(load->err, load->err_size, "-s: %s", err);
    load->lines[option_find(section, key) - options] = 0;
    return true;
}

static bool check_networks(const struct config *cfg, char *err, size_t err_size)
{
    struct networks networks;
    char why[CONFIG_ERROR_SIZE];
    const char *list = cfg->balancer.trusted_proxies;
    if (networks_parse(&networks, list, why, sizeof why))
        return true;
    snprintf(err, err_size, "balancer.trusted_proxies (%s): %s", list, why);
    return false;
}

bool config_check_all(const struct config *cfg, char *err, size_t err_size)
{
    return config_check(cfg, err, err_size) && check_networks(cfg, err, err_size);
}

/* Files with secrets and certificates: what is wrong with them is better known now than at the first call. */
static bool check_files(const struct config *cfg, char *err, size_t err_size)
{
    struct remote_headers headers;
    if (cfg->scaling.target != CONFIG_TARGET_HTTP)
        return true;
    bool good = remote_headers_build(&headers, &cfg->http, err, err_size);
    explicit_bzero(&headers, sizeof headers);
    return good;
}

/* The line in the file of the key a message speaks of first; 0: none of its keys is from there. */
static int line_of_message(const struct load *load, const char *message)
{
    const char *first = NULL;
    int line = 0;
    for (size_t i = 0; i < options_count; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s (", options[i].section, options[i].key);
        const char *found = load->lines[i] > 0 ? strstr(message, name) : NULL;
        if (!found || (first && found > first))
            continue;
        first = found;
        line = load->lines[i];
    }
    return line;
}

static bool check(const struct load *load)
{
    char why[CONFIG_LOAD_ERROR_SIZE];
    if (config_check_all(&load->cfg, why, sizeof why) && check_files(&load->cfg, why, sizeof why))
        return true;
    int line = line_of_message(load, why);
    if (line > 0)
        return fail(load->err, load->err_size, "%s:%d: %s", load->path, line, why);
    return fail(load->err, load->err_size, "%s", why);
}

#define COMMAND_BIT (1u << 31)

/* Whether this row is the first of its section. */
static bool begins_section(size_t i)
{
    return i == 0 || strcmp(options[i].section, options[i - 1].section) != 0;
}

unsigned config_sections_of(const int *lines)
{
    unsigned sections = 0, bit = 0;
    for (size_t i = 0; i < options_count; i++) {
        bit += i > 0 && begins_section(i);
        if (lines[i] > 0)
            sections |= 1u << bit;
    }
    if (lines[option_find("app", "command") - options] > 0)
        sections |= COMMAND_BIT;
    return sections;
}

int config_name_sections(unsigned sections, char *out, size_t size)
{
    size_t used = 0;
    if (size)
        *out = '\0';
    for (size_t i = 0, bit = 0; i < options_count; i++) {
        if (!begins_section(i))
            continue;
        if (sections & 1u << bit)
            used += (size_t)snprintf(used < size ? out + used : NULL, used < size ? size - used : 0, "%s[%s]",
                                     used ? " " : "", options[i].section);
        bit++;
    }
    if (sections & COMMAND_BIT)
        used += (size_t)snprintf(used < size ? out + used : NULL, used < size ? size - used : 0,
                                 "%sapp.command", used ? " " : "");
    return (int)used;
}

bool config_load(const struct config_sources *sources, struct config *cfg, char *path, char *err,
                 size_t err_size)
{
    unsigned sections;
    return config_load_sections(sources, cfg, path, &sections, err, err_size);
}

/* A group that is the user's alone (Debian gives everybody one) is nobody else. */
static bool is_shared(gid_t gid)
{
    const struct group *group = getgrgid(gid);
    return gid != getegid() || !group || group->gr_mem[0];
}

static bool must_be_ours(const struct config_sources *sources, const char *path)
{
    return *path && (!sources->file || sources->found);
}

/* One that was found rather than named: in a folder of somebody else's it would run their command as us. */
static bool is_ours(const char *path, char *err, size_t err_size)
{
    struct stat status;
    const char *why = NULL;
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && status.st_uid != geteuid() &&
        status.st_uid != 0)
        return fail(err, err_size, "%s: it is a link of another user's; name it with -c if you trust it",
                    path);
    if (stat(path, &status) < 0)
        return true; /* reading it says what is wrong */
    if (status.st_uid != geteuid() && status.st_uid != 0)
        why = "it belongs to another user";
    else if (status.st_mode & S_IWOTH || (status.st_mode & S_IWGRP && is_shared(status.st_gid)))
        why = "others may write to it";
    return !why || fail(err, err_size, "%s: %s; name it with -c if you trust it", path, why);
}

bool config_load_sections(const struct config_sources *sources, struct config *cfg, char *path,
                          unsigned *sections, char *err, size_t err_size)
{
    if (sources->file)
        snprintf(path, PATH_MAX, "%s", sources->file);
    else
        config_find_file(path, PATH_MAX);
    if (must_be_ours(sources, path) && !is_ours(path, err, err_size))
        return false;
    struct load load = {.path = path, .err = err, .err_size = err_size};
    load.lines = calloc(options_count, sizeof *load.lines);
    if (!load.lines)
        return fail(err, err_size, "settings cannot be read: out of memory");
    config_init(&load.cfg);
    bool good = read_file(&load);
    for (size_t i = 0; i < sources->override_count && good; i++)
        good = apply_override(&load, sources->overrides[i]);
    good = good && check(&load);
    if (good) {
        *cfg = load.cfg;
        *sections = config_sections_of(load.lines);
    }
    free(load.lines);
    return good;
}

struct examination {
    struct load load; /* first: the reader's callbacks know it */
    config_told *told;
    void *context;
    unsigned faults;
};

static void tell_fault(void *context, const char *message)
{
    struct examination *e = context;
    char clean[CONFIG_LOAD_ERROR_SIZE];
    text_clean(clean, sizeof clean, message);
    e->faults++;
    e->told(e->context, true, clean);
}

/* A rule between settings, with the line of the first of them. */
static void tell_broken_rule(void *context, const char *message)
{
    struct examination *e = context;
    char text[CONFIG_LOAD_ERROR_SIZE];
    int line = line_of_message(&e->load, message);
    if (line > 0)
        snprintf(text, sizeof text, "%s:%d: %s", e->load.path, line, message);
    else
        snprintf(text, sizeof text, "%s", message);
    tell_fault(e, text);
}

static void examine_all(struct examination *e, const struct config_sources *sources)
{
    char why[CONFIG_LOAD_ERROR_SIZE];
    if (*e->load.path)
        ini_examine_file(e->load.path, set_from_file, config_is_key, tell_fault, e);
    for (size_t i = 0; i < sources->override_count; i++)
        if (!apply_override(&e->load, sources->overrides[i]))
            tell_fault(e, e->load.err);
    config_faults(&e->load.cfg, tell_broken_rule, e);
    if (!check_networks(&e->load.cfg, why, sizeof why) || !check_files(&e->load.cfg, why, sizeof why))
        tell_broken_rule(e, why);
}

unsigned config_examine(const struct config_sources *sources, struct config *cfg, char *path,
                        config_told *told, void *context)
{
    char err[CONFIG_LOAD_ERROR_SIZE] = "";
    if (sources->file)
        snprintf(path, PATH_MAX, "%s", sources->file);
    else
        config_find_file(path, PATH_MAX);
    struct examination e = {
        .load = {.path = path, .err = err, .err_size = sizeof err}, .told = told, .context = context};
    e.load.lines = calloc(options_count, sizeof *e.load.lines);
    config_init(&e.load.cfg);
    if (!e.load.lines)
        tell_fault(&e, "settings cannot be read: out of memory");
    else if (must_be_ours(sources, path) && !is_ours(path, err, sizeof err))
        tell_fault(&e, err);
    else
        examine_all(&e, sources);
    *cfg = e.load.cfg;
    config_warn(cfg, told, context);
    free(e.load.lines);
    return e.faults;
}
