/* SPDX-License-Identifier: MIT */
/* Lines "section.key=value" against the option table: a refusal changes nothing and says something; what was
 * taken reads back through its own text to the same value. */
#include "core/options.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_taken(const struct config *cfg, const char *section, const char *key)
{
    const struct option *option = option_find(section, key);
    require(option);
    if (option->type == OPTION_MAP)
        return;
    char text[CONFIG_TEXT_MAX], err[CONFIG_ERROR_SIZE];
    int length = config_get_text(cfg, option, text, sizeof text);
    require(length >= 0 && (size_t)length < sizeof text);
    static struct config again;
    again = *cfg;
    require(config_set(&again, section, key, text, err, sizeof err));
    require(config_diff(cfg, &again, NULL, NULL) == 0);
}

static void check_line(struct config *cfg, char *line)
{
    char err[CONFIG_ERROR_SIZE] = "";
    char *dot = strchr(line, '.'), *equals = dot ? strchr(dot, '=') : NULL;
    if (!equals)
        return;
    *dot = *equals = '\0';
    static struct config before;
    before = *cfg;
    if (config_set(cfg, line, dot + 1, equals + 1, err, sizeof err))
        check_taken(cfg, line, dot + 1);
    else
        require(err[0] && !memcmp(&before, cfg, sizeof before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config cfg;
    char err[CONFIG_ERROR_SIZE];
    config_init(&cfg);
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        check_line(&cfg, line);
    config_check(&cfg, err, sizeof err);
    config_advise(&cfg, err, sizeof err);
    free(text);
    return 0;
}
