/* SPDX-License-Identifier: MIT */
/* Takes the listening socket back from a balancer that outlived its controller. */
#ifndef CONTROL_BALANCER_ADOPT_H
#define CONTROL_BALANCER_ADOPT_H

/* Asks the balancer on that control socket for its listening socket; waits at most a second. Returns the
 * descriptor (close-on-exec) or -errno. Called before the loop runs. */
int balancer_adopt_listener(const char *socket_path);

#endif
