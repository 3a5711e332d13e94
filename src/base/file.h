/* SPDX-License-Identifier: MIT */
/* Files as wholes: read with a cap, locked against a second process. Any thread. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads a regular file of at most max bytes; *out is NUL-terminated and the caller's to free.
 * 0 or -errno: -EISDIR a directory, -EINVAL not a regular file, -EFBIG larger than max. */
int file_read(const char *path, size_t max, char **out, size_t *out_size);

/* As file_read(), but of a pipe or a device, too; waits for all they have. */
int file_read_stream(const char *path, size_t max, char **out, size_t *out_size);

/* As file_read(), but refuses (-EPERM) a file that others than its owner may read, or that is not ours or
 * root's. */
int file_read_private(const char *path, size_t max, char **out, size_t *out_size);

/* Creates the directory and its missing parents. 0 or -errno. */
int file_make_directories(const char *path, mode_t mode);

/* Takes the lock file and writes our pid into it. Returns its descriptor (close it to unlock; the file stays)
 * or -errno; -EWOULDBLOCK: somebody else holds it, and *holder is its pid (0 when it cannot be read). */
int file_lock(const char *path, pid_t *holder);

/* Opens /dev/null on those of descriptors 0, 1 and 2 that are closed: whatever a program opens first would
 * take their place, and be written to. First in main(). */
void file_fill_standard(void);

/* Right after something was printed to standard output: writes it out. False when not all of it could be,
 * now or before, which is said on standard error: "PROGRAM: cannot write WHAT to standard output: cause". */
bool file_end_output(const char *program, const char *what);

#endif
