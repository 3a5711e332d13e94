/* SPDX-License-Identifier: MIT */
/* At most one order is open. It is closed when the target shows its number, and given again, never changed
 * blindly, when patience runs out: what the target shows is believed, not what it was told. */
#include "core/orders.h"

void orders_init(struct orders *o)
{
    *o = (struct orders){.seen = -1, .ordered = -1};
}

bool orders_see(struct orders *o, int replicas, usec_t now)
{
    bool changed = replicas != o->seen;
    o->seen = replicas;
    o->seen_at = now;
    if (o->ordered == replicas) {
        orders_drop(o);
        o->missed = 0;
    }
    return changed;
}

void orders_give(struct orders *o, int count, usec_t now)
{
    if (count != o->ordered)
        o->since = now;
    o->ordered = count;
    o->ordered_at = now;
    o->due = true;
}

bool orders_take(struct orders *o, int *count)
{
    if (!o->due)
        return false;
    o->due = false;
    *count = o->ordered;
    return true;
}

int orders_miss(struct orders *o)
{
    return ++o->missed;
}

void orders_drop(struct orders *o)
{
    o->ordered = -1;
    o->due = false;
}

bool orders_awaiting(const struct orders *o, usec_t now, usec_t patience)
{
    return o->ordered >= 0 && now - o->ordered_at < patience;
}

usec_t orders_lag(const struct orders *o, usec_t now, usec_t patience)
{
    return o->ordered >= 0 && now - o->since >= patience ? now - o->since : 0;
}

int orders_count(const struct orders *o, usec_t now, usec_t patience)
{
    if (orders_awaiting(o, now, patience))
        return o->ordered;
    return o->seen > 0 ? o->seen : 0;
}
