/* by-id: symlinks from the ids of connectors, which the vendor's own tools name, to their
 * directories. */
#ifndef FS_BY_ID_H
#define FS_BY_ID_H

#include "fs/route.h"

int by_id_connectors(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg);
void by_id_destroy(struct fs *fs);

#endif
