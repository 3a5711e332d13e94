/* SPDX-License-Identifier: MIT */
/* Moves values between ini text and struct config by the rows of the option table. A value is parsed and
 * checked into locals first and stored last, so a refused one changes nothing. Text fields are zero-filled
 * behind their end: equal settings are equal bytes. */
#include "core/config.h"
#include "core/options.h"
#include "core/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *field(struct config *cfg, const struct option *option)
{
    return (char *)cfg + option->offset;
}

static const void *const_field(const struct config *cfg, const struct option *option)
{
    return (const char *)cfg + option->offset;
}

__attribute__((format(printf, 3, 4))) static bool fail(char *err, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err, size, format, args);
    va_end(args);
    return false;
}

/* One assignment on its way in. */
struct setting {
    const struct option *option;
    const char *key;   /* as given: "env.PATH" where the row says "env.*" */
    const char *value; /* without surrounding blanks */
    size_t size;
    char *err;
    size_t err_size;
};

static bool refuse(const struct setting *setting, const char *why)
{
    char range[256], shown[128];
    const struct option *option = setting->option;
    option_range_text(option, range, sizeof range);
    text_sanitize(shown, sizeof shown, setting->value, setting->size);
    if (option->flags & OPTION_SECRET)
        snprintf(shown, sizeof shown, "(hidden)");
    return fail(setting->err, setting->err_size, "%s.%s = '%s': %s; allowed: %s", option->section,
                setting->key, shown, why, range);
}

static bool is_graphic(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7F)
            return false;
    return true;
}

static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7F)
            return true;
    return false;
}

bool config_parse_address(const char *text, char *host, size_t host_size, int *port)
{
    const char *colon = strrchr(text, ':');
    int64_t number;
    if (!colon || colon[1] < '0' || colon[1] > '9' || !units_parse_int(colon + 1, &number) || number > 65535)
        return false;
    const char *start = text, *end = colon;
    if (*start == '[' && end - start > 2 && end[-1] == ']') {
        start++;
        end--;
    } else if (memchr(start, ':', (size_t)(end - start))) {
        return false; /* an IPv6 address needs its brackets */
    }
    size_t size = (size_t)(end - start);
    if (size == 0 || size >= host_size || !is_graphic(start, size) || memchr(start, '[', size) ||
        memchr(start, '/', size))
        return false;
    memcpy(host, start, size);
    host[size] = '\0';
    *port = (int)number;
    return true;
}

static bool is_address(const char *text)
{
    char host[CONFIG_TEXT_MAX];
    int port;
    return config_parse_address(text, host, sizeof host, &port);
}

static bool is_url(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(schemes[i]);
        if (strncmp(text, schemes[i], size) == 0)
            return strcspn(text + size, "/?#") > 0 && is_graphic(text, strlen(text));
    }
    return false;
}

/* NULL when the text has the shape its type asks for. */
static const char *shape_error(enum option_type type, const char *text)
{
    if (type == OPTION_URL && !is_url(text))
        return "not a URL";
    if (type == OPTION_ADDRESS && !is_address(text))
        return "not an address with a port";
    if (type == OPTION_URL_PATH && (*text != '/' || !is_graphic(text, strlen(text))))
        return "not a path";
    return NULL;
}

static bool set_text(struct config *cfg, const struct setting *setting)
{
    const struct option *option = setting->option;
    char text[CONFIG_TEXT_MAX];
    if (setting->size >= option->size || setting->size >= sizeof text) {
        char why[64];
        snprintf(why, sizeof why, "%zu bytes are too long, at most %zu fit", setting->size, option->size - 1);
        return refuse(setting, why);
    }
    memset(text, 0, sizeof text);
    memcpy(text, setting->value, setting->size);
    if (has_control(text, setting->size))
        return refuse(setting, "holds a control byte");
    const char *why = NULL;
    if (setting->size > 0)
        why = shape_error(option->type, text);
    else if (!(option->flags & OPTION_OPTIONAL))
        why = "must not be empty";
    if (why)
        return refuse(setting, why);
    memcpy(field(cfg, option), text, option->size);
    return true;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    return false;
}

static bool set_bool(struct config *cfg, const struct setting *setting, const char *text)
{
    bool value;
    if (!parse_bool(text, &value))
        return refuse(setting, "neither yes nor no");
    memcpy(field(cfg, setting->option), &value, sizeof value);
    return true;
}

