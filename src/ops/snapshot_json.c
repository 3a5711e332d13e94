/* SPDX-License-Identifier: MIT */
/* One table a struct: a row names the key, the member and how it is written. Reading and writing walk the
 * same rows, so that neither can know a field the other does not. Texts are cleaned on the way out: an
 * application's bytes need not be UTF-8. */
#include "ops/snapshot_json.h"
#include "core/options.h"
#include "core/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum field_type {
    FIELD_INT,
    FIELD_INT64,
    FIELD_UINT64,
    FIELD_UINT,
    FIELD_SHORT,
    FIELD_BYTE,
    FIELD_BOOL,
    FIELD_DOUBLE,
    FIELD_FLOAT,
    FIELD_TEXT,
    FIELD_WORD,   /* an enum, by its names */
    FIELD_OBJECT, /* a struct with rows of its own */
    FIELD_ARRAY,  /* of structs, with a count elsewhere */
};

struct field {
    const char *key;
    enum field_type type;
    size_t offset, size;
    const char *const *words; /* FIELD_WORD */
    int word_count;
    const struct field *rows; /* FIELD_OBJECT, FIELD_ARRAY; ends with key NULL */
    size_t count_offset;      /* FIELD_ARRAY: an int of the parent */
    int count_max;
};

static const char *const kind_words[] = {"decision", "event"};
static const char *const level_words[] = {"info", "warning", "error"};
static const char *const override_words[] = {"none", "floor", "ceiling"};
static const char *const breaker_words[] = {"closed", "open", "half-open"};
#define COUNT(array)     (int)(sizeof array / sizeof *(array))

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define ROW(kind, type, member)                                                                              \
    {                                                                                                        \
#member, kind, AT(type, member), NULL, 0, NULL, 0, 0                                                 \
    }
#define WORD(type, member, words)                                                                            \
    {                                                                                                        \
#member, FIELD_WORD, AT(type, member), words, COUNT(words), NULL, 0, 0                               \
    }
#define OBJECT(type, member, rows)                                                                           \
    {                                                                                                        \
#member, FIELD_OBJECT, AT(type, member), NULL, 0, rows, 0, 0                                         \
    }
#define ARRAY(type, member, rows, count)                                                                     \
    {                                                                                                        \
#member, FIELD_ARRAY, offsetof(struct type, member), sizeof(((struct type *)0)->member[0]), NULL, 0, \
            rows, offsetof(struct type, count), COUNT(((struct type *)0)->member)                            \
    }
#define END                                                                                                  \
    {                                                                                                        \
        NULL, FIELD_INT, 0, 0, NULL, 0, NULL, 0, 0                                                           \
    }

#define R reason
static const struct field reason_rows[] = {WORD(R, code, reason_words),
                                           WORD(R, signal, signal_names),
                                           ROW(FIELD_DOUBLE, R, value),
                                           ROW(FIELD_DOUBLE, R, limit),
                                           ROW(FIELD_DOUBLE, R, other),
                                           ROW(FIELD_INT64, R, span),
                                           END};
#undef R

#define D decision
static const struct field decision_rows[] = {ROW(FIELD_INT64, D, at),
                                             ROW(FIELD_INT64, D, last_at),
                                             ROW(FIELD_INT, D, repeats),
                                             WORD(D, verdict, verdict_names),
                                             WORD(D, cause, cause_names),
                                             WORD(D, basis, basis_names),
                                             ROW(FIELD_INT, D, from),
                                             ROW(FIELD_INT, D, to),
                                             ARRAY(D, reasons, reason_rows, reason_count),
                                             END};
#undef D

#define I instance_view
static const struct field instance_rows[] = {ROW(FIELD_INT, I, id),
                                             ROW(FIELD_INT, I, port),
                                             ROW(FIELD_INT, I, pid),
                                             WORD(I, state, instance_state_names),
                                             ROW(FIELD_INT, I, restarts),
                                             ROW(FIELD_INT, I, in_flight),
                                             ROW(FIELD_DOUBLE, I, cpu_pct),
                                             ROW(FIELD_DOUBLE, I, rpm),
                                             ROW(FIELD_DOUBLE, I, error_pct),
                                             ROW(FIELD_INT64, I, mem_bytes),
                                             ROW(FIELD_INT64, I, p50_us),
                                             ROW(FIELD_INT64, I, p95_us),
                                             ROW(FIELD_INT64, I, p99_us),
                                             ROW(FIELD_INT64, I, started_at),
                                             ROW(FIELD_INT64, I, state_since),
                                             ROW(FIELD_INT64, I, checked_at),
                                             ROW(FIELD_INT64, I, deadline),
                                             ROW(FIELD_TEXT, I, cause),
                                             ROW(FIELD_TEXT, I, last_line),
                                             END};
