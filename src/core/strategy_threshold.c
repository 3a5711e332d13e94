/* SPDX-License-Identifier: MIT */
/* Threshold strategy: hysteresis between two thresholds. Past the upper one it asks for as many instances as
 * would bring the signal under it; past the lower one for as few as keep it under the middle of the band. It
 * gives none away that the noise of the signal may soon make it ask for again. */
#include "core/strategy.h"
#include <math.h>

/* What the signal would be if `count` carried what s->ready carry now. */
static double with_count(const struct situation *s, const struct reading *r, double value, int count)
{
    if (signal_kind(r->signal)->pooling == POOL_SERVICE)
        return value;
    return count > 0 ? value * s->ready / count : INFINITY;
}

static void propose_up(const struct situation *s, const struct reading *r, const struct config_scaling *c,
                       struct proposal *out)
{
    int want = reading_count_for(s, r, r->mean, r->limits.up);
    out->want = want > s->desired ? want : s->desired + 1;
    proposal_add(out, (struct reason){.code = REASON_ABOVE_UP,
                                      .signal = r->signal,
                                      .value = r->mean,
                                      .limit = r->limits.up,
                                      .other = (double)c->stabilization,
                                      .span = r->above_for});
}

static struct reason below(const struct reading *r, const struct config_scaling *c)
{
    return (struct reason){.code = REASON_BELOW_DOWN,
                           .signal = r->signal,
                           .value = r->calm,
                           .limit = r->limits.down,
                           .other = (double)c->stabilization_down,
                           .span = r->below_for};
}

/* The last instance may go only where zero is allowed, and when nobody asks for anything. */
static void propose_none(const struct situation *s, const struct reading *r, const struct config_scaling *c,
                         struct proposal *out)
{
    if (c->min_instances == 0 && s->rpm > 0)
        proposal_add(out, (struct reason){.code = REASON_STILL_USED, .value = s->rpm});
    else
        out->want = 0;
    proposal_add(out, below(r, c));
}

/* The fewest that keep the signal under the middle of the band, and what its noise may reach under the top.
 */
static int fewest(const struct situation *s, const struct reading *r)
{
    int want = reading_count_for(s, r, r->calm, (r->limits.up + r->limits.down) / 2);
    int keep = reading_count_for(s, r, r->crest, r->limits.up);
    want = want > keep ? want : keep;
    return want > 1 ? want : 1;
}

static void propose_down(const struct situation *s, const struct reading *r, const struct config_scaling *c,
                         struct proposal *out)
{
    int want = fewest(s, r);
    if (want >= s->desired)
        proposal_add(out, (struct reason){.code = REASON_WOULD_EXCEED_UP,
                                          .signal = r->signal,
                                          .value = with_count(s, r, r->crest, s->desired - 1),
                                          .limit = r->limits.up});
    else
        out->want = want;
    proposal_add(out, below(r, c));
}

static void react(const struct situation *s, const struct reading *r, const struct config_scaling *c,
                  struct proposal *out)
{
    if (reading_is_above(r))
        propose_up(s, r, c, out);
    else if (!reading_is_below(r))
        proposal_add(out, reading_rest_reason(r));
    else if (s->desired > 1)
        propose_down(s, r, c, out);
    else
        propose_none(s, r, c, out);
}

const struct strategy_ops strategy_threshold = {
    .name = "threshold",
    .summary = "one more above the upper threshold, one fewer below the lower one",
    .react = react,
};
