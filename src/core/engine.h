/* SPDX-License-Identifier: MIT */
/* The whole brain behind one door: samples, events and commands go in, actions and a snapshot come out.
 * Pure: the caller gives memory and time, carries out the actions, and reports what became of them as events.
 * One thread at a time. The same calls in the same order give the same result, whatever the machine. */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H
#include "core/action.h"
#include "core/command.h"
#include "core/config.h"
#include "core/decision.h"
#include "core/event.h"
#include "core/hold.h"
#include "core/journal.h"
#include "core/sample.h"
#include "core/units.h"

struct snapshot;

struct engine;
size_t engine_size(void);

/* mem: engine_size() bytes, aligned as malloc's, owned by the caller; no fini. seed: for jitter. */
struct engine *engine_init(void *mem, const struct config *config, unsigned target_flags, uint64_t seed,
                           usec_t now);

/* A changed configuration takes effect at once; bounds are enforced at the next step. */
void engine_configure(struct engine *e, const struct config *config, usec_t now);

/* An instance that outlived an earlier controller: enters as READY (or STARTING) with its pid and port. */
bool engine_adopt(struct engine *e, int id, int pid, int port, bool ready, usec_t started_at, usec_t now);

/* What the operator ordered before a crash and after it; one that has expired is passed over. */
const struct hold *engine_hold(const struct engine *e);
void engine_resume(struct engine *e, const struct hold *hold, usec_t now);

/* The roll that is under way: how many are wanted (0: there is none), and has it yet to replace this one? A
 * controller after a crash resumes it when it has adopted all. */
int engine_roll_wanted(const struct engine *e);
bool engine_roll_has(const struct engine *e, int id);
void engine_roll_resume(struct engine *e, const int *old, int count, int wanted, usec_t now);

void engine_event(struct engine *e, const struct event *event, usec_t now);

/* False when the command is not the brain's to answer. */
bool engine_command(struct engine *e, const struct command *command, struct answer *answer, usec_t now);

/* The periodic decision. !sample: nothing could be measured. */
void engine_step(struct engine *e, const struct sample *sample, usec_t now);

/* Runs timers that are due (start, drain and stop timeouts, back-off); engine_deadline() is the next, or
 * USEC_NEVER. */
void engine_tick(struct engine *e, usec_t now);
usec_t engine_deadline(const struct engine *e);

/* Takes the next thing to do; false = nothing. Call until false after every call above. */
bool engine_next_action(struct engine *e, struct action *out);

/* Dry run: decides and says so, but changes nothing and refuses the operator; of instances of ours it starts
 * the minimum, so that there is something to decide about. */
void engine_set_dry_run(struct engine *e, bool dry_run);

/* Ends the service: desired becomes 0 below every minimum, all instances drain and stop. */
void engine_stop(struct engine *e, usec_t now);
bool engine_stopped(const struct engine *e); /* no instance is left */

/* A line for the journal from outside the brain (balancer restarted, load started). */
void engine_note(struct engine *e, enum journal_level level, int instance, const char *text, usec_t now);

/* What the next step would decide with another configuration and the data of now; scratch: engine_size()
 * bytes. */
void engine_preview(const struct engine *e, void *scratch, const struct config *config, usec_t now,
                    struct decision *out);

/* Fills what the brain knows: mode, counts, decision, outlook, instances, history, journal; leaves the rest
 * alone. */
void engine_snapshot(const struct engine *e, struct snapshot *out, usec_t now);

#endif
