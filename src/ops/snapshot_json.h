/* SPDX-License-Identifier: MIT */
/* The snapshot as JSON and back: for the API, recordings and fixtures. Instants stay microseconds; what was
 * not measured is null (a latency -1); settings are the texts of the ini under "section.key"; enums are
 * words. The detail slot and the answers are left out: they belong to whoever asked. */
#ifndef OPS_SNAPSHOT_JSON_H
#define OPS_SNAPSHOT_JSON_H
#include "core/snapshot.h"
#include <jansson.h>

/* A new reference, or NULL when memory ran out. Secrets are left out. */
json_t *snapshot_to_json(const struct snapshot *snapshot);

/* Absent keys keep their defaults (config_init(), nothing measured). False: err names the key and what is
 * wrong with it, and *out is undefined. Unknown keys and other schema versions are refused. */
bool snapshot_from_json(const json_t *json, struct snapshot *out, char *err, size_t err_size);

/* The same from a file; err also names the file. */
bool snapshot_from_file(const char *path, struct snapshot *out, char *err, size_t err_size);

#endif
