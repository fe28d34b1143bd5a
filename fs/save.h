/* Saving config.json: from a draft to a request, and nobody else's change overwritten. */
#ifndef FS_SAVE_H
#define FS_SAVE_H

#include "fs/folder.h"

struct op;

/* Commits a local file's text as the connector's configuration (route.h). */
int save_start(struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how);

/* Commits every draft that is complete and unsent, and waits for all jobs. Without the lock. */
void saves_flush(struct fs *fs);

#endif
