/* SPDX-License-Identifier: MIT */
/* Instances that outlived the controller which started them, found by what their environment says: the key of
 * each begins with a mark of the state directory it was started under. So even one that no record names,
 * because the controller died between starting it and writing that down, is neither lost nor started twice.
 */
#ifndef TARGET_SURVIVORS_H
#define TARGET_SURVIVORS_H
#include "target/proctree.h"
#include "target/target.h"

#define SURVIVORS_MARK_SIZE 17 /* 16 hex digits */

/* The mark of that directory, the same for every controller that uses it. 0 or -errno. */
int survivors_keep_mark(const char *state_dir, const char *mark);
int survivors_mark(const char *state_dir, char mark[SURVIVORS_MARK_SIZE]);

/* A new key under this mark; the rest of it is chance. */
void survivors_make_key(const char *mark, char key[PROCTREE_KEY_SIZE]);

/* The leaders that carry the mark: id, pid, port and start_ticks are filled in. Returns how many. */
int survivors_find(const char *mark, struct target_adoption *out, int max);

/* Kills the processes that carry the mark but a key that is not known. Returns how many. */
int survivors_end_rest(const char *mark, bool (*is_known)(void *context, const char *key), void *context);

#endif
