/* SPDX-License-Identifier: MIT */
/* A bounded box under a mutex that is never held for longer than a copy. */
#include "balance/inbox.h"
#include <string.h>
#include <unistd.h>

void inbox_init(struct inbox *box)
{
    pthread_mutex_init(&box->lock, NULL);
    box->count = 0;
    box->closed = false;
}

bool inbox_put(struct inbox *box, const struct arrival *arrival)
{
    pthread_mutex_lock(&box->lock);
    bool room = !box->closed && box->count < INBOX_MAX;
    if (room)
        box->items[box->count++] = *arrival;
    pthread_mutex_unlock(&box->lock);
    return room;
}

unsigned inbox_take(struct inbox *box, struct arrival out[INBOX_MAX])
{
    pthread_mutex_lock(&box->lock);
    unsigned count = box->count;
    memcpy(out, box->items, count * sizeof(out[0]));
    box->count = 0;
    pthread_mutex_unlock(&box->lock);
    return count;
}

void inbox_close(struct inbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->closed = true;
    for (unsigned i = 0; i < box->count; i++)
        close(box->items[i].fd);
    box->count = 0;
    pthread_mutex_unlock(&box->lock);
}
