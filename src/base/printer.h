/* SPDX-License-Identifier: MIT */
/* Lines to a descriptor that may be full, closed or read by nobody: a thread of its own writes them, so that
 * whoever has something to say never waits. What finds no room, or cannot be written, is dropped and counted;
 * how many were lost is written once there is room again. Any thread. */
#ifndef BASE_PRINTER_H
#define BASE_PRINTER_H
#include <stdint.h>

struct printer;

/* The descriptor stays the caller's, and its flags as they are. 0 or -errno. */
int printer_new(struct printer **out, int fd);

/* A line without its end. Never blocks. */
void printer_put(struct printer *printer, const char *line);

/* Lines lost so far. */
uint64_t printer_lost(struct printer *printer);

/* Waits that long for what is queued. A thread that is stuck in a write then is left to the end of the
 * process, with its memory. */
void printer_end(struct printer *printer, int64_t patience_us);

#endif