#undef I

#define H history_point
static const struct field history_rows[] = {
    ROW(FIELD_INT64, H, at),        ROW(FIELD_FLOAT, H, cpu_pct), ROW(FIELD_FLOAT, H, rpm),
    ROW(FIELD_FLOAT, H, p50_ms),    ROW(FIELD_FLOAT, H, p95_ms),  ROW(FIELD_FLOAT, H, p99_ms),
    ROW(FIELD_FLOAT, H, error_pct), ROW(FIELD_SHORT, H, ready),   ROW(FIELD_SHORT, H, starting),
    ROW(FIELD_SHORT, H, desired),   ROW(FIELD_BYTE, H, mark),     END};
#undef H

#define J journal_entry
static const struct field journal_rows[] = {ROW(FIELD_UINT64, J, seq),   ROW(FIELD_INT64, J, at),
                                            WORD(J, kind, kind_words),   WORD(J, level, level_words),
                                            ROW(FIELD_INT, J, instance), OBJECT(J, decision, decision_rows),
                                            ROW(FIELD_TEXT, J, text),    END};
#undef J

#define O outlook
static const struct field outlook_rows[] = {WORD(O, signal, signal_names),
                                            ROW(FIELD_DOUBLE, O, up),
                                            ROW(FIELD_DOUBLE, O, down),
                                            ROW(FIELD_DOUBLE, O, value),
                                            ROW(FIELD_DOUBLE, O, mean),
                                            ROW(FIELD_INT64, O, mean_window),
                                            ROW(FIELD_INT64, O, above_for),
                                            ROW(FIELD_INT64, O, above_need),
                                            ROW(FIELD_INT64, O, below_for),
                                            ROW(FIELD_INT64, O, below_need),
                                            ROW(FIELD_INT64, O, cooldown_up_left),
                                            ROW(FIELD_INT64, O, cooldown_down_left),
                                            ROW(FIELD_INT64, O, next_step_at),
                                            END};
#undef O

#define L load_view
static const struct field load_rows[] = {
    ROW(FIELD_BOOL, L, running),    ROW(FIELD_INT, L, pid),          ROW(FIELD_INT, L, threads),
    ROW(FIELD_INT, L, connections), ROW(FIELD_INT, L, shape),        ROW(FIELD_INT64, L, duration),
    ROW(FIELD_DOUBLE, L, rate_rps), ROW(FIELD_INT64, L, started_at), ROW(FIELD_INT64, L, ends_at),
    ROW(FIELD_INT64, L, requests),  ROW(FIELD_INT64, L, errors),     ROW(FIELD_DOUBLE, L, rps),
    ROW(FIELD_INT64, L, p50_us),    ROW(FIELD_INT64, L, p95_us),     ROW(FIELD_INT64, L, p99_us),
    ROW(FIELD_TEXT, L, url),        ROW(FIELD_TEXT, L, last),        END};
#undef L

#define B balancer_view
static const struct field balancer_rows[] = {
    ROW(FIELD_BOOL, B, enabled), ROW(FIELD_BOOL, B, connected),    ROW(FIELD_INT, B, pid),
    ROW(FIELD_INT, B, restarts), ROW(FIELD_INT, B, priority),      ROW(FIELD_TEXT, B, url),
    ROW(FIELD_DOUBLE, B, rpm),   ROW(FIELD_DOUBLE, B, error_pct),  ROW(FIELD_INT64, B, requests),
    ROW(FIELD_INT64, B, errors), ROW(FIELD_INT64, B, unavailable), ROW(FIELD_INT64, B, p50_us),
    ROW(FIELD_INT64, B, p95_us), ROW(FIELD_INT64, B, p99_us),      ROW(FIELD_INT, B, in_flight),
    ROW(FIELD_INT, B, queue),    ROW(FIELD_INT, B, connections),   END};
#undef B

