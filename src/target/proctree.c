/* SPDX-License-Identifier: MIT */
/* Owns one table of member processes for all instances, each with an open descriptor of its stat file while
 * there are not too many, and the CPU accounts of the instances. Invariant: a member's identity is (pid,
 * start_ticks); whatever reads or signals one checks it. Control thread only.
 *
 * CPU: an account grows by what its living members used themselves, by all that new ones have used, and by
 * what parents inherited from waited children, less what of that had been counted while those children lived.
 */
#include "target/proctree.h"
#include "target/proc.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OPEN_MAX = 512,     /* stat descriptors kept open */
    MEMBERS_MAX = 8192, /* more than this is a fork bomb: the rest is found as these end */
    PROBE_MAX = 256,    /* new pids looked at one by one; beyond, the whole of /proc is read */
};

struct member {
    int owner;
    int fd; /* of its stat file, -1: opened for each reading */
    bool leader, gone;
    bool settled;          /* gone, and its time is nobody's to inherit any more */
    bool waited;           /* gone since the scan before */
    struct proc_stat stat; /* as of the last scan */
};

struct account {
    int owner;
    pid_t foster; /* to whom orphans of this instance go */
    char key[PROCTREE_KEY_SIZE];
    uint64_t cpu_us;
    uint64_t inherited_us; /* during a scan: waited children's time that is not accounted for yet */
};

struct proctree {
    pid_t self, own_session;
    int loadavg_fd, open_count;
    bool (*is_own)(void *context, pid_t pid); /* NULL: none of the children is */
    void *context;
    pid_t probed_before, probed; /* the last pid at the scan before the last, and at the last */
    struct account *accounts;
    int account_count, account_capacity;
    struct member *members;
    int member_count, member_capacity;
};

int proctree_new(struct proctree **out)
{
    struct proctree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return -ENOMEM;
    tree->self = getpid();
    tree->own_session = getsid(0);
    tree->loadavg_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    if (tree->loadavg_fd < 0) {
        int error = -errno;
        free(tree);
        return error;
    }
    tree->probed = tree->probed_before = proc_last_pid(tree->loadavg_fd);
    *out = tree;
    return 0;
}

static void close_member(struct proctree *tree, struct member *member)
{
    if (member->fd < 0)
        return;
    close(member->fd);
    member->fd = -1;
    tree->open_count--;
}

void proctree_free(struct proctree *tree)
{
    if (!tree)
        return;
    for (int i = 0; i < tree->member_count; i++)
        close_member(tree, &tree->members[i]);
    close(tree->loadavg_fd);
    free(tree->members);
    free(tree->accounts);
    free(tree);
}

void proctree_spare(struct proctree *tree, bool (*is_own)(void *context, pid_t pid), void *context)
{
    tree->is_own = is_own;
    tree->context = context;
}

static struct account *find_account(const struct proctree *tree, int owner)
{
    for (int i = 0; i < tree->account_count; i++)
        if (tree->accounts[i].owner == owner)
            return &tree->accounts[i];
    return NULL;
}

static struct member *find_member(const struct proctree *tree, pid_t pid)
{
    for (int i = 0; i < tree->member_count; i++)
        if (tree->members[i].stat.pid == pid)
            return &tree->members[i];
    return NULL;
}

/* Room for one element more; false: out of memory. */
static bool grow(void **array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    int wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *bigger = realloc(*array, (size_t)wanted * size);
    if (!bigger)
        return false;
    *array = bigger;
    *capacity = wanted;
    return true;
}

static int read_member(const struct member *member, struct proc_stat *out)
{
    if (member->fd >= 0)
        return proc_stat_read(member->fd, out);
    int error = proc_stat_get(member->stat.pid, out);
    if (error == 0 && out->start_ticks != member->stat.start_ticks)
        return -ESRCH;
    return error;
}

/* Takes over fd. */
static struct member *add_member(struct proctree *tree, int owner, int fd, const struct proc_stat *stat)
{
    if (tree->member_count == MEMBERS_MAX ||
        !grow((void **)&tree->members, tree->member_count, &tree->member_capacity, sizeof *tree->members)) {
        close(fd);
        return NULL;
    }
    if (tree->open_count == OPEN_MAX) {
        close(fd);
        fd = -1;
    }
    tree->open_count += fd >= 0;
    struct member *member = &tree->members[tree->member_count++];
    *member = (struct member){.owner = owner, .fd = fd, .stat = *stat};
    return member;
}

/* Whose orphan this is: the instance's whose key it carries; nobody's when it comes from us but cannot say.
 */
