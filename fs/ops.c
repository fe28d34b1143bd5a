#include "fs/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/question.h"
#include "fs/route.h"

#define BLOCK_BYTES 4096

struct node *ops_node(struct fs *fs, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? fs->root : (struct node *)(uintptr_t)ino;
}

fuse_ino_t ops_ino(const struct fs *fs, const struct node *node)
{
	return node == fs->root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

static double seconds(int64_t ms)
{
	return (double)ms / 1000.0;
}

static void give_lookup(struct node *node)
{
	if (node->lookups++ == 0) {
		node_ref(node);
	}
	node->lost = false;
}

void ops_entry(struct op *op, enum reply_kind kind, struct found *found)
{
	struct fuse_entry_param *entry = &op->reply.entry;
	op->reply.kind = kind;
	*entry = (struct fuse_entry_param){ .ino = ops_ino(op->fs, found->node),
		.entry_timeout = seconds(found->valid_ms),
		.attr_timeout = seconds(found->attr_ms) };
	tree_attr(op->fs, found->node, &entry->attr);
	give_lookup(found->node);
	node_unref(found->node);
}

static int step_lookup(struct op *op)
{
	struct found found;
	int result = tree_lookup(op, op->node, op->name, &found);
	if (result == 0) {
		ops_entry(op, REPLY_ENTRY, &found);
	} else if (result == -ENOENT && found.valid_ms > 0) {
		/* An entry without an inode: the kernel remembers that there is none. */
		op->reply.kind = REPLY_ENTRY;
		op->reply.entry =
			(struct fuse_entry_param){ .entry_timeout = seconds(found.valid_ms) };
		return 0;
	}
	return result;
}

static int begin_lookup(struct op *op)
{
	struct found found;
	int err = tree_looks_again(op);
	op->failed = tree_look_failed;
	if (err == 0) {
		op->step = step_lookup;
		return step_lookup(op);
	}
	/* Somebody else may have got it meanwhile. */
	if (tree_peek(op, op->node, op->name, &found) != 0) {
		return err;
	}
	ops_entry(op, REPLY_ENTRY, &found);
	return 0;
}

static void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, begin_lookup, ops_node(fs, parent));
	if (op) {
		op->inside = true;
		op->name = strdup(name);
		op_run(op);
	}
}

static void forget(struct fs *fs, fuse_ino_t ino, uint64_t count)
{
	struct node *node = ops_node(fs, ino);
	if (node == fs->root) {
		return;
	}
	node->lookups -= count < node->lookups ? count : node->lookups;
	if (node->lookups == 0) {
		node_unref(node);
	}
}

static void ops_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct fs *fs = ops_fs(req);
	fs_lock(fs);
	forget(fs, ino, count);
	fs_unlock(fs);
	fuse_reply_none(req);
}

static void ops_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = ops_fs(req);
	fs_lock(fs);
	for (size_t i = 0; i < count; i++) {
		forget(fs, forgets[i].ino, forgets[i].nlookup);
	}
	fs_unlock(fs);
	fuse_reply_none(req);
}

static int step_getattr(struct op *op)
{
	struct node *node = op->node;
	int64_t valid = 0;
	int result = 0;
	if (!node->local && S_ISDIR(node->route->mode)) {
		result = tree_check_dir(op, node, &valid);
	} else if (question_is(node)) {
		result = question_load(op, node);
	} else if (!node->local && node->cached && !node->retired) {
		/* What a node shows never changes; only its name may come to mean another. */
		valid = tree_ttl(op->fs, node->route);
	}
	if (result != 0) {
		return result;
	}
	op->reply.kind = REPLY_ATTR;
	op->reply.attr_timeout = seconds(valid);
	tree_attr(op->fs, node, &op->reply.attr);
	return 0;
}

static void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step_getattr, ops_node(fs, ino));
	(void)fi;
	if (op) {
		op_run(op);
	}
}

/* The mount itself is not read-only where this program is, for questions are written all the same.
 */
static int step_access(struct op *op)
{
	return op->flags & W_OK && !question_is(op->node) ? -EROFS : 0;
}

static void ops_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct fs *fs = ops_fs(req);
	if (!fs->options->ro) {
		/* The kernel never asks again. */
		fuse_reply_err(req, ENOSYS);
		return;
	}
	struct op *op = op_create(fs, req, step_access, ops_node(fs, ino));
	if (op) {
		op->flags = (unsigned)mask;
		op_run(op);
	}
}

static int step_readlink(struct op *op)
{
	const struct node *node = op->node;
	const char *target = node->local ? node->local->data : node->part ? node->part->text : NULL;
	size_t len = node->local ? node->local->size : node->part ? node->part->len : 0;
	if (!target) {
		return -EINVAL;
	}
	op->reply.kind = REPLY_LINK;
	op->reply.owned = strndup(target, len);
	return op->reply.owned ? 0 : -ENOMEM;
}

static void ops_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step_readlink, ops_node(fs, ino));
	if (op) {
		op_run(op);
	}
}

static void ops_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = ops_fs(req);
	(void)ino;
	fs_lock(fs);
	size_t used = fs->scratch_bytes < LOCAL_TOTAL_MAX ? fs->scratch_bytes : LOCAL_TOTAL_MAX;
	fs_unlock(fs);
	struct statvfs statvfs = {
		.f_bsize = BLOCK_BYTES,
		.f_frsize = BLOCK_BYTES,
		.f_blocks = LOCAL_TOTAL_MAX / BLOCK_BYTES,
		.f_bfree = (LOCAL_TOTAL_MAX - used) / BLOCK_BYTES,
		.f_bavail = (LOCAL_TOTAL_MAX - used) / BLOCK_BYTES,
		.f_files = 1 << 20,
		.f_ffree = 1 << 19,
		.f_favail = 1 << 19,
		.f_namemax = 255,
	};
	fuse_reply_statfs(req, &statvfs);
}

static void ops_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;
	fs->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
	/* What is written comes as one piece in memory. */
	conn->want &= ~(unsigned)FUSE_CAP_SPLICE_READ;
	if (conn->capable & FUSE_CAP_READDIRPLUS) {
		conn->want |= FUSE_CAP_READDIRPLUS;
		conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	}
}

/* getxattr and listxattr are left out: the kernel then asks once, and never again. */
const struct fuse_lowlevel_ops ops = {
	.init = ops_init,
	.lookup = ops_lookup,
	.forget = ops_forget,
	.forget_multi = ops_forget_multi,
	.getattr = ops_getattr,
	.setattr = ops_setattr,
	.access = ops_access,
	.readlink = ops_readlink,
	.mknod = ops_mknod,
	.mkdir = ops_mkdir,
	.unlink = ops_unlink,
	.rmdir = ops_rmdir,
	.symlink = ops_symlink,
	.rename = ops_rename,
	.link = ops_link,
	.open = ops_open,
	.create = ops_create,
	.read = ops_read,
	.write_buf = ops_write,
	.flush = ops_flush,
	.fsync = ops_fsync,
	.release = ops_release,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.readdirplus = ops_readdirplus,
	.statfs = ops_statfs,
};
