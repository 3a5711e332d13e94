/* SPDX-License-Identifier: MIT */
/* Numbers as columns of the screen show them; "-" where nothing was measured. All return out. */
#ifndef UI_FORMAT_H
#define UI_FORMAT_H
#include "core/units.h"

#define FORMAT_SIZE 32

char *format_number(char out[FORMAT_SIZE], double value); /* 61, 1.2k */
char *format_rate(char out[FORMAT_SIZE], double value);   /* 0.0, 1.3, 12: errors in percent */
char *format_percent(char text[FORMAT_SIZE]);             /* adds the sign to one of these: 61% */
char *format_ms(char out[FORMAT_SIZE], int64_t us);       /* 0.4, 12, 1.2s */
char *format_megabytes(char out[FORMAT_SIZE], int64_t bytes);
char *format_span(char out[FORMAT_SIZE], usec_t span);     /* as in the decisions; past = 0s */
char *format_time(char out[FORMAT_SIZE], int64_t wall_us); /* 12:40:31, local time */

#endif
