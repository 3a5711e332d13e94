/* SPDX-License-Identifier: MIT */
/* One row a command: its name and the range of its value. */
#include "load/commands.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct command_row {
    const char *name;
    enum load_command_kind kind;
    double min, max; /* of the value; both 0: it takes none */
    bool whole;
};

static const struct command_row rows[] = {
    {"rate", LOAD_COMMAND_RATE, 0, 1e7, false},
    {"threads", LOAD_COMMAND_THREADS, 0, 100000, true},
    {"stop", LOAD_COMMAND_STOP, 0, 0, false},
};

static const struct command_row *find_row(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static bool read_value(const struct command_row *row, const json_t *value, double *out)
{
    if (row->max == 0)
        return true;
    *out = json_number_value(value);
    return json_is_number(value) && *out >= row->min && *out <= row->max &&
           (!row->whole || *out == floor(*out));
}

bool load_command_parse(const char *line, struct load_command *out, char *why, size_t why_size)
{
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    const char *name = json_string_value(json_object_get(object, "cmd"));
    const struct command_row *row = name ? find_row(name) : NULL;
    bool good = false;
    *out = (struct load_command){0};
    if (!object)
        snprintf(why, why_size, "not JSON: %s", error.text);
    else if (!row)
        snprintf(why, why_size, "cmd is rate, threads or stop");
    else if (!read_value(row, json_object_get(object, "value"), &out->value))
        snprintf(why, why_size, "%s takes a%s value from %g to %g", row->name, row->whole ? " whole" : "",
                 row->min, row->max);
    else
        good = true;
    if (good)
        out->kind = row->kind;
    json_decref(object);
    return good;
}
