/* .connectfs: the mount's own files. */
#ifndef FS_CONTROL_H
#define FS_CONTROL_H

#include "fs/route.h"

int control_status(struct op *op, const struct node *dir, struct strbuf *out);
int control_errors(struct op *op, const struct node *dir, struct strbuf *out);
int control_changes(struct op *op, const struct node *dir, struct strbuf *out);
int control_nothing(struct op *op, const struct node *dir, struct strbuf *out);
int control_refresh(struct op *op, struct node *dir, const char *text, size_t len);
int control_deleted(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg);

/* Drops every cache, the kernel's too. Under the lock. */
void control_drop_caches(struct fs *fs);

#endif
