/* SPDX-License-Identifier: MIT */
/* Starting all instances anew without a moment of less capacity: while old ones are left, one more than
 * wanted stays. That one is started, and when all are ready an old one goes; when it is gone the next is
 * started. Nothing but `old` and two flags is kept, so that whatever else happens to the fleet meanwhile
 * (scaling, ends, orders) only changes what the next look finds. */
#include "core/fleet_roll.h"
#include <stdio.h>

struct census {
    int staying, old, leaving, unready;
};

static struct census census_of(const struct fleet *f)
{
    struct census n = {0};
    for (int i = 0; i < f->count; i++) {
        const struct fleet_instance *in = &f->instances[i];
        bool stays = in->fate != FATE_LEAVE;
        n.staying += stays;
        n.old += stays && in->old;
        n.leaving += !stays && in->state != INSTANCE_NONE;
        n.unready += stays && in->state != INSTANCE_READY && in->state != INSTANCE_BUSY &&
                     in->state != INSTANCE_FAILED;
    }
    return n;
}

static void end(struct fleet *f)
{
    f->rolling = f->one_more = false;
    for (int i = 0; i < f->count; i++)
        f->instances[i].old = false;
}

int fleet_roll_left(const struct fleet *f)
{
    return f->rolling ? census_of(f).old : 0;
}

bool fleet_roll_begin(struct fleet *f, char *why, size_t why_size)
{
    int found = 0;
    if (f->rolling) {
        snprintf(why, why_size, "a roll is under way, %d to go", fleet_roll_left(f));
        return false;
    }
    if (f->wanted >= INSTANCES_MAX) {
        snprintf(why, why_size, "there is no room for one more than %d", f->wanted);
        return false;
    }
    for (int i = 0; i < f->count; i++) {
        struct fleet_instance *in = &f->instances[i];
        in->old = in->fate == FATE_STAY && in->pid > 0;
        found += in->old;
    }
    if (!found)
        snprintf(why, why_size, "no instance runs");
    f->rolling = found > 0;
    return f->rolling;
}

/* One that was on its way out has been adopted as one that stays: it counts as the one more, and goes again.
 */
bool fleet_roll_resume(struct fleet *f, const int *old, int count, int wanted)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        struct fleet_instance *in = fleet_find(f, old[i]);
        if (in)
            in->old = true;
        found += in != NULL;
    }
    if (!found || wanted < 1)
        return false;
    f->wanted = wanted;
    f->rolling = true;
    f->one_more = census_of(f).staying > wanted;
    return true;
}

int fleet_roll_extra(struct fleet *f, struct journal *j, usec_t now)
{
    struct census n = census_of(f);
    if (!f->rolling)
        return 0;
    if (!n.old || !f->wanted) {
        end(f);
        if (f->wanted)
            journal_note(j, now, LEVEL_INFO, 0, "the roll is done: all instances have been started anew");
    } else if (!n.unready && f->one_more && n.staying > f->wanted) {
        f->one_more = false;
    } else if (!n.unready && !n.leaving) {
        f->one_more = true;
    }
    return f->one_more;
}

void fleet_roll_give_up(struct fleet *f, struct journal *j, int id, usec_t now)
{
    int left = fleet_roll_left(f);
    if (!f->rolling)
        return;
    end(f);
    journal_note(j, now, LEVEL_WARNING, 0,
                 "the roll is stopped, since i%d cannot be started; %d not replaced", id, left);
}
