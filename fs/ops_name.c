#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/archive.h"
#include "fs/draft.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/local.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/process.h"
#include "fs/removal.h"
#include "fs/route.h"
#include "fs/times.h"

/* The row of a name that the API has in a directory with a folder; NULL: any other name. */
const struct route *ops_fixed_route(const struct node *dir, const char *name)
{
	return route_has_folder(dir->route) ? route_child(dir->route, name) : NULL;
}

/* The row of the folders that are made in a directory; NULL: none can be. */
static const struct route *made_route(const struct node *dir)
{
	const struct route *child = dir->route ? route_variable_child(dir->route) : NULL;
	return route_has_folder(child) ? child : NULL;
}

struct folder *ops_folder(struct fs *fs, struct node *dir)
{
	return dir->local ? dir->local->folder : folder_of(fs, dir);
}

struct entry **ops_entries(struct fs *fs, struct node *dir)
{
	return dir->local ? &dir->local->entries : &folder_of(fs, dir)->entries;
}

void ops_touch(struct fs *fs, struct node *dir)
{
	if (dir->local) {
		dir->local->mtime = times_now(fs->times);
	} else {
		folder_touch(folder_of(fs, dir));
	}
}

bool ops_exists(struct op *op, struct node *dir, const char *name, int *ret_result)
{
	struct found found;
	int result = tree_lookup(op, dir, name, &found);
	if (result == 0) {
		node_unref(found.node);
		*ret_result = -EEXIST;
		return true;
	}
	*ret_result = result == -ENOENT ? 0 : result;
	return result != -ENOENT;
}

struct op *ops_name_op(fuse_req_t req, fuse_ino_t ino, const char *name, int (*step)(struct op *op))
{
	struct fs *fs = ops_fs(req);
	if (fs->options->ro) {
		fuse_reply_err(req, EROFS);
		return NULL;
	}
	struct op *op = op_create(fs, req, step, ops_node(fs, ino));
	if (op) {
		op->inside = true;
		op->name = strdup(name);
	}
	return op;
}

int ops_create_local(struct op *op, mode_t mode, enum local_role role, struct node **ret_node)
{
	struct fs *fs = op->fs;
	struct node *dir = op->node;
	const struct route *route = ops_fixed_route(dir, op->name);
	struct folder *folder = ops_folder(fs, dir);
	struct node *node = folder ? node_create(fs, dir, op->name) : NULL;
	bool bind = true;
	if (!node) {
		return -ENOMEM;
	}
	bool spooled = false;
	int err = S_ISREG(mode) && !dir->local && !route ? archive_admit(folder, op->name, &spooled)
							 : 0;
	if (err < 0) {
		node_unref(node);
		return err;
	}
	struct slot *slot = folder_writes(folder, route, op->pid, clock_now_ms());
	if (slot) {
		role = S_ISREG(mode) ? LOCAL_DRAFT : role;
	} else if (route && (route->store ? !folder->made
					  : !folder_takes_files(folder, op->pid, clock_now_ms()))) {
		/* A word that is written to a connector that exists is obeyed. */
		role = route->store ? LOCAL_WORD : LOCAL_SINK;
		folder->hidden_until[route->face] = 0;
		bind = false;
	}
	node->local = local_create(fs, folder, role, mode);
	err = !node->local ? -ENOMEM : spooled ? local_spool(node->local) : 0;
	if (err == 0 && role == LOCAL_DRAFT) {
		node->local->writer = process_of(fs, op->pid);
		node->route = route;
		slot_is_back(slot);
		slot_set_draft(slot, node);
		ops_touch(fs, dir);
	} else if (err == 0 && bind) {
		node->ino = node_new_ino(fs);
		err = entry_add(ops_entries(fs, dir), op->name, node);
		ops_touch(fs, dir);
	} else {
		node->route = route;
	}
	if (err < 0) {
		node_unref(node);
		return err;
	}
	*ret_node = node;
	return 0;
}

static int make_folder(struct op *op, const struct route *route)
{
	struct fs *fs = op->fs;
	char *key = name_decode(op->name);
	if (!key || name_is_unremovable(key)) {
		journal_error(fs->journal,
			"mkdir %s: not created: the API could not remove it, or it is not encoded as names here are",
			op->name);
		free(key);
		return -EINVAL;
	}
	if (!name_is_conventional(key)) {
		log_warn("mkdir: the API may refuse this name: %s", key);
	}
	struct node *node = node_create_route(op->node, op->name, route, key);
	free(key);
	if (!node) {
		return -ENOMEM;
	}
	node_bind(node);
	struct folder *folder = folder_of(fs, node);
	if (!folder) {
		node_unref(node);
		return -ENOMEM;
	}
	folder->made = true;
	folder_main(folder)->away = AWAY_NOT;
	folder->created_at = 0;
	folder_touch(folder);
	struct found found = { .node = node };
	ops_entry(op, REPLY_ENTRY, &found);
	return 0;
}

