/* SPDX-License-Identifier: MIT */
/* Waiting on what the main thread listens to, for the screen and for plain output alike. */
#ifndef UI_WAIT_H
#define UI_WAIT_H
#include "core/units.h"

struct wait {
    int input, output, signal_fd, wake_fd, end_fd; /* -1 = none; output: waits until it takes something */
    bool hung_up, signaled, ended;                 /* what came of it */
};

/* Returns when something came or the time is over; a wake is taken from its eventfd. */
void wait_for(struct wait *wait, usec_t timeout);
/* The next signal of a signalfd; 0 when there is none. */
int wait_signal(int signal_fd);

#endif
