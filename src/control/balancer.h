/* SPDX-License-Identifier: MIT */
/* Keeps ascale-balance running in the path: owns the listening socket, starts the program on it and starts it
 * again when it ends, tells it the backends, and reads what it measures. Nothing here blocks; all calls and
 * callbacks are the control thread's. */
#ifndef CONTROL_BALANCER_H
#define CONTROL_BALANCER_H
#include "control/state.h"
#include "core/journal.h"
#include "core/sample.h"
#include "core/snapshot.h"

struct loop;
struct balancer;

struct balancer_setup {
    struct loop *loop;
    const struct config *config; /* read now; changes come by balancer_reconfigure() */
    const char *program;         /* path of ascale-balance; borrowed, the other texts are copied */
    const char *socket_path;     /* of its control socket */
    const char *log_path;        /* where its standard error goes */
    struct state_process adopt;  /* a balancer that may live on from an earlier controller; pid 0 = none */
    void *context;
    void (*drained)(void *context, int instance); /* no request is in flight to it any more */
    void (*reported)(void *context);              /* what balancer_sample() says is new */
    void (*burst)(void *context);                 /* load grows faster than the next step would see */
    void (*changed)(void *context);               /* something in the view or the state record is new */
    void (*note)(void *context, enum journal_level level, int instance, const char *text);
};

/* Binds the address and starts the program, or takes over the one that lives. NULL: err says why. */
struct balancer *balancer_open(const struct balancer_setup *setup, char *err, size_t err_size);

/* Closes what is ours; a running program is left alone. */
void balancer_close(struct balancer *balancer);

/* Live settings go to the running program. */
void balancer_reconfigure(struct balancer *balancer, const struct config *config);

/* The instance takes requests at its port; takes no new ones; is forgotten. */
void balancer_admit(struct balancer *balancer, int instance, int port);
void balancer_drain(struct balancer *balancer, int instance); /* answered by drained(), perhaps at once */
void balancer_spare(struct balancer *balancer, int instance); /* only while no other has room */
void balancer_eject(struct balancer *balancer, int instance); /* until it is admitted again */
void balancer_remove(struct balancer *balancer, int instance);

/* Its control socket has lost its path: another is bound there and passed to it over the open connection. 0
 * or -errno. */
int balancer_rebind(struct balancer *balancer);

/* What is at that path is another controller's from now on, or ours again: it is not unlinked. */
void balancer_lose_socket(struct balancer *balancer, bool lost);

/* Sends the set of backends if it changed: once at the end of a turn. */
void balancer_flush(struct balancer *balancer);

void balancer_sample(const struct balancer *balancer, struct sample *out, usec_t now);
void balancer_view(const struct balancer *balancer, struct balancer_view *out, usec_t now);
struct state_process balancer_process(const struct balancer *balancer);

/* Where users connect: "http://127.0.0.1:8000". */
const char *balancer_url(const struct balancer *balancer);

/* Asks it to finish its requests and end, then makes it; hurry: at once. */
void balancer_stop(struct balancer *balancer, bool hurry);
bool balancer_stopped(const struct balancer *balancer);

#endif