static int step_mkdir(struct op *op)
{
	int result;
	const struct route *made = made_route(op->node);
	if (!made && !tree_is_local_dir(op->node)) {
		return -EPERM;
	}
	if (ops_exists(op, op->node, op->name, &result)) {
		return result;
	}
	if (made) {
		return make_folder(op, made);
	}
	struct found found = { 0 };
	const struct route *route = ops_fixed_route(op->node, op->name);
	struct folder *folder = ops_folder(op->fs, op->node);
	if (route && folder->made && S_ISDIR(route->mode) && !route->children) {
		/* What would be put into it would never be sent. */
		return folder_refuse(folder, op->name,
			"nothing can be put there before this is created", -EPERM);
	}
	if (route &&
		(!S_ISDIR(route->mode) || !folder_takes_files(folder, op->pid, clock_now_ms()))) {
		return -EPERM;
	}
	result = ops_create_local(op, op->mode, LOCAL_SCRATCH, &found.node);
	if (result == 0) {
		ops_entry(op, REPLY_ENTRY, &found);
	}
	return result;
}

static int step_mknod(struct op *op)
{
	struct found found = { 0 };
	int result;
	if (!tree_is_local_dir(op->node) || !S_ISREG(op->mode)) {
		return -EPERM;
	}
	if (ops_exists(op, op->node, op->name, &result)) {
		return result;
	}
	result = ops_create_local(op, op->mode, LOCAL_SCRATCH, &found.node);
	if (result == 0) {
		draft_schedule(op->fs, found.node);
		ops_entry(op, REPLY_ENTRY, &found);
	}
	return result;
}

static int step_symlink(struct op *op)
{
	struct found found = { 0 };
	int result;
	if (!tree_is_local_dir(op->node) || ops_fixed_route(op->node, op->name)) {
		return -EPERM;
	}
	if (ops_exists(op, op->node, op->name, &result)) {
		return result;
	}
	result = ops_create_local(op, S_IFLNK | 0777, LOCAL_SCRATCH, &found.node);
	if (result == 0) {
		result = local_fill(found.node->local, op->target, strlen(op->target));
	}
	if (result == 0) {
		ops_entry(op, REPLY_ENTRY, &found);
	} else if (found.node) {
		struct entry **entries = ops_entries(op->fs, op->node);
		entry_remove(entries, entry_find(*entries, op->name));
		node_unref(found.node);
	}
	return result;
}

/* The folder that a directory shows something more of, as a connector's metrics are; NULL. */
static struct folder *shown_folder(struct fs *fs, struct node *dir)
{
	struct node *above = dir->route && dir->route->children ? dir->parent : NULL;
	return above && route_has_folder(above->route) ? folder_of(fs, above) : NULL;
}

/* What cannot be removed is hidden for the grace time. */
static int hide(struct folder *folder, const struct route *route)
{
	folder->hidden_until[route->face] = clock_now_ms() + folder->fs->options->delete_delay;
	return 0;
}

static int unlink_alias(struct op *op)
{
	struct folder *folder;
	if (!folder_alias(op->fs, op->node, op->name, &folder)) {
		return -EPERM;
	}
	folder_drop_alias(folder);
	return 0;
}

static int step_unlink(struct op *op)
{
	struct fs *fs = op->fs;
	struct node *dir = op->node;
	if (!tree_is_local_dir(dir)) {
		struct folder *shown = shown_folder(fs, dir);
		if (shown) {
			folder_hide_below(shown, dir->route, op->name);
		}
		return shown ? 0 : unlink_alias(op);
	}
	struct folder *folder = ops_folder(fs, dir);
	const struct route *route = ops_fixed_route(dir, op->name);
	int64_t now = clock_now_ms();
	if (!folder) {
		return -ENOMEM;
	}
	struct entry *entry = entry_find(*ops_entries(fs, dir), op->name);
	if (entry) {
		entry_remove(ops_entries(fs, dir), entry);
		ops_touch(fs, dir);
		return 0;
	}
	if (!route) {
		return -ENOENT;
	}
	struct slot *slot = folder_writes(folder, route, op->pid, now);
	if (!slot) {
		return hide(folder, route);
	}
	if (slot->away != AWAY_NOT || (folder->made && !slot->draft)) {
		return -ENOENT;
	}
	if (slot != folder_main(folder)) {
		slot_goes_away(slot, now);
		ops_touch(fs, dir);
		return 0;
	}
	int err = folder_unlink_main(folder, now);
	if (err == 0) {
		ops_touch(fs, dir);
	}
	bool at_once = err == 0 && slot->away == AWAY_UNLINKED && fs->options->delete_delay == 0;
	return at_once ? removal_start(op, folder) : err;
}