#define M remote_view
static const struct field remote_rows[] = {ROW(FIELD_TEXT, M, url),
                                           ROW(FIELD_BOOL, M, reachable),
                                           ROW(FIELD_INT, M, replicas),
                                           ROW(FIELD_INT, M, ordered),
                                           ROW(FIELD_INT64, M, answered_at),
                                           ROW(FIELD_INT64, M, order_at),
                                           ROW(FIELD_INT64, M, latency_us),
                                           ROW(FIELD_INT64, M, calls),
                                           ROW(FIELD_INT64, M, failures),
                                           ROW(FIELD_INT64, M, retries),
                                           ROW(FIELD_INT64, M, orders),
                                           ROW(FIELD_INT64, M, orders_failed),
                                           WORD(M, breaker, breaker_words),
                                           ROW(FIELD_INT64, M, breaker_until),
                                           ROW(FIELD_TEXT, M, last_error),
                                           ROW(FIELD_TEXT, M, last_order),
                                           END};
#undef M

#define S snapshot
static const struct field snapshot_rows[] = {ROW(FIELD_INT, S, version),
                                             ROW(FIELD_UINT64, S, seq),
                                             ROW(FIELD_INT64, S, at),
                                             ROW(FIELD_INT64, S, started_at),
                                             ROW(FIELD_INT64, S, wall_offset_us),
                                             ROW(FIELD_UINT, S, target_flags),
                                             ROW(FIELD_TEXT, S, target),
                                             ROW(FIELD_BOOL, S, dry_run),
                                             ROW(FIELD_BOOL, S, read_only),
                                             ROW(FIELD_BOOL, S, stopping),
                                             ROW(FIELD_BOOL, S, manual),
                                             WORD(S, override, override_words),
                                             ROW(FIELD_INT, S, override_count),
                                             ROW(FIELD_INT64, S, override_until),
                                             ROW(FIELD_INT, S, desired),
                                             ROW(FIELD_INT, S, ready),
                                             ROW(FIELD_INT, S, busy),
                                             ROW(FIELD_INT, S, unready),
                                             ROW(FIELD_BOOL, S, panic),
                                             ROW(FIELD_INT, S, starting),
                                             ROW(FIELD_INT, S, draining),
                                             ROW(FIELD_INT, S, failed),
                                             ROW(FIELD_INT, S, rolling),
                                             OBJECT(S, last, decision_rows),
                                             OBJECT(S, outlook, outlook_rows),
                                             ROW(FIELD_TEXT, S, config_path),
                                             ROW(FIELD_INT, S, unsaved),
                                             ROW(FIELD_DOUBLE, S, host_cpu_pct),
                                             ROW(FIELD_DOUBLE, S, rpm),
                                             ROW(FIELD_DOUBLE, S, error_pct),
                                             ROW(FIELD_DOUBLE, S, cpu_pct),
                                             ROW(FIELD_INT64, S, p50_us),
                                             ROW(FIELD_INT64, S, p95_us),
                                             ROW(FIELD_INT64, S, p99_us),
                                             ROW(FIELD_INT64, S, dropped),
                                             ROW(FIELD_TEXT, S, alert),
                                             OBJECT(S, load, load_rows),
                                             OBJECT(S, balancer, balancer_rows),
                                             OBJECT(S, remote, remote_rows),
                                             ARRAY(S, instances, instance_rows, instance_count),
                                             ARRAY(S, history, history_rows, history_count),
                                             ARRAY(S, journal, journal_rows, journal_count),
                                             END};
#undef S

static const char config_key[] = "config";

static json_t *object_write(const struct field *rows, const void *base);

