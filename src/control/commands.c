/* SPDX-License-Identifier: MIT */
/* What the operator wants and the engine does not answer itself: settings, files, load, details, the end. A
 * row a kind. Settings change all or none: they are tried on a copy, and only a copy that passes every check
 * replaces the one in force. Every command is answered, a refused one with what was kept. Control thread. */
#include "base/limits.h"
#include "base/log.h"
#include "control/config_save.h"
#include "control/control_private.h"
#include "core/options.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const char *name;
    bool changes; /* refused to a read-only control room */
    bool ends_ok; /* still taken while stopping */
    /* NULL: the engine's. False: refused; text says why. */
    bool (*run)(struct control *c, const struct command *command, char *text, size_t size);
};

/* One "section.key=value"; only_section "" = any. */
static bool set_line(struct config *config, char *line, const char *only_section, unsigned needed_flags,
                     char *text, size_t size)
{
    char *value = strchr(line, '='), *key = strchr(line, '.');
    if (!value || !key || key > value) {
        snprintf(text, size, "'%.60s' is not section.key=value; nothing was changed", line);
        return false;
    }
    *value++ = '\0';
    *key++ = '\0';
    if (only_section[0] && strcmp(line, only_section) != 0) {
        snprintf(text, size, "only settings of [%s] can be given here, not %s.%s", only_section, line, key);
        return false;
    }
    const struct option *option = option_find(line, key);
    if (option && needed_flags && !(option->flags & needed_flags)) {
        snprintf(text, size,
                 "%s.%s takes effect at the next start only: set it in the ini; nothing was changed", line,
                 key);
        return false;
    }
    char err[CONFIG_ERROR_SIZE];
    if (config_set(config, line, key, value, err, sizeof err))
        return true;
    snprintf(text, size, "%s; nothing was changed", err);
    return false;
}

static bool set_lines(struct config *config, const char *lines, const char *only_section,
                      unsigned needed_flags, char *text, size_t size)
{
    char copy[COMMAND_TEXT_MAX], *rest = copy, *line;
    snprintf(copy, sizeof copy, "%.*s", (int)sizeof copy - 1, lines);
    while ((line = strsep(&rest, "\n")))
        if (line[0] && !set_line(config, line, only_section, needed_flags, text, size))
            return false;
    char err[CONFIG_ERROR_SIZE];
    if (config_check_all(config, err, sizeof err))
        return true;
    snprintf(text, size, "%s; nothing was changed", err);
    return false;
}

struct change_list {
    const struct config *config;
    char text[160];
};

static void list_change(void *context, const struct option *option)
{
    struct change_list *list = context;
    char value[CONFIG_TEXT_MAX];
    size_t used = strlen(list->text);
    config_get_text(list->config, option, value, sizeof value);
    if (option->flags & OPTION_SECRET)
        snprintf(value, sizeof value, "(hidden)");
    snprintf(list->text + used, sizeof list->text - used, "%s%s.%s = %.60s", used ? ", " : "",
             option->section, option->key, value);
}

static bool run_set(struct control *c, const struct command *command, char *text, size_t size)
{
    c->candidate = c->config;
    if (!set_lines(&c->candidate, command->text, "", OPTION_LIVE | OPTION_INSTANCE, text, size))
        return false;
    struct change_list list = {.config = &c->candidate};
    if (config_diff(&c->config, &c->candidate, list_change, &list) == 0) {
        snprintf(text, size, "nothing to change: these are the settings already");
        return true;
    }
    control_apply_config(c, &c->candidate);
    control_note(c, LEVEL_INFO, "operator set %s", list.text);
    snprintf(text, size, "set %s", list.text);
    return true;
}

static struct detail *begin_detail(struct control *c, const struct command *command)
{
    struct detail *detail = &c->snapshot.detail;
    c->detail_instance = 0;
    detail->command_id = command->id;
    detail->instance = 0;
    detail->line_count = 0;
    return detail;
}

