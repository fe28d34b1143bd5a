/* Saving config.json: from a draft to a request, and nobody else's change overwritten. */
#ifndef FS_SAVE_H
#define FS_SAVE_H

#include "fs/folder.h"

struct op;

enum save_how { SAVE_IN_PLACE, SAVE_BY_RENAME, SAVE_BY_LINK };

/*
 * Commits a local file's text as the connector's configuration. `pid` is who saves. For a rename or
 * link the op's names are carried out when the save has succeeded. Under the lock. OP_WAIT, or
 * at once 0 (nothing to send) or -errno (refused, and kept). op may be NULL.
 */
int save_start(
	struct op *op, struct folder *folder, struct node *draft, pid_t pid, enum save_how how);

/* Commits every draft that is complete and unsent, and waits for all jobs. Without the lock. */
void saves_flush(struct fs *fs);

#endif
