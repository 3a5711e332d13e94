/* SPDX-License-Identifier: MIT */
/* The only caller of clock_gettime. Read it once a turn of a loop and pass the time on. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>

/* Monotonic microseconds: for every deadline and interval. */
int64_t clock_now_us(void);

/* Microseconds since 1970 UTC: for showing and storing only, it jumps. */
int64_t clock_wall_us(void);

/* CPU time the calling thread, or the whole process, has used so far, in microseconds. */
int64_t clock_thread_cpu_us(void);
int64_t clock_process_cpu_us(void);

#endif
