/* SPDX-License-Identifier: MIT */
/* A bounded box under a mutex that is never held for longer than a copy. */
#include "balance/inbox.h"
#include <string.h>

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
    memcpy(out, box->items, count * sizeof out[0]);
    box->count = 0;
    pthread_mutex_unlock(&box->lock);
    return count;
}

bool inbox_close(struct inbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool empty = box->count == 0;
    box->closed = box->closed || empty;
    pthread_mutex_unlock(&box->lock);
    return empty;
}
