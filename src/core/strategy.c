/* SPDX-License-Identifier: MIT */
/* The registry of strategies and their memories: all observe, one is asked. */
#include "core/strategy.h"
#include <stdalign.h>

static const struct strategy_ops *const registry[] = {
#define ENTRY(id, name) [CONFIG_STRATEGY_##id] = &strategy_##name,
    STRATEGIES(ENTRY)
#undef ENTRY
};

const struct strategy_ops *strategy_at(int index)
{
    return index >= 0 && index < (int)(sizeof registry / sizeof *registry) ? registry[index] : NULL;
}

/* Where the memory of one begins; of one past the end: how long all are. */
static size_t offset_of(int index)
{
    size_t offset = 0, align = alignof(max_align_t);
    for (int i = 0; i < index; i++)
        offset += (registry[i]->size + align - 1) / align * align;
    return offset;
}

size_t strategy_memory_size(void)
{
    return offset_of((int)(sizeof registry / sizeof *registry));
}

void strategy_memory_init(void *memory, const struct config_scaling *c, usec_t now)
{
    for (int i = 0; strategy_at(i); i++)
        if (registry[i]->init)
            registry[i]->init((char *)memory + offset_of(i), c, now);
}

void strategy_observe(void *memory, const struct situation *s, const struct config_scaling *c)
{
    for (int i = 0; strategy_at(i); i++)
        if (registry[i]->observe)
            registry[i]->observe((char *)memory + offset_of(i), s, c);
}

static bool anything_usable(const struct situation *s, const struct config_scaling *c)
{
    for (int i = 0; i < s->reading_count; i++)
        if (reading_is_usable(&s->readings[i], c))
            return true;
    return false;
}

void strategy_propose(const void *memory, const struct situation *s, const struct config_scaling *c,
                      struct proposal *out)
{
    const struct strategy_ops *ops = strategy_at(c->strategy);
    *out = (struct proposal){.want = s->desired};
    if (s->ready <= 0 || !anything_usable(s, c))
        return;
    if (ops->react)
        strategy_react(ops, s, c, out);
    else
        ops->propose((const char *)memory + offset_of(c->strategy), s, c, out);
}

void proposal_add(struct proposal *p, struct reason reason)
{
    if (p->reason_count < PROPOSAL_REASONS_MAX)
        p->reasons[p->reason_count++] = reason;
}
