#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/fs.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/route.h"

/* Names are read without any state of an open directory. A kernel that can do without is told so
 * once, and never asks again. */
void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs *fs = ops_fs(req);
	(void)ino;
	if (fs->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = fi->cache_readdir = 1;
	fuse_reply_open(req, fi);
}

#define FULL 2

/* An answer while it is filled. */
struct filler {
	struct op *op;
	char *buf;
	size_t used;
	bool plus;
};

/*
 * The attributes of an entry, where they are at hand: nobody waits for one file's attributes while
 * others could be listed, and names that are computed are not computed again for each of them.
 */
static void add_attributes(struct op *op, const char *name, const struct listed *listed,
	struct fuse_entry_param *param)
{
	struct found found = { 0 };
	bool computed = op->node->route && op->node->route->children;
	if (listed->next > 2 && !computed && tree_peek(op, op->node, name, &found) == 0) {
		struct op given = { .fs = op->fs };
		ops_entry(&given, REPLY_ENTRY, &found);
		*param = given.reply.entry;
	}
}

/* FULL: there is no more room. */
static int fill(void *arg, const struct listed *listed)
{
	struct filler *filler = arg;
	struct op *op = filler->op;
	size_t room = op->size - filler->used;
	struct fuse_entry_param param = { .attr = { .st_ino = listed->ino,
						  .st_mode = listed->type } };
	/* A look at an entry may be its end. */
	char name[NAME_MAX + 1];
	snprintf(name, sizeof(name), "%s", listed->name);
	/* Room first: a lookup that was given cannot be taken back. */
	size_t need = filler->plus ? fuse_add_direntry_plus(op->req, NULL, 0, name, &param, 0)
				   : fuse_add_direntry(op->req, NULL, 0, name, NULL, 0);
	if (need > room) {
		return FULL;
	}
	char *at = filler->buf + filler->used;
	if (filler->plus) {
		add_attributes(op, name, listed, &param);
		fuse_add_direntry_plus(op->req, at, room, name, &param, (off_t)listed->next);
	} else {
		fuse_add_direntry(op->req, at, room, name, &param.attr, (off_t)listed->next);
	}
	filler->used += need;
	return 0;
}

static int read_names(struct op *op, bool plus)
{
	struct filler filler = { .op = op, .buf = malloc(op->size), .plus = plus };
	if (!filler.buf) {
		return -ENOMEM;
	}
	int result = tree_list(op, op->node, (uint64_t)op->offset, fill, &filler);
	if (result < 0 || result == OP_WAIT) {
		free(filler.buf);
		return result;
	}
	if (filler.used == 0 && !tree_is_steady(op->fs, op->node)) {
		/* At the end the kernel would take what it has got for the directory's names. */
		notify_listing(op->fs, op->node);
	}
	op->reply = (struct reply){ .kind = REPLY_DATA, .len = filler.used, .owned = filler.buf };
	return 0;
}

static int step_readdir(struct op *op)
{
	return read_names(op, false);
}

static int step_readdirplus(struct op *op)
{
	return read_names(op, true);
}

static void read_directory(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, int (*step)(struct op *op))
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step, ops_node(fs, ino));
	if (op) {
		op->inside = true;
		op->size = size;
		op->offset = off;
		op_run(op);
	}
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	read_directory(req, ino, size, off, step_readdir);
}

void ops_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	read_directory(req, ino, size, off, step_readdirplus);
}
