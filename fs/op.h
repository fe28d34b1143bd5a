/*
 * One request of the kernel, which may have to wait without holding a thread.
 *
 * A step looks at what it needs and either answers (0, with op->reply filled in), fails (-errno),
 * or returns OP_WAIT after it has hung itself on a queue (of a document, of a question) or a job.
 * When that has changed, the step runs again from its start. Steps run under the lock of struct fs
 * and never block.
 */
#ifndef FS_OP_H
#define FS_OP_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#define OP_WAIT 1

struct fs;
struct node;
struct job;

enum reply_kind {
	REPLY_OK,
	REPLY_ENTRY,
	REPLY_CREATE,
	REPLY_ATTR,
	REPLY_OPEN,
	REPLY_DATA,
	REPLY_WRITE,
	REPLY_LINK,
	REPLY_STATFS
};

struct reply {
	enum reply_kind kind;
	struct fuse_entry_param entry;
	struct stat attr;
	double attr_timeout;
	struct statvfs statvfs;
	char *owned; /* DATA's bytes, LINK's target; freed after the answer, DATA's wiped */
	size_t len;
};

struct op {
	struct fs *fs;
	fuse_req_t req;
	int (*step)(struct op *op);
	void (*failed)(struct op *op, int err); /* is told -errno, under the lock; may be NULL */
	int64_t began; /* a moment (fs.h): answers that were asked for since then are fresh */
	int64_t deadline;
	pid_t pid; /* the caller's, a thread's */
	uid_t uid; /* the caller's */

	struct node *node;     /* the inode, or the directory */
	struct node *to_node;  /* rename, link */
	struct node *borrowed; /* a reference of a step's own, between its parts */
	char *name, *to_name;  /* owned */
	char *target;          /* symlink; owned */
	struct fuse_file_info fi;
	bool has_fi;
	char *bytes; /* write; the kernel's */
	size_t size;
	off_t offset;
	unsigned flags;
	mode_t mode;
	int to_set;
	struct stat attr;

	struct reply reply;

	struct op *prev, *next;         /* in a queue */
	struct op **queue;              /* of those who wait for the same; NULL: in none */
	struct job *job;                /* waits for it */
	struct op **waits_in;           /* another place that knows it waits, to be cleared */
	struct op *all_prev, *all_next; /* in fs->waiting */
	bool interrupted;
	bool known;  /* lookup: the kernel had the name when it asked */
	bool inside; /* it is about names in the directory `node` */
	bool peek;   /* takes what is at hand: -EAGAIN instead of OP_WAIT, and nothing is fetched */
};

/* A new op for a request; NULL: it was answered with ENOMEM. */
struct op *op_create(struct fs *fs, fuse_req_t req, int (*step)(struct op *op), struct node *node);
/* Runs the first step and answers, or leaves it waiting. Takes the lock. Ends with the op. */
void op_run(struct op *op);

/* Under the lock: hangs the op on a queue (unless it waits in one already) or a job. Return
 * OP_WAIT; an op that takes what is at hand gets -EAGAIN. */
int op_wait(struct op *op, struct op **queue);
int op_wait_job(struct op *op, struct job *job);
/* Under the lock: runs the steps of all that wait in a queue again. */
void ops_wake(struct op **queue);
/* Under the lock: answers a waiting op, which ends; err is 0 or -errno. */
void op_finish(struct op *op, int err);

/* Under the lock: ends the ops that are over their deadline or interrupted for good; returns the
 * milliseconds after which to look again, -1: none waits. */
int64_t ops_watch(struct fs *fs);

#endif
