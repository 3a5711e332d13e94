/* SPDX-License-Identifier: MIT */
/* Connections one worker has accepted for another, so that all have their share: the kernel tends to wake the
 * same one. Locked, once a connection; any thread. */
#ifndef BALANCE_INBOX_H
#define BALANCE_INBOX_H
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#define INBOX_MAX 64

struct arrival {
    int fd;
    struct sockaddr_storage peer;
};

struct inbox {
    pthread_mutex_t lock;
    bool closed;
    unsigned count;
    struct arrival items[INBOX_MAX];
};

void inbox_init(struct inbox *box);

/* False: it is full or closed, and the descriptor still the caller's. */
bool inbox_put(struct inbox *box, const struct arrival *arrival);

/* Empties it into out; how many there were. */
unsigned inbox_take(struct inbox *box, struct arrival out[INBOX_MAX]);

/* Takes no more from now on; false: something is in it, and it stays open. */
bool inbox_close(struct inbox *box);

#endif
