/*
 * Drafts: what becomes of a view's file when somebody writes to it. The first change makes a draft
 * of it, which stands under its name until it is saved (slot.h); each process that writes has one
 * of its own.
 *
 * Under the lock of struct fs. A pid is a process (process.h).
 */
#ifndef FS_DRAFT_H
#define FS_DRAFT_H

#include <stddef.h>
#include <sys/types.h>

#include "fs/local.h"

struct op;

/* The slot that a file, or a draft, belongs to; NULL. */
struct slot *draft_slot(struct fs *fs, struct node *node);
/* A view becomes a local file of the same bytes. 0 or -errno. */
int draft_make_local(struct fs *fs, struct node *node, struct folder *folder, enum local_role role);

/* Before a change of a file that was found by its name: 0, or -ESTALE, and the kernel looks again
 * and finds the file that may be changed. */
int draft_check(struct fs *fs, struct node *node, pid_t pid);
/* Before each change: a view becomes a draft, and stands under its name from then on. 0 or -errno.
 */
int draft_begin(const struct op *op, struct node *node, pid_t pid);
int draft_truncate(const struct op *op, struct node *node, pid_t pid, size_t size);
/* Has a word obeyed that was written; as an op's step returns. */
int draft_store(struct op *op, struct node *node);
/* Somebody has opened a file to write: a draft's grace time waits until it is closed. */
void draft_opened(struct fs *fs, struct node *node, pid_t pid);
/* Once nobody has it open to write any more, one that was not sent has the grace time. */
void draft_schedule(struct fs *fs, struct node *node);

/* Notes the base of who reads: what is shown; of somebody else's draft, its writer's. */
void draft_note_base(struct fs *fs, struct node *node, pid_t pid);

#endif