static int orphan_owner(const struct proctree *tree, const struct proc_stat *stat)
{
    bool fostered = false;
    for (int i = 0; i < tree->account_count; i++)
        fostered |= stat->parent == tree->accounts[i].foster;
    if (!fostered)
        return -1;
    char key[PROCTREE_KEY_SIZE];
    if (proc_environment(stat->pid, PROCTREE_MARK, key, sizeof key))
        for (int i = 0; i < tree->account_count; i++)
            if (strcmp(tree->accounts[i].key, key) == 0)
                return tree->accounts[i].owner;
    /* Our own children share our session or are known; another one was left to us by an instance. */
    bool own = stat->parent != tree->self || stat->session == tree->own_session ||
               (tree->is_own && tree->is_own(tree->context, stat->pid));
    return own ? -1 : PROCTREE_NOBODY;
}

/* The owner, or -1: not one of ours. */
static int find_owner(const struct proctree *tree, const struct proc_stat *stat)
{
    for (int i = 0; i < tree->member_count; i++) {
        const struct member *member = &tree->members[i];
        if (member->stat.pid == stat->parent)
            return member->owner;
        /* The launcher is in our session until it leaves it; nothing else may match by that. */
        if (member->stat.session == stat->session && stat->session != tree->own_session && stat->session != 0)
            return member->owner;
    }
    return orphan_owner(tree, stat);
}

/* Looks at a pid; adds it when it is one of ours and new. */
static struct member *probe(struct proctree *tree, pid_t pid)
{
    const struct member *known = find_member(tree, pid);
    if (known && !known->gone)
        return NULL;
    /* Many new pids were threads that have ended; to ask is much cheaper than a walk through /proc. */
    if (kill(pid, 0) < 0 && errno == ESRCH)
        return NULL;
    int fd = proc_stat_open(pid);
    if (fd < 0)
        return NULL;
    struct proc_stat stat;
    int owner = proc_stat_read(fd, &stat) == 0 ? find_owner(tree, &stat) : -1;
    if (owner < 0 || !proc_is_process(pid)) {
        close(fd);
        return NULL;
    }
    return add_member(tree, owner, fd, &stat);
}

/* Counts what a process used before it was first seen. */
static void count_past(struct proctree *tree, const struct member *member)
{
    struct account *account = !member ? NULL : find_account(tree, member->owner);
    if (account)
        account->cpu_us += member->stat.cpu_us + member->stat.child_us;
}

static void probe_everything(struct proctree *tree, bool count)
{
    DIR *directory = opendir("/proc");
    if (!directory)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        const struct member *member = pid > 0 && pid != tree->self ? probe(tree, pid) : NULL;
        if (count)
            count_past(tree, member);
    }
    closedir(directory);
}

static void discover(struct proctree *tree)
{
    pid_t last = proc_last_pid(tree->loadavg_fd);
    if (last < 0)
        return;
    /* Again from the scan before the last: a pid is given before its process can be seen. */
    pid_t from = tree->probed_before + 1;
    tree->probed_before = tree->probed;
    tree->probed = last;
    if (last < from - 1 || last - from >= PROBE_MAX) {
        /* Twice: after a wrap of the pids a child may be listed before its parent. */
        probe_everything(tree, true);
        probe_everything(tree, true);
        return;
    }
    for (pid_t pid = from; pid <= last; pid++)
        count_past(tree, probe(tree, pid));
}

/* Whether a zombie will never be waited for by somebody of its own; ours are reaped at once. */
static bool bury(const struct proctree *tree, const struct member *member)
{
    if (member->leader && member->stat.parent == tree->self)
        return false;
    if (member->stat.parent == tree->self)
        return waitpid(member->stat.pid, NULL, WNOHANG) == member->stat.pid;
    return !find_member(tree, member->stat.parent);
}

static void refresh(struct proctree *tree, struct member *member)
{
    struct proc_stat stat;
    if (member->gone)
        return;
    int error = read_member(member, &stat);
    if (error == -ESRCH) {
        member->gone = true;
        member->settled = !find_account(tree, member->owner);
        close_member(tree, member);
    }
    if (error != 0)
        return;
    struct account *account = find_account(tree, member->owner);
    if (account) {
        account->cpu_us += stat.cpu_us - member->stat.cpu_us;
        account->inherited_us += stat.child_us - member->stat.child_us;
    }
    member->stat = stat;
    if (stat.state == 'Z' && bury(tree, member)) {
        member->gone = member->settled = true;
        close_member(tree, member);
    }
}

/* What a waited child had used was counted while it lived; its parent has inherited it now. One that was
 * waited for after its parent was looked at is found inherited by the next scan. */
static void settle_account(struct proctree *tree, struct account *account)
{
    for (int i = 0; i < tree->member_count; i++) {
        struct member *member = &tree->members[i];
        uint64_t counted = member->stat.cpu_us + member->stat.child_us;
        if (!member->gone || member->settled || member->owner != account->owner)
            continue;
        member->settled = member->waited || counted <= account->inherited_us;
        member->waited = true;
        if (counted <= account->inherited_us)
            account->inherited_us -= counted;
    }
    account->cpu_us += account->inherited_us;
    account->inherited_us = 0;
}

static void drop_gone(struct proctree *tree)
{
    int kept = 0;
    for (int i = 0; i < tree->member_count; i++)
        if (!tree->members[i].gone || !tree->members[i].settled)
            tree->members[kept++] = tree->members[i];
    tree->member_count = kept;
}

