/* SPDX-License-Identifier: MIT */
/* Tracking strategy: outside the band it asks for exactly the count that would put the signal on its target,
 * want = ceil(count * signal / target). A signal at its top hides how much more is wanted: then it asks for a
 * quarter more than the formula, and says so. */
#include "core/strategy.h"

static int wanted(const struct situation *s, const struct reading *r, bool above, bool saturated)
{
    int want = reading_count_for(s, r, above ? r->mean : r->calm, r->limits.target);
    if (s->desired > 0 && want < 1)
        want = 1;
    return saturated ? want + (want + 3) / 4 : want;
}

static void react(const struct situation *s, const struct reading *r, const struct config_scaling *c,
                  struct proposal *out)
{
    bool above = reading_is_above(r), below = reading_is_below(r);
    bool saturated = above && reading_is_saturated(r);
    int want = wanted(s, r, above, saturated);
    (void)c;
    if (!above && !below) {
        proposal_add(out, reading_rest_reason(r));
        return;
    }
    proposal_add(out, (struct reason){.code = REASON_TRACKING,
                                      .signal = r->signal,
                                      .value = above ? r->mean : r->calm,
                                      .limit = r->limits.target,
                                      .other = want,
                                      .span = above ? r->above_for : r->below_for});
    if (saturated)
        proposal_add(out, (struct reason){.code = REASON_SATURATED, .signal = r->signal, .value = r->now});
    if ((above && want > s->desired) || (below && want < s->desired))
        out->want = want;
}

const struct strategy_ops strategy_tracking = {
    .name = "tracking",
    .summary = "the count that puts the signal on target_cpu",
    .react = react,
};
