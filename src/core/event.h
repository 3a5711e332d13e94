/* SPDX-License-Identifier: MIT */
/* What became of an action, and what the health checks saw. Plain values. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

enum event_kind {
    EVENT_SPAWNED,      /* pid, port */
    EVENT_SPAWN_FAILED, /* text names errno and path */
    EVENT_HEALTHY,      /* passed a check; streak */
    EVENT_UNHEALTHY,    /* failed a check; check, streak, and text says how */
    EVENT_LIVENESS,     /* its liveness check was answered; check, streak, text */
    EVENT_SUSPENDED,    /* a signal has stopped it, and it fails its checks; text says how */
    EVENT_DRAINED,
    EVENT_EXITED, /* the last of its processes; text: "exit status 1", "killed by SIGKILL" */
    EVENT_KIND_COUNT
};

/* How a check ended. */
enum check {
    CHECK_PASSED,
    CHECK_BAD,     /* answered, but not well */
    CHECK_REFUSED, /* no connection, or no HTTP */
    CHECK_SILENT,  /* not answered in its time */
};

/* So many in a row make an instance unready. */
#define CHECK_FALL 3

struct event {
    enum event_kind kind;
    int id;
    int pid, port;
    enum check check;
    int streak; /* checks in a row that passed, that did not, or, of a CHECK_BAD, that were answered badly */
    char text[128];
};

#endif
