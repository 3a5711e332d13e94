/* SPDX-License-Identifier: MIT */
/* Threshold strategy: hysteresis between two thresholds. Past the upper one it asks for as many instances as
 * would bring the signal under it; past the lower one for as few as keep it under the middle of the band. It
 * gives none away that the noise of the signal may soon make it ask for again. */
#include "core/strategy.h"
#include <math.h>

/* What the signal would be if `count` carried what s->ready carry now. */
static double with_count(const struct situation *s, double signal, int count)
{
    return count > 0 ? signal * s->ready / count : INFINITY;
}

static int count_for(const struct situation *s, double signal, double limit)
{
    double count = ceil(signal * s->ready / fmax(limit, 0.1) - 1e-9);
    return count < CONFIG_INSTANCES_MAX ? (int)count : CONFIG_INSTANCES_MAX;
}

static void propose_up(const struct situation *s, const struct config_scaling *c, struct proposal *out)
{
    int want = count_for(s, s->mean, c->scale_up_threshold);
    out->want = want > s->desired ? want : s->desired + 1;
    proposal_add(out, (struct reason){.code = REASON_ABOVE_UP,
                                      .value = s->mean,
                                      .limit = c->scale_up_threshold,
                                      .other = (double)c->stabilization,
                                      .span = s->above_for});
}

static struct reason below(const struct situation *s, const struct config_scaling *c)
{
    return (struct reason){.code = REASON_BELOW_DOWN,
                           .value = s->calm,
                           .limit = c->scale_down_threshold,
                           .other = (double)c->stabilization_down,
                           .span = s->below_for};
}

/* The last instance may go only where zero is allowed, and when nobody asks for anything. */
static void propose_none(const struct situation *s, const struct config_scaling *c, struct proposal *out)
{
    if (c->min_instances == 0 && s->rpm > 0)
        proposal_add(out, (struct reason){.code = REASON_STILL_USED, .value = s->rpm});
    else
        out->want = 0;
    proposal_add(out, below(s, c));
}

static void propose_down(const struct situation *s, const struct config_scaling *c, struct proposal *out)
{
    double middle = (c->scale_up_threshold + c->scale_down_threshold) / 2;
    int want = count_for(s, s->calm, middle), keep = count_for(s, s->crest, c->scale_up_threshold);
    want = want > keep ? want : keep;
    want = want > 1 ? want : 1;
    if (want >= s->desired)
        proposal_add(out, (struct reason){.code = REASON_WOULD_EXCEED_UP,
                                          .value = with_count(s, s->crest, s->desired - 1),
                                          .limit = c->scale_up_threshold});
    else
        out->want = want;
    proposal_add(out, below(s, c));
}

static void propose(const struct situation *s, const struct config_scaling *c, struct proposal *out)
{
    out->want = s->desired;
    if (strategy_is_above(s, c))
        propose_up(s, c, out);
    else if (!strategy_is_below(s, c))
        proposal_add(out, strategy_rest_reason(s, c));
    else if (s->desired > 1)
        propose_down(s, c, out);
    else
        propose_none(s, c, out);
}

const struct strategy_ops strategy_threshold = {
    .name = "threshold",
    .summary = "one more above the upper threshold, one fewer below the lower one",
    .propose = propose,
};
