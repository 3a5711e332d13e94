/* SPDX-License-Identifier: MIT */
/* A thread that fills standard output with log lines, for trying out log rotation and slow readers. */
#ifndef APP_CHATTER_H
#define APP_CHATTER_H

/* Runs until the process ends; 0 or -errno. */
int chatter_start(double megabytes_a_second);

#endif