static bool set_choice(struct config *cfg, const struct setting *setting)
{
    int value = 0;
    for (const char *at = setting->option->choices;; value++) {
        size_t size = strcspn(at, "|");
        if (size == setting->size && memcmp(at, setting->value, size) == 0)
            break;
        if (at[size] == '\0')
            return refuse(setting, "no such choice");
        at += size + 1;
    }
    memcpy(field(cfg, setting->option), &value, sizeof value);
    return true;
}

/* A number of any type: whole holds it where the field is an integer, real otherwise and for the range check.
 */
struct number {
    int64_t whole;
    double real;
};

static bool parse_number(enum option_type type, const char *text, struct number *out)
{
    bool good;
    switch (type) {
    case OPTION_PERCENT:
        return units_parse_percent(text, &out->real);
    case OPTION_RATE:
        return units_parse_rate(text, &out->real);
    case OPTION_DURATION:
        good = units_parse_duration(text, &out->whole);
        break;
    case OPTION_SIZE:
        good = units_parse_size(text, &out->whole);
        break;
    default:
        good = units_parse_int(text, &out->whole);
    }
    if (good)
        out->real = (double)out->whole;
    return good;
}

/* Tells apart what looks like a number to people from what does not. */
static const char *number_error(enum option_type type, const char *text)
{
    double plain;
    bool bare = units_parse_double(text, &plain);
    switch (type) {
    case OPTION_PERCENT:
        return bare && plain == 1 ? "1% or 100%? write the sign" : "not a percentage";
    case OPTION_DURATION:
        return bare && plain >= 0 ? "a duration needs its unit (250ms, 3s, 2m, 1h)"
                                  : "not a duration (250ms, 3s, 2m, 1h)";
    case OPTION_RATE:
        return "not a rate (500/s, 30/m)";
    case OPTION_SIZE:
        return "not a size (512, 64k, 10M, 2G)";
    default:
        return "not a whole number";
    }
}

static bool set_number(struct config *cfg, const struct setting *setting, const char *text)
{
    const struct option *option = setting->option;
    struct number number;
    if (!parse_number(option->type, text, &number))
        return refuse(setting, number_error(option->type, text));
    if (!(number.real >= option->min && number.real <= option->max))
        return refuse(setting, "out of range");
    void *at = field(cfg, option);
    if (option->type == OPTION_INT)
        memcpy(at, &(int){(int)number.whole}, sizeof(int));
    else if (option->type == OPTION_PERCENT || option->type == OPTION_RATE)
        memcpy(at, &number.real, sizeof number.real);
    else
        memcpy(at, &number.whole, sizeof number.whole);
    return true;
}

static double amount(enum unit unit, union config_amount a)
{
    return unit == UNIT_NUMBER ? a.count : unit == UNIT_PERCENT ? a.percent : (double)a.whole;
}

bool config_limits(const struct config_scaling *c, enum signal signal, struct config_limits *out)
{
    const struct config_signal *own = &c->signals[signal];
    enum unit unit = signal_kind(signal)->unit;
    *out = (struct config_limits){c->scale_up_threshold, c->scale_down_threshold, c->target_cpu};
    if (signal == SIGNAL_CPU)
        return true;
    *out = (struct config_limits){amount(unit, own->up), amount(unit, own->down), amount(unit, own->target)};
    if (out->target <= 0)
        out->target = (out->up + out->down) / 2;
    return out->up > 0;
}

const char *config_map_next(const char *map, const char *previous)
{
    const char *next = previous ? previous + strlen(previous) + 1 : map;
    return *next ? next : NULL;
}

static size_t map_used(const char *map)
{
    const char *entry = NULL, *end = map;
    while ((entry = config_map_next(map, entry)))
        end = entry + strlen(entry) + 1;
    return (size_t)(end - map);
}

static const char *map_find(const char *map, const char *name)
{
    size_t size = strlen(name);
    const char *entry = NULL;
    while ((entry = config_map_next(map, entry)))
        if (strncmp(entry, name, size) == 0 && entry[size] == '=')
            break;
    return entry;
}

static bool is_map_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool digit = *c >= '0' && *c <= '9';
        if (!letter && !digit && *c != '_' && *c != '-')
            return false;
    }
    return true;
}

