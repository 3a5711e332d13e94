/* SPDX-License-Identifier: MIT */
/* The options of the program are those of the ini: queue_limit = 1024 is --queue-limit=1024. Which of them a
 * running one keeps is read from its command line in /proc, so that no record can be wrong about it. */
#include "control/balancer_args.h"
#include "base/file.h"
#include "core/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "--queue-limit="; false: not an option of the program. */
static bool name_option(const struct option *option, char *out, size_t size)
{
    if (strcmp(option->section, "balancer") != 0 || strcmp(option->key, "enabled") == 0 ||
        strcmp(option->key, "listen") == 0)
        return false;
    snprintf(out, size, "--%s=", option->key);
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = '-';
    return true;
}

void balancer_args_make(struct child_args *args, const char *program, int listen_fd, const char *socket_path,
                        const struct config *config)
{
    char name[64], value[CONFIG_TEXT_MAX];
    child_args_add(args, "%s", program);
    child_args_add(args, "--listen-fd=%d", listen_fd);
    child_args_add(args, "--control=%s", socket_path);
    for (size_t i = 0; i < options_count; i++) {
        if (!name_option(&options[i], name, sizeof name))
            continue;
        config_get_text(config, &options[i], value, sizeof value);
        if (value[0])
            child_args_add(args, "%s%s", name, value);
    }
}

/* Of words that each end in NUL: what follows name, "" when none begins with it. */
static const char *find_value(const char *words, size_t size, const char *name)
{
    for (const char *at = words; at < words + size; at += strlen(at) + 1)
        if (strncmp(at, name, strlen(name)) == 0)
            return at + strlen(name);
    return "";
}

void balancer_args_kept(pid_t pid, const struct config *config, char *out, size_t size)
{
    char path[32], name[64], value[CONFIG_TEXT_MAX], *words;
    size_t words_size, used = 0;
    out[0] = '\0';
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    if (file_read(path, CHILD_ARGS_TEXT, &words, &words_size) != 0)
        return;
    for (size_t i = 0; i < options_count && used < size && words_size > 0; i++) {
        if ((options[i].flags & OPTION_LIVE) || !name_option(&options[i], name, sizeof name))
            continue;
        config_get_text(config, &options[i], value, sizeof value);
        const char *kept = find_value(words, words_size, name);
        if (strcmp(kept, value) != 0)
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s=%s", used ? ", " : "", options[i].key, kept);
    }
    free(words);
}
