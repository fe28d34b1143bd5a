#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/connectors.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/local.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/removal.h"
#include "fs/route.h"
#include "fs/save.h"

static bool is_connector_dir(const struct node *dir)
{
	return dir->route == &routes[ROUTE_CONNECTOR];
}

/* The row of a name that the API has in a connector's directory; NULL: any other name. */
static const struct route *fixed_route(const struct node *dir, const char *name)
{
	return is_connector_dir(dir) ? route_child(dir->route, name) : NULL;
}

static struct folder *folder_at(struct fs *fs, struct node *dir)
{
	return dir->local ? dir->local->folder : folder_of(fs, dir);
}

static struct entry **entries_of(struct fs *fs, struct node *dir)
{
	return dir->local ? &dir->local->entries : &folder_of(fs, dir)->entries;
}

int ops_create_local(struct op *op, mode_t mode, enum local_role role, struct node **ret_node)
{
	struct fs *fs = op->fs;
	struct node *dir = op->node;
	const struct route *route = fixed_route(dir, op->name);
	struct folder *folder = folder_at(fs, dir);
	struct node *node = folder ? node_create(fs, dir, op->name) : NULL;
	bool bind = true;
	if (!node) {
		return -ENOMEM;
	}
	if (route == &routes[ROUTE_CONFIG]) {
		role = S_ISREG(mode) ? LOCAL_DRAFT : role;
	} else if (route && (route->store ? !folder->made
					  : !folder_takes_files(folder, op->pid, clock_now_ms()))) {
		/* A word that is written to a connector that exists is obeyed. */
		role = route->store ? LOCAL_WORD : LOCAL_SINK;
		folder->hidden_until[route->face] = 0;
		bind = false;
	}
	node->local = local_create(fs, folder, role, mode);
	int err = node->local ? 0 : -ENOMEM;
	if (err == 0 && role == LOCAL_DRAFT) {
		node->route = route;
		folder_config_is_back(folder);
		folder_set_draft(folder, node);
		folder_touch(folder);
	} else if (err == 0 && bind) {
		err = entry_add(entries_of(fs, dir), op->name, node);
		folder_touch(folder);
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

static bool exists(struct op *op, struct node *dir, const char *name, int *ret_result)
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

static int make_connector_dir(struct op *op)
{
	struct fs *fs = op->fs;
	char *key = name_decode(op->name);
	if (!key) {
		return -EINVAL;
	}
	if (name_is_unremovable(key)) {
		free(key);
		return -EINVAL;
	}
	if (!name_is_conventional(key)) {
		log_warn("mkdir: the API may refuse a connector of this name: %s", key);
	}
	struct node *node = node_create(fs, op->node, op->name);
	if (!node) {
		free(key);
		return -ENOMEM;
	}
	node->route = &routes[ROUTE_CONNECTOR];
	node->key = key;
	node_bind(node);
	struct folder *folder = folder_of(fs, node);
	if (!folder) {
		node_unref(node);
		return -ENOMEM;
	}
	folder->made = true;
	folder->away = AWAY_NOT;
	folder->created_at = 0;
	folder_touch(folder);
	struct found found = { .node = node };
	ops_entry(op, REPLY_ENTRY, &found);
	return 0;
}

static int step_mkdir(struct op *op)
{
	int result;
	bool connector = op->node->route == &routes[ROUTE_CONNECTORS];
	if (!connector && !tree_is_local_dir(op->node)) {
		return -EPERM;
	}
	if (exists(op, op->node, op->name, &result)) {
		return result;
	}
	if (connector) {
		return op->fs->options->ro ? -EROFS : make_connector_dir(op);
	}
	struct found found = { 0 };
	if (fixed_route(op->node, op->name)) {
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
	if (exists(op, op->node, op->name, &result)) {
		return result;
	}
	result = ops_create_local(op, op->mode, LOCAL_SCRATCH, &found.node);
	if (result == 0) {
		ops_entry(op, REPLY_ENTRY, &found);
	}
	return result;
}

static int step_symlink(struct op *op)
{
	struct found found = { 0 };
	int result;
	if (!tree_is_local_dir(op->node) || fixed_route(op->node, op->name)) {
		return -EPERM;
	}
	if (exists(op, op->node, op->name, &result)) {
		return result;
	}
	result = ops_create_local(op, S_IFLNK | 0777, LOCAL_SCRATCH, &found.node);
	if (result == 0) {
		result = local_fill(found.node->local, op->target, strlen(op->target));
		ops_entry(op, REPLY_ENTRY, &found);
	}
	return result;
}

static int step_unlink(struct op *op)
{
	struct fs *fs = op->fs;
	struct node *dir = op->node;
	if (!tree_is_local_dir(dir)) {
		return -EPERM;
	}
	struct folder *folder = folder_at(fs, dir);
	const struct route *route = fixed_route(dir, op->name);
	int64_t now = clock_now_ms();
	if (!folder) {
		return -ENOMEM;
	}
	struct entry *entry = entry_find(*entries_of(fs, dir), op->name);
	if (entry) {
		entry_remove(entries_of(fs, dir), entry);
		folder_touch(folder);
		return 0;
	}
	if (!route) {
		return -ENOENT;
	}
	if (fs->options->ro) {
		return -EROFS;
	}
	if (route != &routes[ROUTE_CONFIG]) {
		folder->hidden_until[route->face] = now + fs->options->delete_delay;
		return 0;
	}
	if (folder->away != AWAY_NOT || (folder->made && !folder->draft)) {
		return -ENOENT;
	}
	int err = folder_unlink_config(folder, now);
	bool at_once = err == 0 && folder->away == AWAY_UNLINKED && fs->options->delete_delay == 0;
	return at_once ? removal_start(op, folder) : err;
}

static int rmdir_local(struct op *op)
{
	struct entry *entry = entry_find(*entries_of(op->fs, op->node), op->name);
	if (!entry) {
		return fixed_route(op->node, op->name) ? -ENOTDIR : -ENOENT;
	}
	if (!S_ISDIR(entry->node->local->mode)) {
		return -ENOTDIR;
	}
	if (entry->node->local->entries) {
		return -ENOTEMPTY;
	}
	entry_remove(entries_of(op->fs, op->node), entry);
	folder_touch(folder_at(op->fs, op->node));
	return 0;
}

static int step_rmdir(struct op *op)
{
	struct fs *fs = op->fs;
	struct found found;
	if (tree_is_local_dir(op->node)) {
		return rmdir_local(op);
	}
	if (op->node->route != &routes[ROUTE_CONNECTORS]) {
		return -EPERM;
	}
	int result = tree_lookup(op, op->node, op->name, &found);
	if (result != 0) {
		return result;
	}
	struct folder *folder = folder_of(fs, found.node);
	node_unref(found.node);
	if (!folder) {
		return -ENOMEM;
	}
	bool config = folder->draft || (!folder->made && folder->away == AWAY_NOT);
	if (config || folder->entries) {
		return -ENOTEMPTY;
	}
	if (folder->made) {
		folder->made = false;
		return 0;
	}
	if (fs->options->ro) {
		return -EROFS;
	}
	if (fs->options->no_delete) {
		return -EPERM;
	}
	if (folder->away != AWAY_UNLINKED) {
		if (removals_are_braked(fs, clock_now_ms())) {
			return -EPERM;
		}
		fs->removals_pending++;
		folder->away = AWAY_UNLINKED;
	}
	return removal_start(op, folder);
}

/* The local file that a name stands for, a view of config.json turned into one on the way; NULL
 * with the errno in ret_err. */
static struct node *rename_source(struct op *op, struct folder *folder, int *ret_err)
{
	struct fs *fs = op->fs;
	struct entry *entry = entry_find(*entries_of(fs, op->node), op->name);
	const struct route *route = fixed_route(op->node, op->name);
	if (entry) {
		return entry->node;
	}
	*ret_err = route ? -EPERM : -ENOENT;
	if (route != &routes[ROUTE_CONFIG]) {
		return NULL;
	}
	if (folder->draft) {
		return folder->draft;
	}
	struct found found;
	*ret_err = tree_lookup(op, op->node, op->name, &found);
	if (*ret_err != 0) {
		return NULL;
	}
	*ret_err = ops_make_local(fs, found.node, folder, LOCAL_SCRATCH);
	/* Its directory entry keeps it. */
	struct node *node = *ret_err == 0 ? found.node : NULL;
	if (!node) {
		node_unref(found.node);
	}
	op->borrowed = node;
	return node;
}

/* config.json goes away under another name: it comes back unless something takes its place. */
static void config_renamed_away(struct folder *folder)
{
	if (folder->draft) {
		folder->draft->local->role = LOCAL_SCRATCH;
		folder_set_draft(folder, NULL);
	}
	if (!folder->made) {
		folder->away = AWAY_RENAMED;
		folder->away_due = clock_now_ms() + folder->fs->options->delete_delay;
		fs_wake(folder->fs);
	}
}

static void drop_source(struct op *op, struct folder *folder)
{
	struct entry *entry = entry_find(*entries_of(op->fs, op->node), op->name);
	if (entry) {
		entry_remove(entries_of(op->fs, op->node), entry);
		folder_touch(folder);
	}
}

int ops_rename_local(struct op *op)
{
	struct folder *folder = folder_at(op->fs, op->node);
	drop_source(op, folder);
	return 0;
}

/* Moves a local file to a name that is not sent. */
static int move_local(struct op *op, struct folder *folder, struct node *node)
{
	struct fs *fs = op->fs;
	struct entry **to = entries_of(fs, op->to_node);
	struct entry *target = entry_find(*to, op->to_name);
	if (target && target->node == node) {
		return 0;
	}
	if (target && S_ISDIR(target->node->local->mode) && target->node->local->entries) {
		return -ENOTEMPTY;
	}
	node_ref(node);
	if (target) {
		entry_remove(to, target);
	}
	int err = entry_add(to, op->to_name, node);
	if (err == 0 && fixed_route(op->node, op->name) == &routes[ROUTE_CONFIG] &&
		!entry_find(*entries_of(fs, op->node), op->name)) {
		config_renamed_away(folder);
	} else if (err == 0) {
		drop_source(op, folder);
	}
	node->ino = node_ino(op->to_node, op->to_name);
	folder_touch(folder);
	node_unref(node);
	return err;
}

static int exchange(struct op *op, struct folder *folder)
{
	struct entry *a = entry_find(*entries_of(op->fs, op->node), op->name);
	struct entry *b = entry_find(*entries_of(op->fs, op->to_node), op->to_name);
	if (!a || !b) {
		return -EINVAL;
	}
	struct node *node = a->node;
	a->node = b->node;
	b->node = node;
	folder_touch(folder);
	return 0;
}

/* Onto a name that the API has. */
static int rename_onto_fixed(
	struct op *op, struct folder *folder, const struct route *route, struct node *node)
{
	if (!S_ISREG(node->local->mode)) {
		return -EINVAL;
	}
	if (route == &routes[ROUTE_CONFIG]) {
		return save_start(op, folder, node, op->pid, SAVE_BY_RENAME);
	}
	if (folder_takes_files(folder, op->pid, clock_now_ms())) {
		return move_local(op, folder, node);
	}
	int result = 0;
	if (route->store) {
		node_ref(node);
		result = route->store(op, op->to_node, node->local->data ? node->local->data : "",
			node->local->size);
		node_unref(node);
	}
	if (result >= 0) {
		folder->hidden_until[route->face] = 0;
		drop_source(op, folder);
	}
	return result;
}

static int rename_in_folder(struct op *op, struct folder *folder)
{
	const struct route *from = fixed_route(op->node, op->name);
	const struct route *to = fixed_route(op->to_node, op->to_name);
	int result = 0;
	if (op->flags & RENAME_EXCHANGE) {
		return from || to ? -EINVAL : exchange(op, folder);
	}
	if (op->flags & RENAME_NOREPLACE && exists(op, op->to_node, op->to_name, &result)) {
		return result;
	}
	struct node *node = rename_source(op, folder, &result);
	if (!node) {
		return result;
	}
	if (to == &routes[ROUTE_CONFIG] && node == folder->draft) {
		return 0;
	}
	result = to ? rename_onto_fixed(op, folder, to, node) : move_local(op, folder, node);
	node_unref(op->borrowed);
	op->borrowed = NULL;
	return result;
}

static int step_rename(struct op *op)
{
	bool local = tree_is_local_dir(op->node), to_local = tree_is_local_dir(op->to_node);
	if (!local || !to_local) {
		return -EPERM;
	}
	struct folder *folder = folder_at(op->fs, op->node);
	struct folder *to_folder = folder_at(op->fs, op->to_node);
	if (!folder || !to_folder) {
		return -ENOMEM;
	}
	if (op->fs->options->ro) {
		return -EROFS;
	}
	return folder == to_folder ? rename_in_folder(op, folder) : -EXDEV;
}

/* A second name for a local file; of a view, a copy of what it shows now. */
int ops_link_local(struct op *op)
{
	struct fs *fs = op->fs;
	struct node *node = op->node;
	struct folder *folder = folder_at(fs, op->to_node);
	struct found found = { 0 };
	if (node->local) {
		found.node = node_ref(node);
	} else {
		found.node = node_create(fs, op->to_node, op->to_name);
		if (!found.node) {
			return -ENOMEM;
		}
		found.node->route = node->route;
		found.node->part = part_ref(node->part);
		found.node->size = node->size;
		found.node->mtime = node->mtime;
		int err = ops_make_local(fs, found.node, folder, LOCAL_SCRATCH);
		found.node->route = NULL;
		if (err < 0) {
			node_unref(found.node);
			return err;
		}
	}
	int err = entry_add(entries_of(fs, op->to_node), op->to_name, found.node);
	if (err < 0) {
		node_unref(found.node);
		return err;
	}
	folder_touch(folder);
	ops_entry(op, REPLY_ENTRY, &found);
	return 0;
}

static int step_link(struct op *op)
{
	struct node *node = op->node;
	const struct route *to = fixed_route(op->to_node, op->to_name);
	int result;
	if (!tree_is_local_dir(op->to_node) || (!node->local && !S_ISREG(node->route->mode))) {
		return -EPERM;
	}
	if (op->fs->options->ro) {
		return -EROFS;
	}
	if (exists(op, op->to_node, op->to_name, &result)) {
		return result;
	}
	struct folder *folder = folder_at(op->fs, op->to_node);
	if (!folder) {
		return -ENOMEM;
	}
	if (node->local ? node->local->folder != folder : node->parent != op->to_node) {
		return -EXDEV;
	}
	if (to == &routes[ROUTE_CONFIG]) {
		if (!node->local) {
			return -EPERM;
		}
		return save_start(op, folder, node, op->pid, SAVE_BY_LINK);
	}
	if (to && !folder_takes_files(folder, op->pid, clock_now_ms())) {
		/* Dropped with success; the kernel gets what stands there anyway. */
		folder->hidden_until[to->face] = 0;
		struct found found;
		result = tree_lookup(op, op->to_node, op->to_name, &found);
		if (result == 0) {
			ops_entry(op, REPLY_ENTRY, &found);
		}
		return result;
	}
	return ops_link_local(op);
}

static struct op *name_op(
	fuse_req_t req, fuse_ino_t ino, const char *name, int (*step)(struct op *op))
{
	struct fs *fs = ops_fs(req);
	struct op *op = op_create(fs, req, step, ops_node(fs, ino));
	if (op) {
		op->name = strdup(name);
	}
	return op;
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct op *op = name_op(req, parent, name, step_mkdir);
	if (op) {
		op->mode = S_IFDIR | (mode & 07777);
		op_run(op);
	}
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct op *op = name_op(req, parent, name, step_mknod);
	(void)rdev;
	if (op) {
		op->mode = mode;
		op_run(op);
	}
}

void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct op *op = name_op(req, parent, name, step_symlink);
	if (op) {
		op->target = strdup(target);
		op_run(op);
	}
}

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = name_op(req, parent, name, step_unlink);
	if (op) {
		op_run(op);
	}
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = name_op(req, parent, name, step_rmdir);
	if (op) {
		op_run(op);
	}
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned int flags)
{
	struct op *op = name_op(req, parent, name, step_rename);
	if (op) {
		op->to_node = ops_node(op->fs, to_parent);
		op->to_name = strdup(to_name);
		op->flags = flags;
		op_run(op);
	}
}

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to_parent, const char *to_name)
{
	struct op *op = name_op(req, ino, to_name, step_link);
	if (op) {
		op->to_node = ops_node(op->fs, to_parent);
		op->to_name = strdup(to_name);
		op_run(op);
	}
}