static bool set_map(struct config *cfg, const struct setting *setting)
{
    const struct option *option = setting->option;
    const char *name = setting->key + strlen(option->key) - 1;
    char *map = field(cfg, option);
    if (!is_map_name(name))
        return refuse(setting, "the name may hold letters, digits, '_' and '-'");
    if (has_control(setting->value, setting->size))
        return refuse(setting, "holds a control byte");
    size_t used = map_used(map), needed = strlen(name) + 1 + setting->size + 1;
    const char *old = map_find(map, name);
    size_t old_size = old ? strlen(old) + 1 : 0;
    if (used - old_size + needed >= option->size) /* the byte left over ends the list */
        return refuse(setting, "no room for it beside the others");
    if (old) {
        char *gap = map + (old - map);
        memmove(gap, gap + old_size, used - (size_t)(gap - map) - old_size);
        used -= old_size;
    }
    snprintf(map + used, needed, "%s=%.*s", name, (int)setting->size, setting->value);
    memset(map + used + needed, 0, option->size - used - needed);
    return true;
}

static bool set_value(struct config *cfg, const struct setting *setting)
{
    char text[CONFIG_TEXT_MAX];
    switch (setting->option->type) {
    case OPTION_TEXT:
    case OPTION_FILE:
    case OPTION_URL:
    case OPTION_URL_PATH:
    case OPTION_ADDRESS:
        return set_text(cfg, setting);
    case OPTION_MAP:
        return set_map(cfg, setting);
    case OPTION_CHOICE:
        return set_choice(cfg, setting);
    default:
        break;
    }
    if (setting->size >= sizeof text)
        return refuse(setting, "too long");
    memcpy(text, setting->value, setting->size);
    text[setting->size] = '\0';
    return setting->option->type == OPTION_BOOL ? set_bool(cfg, setting, text)
                                                : set_number(cfg, setting, text);
}

static bool refuse_unknown(const char *section, const char *key, char *err, size_t err_size)
{
    char shown[128], name[192], nearest[128];
    snprintf(name, sizeof name, "%.90s.%.90s", section, key);
    text_clean(shown, sizeof shown, name);
    option_nearest(section, key, nearest, sizeof nearest);
    return fail(err, err_size, "%s is not an option; the nearest one is %s", shown, nearest);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool config_set(struct config *cfg, const char *section, const char *key, const char *value, char *err,
                size_t err_size)
{
    struct setting setting = {option_find(section, key), key, value, strlen(value), err, err_size};
    if (!setting.option)
        return refuse_unknown(section, key, err, err_size);
    for (; setting.size > 0 && is_blank(*setting.value); setting.size--)
        setting.value++;
    while (setting.size > 0 && is_blank(setting.value[setting.size - 1]))
        setting.size--;
    return set_value(cfg, &setting);
}

void config_init(struct config *cfg)
{
    char err[CONFIG_ERROR_SIZE];
    memset(cfg, 0, sizeof *cfg);
    for (size_t i = 0; i < options_count; i++)
        if (options[i].type != OPTION_MAP)
            config_set(cfg, options[i].section, options[i].key, options[i].preset, err, sizeof err);
}

static int map_text(const char *map, char *out, size_t size)
{
    int count = 0;
    for (const char *entry = NULL; (entry = config_map_next(map, entry));)
        count++;
    return snprintf(out, size, "%d set", count);
}

static int choice_text(const char *choices, int index, char *out, size_t size)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    return snprintf(out, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

int config_get_text(const struct config *cfg, const struct option *option, char *out, size_t size)
{
    const void *at = const_field(cfg, option);
    struct number number = {0};
    int small;
    switch (option->type) {
    case OPTION_MAP:
        return map_text(at, out, size);
    case OPTION_BOOL:
        return snprintf(out, size, *(const bool *)at ? "yes" : "no");
    case OPTION_CHOICE:
        memcpy(&small, at, sizeof small);
        return choice_text(option->choices, small, out, size);
    case OPTION_INT:
        memcpy(&small, at, sizeof small);
        return option_format_number(option, small, out, size);
    case OPTION_PERCENT:
    case OPTION_RATE:
        memcpy(&number.real, at, sizeof number.real);
        return option_format_number(option, number.real, out, size);
    case OPTION_DURATION:
    case OPTION_SIZE:
        memcpy(&number.whole, at, sizeof number.whole);
        return option_format_number(option, (double)number.whole, out, size);
    default:
        return snprintf(out, size, "%s", (const char *)at);
    }
}

size_t config_diff(const struct config *a, const struct config *b,
                   void (*each)(void *context, const struct option *option), void *context)
{
    size_t count = 0;
    for (size_t i = 0; i < options_count; i++) {
        if (memcmp(const_field(a, &options[i]), const_field(b, &options[i]), options[i].size) == 0)
            continue;
        count++;
        if (each)
            each(context, &options[i]);
    }
    return count;
}
