/* SPDX-License-Identifier: MIT */
/* Tracking strategy: outside the band it asks for exactly the count that would put the signal on its target,
 * want = ceil(count * signal / target). A signal at its top hides how much more is wanted: then it asks for a
 * quarter more than the formula, and says so. */
#include "core/strategy.h"
#include <math.h>

static int want_for(const struct situation *s, double signal, double target)
{
    double want = ceil(s->ready * signal / fmax(target, 0.1) - 1e-9);
    return want < CONFIG_INSTANCES_MAX ? (int)want : CONFIG_INSTANCES_MAX;
}

static void propose(const struct situation *s, const struct config_scaling *c, struct proposal *out)
{
    bool above = strategy_is_above(s, c), below = strategy_is_below(s, c);
    double seen = above ? s->mean : s->calm;
    int want = want_for(s, seen, c->target_cpu);
    out->want = s->desired;
    if (!above && !below) {
        proposal_add(out, strategy_rest_reason(s, c));
        return;
    }
    if (s->desired > 0 && want < 1)
        want = 1;
    if (above && strategy_saturated(s))
        want += (want + 3) / 4;
    proposal_add(out, (struct reason){.code = REASON_TRACKING,
                                      .value = seen,
                                      .limit = c->target_cpu,
                                      .other = want,
                                      .span = above ? s->above_for : s->below_for});
    if (above && strategy_saturated(s))
        proposal_add(out, (struct reason){.code = REASON_SATURATED, .value = s->signal});
    if ((above && want > s->desired) || (below && want < s->desired))
        out->want = want;
}

const struct strategy_ops strategy_tracking = {
    .name = "tracking",
    .summary = "the count that puts the signal on target_cpu",
    .propose = propose,
};