static json_t *number_write(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_write(const char *text)
{
    char clean[1024];
    text_clean(clean, sizeof clean, text);
    return json_string(clean);
}

static json_t *array_write(const struct field *row, const void *base)
{
    const char *bytes = base;
    int count = *(const int *)(bytes + row->count_offset);
    json_t *array = json_array();
    for (int i = 0; i < count && i < row->count_max; i++)
        if (json_array_append_new(array,
                                  object_write(row->rows, bytes + row->offset + (size_t)i * row->size)))
            break;
    return array;
}

static unsigned word_read(const void *member)
{
    unsigned word;
    memcpy(&word, member, sizeof word);
    return word;
}

static json_t *field_write(const struct field *row, const void *base)
{
    const void *member = (const char *)base + row->offset;
    unsigned word;
    switch (row->type) {
    case FIELD_INT:
        return json_integer(*(const int *)member);
    case FIELD_INT64:
        return json_integer(*(const int64_t *)member);
    case FIELD_UINT64:
        return json_integer((json_int_t) * (const uint64_t *)member);
    case FIELD_UINT:
        return json_integer(*(const unsigned *)member);
    case FIELD_SHORT:
        return json_integer(*(const short *)member);
    case FIELD_BYTE:
        return json_integer(*(const unsigned char *)member);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)member);
    case FIELD_DOUBLE:
        return number_write(*(const double *)member);
    case FIELD_FLOAT:
        return number_write(*(const float *)member);
    case FIELD_TEXT:
        return text_write(member);
    case FIELD_WORD:
        word = word_read(member);
        return word < (unsigned)row->word_count && row->words[word] ? json_string(row->words[word]) : NULL;
    case FIELD_OBJECT:
        return object_write(row->rows, member);
    case FIELD_ARRAY:
        return array_write(row, base);
    }
    return NULL;
}

