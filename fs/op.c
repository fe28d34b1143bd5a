#include "fs/op.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/job.h"
#include "fs/node.h"

#define WATCH_MS 50

struct op *op_create(struct fs *fs, fuse_req_t req, int (*step)(struct op *op), struct node *node)
{
	struct op *op = calloc(1, sizeof(*op));
	if (!op) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	op->fs = fs;
	op->req = req;
	op->step = step;
	op->node = node;
	op->pid = fuse_req_ctx(req)->pid;
	op->uid = fuse_req_ctx(req)->uid;
	op->deadline = clock_now_ms() + fs->options->timeout;
	return op;
}

static void op_destroy(struct op *op)
{
	free(op->name);
	free(op->to_name);
	free(op->target);
	if (op->reply.kind == REPLY_DATA && op->reply.owned) {
		explicit_bzero(op->reply.owned, op->reply.len);
	}
	free(op->reply.owned);
	free(op);
}

/* Sends what a step has filled in. */
static int answer(struct op *op)
{
	struct reply *reply = &op->reply;
	switch (reply->kind) {
	case REPLY_ENTRY:
		return fuse_reply_entry(op->req, &reply->entry);
	case REPLY_CREATE:
		return fuse_reply_create(op->req, &reply->entry, &op->fi);
	case REPLY_ATTR:
		return fuse_reply_attr(op->req, &reply->attr, reply->attr_timeout);
	case REPLY_OPEN:
		return fuse_reply_open(op->req, &op->fi);
	case REPLY_DATA:
		return fuse_reply_buf(op->req, reply->owned, reply->len);
	case REPLY_WRITE:
		return fuse_reply_write(op->req, reply->len);
	case REPLY_LINK:
		return fuse_reply_readlink(op->req, reply->owned);
	case REPLY_STATFS:
		return fuse_reply_statfs(op->req, &reply->statvfs);
	case REPLY_OK:
		break;
	}
	return fuse_reply_err(op->req, 0);
}

/* Without the lock. */
static void op_answer(struct op *op, int err)
{
	if (err < 0) {
		fuse_reply_err(op->req, -err);
	} else {
		answer(op);
	}
	op_destroy(op);
}

/* It is told what it has come to, and leaves whatever it waited in. */
static void op_over(struct op *op, int err)
{
	if (err < 0 && op->failed) {
		op->failed(op, err);
	}
	if (op->queue) {
		DL_DELETE(*op->queue, op);
		op->queue = NULL;
	}
	if (op->waits_in) {
		*op->waits_in = NULL;
		op->waits_in = NULL;
	}
	if (op->job) {
		op->job->op = NULL;
		op->job = NULL;
	}
}

static void watch(struct op *op)
{
	DL_APPEND2(op->fs->waiting, op, all_prev, all_next);
	fs_wake(op->fs);
}

static void unwatch(struct op *op)
{
	DL_DELETE2(op->fs->waiting, op, all_prev, all_next);
}

int op_wait(struct op *op, struct op **queue)
{
	if (op->peek) {
		return -EAGAIN;
	}
	if (!op->queue) {
		op->queue = queue;
		DL_APPEND(*queue, op);
	}
	return OP_WAIT;
}

int op_wait_job(struct op *op, struct job *job)
{
	op->job = job;
	job->op = op;
	op->deadline = job->deadline;
	return OP_WAIT;
}

void op_run(struct op *op)
{
	struct fs *fs = op->fs;
	fs_lock(fs);
	op->began = fs_moment(fs);
	if (op->inside) {
		op->node = folder_dir_now(op->node);
	}
	if (op->to_node) {
		op->to_node = folder_dir_now(op->to_node);
	}
	int result = op->step(op);
	if (result == OP_WAIT) {
		watch(op);
	} else {
		op_over(op, result);
	}
	fs_unlock(fs);
	if (result != OP_WAIT) {
		op_answer(op, result);
	}
}

void op_finish(struct op *op, int err)
{
	op_over(op, err);
	unwatch(op);
	op_answer(op, err);
}

void ops_wake(struct op **queue)
{
	struct op *waiters = *queue;
	*queue = NULL;
	while (waiters) {
		struct op *op = waiters;
		DL_DELETE(waiters, op);
		op->queue = NULL;
		int result = op->step(op);
		if (result != OP_WAIT) {
			op_finish(op, result);
		}
	}
}

/* The signals, as a mask of a /proc status file, that end a waiting call. */
static bool has_fatal(const char *line)
{
	static const int fatal[] = { 1, 2, 3, 9, 15 }; /* HUP INT QUIT KILL TERM */
	unsigned long long mask = strtoull(line, NULL, 16);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		if (mask >> (fatal[i] - 1) & 1) {
			return true;
		}
	}
	return false;
}

/* Whether the caller has a signal pending that means the wait is over. A caller that is gone, too.
 */
static bool caller_gives_up(struct op *op)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)op->pid);
	FILE *file = fopen(path, "re");
	bool gives_up = !file;
	while (file && !gives_up && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "SigPnd:", 7) == 0 || strncmp(line, "ShdPnd:", 7) == 0) {
			gives_up = has_fatal(line + 7);
		}
	}
	if (file) {
		fclose(file);
	}
	return gives_up;
}

int64_t ops_watch(struct fs *fs)
{
	int64_t now = clock_now_ms();
	struct op *op, *next;
	DL_FOREACH_SAFE2(fs->waiting, op, next, all_next)
	{
		op->interrupted = op->interrupted || fuse_req_interrupted(op->req);
		if (op->interrupted && caller_gives_up(op)) {
			if (op->job) {
				job_abandon(op->job);
			}
			op_finish(op, -EINTR);
		} else if (now > op->deadline + WATCH_MS && !op->job) {
			op_finish(op, -ETIMEDOUT);
		}
	}
	return fs->waiting ? WATCH_MS : -1;
}
