#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fs/archive.h"
#include "fs/draft.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/process.h"
#include "fs/question.h"
#include "fs/route.h"
#include "fs/texts.h"

#define ALONG_MAX ((size_t)64 << 10)

static bool wants_write(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC;
}

static int check_writable(struct fs *fs, const struct node *node)
{
	if (fs->options->ro && !question_is(node)) {
		return -EROFS;
	}
	if (node->local) {
		return node->local->role == LOCAL_NOTE ? -EACCES : 0;
	}
	return node->route->mode & 0222 ? 0 : -EACCES;
}

/* An editor that may not write to a file may remove it, to put its own in its place. */
static void note_refusal(struct fs *fs, struct node *node)
{
	struct slot *slot = node->route && node->route->save ? draft_slot(fs, node) : NULL;
	if (slot) {
		slot->refused_at = clock_now_ms();
	}
}

static struct handle *open_handle(struct fs *fs, struct node *node, pid_t pid, bool writes)
{
	struct handle *handle = handle_create(fs, node);
	if (!handle) {
		return NULL;
	}
	handle->pid = pid;
	handle->writes = writes;
	handle->view = !node->local;
	return handle;
}

/* One that is being asked is its writer's alone: nothing leads to it but a link to an open file,
 * and whoever comes by one is to look again. */
static int open_question(struct op *op, struct node *node)
{
	return node->local ? -ESTALE : wants_write(&op->fi) ? 0 : question_load(op, node);
}

/* Most files that are opened are read, and small: their bytes go along, so that nobody asks for
 * them. Later openers find them in the kernel's cache. */
static void send_along(struct op *op, struct node *node)
{
	bool first = !node->opened;
	node->opened = true;
	if (!first || !op->fi.keep_cache || node->size > ALONG_MAX) {
		return;
	}
	struct strbuf text = STRBUF_INIT(ALONG_MAX);
	bool whole = texts_take(op->fs->texts, node->part, node->hash, &text) ||
		     tree_render(node, &text) == 0;
	if (whole && text.len == node->size) {
		notify_text(op->fs, node, strbuf_str(&text), text.len);
	}
	strbuf_wipe(&text);
}

static int open_node(struct op *op, struct node *node, enum reply_kind kind)
{
	struct fs *fs = op->fs;
	bool writes = wants_write(&op->fi);
	bool reads = (op->fi.flags & O_ACCMODE) != O_WRONLY && !(op->fi.flags & O_TRUNC);
	bool notes = reads && node->route && node->route->save;
	pid_t pid = writes || notes ? process_of(fs, op->pid) : 0;
	if (node->local && node->local->spent) {
		return -ESTALE;
	}
	int err = writes ? check_writable(fs, node) : 0;
	if (err == -EACCES) {
		note_refusal(fs, node);
	}
	if (err == 0 && writes) {
		err = draft_check(fs, node, pid);
	}
	if (err == 0 && question_is(node)) {
		err = open_question(op, node);
	}
	struct handle *handle = err == 0 ? open_handle(fs, node, pid, writes) : NULL;
	if (!handle) {
		return err != 0 ? err : -ENOMEM;
	}
	if (notes) {
		draft_note_base(fs, node, pid);
	}
	handle_set_active(handle, writes);
	if (writes) {
		draft_opened(fs, node, pid);
	}
	if (op->fi.flags & O_TRUNC) {
		err = draft_truncate(op, node, pid, 0);
		handle->wrote = node->local != NULL;
	}
	if (err < 0) {
		handle_set_active(handle, false);
		handle_destroy(fs, handle);
		return err;
	}
	op->fi.fh = (uintptr_t)handle;
	op->fi.keep_cache = !node->local && node->cached;
	op->fi.noflush = !writes;
	/* What is read is not what was written. */
	op->fi.direct_io = writes && question_is(node);
	op->reply.kind = kind;
	send_along(op, node);
	return 0;
}

static int step_open(struct op *op)
{
	return open_node(op, op->node, REPLY_OPEN);
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step_open, ops_node(fs, ino));
	if (op) {
		op->fi = *fi;
		op_run(op);
	}
}

static int step_create(struct op *op)
{
	struct found found;
	if (!tree_is_local_dir(op->node)) {
		return -EPERM;
	}
	int result = tree_lookup(op, op->node, op->name, &found);
	if (result == OP_WAIT || (result < 0 && result != -ENOENT)) {
		return result;
	}
	struct node *node = found.node;
	if (result == 0 && op->fi.flags & O_EXCL) {
		node_unref(node);
		return -EEXIST;
	}
	if (result == -ENOENT) {
		result = ops_create_local(op, op->mode, LOCAL_SCRATCH, &node);
		if (result != 0) {
			return result;
		}
		found = (struct found){ .node = node };
	}
	result = open_node(op, node, REPLY_CREATE);
	if (result != 0) {
		node_unref(node);
		return result;
	}
	handle_of(&op->fi)->wrote = true;
	ops_entry(op, REPLY_CREATE, &found);
	return 0;
}

void ops_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct op *op = ops_name_op(req, parent, name, step_create);
	if (op) {
		op->mode = S_IFREG | (mode & 07777);
		op->fi = *fi;
		op_run(op);
	}
}