/* Whether what the API has in a directory below a folder's is gone, too. 0, OP_WAIT, -ENOTEMPTY, or
 * -errno: it cannot be told. */
static int check_below(struct op *op, const struct node *dir, const struct route *route)
{
	const struct route *child = route_variable_child(route);
	struct document *document = tree_document(op->fs, child->document, dir);
	int result = document ? document_need(op, document) : -ENOMEM;
	if (result == 0 && document->count > 0) {
		return -ENOTEMPTY;
	}
	struct folder *folder, *next;
	HASH_ITER (hh, op->fs->folders, folder, next) {
		if (folder->made && folder_document(folder) == document) {
			return -ENOTEMPTY;
		}
	}
	return result;
}

/* The same for all of a folder's. */
static int check_all_below(struct op *op, const struct node *dir)
{
	int result = 0;
	for (unsigned i = 1; i < ROUTES && result == 0; i++) {
		if (&routes[routes[i].parent] == dir->route && S_ISDIR(routes[i].mode) &&
			routes[i].name && !routes[i].children) {
			result = check_below(op, dir, &routes[i]);
		}
	}
	return result;
}

/* It counts as empty while what is in it is hidden or gone; then it is hidden as well. */
static int rmdir_shown(struct op *op, const struct route *route)
{
	struct folder *folder = ops_folder(op->fs, op->node);
	if (!S_ISDIR(route->mode)) {
		return -ENOTDIR;
	}
	if (!route->children) {
		int result = check_below(op, op->node, route);
		return result == 0 ? hide(folder, route) : result;
	}
	return clock_now_ms() < folder->hidden_until[route->face] ? hide(folder, route)
								  : -ENOTEMPTY;
}

static int rmdir_local(struct op *op)
{
	struct entry *entry = entry_find(*ops_entries(op->fs, op->node), op->name);
	const struct route *route = ops_fixed_route(op->node, op->name);
	if (!entry) {
		return route ? rmdir_shown(op, route) : -ENOENT;
	}
	if (!S_ISDIR(entry->node->local->mode)) {
		return -ENOTDIR;
	}
	if (entry->node->local->entries) {
		return -ENOTEMPTY;
	}
	entry_remove(ops_entries(op->fs, op->node), entry);
	ops_touch(op->fs, op->node);
	return 0;
}

static int step_rmdir(struct op *op)
{
	struct fs *fs = op->fs;
	struct found found;
	if (tree_is_local_dir(op->node)) {
		return rmdir_local(op);
	}
	if (!made_route(op->node)) {
		return -EPERM;
	}
	int result = tree_lookup(op, op->node, op->name, &found);
	if (result != 0) {
		return result;
	}
	struct folder *folder = folder_of(fs, found.node);
	result = folder && !folder->made ? check_all_below(op, found.node) : 0;
	node_unref(found.node);
	if (!folder || result != 0) {
		return folder ? result : -ENOMEM;
	}
	struct slot *slot = folder_main(folder);
	bool shown = !folder->made && slot->away == AWAY_NOT && !folder_keeps(folder);
	bool config = slot->draft || shown;
	if (config || folder->entries) {
		return -ENOTEMPTY;
	}
	if (folder->made && folder_is_busy(folder)) {
		return -EBUSY;
	}
	if (folder->made || folder_keeps(folder)) {
		folder->made = folder->kept = false;
		return 0;
	}
	if (fs->options->no_delete) {
		return -EPERM;
	}
	if (slot->away != AWAY_UNLINKED) {
		if (removal_is_braked(folder, clock_now_ms())) {
			return -EPERM;
		}
		fs->removals_pending++;
		slot->away = AWAY_UNLINKED;
	}
	return removal_start(op, folder);
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct op *op = ops_name_op(req, parent, name, step_mkdir);
	if (op) {
		op->mode = S_IFDIR | (mode & 07777);
		op_run(op);
	}
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct op *op = ops_name_op(req, parent, name, step_mknod);
	(void)rdev;
	if (op) {
		op->mode = mode;
		op_run(op);
	}
}

void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct op *op = ops_name_op(req, parent, name, step_symlink);
	if (op) {
		op->target = strdup(target);
		op_run(op);
	}
}

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = ops_name_op(req, parent, name, step_unlink);
	if (op) {
		op_run(op);
	}
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = ops_name_op(req, parent, name, step_rmdir);
	if (op) {
		op_run(op);
	}
}
