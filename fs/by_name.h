/* by-name: environments and clusters under the names that people gave them. */
#ifndef FS_BY_NAME_H
#define FS_BY_NAME_H

#include "fs/route.h"

int by_name_environments(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg);
int by_name_clusters(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg);

#endif