static bool run_preview(struct control *c, const struct command *command, char *text, size_t size)
{
    struct decision decision;
    c->candidate = c->config;
    if (!set_lines(&c->candidate, command->text, "", OPTION_LIVE | OPTION_INSTANCE, text, size))
        return false;
    engine_preview(c->engine, c->engine_scratch, &c->candidate, loop_now(c->loop), &decision);
    struct detail *detail = begin_detail(c, command);
    decision_line(&decision, detail->lines[0], sizeof detail->lines[0]);
    detail->line_count = 1;
    snprintf(text, size, "with these, the scaler would now: %.100s", detail->lines[0]);
    return true;
}

/* Settings that cannot change while we run keep their values; which ones is told. */
struct keep {
    const struct config *old;
    struct config *next;
    char names[160];
};

static void keep_old(void *context, const struct option *option)
{
    struct keep *keep = context;
    size_t used = strlen(keep->names);
    if (option->flags & (OPTION_LIVE | OPTION_INSTANCE))
        return;
    memcpy((char *)keep->next + option->offset, (const char *)keep->old + option->offset, option->size);
    snprintf(keep->names + used, sizeof keep->names - used, "%s%s.%s", used ? ", " : "", option->section,
             option->key);
}

/* The candidate becomes what reading the ini again would put in force, on_file what the ini says, sections
 * those it has. The file in use is read: that it is gone must not put another, or the built-in defaults, in
 * its place. */
static bool read_again(struct control *c, struct config *on_file, unsigned *sections, struct keep *keep,
                       char *err, size_t err_size)
{
    char path[PATH_MAX], problem[CONFIG_LOAD_ERROR_SIZE];
    struct config_sources sources = *c->setup.sources;
    sources.found = !sources.file;
    if (c->setup.config_path[0])
        sources.file = c->setup.config_path;
    *keep = (struct keep){.old = &c->config, .next = &c->candidate};
    if (!config_load_sections(&sources, &c->candidate, path, sections, err, err_size))
        return false;
    *on_file = c->candidate;
    config_diff(&c->config, on_file, keep_old, keep);
    if (config_check_all(&c->candidate, problem, sizeof problem))
        return true;
    snprintf(err, err_size, "with %s kept until the next start, %.1200s", keep->names, problem);
    return false;
}

/* When a changed setting is felt. */
static const struct {
    unsigned flag; /* enum option_flag; 0 = the rest */
    const char *title;
} changes_felt[] = {{OPTION_LIVE, "At once:"},
                    {OPTION_INSTANCE, "By instances started from now on:"},
                    {0, "At the next start only:"}};

struct change_lines {
    struct detail *detail;
    const struct config *from, *to;
    unsigned flag;
    const char *title; /* NULL = written */
};

