/* SPDX-License-Identifier: MIT */
/* A file of the user's, changed under their eyes: only when it still is what they were shown, and it stays
 * the file that it was (owner, mode, ACL, links). Any thread. */
#ifndef BASE_FILE_SAVE_H
#define BASE_FILE_SAVE_H
#include <stddef.h>
#include <sys/types.h>

struct file_text {
    const char *data; /* NULL: there is no such file */
    size_t size;
};

/* Gives the file, which holds old, the content new. Links are followed, also one whose file is not there yet.
 * Where a rename keeps everything, the file is replaced atomically; otherwise it is written in place, its
 * room reserved first, and when that fails the old content is put back. A file that is made gets mode. 0 or
 * -errno: -ESTALE it does not hold old (any more), -EISDIR, -EINVAL not a regular file; then it is as it was.
 * -ENOTRECOVERABLE: it could neither be written in place nor put back. */
int file_save(const char *path, struct file_text old, struct file_text new, mode_t mode);

#endif
