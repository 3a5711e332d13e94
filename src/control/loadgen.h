/* SPDX-License-Identifier: MIT */
/* Runs ascale-load as a child: its progress comes in as JSON lines, changes of a running load go out as
 * commands. Nothing here blocks; all calls and callbacks are the control thread's. */
#ifndef CONTROL_LOADGEN_H
#define CONTROL_LOADGEN_H
#include "core/journal.h"
#include "core/snapshot.h"

struct loop;
struct loadgen;

struct loadgen_setup {
    struct loop *loop;
    const char *program; /* path of ascale-load */
    void *context;
    void (*changed)(void *context); /* something in the view is new */
    void (*note)(void *context, enum journal_level level, int instance, const char *text);
};

struct loadgen *loadgen_new(const struct loadgen_setup *setup);
void loadgen_free(struct loadgen *loadgen); /* ends a running load at once */

/* False: text says why not. */
bool loadgen_start(struct loadgen *loadgen, const struct config_load *load, char *text, size_t size);
bool loadgen_change(struct loadgen *loadgen, const struct config_load *load, char *text, size_t size);

/* What it was started or last changed with. */
const struct config_load *loadgen_settings(const struct loadgen *loadgen);

/* Asks it to end and print its summary; kills it when it does not within three seconds, or at once. */
void loadgen_stop(struct loadgen *loadgen, bool hurry);
bool loadgen_runs(const struct loadgen *loadgen);
int loadgen_pid(const struct loadgen *loadgen); /* 0 = none runs */
void loadgen_view(const struct loadgen *loadgen, struct load_view *out);

#endif
