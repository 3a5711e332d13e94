/* SPDX-License-Identifier: MIT */
/* Owns the totals we have counted ourselves and the source's last reading; only differences between readings
 * are ever added, so that a source that starts again, or is read irregularly, distorts nothing. Latencies go
 * to the slot of the time of reading; a slot that has aged out is cleared when its turn comes round. */
#include "control/meter.h"
#include <math.h>
#include <string.h>

#define MARK_SPACING (METER_MINUTE / 120)
#define SLOT_LENGTH  (METER_RECENT / METER_SLOTS)

void meter_start(struct meter *m, usec_t now)
{
    if (!m->now.at)
        m->now.at = now;
    m->baseline_known = true;
    m->seen_requests = m->seen_errors = 0;
    memset(m->seen_latency, 0, sizeof m->seen_latency);
}

void meter_start_unknown(struct meter *m, usec_t now)
{
    meter_start(m, now);
    m->baseline_known = false;
}

/* Remembers the reading before this one, unless the mark before it is too near. */
static void add_mark(struct meter *m)
{
    if (m->count) {
        const struct meter_mark *newest = &m->marks[(m->first + m->count - 1) % METER_MARKS];
        if (m->now.at - newest->at < MARK_SPACING)
            return;
    }
    if (m->count == METER_MARKS) {
        m->first = (m->first + 1) % METER_MARKS;
        m->count--;
    }
    m->marks[(m->first + m->count++) % METER_MARKS] = m->now;
}

static void advance_slots(struct meter *m, usec_t now)
{
    uint64_t slot = (uint64_t)(now / SLOT_LENGTH);
    if (slot > m->slot + METER_SLOTS)
        m->slot = slot - METER_SLOTS;
    while (m->slot < slot)
        histogram_clear(&m->slots[++m->slot % METER_SLOTS]);
}

void meter_read(struct meter *m, usec_t now, uint64_t requests, uint64_t errors)
{
    add_mark(m);
    advance_slots(m, now);
    if (requests < m->seen_requests)
        meter_start(m, now);
    if (m->baseline_known) {
        m->now.requests += requests - m->seen_requests;
        m->now.errors += errors > m->seen_errors ? errors - m->seen_errors : 0;
    }
    m->now.at = now;
    m->seen_requests = requests;
    m->seen_errors = errors;
}

void meter_read_same(struct meter *m, usec_t now)
{
    meter_read(m, now, m->seen_requests, m->seen_errors);
}

void meter_read_latency(struct meter *m, unsigned bucket, uint64_t count)
{
    if (bucket >= HISTOGRAM_BUCKETS)
        return;
    if (m->baseline_known && count > m->seen_latency[bucket])
        histogram_add_bucket(&m->slots[m->slot % METER_SLOTS], bucket, count - m->seen_latency[bucket]);
    m->seen_latency[bucket] = count;
}

void meter_read_end(struct meter *m)
{
    m->baseline_known = true;
}

/* What had been counted by then; between two marks the counts are taken as having grown evenly. */
static struct meter_mark mark_at(const struct meter *m, usec_t at)
{
    struct meter_mark before = {0};
    for (int i = 0; i <= m->count; i++) {
        const struct meter_mark *mark = i < m->count ? &m->marks[(m->first + i) % METER_MARKS] : &m->now;
        if (mark->at > at) {
            if (i == 0)
                return *mark;
            double share = (double)(at - before.at) / (double)(mark->at - before.at);
            before.requests += (uint64_t)(share * (double)(mark->requests - before.requests));
            before.errors += (uint64_t)(share * (double)(mark->errors - before.errors));
            return before;
        }
        before = *mark;
    }
    return before;
}

double meter_rpm(const struct meter *m, usec_t now)
{
    uint64_t then = mark_at(m, now - METER_MINUTE).requests;
    return (double)(m->now.requests - then) * ((double)USEC_PER_MIN / (double)METER_MINUTE);
}

double meter_error_pct(const struct meter *m, usec_t now)
{
    struct meter_mark then = mark_at(m, now - METER_RECENT);
    uint64_t requests = m->now.requests - then.requests;
    uint64_t errors = m->now.errors - then.errors;
    if (!requests)
        return errors ? 100 : NAN;
    return fmin(100, 100 * (double)errors / (double)requests);
}

void meter_latency(const struct meter *m, usec_t now, struct histogram *out)
{
    uint64_t newest = (uint64_t)(now / SLOT_LENGTH);
    for (int i = 0; i < METER_SLOTS && (uint64_t)i <= m->slot; i++) {
        uint64_t slot = m->slot - (uint64_t)i;
        if (newest < slot + METER_SLOTS)
            histogram_merge(out, &m->slots[slot % METER_SLOTS]);
    }
}
