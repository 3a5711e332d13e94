/* SPDX-License-Identifier: MIT */
/* Closed loop: users are a number, not objects, so that adding one is an assignment. Open loop: due times are
 * drawn one ahead; a backlog is the distance of due from now and needs no queue. */
#include "load/pacer.h"

#include <math.h>

#define END_GRACE  (20 * USEC_PER_MSEC) /* what was due before the end may still start this long after it */
#define LATE       (5 * USEC_PER_MSEC) /* a start later than this after its due time is the generator's fault */
#define SHAPE_STEP (100 * USEC_PER_MSEC) /* how often a closed loop follows its shape */

void pacer_init(struct pacer *pacer, const struct arrivals_plan *plan)
{
    *pacer = (struct pacer){.rate_rps = plan->rate_rps, .left = PACER_ENDLESS, .stop_at = USEC_NEVER};
    arrivals_init(&pacer->stream, plan, 0);
    pacer->due = plan->rate_rps > 0 ? arrivals_next(&pacer->stream) : USEC_NEVER;
}

void pacer_start(struct pacer *pacer, usec_t start)
{
    pacer->stream.start = start;
    if (pacer->due != USEC_NEVER)
        pacer->due += start;
    if (pacer->stop_at != USEC_NEVER)
        pacer->stop_at += start;
}

static int64_t users_now(const struct pacer *pacer, usec_t now)
{
    const struct arrivals_shape *shape = &pacer->stream.plan.shape;
    if (shape->kind == ARRIVALS_CONSTANT)
        return pacer->users;
    return (int64_t)ceil((double)pacer->users * arrivals_factor(shape, now - pacer->stream.start));
}

static bool take_due(struct pacer *pacer, usec_t now, usec_t *scheduled)
{
    if (pacer->due > now) {
        pacer->full = false;
        return false;
    }
    if (pacer->in_flight >= pacer->in_flight_max) {
        pacer->full = true;
        return false;
    }
    if (now - pacer->due > LATE)
        *(pacer->full ? &pacer->held : &pacer->late) += 1;
    pacer->lag = now - pacer->due;
    *scheduled = pacer->due_until = pacer->due;
    pacer->due = arrivals_next(&pacer->stream);
    return true;
}

bool pacer_take(struct pacer *pacer, usec_t now, usec_t *scheduled)
{
    if (now < pacer->stream.start || pacer_over(pacer, now))
        return false;
    if (pacer->rate_rps > 0) {
        if (!take_due(pacer, now, scheduled))
            return false;
    } else {
        if (pacer->in_flight >= users_now(pacer, now))
            return false;
        *scheduled = now;
    }
    pacer->in_flight++;
    if (pacer->left != PACER_ENDLESS)
        pacer->left--;
    return true;
}

void pacer_give(struct pacer *pacer)
{
    /* Nobody may have asked meanwhile: what is due now was held up, too, until a due time lies ahead. */
    pacer->full = pacer->full || pacer->in_flight >= pacer->in_flight_max;
    pacer->in_flight--;
}

usec_t pacer_wake(const struct pacer *pacer, usec_t now)
{
    if (pacer_over(pacer, now))
        return USEC_NEVER;
    if (now < pacer->stream.start)
        return pacer->stream.start;
    usec_t at = USEC_NEVER;
    if (pacer->rate_rps > 0)
        at = pacer->in_flight < pacer->in_flight_max ? pacer->due : USEC_NEVER;
    else if (pacer->stream.plan.shape.kind != ARRIVALS_CONSTANT)
        at = now + SHAPE_STEP;
    usec_t end = now < pacer->stop_at ? pacer->stop_at : pacer->stop_at + END_GRACE;
    return at < end ? at : end;
}

/* How many were due before end and have not started. */
static int64_t overdue(const struct pacer *pacer, usec_t end)
{
    return pacer->rate_rps > 0 && pacer->due < end ? 1 + arrivals_count(&pacer->stream, end) : 0;
}

void pacer_set_rate(struct pacer *pacer, double rate_rps, usec_t now)
{
    int64_t behind = overdue(pacer, now);
    if (behind > 0 && rate_rps > 0)
        behind--; /* it starts now, as the first at the new rate */
    pacer->missed += (uint64_t)behind;
    pacer->rate_rps = rate_rps;
    arrivals_set_rate(&pacer->stream, rate_rps, now);
    pacer->due = arrivals_next(&pacer->stream);
    pacer->full = false;
}

/* When the one after so many more is due; by halves, for it may be far behind. */
static usec_t due_after(const struct pacer *pacer, int64_t count, usec_t end)
{
    usec_t low = pacer->due, high = end;
    while (count > 0 && high - low > 1) {
        usec_t middle = low + (high - low) / 2;
        if (arrivals_count(&pacer->stream, middle) < count)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void pacer_stop(struct pacer *pacer, usec_t now)
{
    if (pacer->stopped)
        return;
    usec_t end = now < pacer->stop_at ? now : pacer->stop_at;
    pacer->stop_at = end;
    pacer->stopped = true;
    pacer->ran_out = pacer->left <= 0;
    if (pacer->ran_out)
        return;
    pacer->due_until = end;
    int64_t missed = overdue(pacer, end);
    if (missed == 0)
        return;
    pacer->ran_out = missed >= pacer->left;
    if (pacer->ran_out) {
        missed = pacer->left;
        pacer->due_until = due_after(pacer, missed - 1, end);
    }
    pacer->missed += (uint64_t)missed;
    pacer->due = USEC_NEVER;
}

bool pacer_over(const struct pacer *pacer, usec_t now)
{
    if (pacer->left <= 0 || pacer->stopped)
        return true;
    if (pacer->rate_rps <= 0 || pacer->due >= pacer->stop_at)
        return now >= pacer->stop_at;
    return now >= pacer->stop_at && now - pacer->stop_at >= END_GRACE;
}
