/* SPDX-License-Identifier: MIT */
/* The program's log: one timestamped line a message, to standard error or to a file opened O_APPEND and
 * rotated once past its cap (FILE -> FILE.1). Messages are made harmless first, so no application can forge a
 * line. Any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Before the first log_open() messages go to standard error at level info. path NULL or "": standard error.
 * max_size 0: no rotation. 0 or -errno; on error the log stays where it was. */
int log_open(const char *path, enum log_level level, int64_t max_size);
/* Opens the file at its path anew, as after a rotation by somebody else; it does so by itself, too, when a
 * message finds the file moved or gone. Where it cannot be opened the old one is kept. */
void log_reopen(void);
void log_set_level(enum log_level level);

/* How a message is made harmless: text_clean() of the core, set once before threads start. Without it every
 * byte that is not printable ASCII becomes '?'. */
void log_clean_with(size_t (*clean)(char *out, size_t out_size, const char *text));

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Messages that could not be written (disk full). */
uint64_t log_dropped(void);

#endif