static void add_line(struct detail *detail, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_line(struct detail *detail, const char *format, ...)
{
    va_list args;
    if (detail->line_count == SNAPSHOT_DETAIL_LINES)
        return;
    va_start(args, format);
    vsnprintf(detail->lines[detail->line_count++], sizeof detail->lines[0], format, args);
    va_end(args);
}

static void add_change(void *context, const struct option *option)
{
    struct change_lines *lines = context;
    char from[CONFIG_TEXT_MAX], to[CONFIG_TEXT_MAX];
    if ((option->flags & (OPTION_LIVE | OPTION_INSTANCE)) != lines->flag)
        return;
    if (lines->title)
        add_line(lines->detail, "%s", lines->title);
    lines->title = NULL;
    if (option->flags & OPTION_SECRET) {
        add_line(lines->detail, "  %s.%s: changed (hidden)", option->section, option->key);
        return;
    }
    config_get_text(lines->from, option, from, sizeof from);
    config_get_text(lines->to, option, to, sizeof to);
    add_line(lines->detail, "  %s.%s: %.60s -> %.60s", option->section, option->key, from[0] ? from : "none",
             to[0] ? to : "none");
}

static bool run_reload_preview(struct control *c, const struct command *command, char *text, size_t size)
{
    char err[CONFIG_LOAD_ERROR_SIZE];
    struct config on_file;
    struct keep keep;
    unsigned sections;
    if (!read_again(c, &on_file, &sections, &keep, err, sizeof err)) {
        snprintf(text, size, "%s; the old settings stay", err);
        return false;
    }
    struct detail *detail = begin_detail(c, command);
    config_name_sections(c->sections & ~sections, err, sizeof err);
    if (err[0]) {
        add_line(detail, "Gone from the file, so that the defaults would be in force:");
        add_line(detail, "- %s", err);
    }
    for (size_t i = 0; i < sizeof changes_felt / sizeof *changes_felt; i++) {
        struct change_lines lines = {detail, &c->config, &on_file, changes_felt[i].flag,
                                     changes_felt[i].title};
        config_diff(&c->config, &on_file, add_change, &lines);
    }
    snprintf(text, size, detail->line_count ? "what reading the ini again would change" : "nothing differs");
    return true;
}

/* A file that lost whole sections is a slip (an editor, a full disk) more often than a wish: nobody who was
 * not asked gets the defaults, which begin with the demo application. */
static bool keeps_sections(const struct control *c, unsigned sections, char *err, size_t err_size)
{
    char names[256];
    if (!config_name_sections(c->sections & ~sections, names, sizeof names))
        return true;
    snprintf(err, err_size,
             "%s has no %s any more; if that is meant, reload by key on the screen, or restart",
             c->setup.config_path, names);
    return false;
}

static bool run_reload(struct control *c, const struct command *command, char *text, size_t size)
{
    char err[CONFIG_LOAD_ERROR_SIZE];
    struct config on_file;
    struct keep keep;
    struct change_list list = {.config = &c->candidate};
    unsigned sections;
    if (!read_again(c, &on_file, &sections, &keep, err, sizeof err) ||
        (command->count != 1 && !keeps_sections(c, sections, err, sizeof err))) {
        control_note(c, LEVEL_ERROR, "settings not read again, the old ones stay: %s", err);
        snprintf(text, size, "%s; the old settings stay", err);
        return false;
    }
    size_t count = config_diff(&c->config, &c->candidate, list_change, &list);
    c->sections = sections;
    c->on_file = c->candidate; /* what was kept is not to be written over what the file says */
    control_apply_config(c, &c->candidate);
    control_note(c, LEVEL_INFO, "settings read again: %s", count ? list.text : "nothing changed");
    if (keep.names[0])
        control_note(c, LEVEL_WARNING, "takes effect at the next start only: %s", keep.names);
    snprintf(text, size, "%s%s%s", count ? list.text : "nothing changed",
             keep.names[0] ? "; at the next start: " : "", keep.names);
    return true;
}

static bool plan_save(struct control *c, struct config_plan *plan, char *text, size_t size)
{
    char err[CONFIG_LOAD_ERROR_SIZE];
    struct config_save save = {.path = c->setup.config_path,
                               .sources = c->setup.sources,
                               .read = &c->on_file,
                               .now = &c->config,
                               .sections = c->sections};
    if (!save.path[0]) {
        snprintf(text, size, "there is no ini in use to save to: start with -c FILE");
        return false;
    }
    if (config_plan_save(&save, plan, err, sizeof err))
        return true;
    snprintf(text, size, "%s", err);
    return false;
}

/* A line of the difference, its sign first, that happens to stand beside what changes. */
static void hide_secret(char *line, size_t size)
{
    char *key = line + (line[0] != '\0'), *value;
    key += strspn(key, " \t");
    value = strchr(key, '=');
    for (size_t i = 0; value && i < options_count; i++)
        if (options[i].flags & OPTION_SECRET &&
            strncmp(key, options[i].key, strcspn(options[i].key, "*")) == 0)
            snprintf(value, size - (size_t)(value - line), "= (hidden)");
}

static bool run_save_preview(struct control *c, const struct command *command, char *text, size_t size)
{
    struct config_plan plan;
    char *line;
    if (!plan_save(c, &plan, text, size))
        return false;
    c->shown_save = command->id;
    c->shown_mark = config_plan_mark(&plan);
    struct detail *detail = begin_detail(c, command);
    if (plan.diff[0] && plan.note[0])
        add_line(detail, "%s", plan.note);
    for (char *rest = plan.diff; (line = strsep(&rest, "\n")) && detail->line_count < SNAPSHOT_DETAIL_LINES;)
        if (line[0]) {
            add_line(detail, "%s", line);
            hide_secret(detail->lines[detail->line_count - 1], sizeof detail->lines[0]);
        }
    snprintf(text, size, detail->line_count ? "what would be written to %s" : "nothing to write to %s",
             c->setup.config_path);
    config_plan_free(&plan);
    return true;
}

/* Whoever has been shown a difference gets that one; whoever has not, nothing that must be asked about. */
static bool may_save(const struct control *c, const struct command *command, const struct config_plan *plan,
                     char *text, size_t size)
{
    uint64_t shown = strtoull(command->text, NULL, 10);
    if (!shown && plan->note[0])
        snprintf(text, size, "not saved: %s save by key on the screen", plan->note);
    else if (shown && (shown != c->shown_save || config_plan_mark(plan) != c->shown_mark))
        snprintf(
            text, size,
            "not saved: the file or the settings have changed since the difference was shown; look at it "
            "again: %s",
            c->setup.config_path);
    else
        return true;
    return false;
}

static bool run_save(struct control *c, const struct command *command, char *text, size_t size)
{
    struct config_plan plan;
    char err[CONFIG_LOAD_ERROR_SIZE];
    if (!plan_save(c, &plan, text, size))
        return false;
    bool good = may_save(c, command, &plan, text, size);
    if (good && !config_save(c->setup.config_path, &plan, err, sizeof err)) {
        snprintf(text, size, "%s", err);
        good = false;
    }
    config_plan_free(&plan);
    if (!good)
        return false;
    c->on_file = c->config;
    publish_config(c);
    snprintf(text, size, "saved to %s", c->setup.config_path);
    control_note(c, LEVEL_INFO, "settings saved to %s", c->setup.config_path);
    return true;
}

static bool run_load_start(struct control *c, const struct command *command, char *text, size_t size)
{
    struct config defaults;
    config_init(&defaults);
    c->candidate = c->config;
    if (!set_lines(&c->candidate, command->text, "load", 0, text, size))
        return false;
    struct config_load *load = &c->candidate.load;
    /* Whoever named no URL means the application, wherever the balancer listens. */
    if (c->balancer && strcmp(load->url, defaults.load.url) == 0)
        snprintf(load->url, sizeof load->url, "%s/", balancer_url(c->balancer));
    return loadgen_start(c->loadgen, load, text, size);
}

static bool run_load_set(struct control *c, const struct command *command, char *text, size_t size)
{
    c->candidate = c->config;
    c->candidate.load = *loadgen_settings(c->loadgen);
    return set_lines(&c->candidate, command->text, "load", 0, text, size) &&
           loadgen_change(c->loadgen, &c->candidate.load, text, size);
}

static bool run_load_stop(struct control *c, const struct command *command, char *text, size_t size)
{
    (void)command;
    bool runs = loadgen_runs(c->loadgen);
    snprintf(text, size, runs ? "load is stopping" : "no load is running");
    loadgen_stop(c->loadgen, false);
    return runs;
}

static bool run_detail_instance(struct control *c, const struct command *command, char *text, size_t size)
{
    if (!(c->ops->flags & TARGET_INSTANCES)) {
        snprintf(text, size, "target %s has no instances of ours to look into", c->ops->name);
        return false;
    }
    begin_detail(c, command);
    c->detail_instance = command->instance;
    publish_detail_instance(c);
    text[0] = '\0';
    return true;
}

static bool run_detail_none(struct control *c, const struct command *command, char *text, size_t size)
{
    (void)size;
    begin_detail(c, command)->command_id = 0;
    text[0] = '\0';
    return true;
}

static bool run_alert_ack(struct control *c, const struct command *command, char *text, size_t size)
{
    (void)command;
    bool some = c->snapshot.alert[0] != '\0';
    c->snapshot.alert[0] = '\0';
    snprintf(text, size, some ? "acknowledged" : "there is no alert");
    return true;
}

static bool run_quit(struct control *c, const struct command *command, char *text, size_t size)
{
    if (c->stage == STAGE_RUN || command->count == 0)
        ending_quit(c);
    snprintf(text, size, c->hurried ? "stopping at once" : "stopping in order");
    return true;
}

static bool run_leave(struct control *c, const struct command *command, char *text, size_t size)
{
    (void)command;
    if (!c->ops->adopt) {
        snprintf(text, size, "leave refused: nothing of this target could be taken over by the next start");
        return false;
    }
    ending_leave(c);
    snprintf(text, size, "leaving; balancer and instances serve on");
    return true;
}

static const struct row rows[CMD_COUNT] = {
    [CMD_SCALE] = {"scale", .changes = true},
    [CMD_AUTO] = {"auto", .changes = true},
    [CMD_MANUAL] = {"manual", .changes = true},
    [CMD_SET] = {"set", .changes = true, .run = run_set},
    [CMD_PREVIEW] = {"preview", .run = run_preview},
    [CMD_SAVE_PREVIEW] = {"save preview", .run = run_save_preview},
    [CMD_SAVE] = {"save", .changes = true, .run = run_save},
    [CMD_RELOAD_PREVIEW] = {"reload preview", .run = run_reload_preview},
    /* Also to a read-only one: its screen refuses the key itself, and SIGHUP comes from its owner alone. */
    [CMD_RELOAD] = {"reload", .run = run_reload},
    [CMD_LOAD_START] = {"load start", .changes = true, .run = run_load_start},
    [CMD_LOAD_SET] = {"load set", .changes = true, .run = run_load_set},
    [CMD_LOAD_STOP] = {"load stop", .changes = true, .ends_ok = true, .run = run_load_stop},
    [CMD_INSTANCE_DRAIN] = {"drain", .changes = true},
    [CMD_INSTANCE_RESTART] = {"restart", .changes = true},
    [CMD_INSTANCE_STOP] = {"stop", .changes = true},
    [CMD_INSTANCE_KILL] = {"kill", .changes = true, .ends_ok = true},
    [CMD_ROLL] = {"roll", .changes = true},
    [CMD_DETAIL_INSTANCE] = {"detail", .ends_ok = true, .run = run_detail_instance},
    [CMD_DETAIL_NONE] = {"detail", .ends_ok = true, .run = run_detail_none},
    [CMD_ALERT_ACK] = {"acknowledge", .ends_ok = true, .run = run_alert_ack},
    [CMD_QUIT] = {"quit", .ends_ok = true, .run = run_quit},
    [CMD_LEAVE] = {"leave", .run = run_leave},
};

static bool run_row(struct control *c, const struct row *row, const struct command *command, char *text,
                    size_t size)
{
    struct answer answer = {0};
    if (row->changes && c->setup.read_only) {
        snprintf(text, size, "%s refused: this control room is read-only", row->name);
        return false;
    }
    if (!row->ends_ok && c->stage != STAGE_RUN) {
        snprintf(text, size, "%s refused: everything is being stopped", row->name);
        return false;
    }
    if (row->run)
        return row->run(c, command, text, size);
    if (!engine_command(c->engine, command, &answer, loop_now(c->loop))) {
        snprintf(text, size, "%s is not known to this target", row->name);
        return false;
    }
    snprintf(text, size, "%s", answer.text);
    return answer.accepted;
}

void commands_run(struct control *c, const struct command *command)
{
    limits_give_reserve(); /* reading or saving the ini must work when no descriptor is left */
    struct answer answer = {0};
    bool known = command->kind > CMD_NONE && command->kind < CMD_COUNT;
    if (known)
        answer.accepted = run_row(c, &rows[command->kind], command, answer.text, sizeof answer.text);
    else
        snprintf(answer.text, sizeof answer.text, "no such command");
    log_info("command %s: %s: %s", known ? rows[command->kind].name : "?",
             answer.accepted ? "accepted" : "refused", answer.text);
    publish_answer(c, command->id, answer.accepted, answer.text);
    limits_take_reserve();
}
