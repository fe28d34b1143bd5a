#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "fs/ops.h"

static int step_opendir(struct op *op)
{
	struct name_list names;
	int result = tree_list(op, op->node, &names);
	if (result != 0) {
		return result;
	}
	struct handle *handle = handle_create(op->fs, op->node);
	if (!handle) {
		name_list_finish(&names);
		return -ENOMEM;
	}
	handle->names = names;
	op->fi.fh = (uintptr_t)handle;
	op->reply.kind = REPLY_OPEN;
	return 0;
}

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step_opendir, ops_node(fs, ino));
	if (op) {
		op->fi = *fi;
		op_run(op);
	}
}

void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct handle *handle = handle_of(fi);
	(void)ino;
	fs_lock(fs);
	handle_destroy(fs, handle);
	fs_unlock(fs);
	fuse_reply_err(req, 0);
}

/* An entry's name and type, by its place: "." and "..", then the names as they were at opendir. */
static const char *entry_name(const struct handle *handle, size_t at)
{
	return at == 0 ? "." : at == 1 ? ".." : handle->names.names[at - 2];
}

static const struct entry *local_entry(struct node *dir, const char *name)
{
	if (!tree_is_local_dir(dir)) {
		return NULL;
	}
	const struct folder *folder = dir->local ? NULL : folder_find(dir->fs, dir);
	struct entry *entries = dir->local ? dir->local->entries : folder ? folder->entries : NULL;
	return entry_find(entries, name);
}

static void entry_stat(const struct handle *handle, size_t at, struct stat *ret_stat)
{
	struct node *dir = handle->node;
	const struct node *parent = dir->parent ? dir->parent : dir;
	const char *name = entry_name(handle, at);
	const struct entry *local = local_entry(dir, name);
	ret_stat->st_ino = at == 0   ? dir->ino
			   : at == 1 ? parent->ino
			   : local   ? local->node->ino
				     : node_ino(dir, name);
	ret_stat->st_mode = at < 2 ? S_IFDIR : DTTOIF(handle->names.types[at - 2]);
}

static int step_readdir(struct op *op)
{
	const struct handle *handle = handle_of(&op->fi);
	char *buf = malloc(op->size);
	size_t used = 0;
	if (!buf) {
		return -ENOMEM;
	}
	for (size_t at = (size_t)op->offset; at < handle->names.count + 2; at++) {
		struct stat stat = { 0 };
		entry_stat(handle, at, &stat);
		size_t size = fuse_add_direntry(op->req, buf + used, op->size - used,
			entry_name(handle, at), &stat, (off_t)at + 1);
		if (size > op->size - used) {
			break;
		}
		used += size;
	}
	op->reply = (struct reply){ .kind = REPLY_DATA, .len = used, .owned = buf };
	return 0;
}

/*
 * The attributes of an entry, where they are at hand: nobody waits for one file's attributes while
 * others could be listed.
 */
static void entry_param(
	struct op *op, const struct handle *handle, size_t at, struct fuse_entry_param *ret_param)
{
	struct found found = { 0 };
	*ret_param = (struct fuse_entry_param){ 0 };
	entry_stat(handle, at, &ret_param->attr);
	if (at < 2 || tree_peek(op, handle->node, entry_name(handle, at), &found) != 0) {
		return;
	}
	struct op given = { .fs = op->fs };
	ops_entry(&given, REPLY_ENTRY, &found);
	*ret_param = given.reply.entry;
}

static int step_readdirplus(struct op *op)
{
	const struct handle *handle = handle_of(&op->fi);
	char *buf = malloc(op->size);
	size_t used = 0;
	if (!buf) {
		return -ENOMEM;
	}
	for (size_t at = (size_t)op->offset; at < handle->names.count + 2; at++) {
		const char *name = entry_name(handle, at);
		struct fuse_entry_param param = { 0 };
		/* Room first: a lookup that was given cannot be taken back. */
		size_t need = fuse_add_direntry_plus(op->req, NULL, 0, name, &param, 0);
		if (need > op->size - used) {
			break;
		}
		entry_param(op, handle, at, &param);
		used += fuse_add_direntry_plus(
			op->req, buf + used, op->size - used, name, &param, (off_t)at + 1);
	}
	op->reply = (struct reply){ .kind = REPLY_DATA, .len = used, .owned = buf };
	return 0;
}

static void read_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	const struct fuse_file_info *fi, int (*step)(struct op *op))
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step, ops_node(fs, ino));
	if (op) {
		op->fi = *fi;
		op->size = size;
		op->offset = off;
		op_run(op);
	}
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_directory(req, ino, size, off, fi, step_readdir);
}

void ops_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_directory(req, ino, size, off, fi, step_readdirplus);
}
