/*
 * Looks: for one call of a program the kernel may ask for the same thing more than once, and who
 * waits for a name makes all others that want it wait in the kernel. So what a look has come to is
 * kept for a moment.
 *
 * All under the lock of struct fs. Looks live until the next one is noted.
 */
#ifndef FS_LOOK_H
#define FS_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/table.h"

#define LOOK_MS 100 /* how soon the kernel asks once more */

struct fs;
struct op;

struct look {
	struct table_link link;   /* in fs->looks, by what was looked at */
	struct look *prev, *next; /* in the order they were noted */
	pid_t pid;
	int64_t began; /* the op's */
	int64_t ended; /* monotonic milliseconds */
	int err;       /* 0, or -errno */
	bool again;    /* the kernel will look once more */
};

struct looks {
	struct table table;
	struct look *list; /* a utlist */
};

/* Notes what an op's look at something has come to. Nothing is noted where there is no memory. */
void look_note(struct op *op, uint64_t what, int err, bool again);
/* The last look of the op's thread, if it was just now; NULL: none was. */
struct look *look_of(const struct op *op, uint64_t what);
/* A look of another thread that failed while this one may have waited for it in the kernel, noted
 * for this one as well, which looks again; NULL: there is none. */
struct look *look_of_others(const struct op *op, uint64_t what);
void look_drop(struct fs *fs, struct look *look);
void looks_drop(struct fs *fs);

#endif