static json_t *object_write(const struct field *rows, const void *base)
{
    json_t *object = json_object();
    for (const struct field *row = rows; row->key; row++)
        if (json_object_set_new(object, row->key, field_write(row, base))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *config_write(const struct config *config)
{
    json_t *object = json_object();
    for (size_t i = 0; i < options_count; i++) {
        char name[96], value[CONFIG_TEXT_MAX];
        const struct option *option = &options[i];
        if (option->flags & OPTION_SECRET || option->type == OPTION_MAP)
            continue;
        snprintf(name, sizeof name, "%s.%s", option->section, option->key);
        config_get_text(config, option, value, sizeof value);
        if (json_object_set_new(object, name, text_write(value))) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *snapshot_to_json(const struct snapshot *snapshot)
{
    json_t *object = object_write(snapshot_rows, snapshot);
    if (object && json_object_set_new(object, config_key, config_write(&snapshot->config))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

struct reader {
    char *err;
    size_t err_size;
};

static bool wrong(struct reader *reader, const char *key, const char *what)
{
    snprintf(reader->err, reader->err_size, "\"%s\" %s", key, what);
    return false;
}

static bool object_read(struct reader *reader, const struct field *rows, const json_t *json, void *base,
                        const char *also);

static bool integer_read(struct reader *reader, const struct field *row, const json_t *json, int64_t low,
                         int64_t high, int64_t *out)
{
    json_int_t value = json_integer_value(json);
    if (!json_is_integer(json) || value < low || value > high)
        return wrong(reader, row->key, "must be a whole number within its range");
    *out = value;
    return true;
}

static bool double_read(struct reader *reader, const struct field *row, const json_t *json, double *out)
{
    if (!json_is_number(json) && !json_is_null(json))
        return wrong(reader, row->key, "must be a number or null");
    *out = json_is_null(json) ? NAN : json_number_value(json);
    return true;
}

static bool text_read(struct reader *reader, const struct field *row, const json_t *json, char *out)
{
    if (!json_is_string(json) || json_string_length(json) >= row->size)
        return wrong(reader, row->key, "must be a text that fits its field");
    memcpy(out, json_string_value(json), json_string_length(json) + 1);
    return true;
}

static bool word_parse(struct reader *reader, const struct field *row, const json_t *json, void *member)
{
    const char *text = json_string_value(json);
    for (unsigned i = 0; text && i < (unsigned)row->word_count; i++)
        if (row->words[i] && strcmp(row->words[i], text) == 0) {
            memcpy(member, &i, sizeof i);
            return true;
        }
    return wrong(reader, row->key, "is none of its words");
}

static bool array_read(struct reader *reader, const struct field *row, const json_t *json, void *base)
{
    char *bytes = base;
    size_t count = json_array_size(json);
    if (!json_is_array(json) || count > (size_t)row->count_max)
        return wrong(reader, row->key, "must be an array that is not too long");
    for (size_t i = 0; i < count; i++)
        if (!object_read(reader, row->rows, json_array_get(json, i), bytes + row->offset + i * row->size,
                         NULL))
            return false;
    *(int *)(bytes + row->count_offset) = (int)count;
    return true;
}

static bool field_read(struct reader *reader, const struct field *row, const json_t *json, void *base)
{
    void *member = (char *)base + row->offset;
    int64_t whole = 0;
    double number = 0;
    bool ok = true;
    switch (row->type) {
    case FIELD_INT:
        ok = integer_read(reader, row, json, INT32_MIN, INT32_MAX, &whole);
        *(int *)member = (int)whole;
        return ok;
    case FIELD_INT64:
        return integer_read(reader, row, json, INT64_MIN, INT64_MAX, member);
    case FIELD_UINT64:
        ok = integer_read(reader, row, json, 0, INT64_MAX, &whole);
        *(uint64_t *)member = (uint64_t)whole;
        return ok;
    case FIELD_UINT:
        ok = integer_read(reader, row, json, 0, UINT32_MAX, &whole);
        *(unsigned *)member = (unsigned)whole;
        return ok;
    case FIELD_SHORT:
        ok = integer_read(reader, row, json, INT16_MIN, INT16_MAX, &whole);
        *(short *)member = (short)whole;
        return ok;
    case FIELD_BYTE:
        ok = integer_read(reader, row, json, 0, UINT8_MAX, &whole);
        *(unsigned char *)member = (unsigned char)whole;
        return ok;
    case FIELD_BOOL:
        *(bool *)member = json_is_true(json);
        return json_is_boolean(json) || wrong(reader, row->key, "must be true or false");
    case FIELD_DOUBLE:
        return double_read(reader, row, json, member);
    case FIELD_FLOAT:
        ok = double_read(reader, row, json, &number);
        *(float *)member = (float)number;
        return ok;
    case FIELD_TEXT:
        return text_read(reader, row, json, member);
    case FIELD_WORD:
        return word_parse(reader, row, json, member);
    case FIELD_OBJECT:
        return object_read(reader, row->rows, json, member, NULL);
    case FIELD_ARRAY:
        return array_read(reader, row, json, base);
    }
    return false;
}

/* also: a key beyond the rows that somebody else reads. */
static bool object_read(struct reader *reader, const struct field *rows, const json_t *json, void *base,
                        const char *also)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return wrong(reader, "value", "must be an object");
    for (const struct field *row = rows; row->key;
         row++) /* NaN is not zero: what is absent was not measured */
        if (row->type == FIELD_DOUBLE)
            *(double *)((char *)base + row->offset) = NAN;
        else if (row->type == FIELD_FLOAT)
            *(float *)((char *)base + row->offset) = NAN;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        const struct field *row = rows;
        while (row->key && strcmp(row->key, key) != 0)
            row++;
        if (row->key ? !field_read(reader, row, value, base) : !also || strcmp(key, also) != 0)
            return row->key ? false : wrong(reader, key, "is no key of a snapshot");
    }
    return true;
}

static bool config_read(struct reader *reader, const json_t *json, struct config *out)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return wrong(reader, config_key, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        char section[64];
        const char *dot = strchr(key, '.');
        if (!dot || (size_t)(dot - key) >= sizeof section || !json_is_string(value))
            return wrong(reader, key, "must be a text under section.key");
        snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
        if (!config_set(out, section, dot + 1, json_string_value(value), reader->err, reader->err_size))
            return false;
    }
    return true;
}

bool snapshot_from_json(const json_t *json, struct snapshot *out, char *err, size_t err_size)
{
    struct reader reader = {err, err_size};
    memset(out, 0, sizeof *out);
    config_init(&out->config);
    out->version = SNAPSHOT_VERSION;
    out->p50_us = out->p95_us = out->p99_us = -1;
    if (!object_read(&reader, snapshot_rows, json, out, config_key))
        return false;
    if (out->version != SNAPSHOT_VERSION)
        return wrong(&reader, "version", "is of another schema than this program's");
    const json_t *config = json_object_get(json, config_key);
    return !config || config_read(&reader, config, &out->config);
}

bool snapshot_from_file(const char *path, struct snapshot *out, char *err, size_t err_size)
{
    json_error_t error;
    char why[400];
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        snprintf(err, err_size, "cannot read the snapshot %s: line %d: %s", path, error.line, error.text);
        return false;
    }
    bool ok = snapshot_from_json(json, out, why, sizeof why);
    if (!ok)
        snprintf(err, err_size, "cannot use the snapshot %s: %s", path, why);
    json_decref(json);
    return ok;
}