void proctree_scan(struct proctree *tree)
{
    discover(tree);
    drop_gone(tree);
    for (int i = 0; i < tree->member_count; i++)
        refresh(tree, &tree->members[i]);
    for (int i = 0; i < tree->account_count; i++)
        settle_account(tree, &tree->accounts[i]);
}

static int follow(struct proctree *tree, int owner, pid_t leader)
{
    struct proc_stat stat;
    int fd = proc_stat_open(leader);
    if (fd < 0)
        return fd;
    int error = proc_stat_read(fd, &stat);
    if (error != 0) {
        close(fd);
        return error;
    }
    struct member *member = add_member(tree, owner, fd, &stat);
    if (!member)
        return -ENOMEM;
    member->leader = true;
    return 0;
}

int proctree_add(struct proctree *tree, int owner, pid_t leader, const char *key, bool adopted)
{
    if (!grow((void **)&tree->accounts, tree->account_count, &tree->account_capacity, sizeof *tree->accounts))
        return -ENOMEM;
    int error = follow(tree, owner, leader);
    if (error != 0)
        return error;
    struct account *account = &tree->accounts[tree->account_count++];
    *account = (struct account){.owner = owner, .foster = tree->self};
    snprintf(account->key, sizeof account->key, "%s", key);
    if (adopted) {
        account->foster = find_member(tree, leader)->stat.parent;
        probe_everything(tree, false);
        probe_everything(tree, false);
    }
    return 0;
}

void proctree_remove(struct proctree *tree, int owner)
{
    for (int i = 0; i < tree->member_count; i++)
        if (tree->members[i].owner == owner) {
            close_member(tree, &tree->members[i]);
            tree->members[i].gone = tree->members[i].settled = true;
        }
    drop_gone(tree);
    struct account *account = find_account(tree, owner);
    if (account)
        *account = tree->accounts[--tree->account_count];
}

int proctree_count(const struct proctree *tree, int owner)
{
    int count = 0;
    for (int i = 0; i < tree->member_count; i++)
        count += tree->members[i].owner == owner;
    return count;
}

int proctree_pids(const struct proctree *tree, int owner, pid_t *out, int max)
{
    int count = 0;
    for (int i = 0; i < tree->member_count && count < max; i++)
        if (tree->members[i].owner == owner && !tree->members[i].gone)
            out[count++] = tree->members[i].stat.pid;
    return count;
}

bool proctree_is_stopped(const struct proctree *tree, int owner)
{
    for (int i = 0; i < tree->member_count; i++) {
        const struct member *member = &tree->members[i];
        if (member->owner == owner && !member->gone && member->stat.state == 'T')
            return true;
    }
    return false;
}

struct proctree_usage proctree_usage(const struct proctree *tree, int owner)
{
    const struct account *account = find_account(tree, owner);
    struct proctree_usage usage = {.cpu_us = !account ? 0 : account->cpu_us};
    for (int i = 0; i < tree->member_count; i++)
        if (tree->members[i].owner == owner && !tree->members[i].gone)
            usage.memory_bytes += tree->members[i].stat.memory_bytes;
    return usage;
}

static bool signal_member(const struct member *member, int signal_number)
{
    int pidfd = pidfd_open(member->stat.pid, 0);
    if (pidfd < 0)
        return false;
    /* When the process we know is still there now, it is the one behind the pidfd. */
    struct proc_stat stat;
    bool sent = read_member(member, &stat) == 0 && pidfd_send_signal(pidfd, signal_number, NULL, 0) == 0;
    close(pidfd);
    return sent;
}

int proctree_signal(const struct proctree *tree, int owner, int signal_number)
{
    int count = 0;
    for (int i = 0; i < tree->member_count; i++)
        if (tree->members[i].owner == owner && !tree->members[i].gone)
            count += signal_member(&tree->members[i], signal_number);
    return count;
}

/* Whether it is left from that session; then *out is what signal_member() needs. The caller closes out->fd.
 */
static bool is_left(pid_t pid, pid_t session, uint64_t since_ticks, struct member *out)
{
    char key[PROCTREE_KEY_SIZE];
    *out = (struct member){.fd = proc_stat_open(pid)};
    if (out->fd < 0)
        return false;
    bool left = proc_stat_read(out->fd, &out->stat) == 0 && out->stat.session == session &&
                out->stat.start_ticks >= since_ticks && proc_environment(pid, PROCTREE_MARK, key, sizeof key);
    if (!left)
        close(out->fd);
    return left;
}

int proctree_end_session(pid_t session, uint64_t since_ticks)
{
    DIR *directory = opendir("/proc");
    if (!directory)
        return 0;
    int count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        struct member member;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !is_left(pid, session, since_ticks, &member))
            continue;
        count += signal_member(&member, SIGKILL);
        close(member.fd);
    }
    closedir(directory);
    return count;
}
