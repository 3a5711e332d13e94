/* SPDX-License-Identifier: MIT */
/* What the balancer should know (the instances that take requests) and what it last told us about them.
 * One thread at a time. */
#ifndef CONTROL_BACKENDS_H
#define CONTROL_BACKENDS_H
#include "control/meter.h"
#include "core/action.h"
#include "core/sample.h"
#include "core/snapshot.h"
#include <jansson.h>

struct backend {
    int id;     /* of the instance */
    bool out;   /* takes nothing for now and is not in the set; what it has under way goes on */
    bool spare; /* takes requests only while no other has room */
    bool draining;
    bool drained; /* said so, once */
    bool ejected; /* by the balancer, for a while */
    bool idle;    /* the balancer drains it and has nothing in flight to it, as last read */
    char address[96];
    int in_flight, answering;
    int64_t unanswered;
    usec_t heard_at, in_vain_at; /* the last byte of an answer; when one was last waited for in vain */
    struct meter *meter;
};

struct backend_totals {
    int64_t requests, errors, unavailable;
    int in_flight, queue, connections, priority;
};

struct backends {
    int count;
    struct backend items[INSTANCES_MAX];
    bool changed; /* the balancer has not been told yet */
    struct meter *total;
    struct backend_totals last;
    usec_t read_at; /* 0 = never */
    bool adopted;   /* the balancer counted before we looked */
};

/* 0 or -ENOMEM. */
int backends_init(struct backends *b, usec_t now);
void backends_fini(struct backends *b);

/* The instance takes requests (again). -ENOMEM: it does not. */
int backends_admit(struct backends *b, int id, const char *address, usec_t now);

/* It takes requests only while no other has room; backends_admit() ends that. */
void backends_spare(struct backends *b, int id);

/* For now it takes none; it may be admitted again, and is counted on. */
void backends_eject(struct backends *b, int id);

/* False: it is not known. */
bool backends_drain(struct backends *b, int id);
void backends_remove(struct backends *b, int id);

/* Notes that the instance has drained; true the first time. */
bool backends_drained(struct backends *b, int id);

/* A new balancer process: it counts from zero. An adopted one has counted before we looked. */
void backends_restart(struct backends *b, bool adopted, usec_t now);

/* The absolute set, as the "backends" command takes it. */
json_t *backends_to_json(const struct backends *b);

/* Reads a "stats" event. False: it is not one, and nothing changed. */
bool backends_read(struct backends *b, json_t *stats, usec_t now);

/* Reads a "burst" event: what is in flight and waiting now. */
void backends_read_burst(struct backends *b, json_t *burst, usec_t now);

/* "i7" -> 7; 0 = not one of our names. */
int backends_parse_name(const char *name);

/* Adds what is known to the sample: the totals, and to the instances that are listed there already. Requests
 * that the application has counted itself stand, for they include those past the balancer. Stale readings are
 * left out. */
void backends_sample(const struct backends *b, struct sample *out, usec_t now);

/* Fills the totals, rates and latencies; the rest of the view is not touched. */
void backends_view(const struct backends *b, struct balancer_view *out, usec_t now);

#endif
