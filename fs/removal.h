/* Removing a connector. */
#ifndef FS_REMOVAL_H
#define FS_REMOVAL_H

#include "fs/folder.h"

struct op;

/* Sends the DELETE of a folder whose config.json is away. Under the lock; op may be NULL. OP_WAIT
 * or -errno. */
int removal_start(struct op *op, struct folder *folder);
/* Sends all that wait, and waits for it. Without the lock. */
void removals_flush(struct fs *fs);

#endif