/* Whether nobody else is left to send a draft: a mapping's pages come with any open file. */
static bool leaves_unsent(const struct handle *handle)
{
	const struct local *local = handle->node->local;
	return handle->writes && handle->node->writers == 0 && local &&
	       local->role == LOCAL_DRAFT && local->size > 0 && local->changes != local->tried;
}

/* Sends what a handle has written, if anything and if it is due. What was tried before is not sent
 * again, but its failure told: emacs takes an EINVAL of fsync for a filesystem without it. */
static int commit(struct op *op, struct handle *handle)
{
	struct node *node = handle->node;
	struct local *local = node->local;
	if (local && local->question) {
		return question_commit(op, node);
	}
	if (!local || !(handle->wrote || leaves_unsent(handle))) {
		return 0;
	}
	if (local->changes == local->tried && local->saving) {
		/* By somebody else, or by a call of this one that was interrupted. */
		const struct options *options = op->fs->options;
		bool uploads = local->folder && local->folder->route->folder->archive;
		op->deadline = clock_now_ms() + options->timeout_write +
			       (uploads ? options->upload_timeout : 0);
		return op_wait(op, &local->waiters);
	}
	if (local->changes == local->tried) {
		return local->role == LOCAL_DRAFT ? local->failure : 0;
	}
	if (local->role == LOCAL_SCRATCH) {
		return archive_commit(op, node, handle->pid);
	}
	if (local->role == LOCAL_WORD) {
		return draft_store(op, node);
	}
	if (local->role != LOCAL_DRAFT || local->size == 0) {
		return 0;
	}
	struct slot *slot = draft_slot(op->fs, node);
	return slot->route->save(op, slot, node, handle->pid, SAVE_IN_PLACE);
}

static int step_flush(struct op *op)
{
	struct handle *handle = handle_of(&op->fi);
	handle_set_active(handle, false);
	int result = commit(op, handle);
	if (!op->queue) {
		handle->wrote = false;
	}
	return result;
}

static int step_fsync(struct op *op)
{
	return commit(op, handle_of(&op->fi));
}

static void run_on_handle(
	fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi, int (*step)(struct op *op))
{
	struct fs *fs = ops_fs(req);
	archive_look(handle_of(fi));
	struct op *op = op_create(fs, req, step, ops_node(fs, ino));
	if (op) {
		op->fi = *fi;
		op_run(op);
	}
}

void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	run_on_handle(req, ino, fi, step_flush);
}

void ops_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	run_on_handle(req, ino, fi, step_fsync);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct handle *handle = handle_of(fi);
	(void)ino;
	fs_lock(fs);
	struct node *node = node_ref(handle->node);
	handle_set_active(handle, false);
	if (leaves_unsent(handle)) {
		/* Written through a mapping after the last close: nobody is left to hear of an
		 * error. */
		struct slot *slot = draft_slot(fs, node);
		slot->route->save(NULL, slot, node, handle->pid, SAVE_IN_PLACE);
	}
	bool wrote = handle->writes;
	handle_destroy(fs, handle);
	if (wrote) {
		draft_schedule(fs, node);
	}
	node_unref(node);
	fs_unlock(fs);
	fuse_reply_err(req, 0);
}

static int set_size(struct op *op)
{
	struct node *node = op->node;
	struct handle *handle = op->has_fi ? handle_of(&op->fi) : NULL;
	size_t size = (size_t)op->attr.st_size;
	pid_t pid = handle ? handle->pid : process_of(op->fs, op->pid);
	int err = node->local && node->local->spent ? -ESTALE : check_writable(op->fs, node);
	if (err == 0 && !handle) {
		err = draft_check(op->fs, node, pid);
	}
	if (err == 0) {
		err = draft_truncate(op, node, pid, size);
	}
	if (err == 0 && handle) {
		handle->wrote |= node->local != NULL;
		handle_set_active(handle, true);
	}
	if (err == 0) {
		draft_schedule(op->fs, node);
	}
	return err;
}

static int step_setattr(struct op *op)
{
	const struct options *options = op->fs->options;
	bool other_uid = op->to_set & FUSE_SET_ATTR_UID && op->attr.st_uid != options->uid;
	bool other_gid = op->to_set & FUSE_SET_ATTR_GID && op->attr.st_gid != options->gid;
	if (options->ro && !question_is(op->node)) {
		return -EROFS;
	}
	if (other_uid || other_gid) {
		return -EPERM;
	}
	if (op->to_set & FUSE_SET_ATTR_SIZE) {
		int err = set_size(op);
		if (err < 0) {
			return err;
		}
	}
	tree_set_attr(op->fs, op->node, &op->attr, op->to_set);
	op->reply.kind = REPLY_ATTR;
	tree_attr(op->fs, op->node, &op->reply.attr);
	return 0;
}

void ops_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step_setattr, ops_node(fs, ino));
	if (op) {
		op->attr = *attr;
		op->to_set = to_set;
		op->has_fi = fi != NULL;
		if (fi) {
			op->fi = *fi;
		}
		op_run(op);
	}
}
