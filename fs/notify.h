/*
 * Telling the kernel what to forget. A thread of its own does it, because the kernel may hold the
 * directory's lock while it waits for an answer of this very program.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include <stddef.h>

struct fs;
struct node;
struct notifier;
struct op;

int notifier_create(struct fs *fs, struct notifier **ret_notifier);
int notifier_start(struct notifier *notifier);
/* Ends the thread; what is still queued is dropped. */
void notifier_stop(struct notifier *notifier);
void notifier_destroy(struct notifier *notifier);

/* Queues: the kernel forgets a name of a directory. Any thread, with or without the fs's lock. */
void notify_entry(struct fs *fs, const struct node *dir, const char *name);

/* Queues, under the fs's lock: the kernel forgets the names of all nodes that have one. */
void notify_all(struct fs *fs);

/* At once: the kernel forgets what it knows of a directory's names and attributes, but not the
 * entries. It waits for nothing, so this may be done anywhere. */
void notify_listing(const struct fs *fs, const struct node *dir);

/* At once: puts the text of a file into the kernel's cache. Only for a node that nobody has opened
 * yet: the kernel locks the pages that it reads, and this would wait for them. */
void notify_text(const struct fs *fs, const struct node *node, const char *text, size_t len);

/* Under the fs's lock: the op is answered with success once all that is queued was told. OP_WAIT or
 * -ENOMEM. */
int notify_barrier(struct op *op);

#endif
