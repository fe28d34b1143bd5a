/* .connectfs: the mount's own files. */
#ifndef FS_CONTROL_H
#define FS_CONTROL_H

#include "fs/route.h"

int control_status(const struct fs *fs, const struct part *part, struct strbuf *out);
int control_errors(const struct fs *fs, const struct part *part, struct strbuf *out);
int control_changes(const struct fs *fs, const struct part *part, struct strbuf *out);
int control_nothing(const struct fs *fs, const struct part *part, struct strbuf *out);
int control_refresh(struct op *op, struct node *dir, const char *text, size_t len);
int control_deleted(struct op *op, const struct node *dir, child_visitor *visit, void *arg);

/* Drops every cache, the kernel's too. Under the lock. */
void control_drop_caches(struct fs *fs);

#endif
