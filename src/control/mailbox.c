/* SPDX-License-Identifier: MIT */
/* Owns the one shared copy of the snapshot and the ring of waiting commands, both under one mutex that is
 * held only while copying. Eventfds wake the sides; they carry no data, so a lost or doubled wake does no
 * harm. */
#include "control/mailbox.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    pthread_mutex_t mutex;
    int snapshot_fd, command_fd, end_fd;
    bool closed;
    uint64_t next_command_id;
    int first, count; /* of the ring */
    struct command commands[EXCHANGE_COMMANDS_MAX];
    struct snapshot snapshot;
};

int mailbox_new(struct mailbox **out)
{
    struct mailbox *x = calloc(1, sizeof *x);
    if (!x)
        return -ENOMEM;
    pthread_mutex_init(&x->mutex, NULL);
    x->next_command_id = 1;
    x->snapshot_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    x->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    x->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (x->snapshot_fd < 0 || x->command_fd < 0 || x->end_fd < 0) {
        int error = -errno;
        mailbox_free(x);
        return error;
    }
    *out = x;
    return 0;
}

void mailbox_free(struct mailbox *x)
{
    if (!x)
        return;
    if (x->snapshot_fd >= 0)
        close(x->snapshot_fd);
    if (x->command_fd >= 0)
        close(x->command_fd);
    if (x->end_fd >= 0)
        close(x->end_fd);
    pthread_mutex_destroy(&x->mutex);
    free(x);
}

/* Only what is in use: the tables at the end are most of the half megabyte and mostly empty. */
static void snapshot_copy(struct snapshot *to, const struct snapshot *from)
{
    memcpy(to, from, offsetof(struct snapshot, instances));
    memcpy(to->instances, from->instances, (size_t)from->instance_count * sizeof from->instances[0]);
    memcpy(to->history, from->history, (size_t)from->history_count * sizeof from->history[0]);
    memcpy(to->journal, from->journal, (size_t)from->journal_count * sizeof from->journal[0]);
}

static void wake(int fd)
{
    uint64_t one = 1;
    /* A full counter means that the other side has its wake already. */
    if (write(fd, &one, sizeof one) < 0)
        return;
}

static void clear(int fd)
{
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0)
        return;
}

static bool port_read(void *ctx, struct snapshot *out)
{
    struct mailbox *x = ctx;
    pthread_mutex_lock(&x->mutex);
    bool newer = x->snapshot.seq != out->seq;
    if (newer)
        snapshot_copy(out, &x->snapshot);
    pthread_mutex_unlock(&x->mutex);
    return newer;
}

static uint64_t port_post(void *ctx, const struct command *command)
{
    struct mailbox *x = ctx;
    uint64_t id = 0;
    pthread_mutex_lock(&x->mutex);
    if (x->count < EXCHANGE_COMMANDS_MAX && !x->closed) {
        struct command *slot = &x->commands[(x->first + x->count++) % EXCHANGE_COMMANDS_MAX];
        *slot = *command;
        slot->id = id = x->next_command_id++;
    }
    pthread_mutex_unlock(&x->mutex);
    if (id)
        wake(x->command_fd);
    return id;
}

struct port mailbox_port(struct mailbox *x)
{
    return (struct port){.ctx = x, .read = port_read, .post = port_post};
}

int mailbox_snapshot_fd(const struct mailbox *x)
{
    return x->snapshot_fd;
}

int mailbox_end_fd(const struct mailbox *x)
{
    return x->end_fd;
}

void mailbox_publish(struct mailbox *x, struct snapshot *snapshot)
{
    pthread_mutex_lock(&x->mutex);
    snapshot->seq = x->snapshot.seq + 1;
    snapshot_copy(&x->snapshot, snapshot);
    pthread_mutex_unlock(&x->mutex);
    wake(x->snapshot_fd);
}

void mailbox_close(struct mailbox *x)
{
    pthread_mutex_lock(&x->mutex);
    x->closed = true;
    pthread_mutex_unlock(&x->mutex);
    wake(x->end_fd);
}

int mailbox_command_fd(const struct mailbox *x)
{
    return x->command_fd;
}

bool mailbox_take(struct mailbox *x, struct command *out)
{
    pthread_mutex_lock(&x->mutex);
    bool some = x->count > 0;
    if (some) {
        *out = x->commands[x->first];
        x->first = (x->first + 1) % EXCHANGE_COMMANDS_MAX;
        x->count--;
    } else {
        clear(x->command_fd); /* under the mutex: a post that comes now wakes us again */
    }
    pthread_mutex_unlock(&x->mutex);
    return some;
}
