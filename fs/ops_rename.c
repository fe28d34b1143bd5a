#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fs/archive.h"
#include "fs/draft.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/process.h"
#include "fs/route.h"

/* The local file that a name stands for, a view that has a slot turned into one on the way; NULL
 * with the errno in ret_err. */
static struct node *rename_source(struct op *op, struct folder *folder, int *ret_err)
{
	struct fs *fs = op->fs;
	struct entry *entry = entry_find(*ops_entries(fs, op->node), op->name);
	const struct route *route = ops_fixed_route(op->node, op->name);
	if (entry) {
		return entry->node;
	}
	const struct slot *slot = folder_writes(folder, route, op->pid, clock_now_ms());
	*ret_err = route ? -EPERM : -ENOENT;
	if (!slot) {
		return NULL;
	}
	if (slot->draft) {
		return slot->draft;
	}
	struct found found;
	*ret_err = tree_lookup(op, op->node, op->name, &found);
	if (*ret_err != 0) {
		return NULL;
	}
	*ret_err = draft_make_local(fs, found.node, folder, LOCAL_SCRATCH);
	/* Its directory entry keeps it. */
	struct node *node = *ret_err == 0 ? found.node : NULL;
	if (!node) {
		node_unref(found.node);
	}
	op->borrowed = node;
	return node;
}

static void drop_source(struct op *op)
{
	struct entry **entries = ops_entries(op->fs, op->node);
	struct entry *entry = entry_find(*entries, op->name);
	if (entry) {
		entry_remove(entries, entry);
		ops_touch(op->fs, op->node);
	}
}

int ops_rename_local(struct op *op)
{
	drop_source(op);
	return 0;
}

/* Moves a local file to a name that is not sent. */
static int move_local(struct op *op, struct folder *folder, struct node *node)
{
	struct fs *fs = op->fs;
	struct entry **to = ops_entries(fs, op->to_node);
	struct entry *target = entry_find(*to, op->to_name);
	if (target && target->node == node) {
		return 0;
	}
	if (target && S_ISDIR(target->node->local->mode) && target->node->local->entries) {
		return -ENOTEMPTY;
	}
	bool spooled;
	int err = S_ISREG(node->local->mode) && !op->to_node->local
			  ? archive_admit(folder, op->to_name, &spooled)
			  : 0;
	if (err < 0) {
		return err;
	}
	node_ref(node);
	if (target) {
		entry_remove(to, target);
	}
	err = entry_add(to, op->to_name, node);
	const struct route *from = ops_fixed_route(op->node, op->name);
	struct slot *slot = folder_slot(folder, from);
	if (err == 0 && slot && !entry_find(*ops_entries(fs, op->node), op->name)) {
		/* It comes back unless something takes its place. */
		slot_goes_away(slot, clock_now_ms());
		ops_touch(fs, op->node);
	} else if (err == 0) {
		drop_source(op);
	}
	ops_touch(fs, op->to_node);
	if (err == 0) {
		err = archive_commit(op, node, process_of(fs, op->pid));
	}
	node_unref(node);
	return err;
}

static int exchange(struct op *op, const struct folder *folder)
{
	bool archive = archive_format(op->name) || archive_format(op->to_name);
	struct entry *a = entry_find(*ops_entries(op->fs, op->node), op->name);
	struct entry *b = entry_find(*ops_entries(op->fs, op->to_node), op->to_name);
	if (!a || !b || (folder->route->folder->plugin && archive)) {
		return -EINVAL;
	}
	struct node *node = a->node;
	a->node = b->node;
	b->node = node;
	ops_touch(op->fs, op->node);
	ops_touch(op->fs, op->to_node);
	return 0;
}

/* Onto a name that the API has. */
static int rename_onto_fixed(
	struct op *op, struct folder *folder, const struct route *route, struct node *node)
{
	if (!S_ISREG(node->local->mode) || node->local->spooled) {
		return -EINVAL;
	}
	struct slot *slot = folder_writes(folder, route, op->pid, clock_now_ms());
	if (slot) {
		return route->save(op, slot, node, process_of(op->fs, op->pid), SAVE_BY_RENAME);
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
	}
	/* Of one that waits, what is stored takes the name away once it is. */
	return result == 0 ? ops_rename_local(op) : result;
}

static int rename_in_folder(struct op *op, struct folder *folder)
{
	const struct route *from = ops_fixed_route(op->node, op->name);
	const struct route *to = ops_fixed_route(op->to_node, op->to_name);
	int result = 0;
	if (op->flags & RENAME_EXCHANGE) {
		return from || to ? -EINVAL : exchange(op, folder);
	}
	if (op->flags & RENAME_NOREPLACE && ops_exists(op, op->to_node, op->to_name, &result)) {
		return result;
	}
	const struct slot *from_slot = folder_slot(folder, from);
	if (from_slot && to && to != from && !folder_takes_files(folder, op->pid, clock_now_ms())) {
		/* Before its view, whose name the kernel may keep, becomes scratch. */
		return -EINVAL;
	}
	struct node *node = rename_source(op, folder, &result);
	if (!node) {
		return result;
	}
	if (from_slot && to == from && node == from_slot->draft) {
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
	if (!local && route_has_folder(route_variable_child(op->node->route))) {
		journal_error(op->fs->journal,
			"%s: not renamed: it keeps its name; copy it to a new one and remove it",
			op->name);
	}
	if (!local || !to_local) {
		return -EPERM;
	}
	struct folder *folder = ops_folder(op->fs, op->node);
	struct folder *to_folder = ops_folder(op->fs, op->to_node);
	if (!folder || !to_folder) {
		return -ENOMEM;
	}
	return folder == to_folder ? rename_in_folder(op, folder) : -EXDEV;
}

/* A scratch file of the same bytes; NULL with the errno in ret_err. */
static struct node *copy_of(struct op *op, struct node *node, struct folder *folder, int *ret_err)
{
	struct fs *fs = op->fs;
	const struct local *draft = node->local;
	struct node *copy = node_create(fs, op->to_node, op->to_name);
	*ret_err = copy ? 0 : -ENOMEM;
	if (copy && draft) {
		copy->ino = node_new_ino(fs);
		copy->local = local_create(fs, folder, LOCAL_SCRATCH, draft->mode);
		*ret_err =
			copy->local ? local_fill(copy->local, draft->data, draft->size) : -ENOMEM;
	} else if (copy) {
		copy->route = node->route;
		copy->part = part_ref(node->part);
		copy->size = node->size;
		node_set_mtime(copy, node_mtime(node));
		*ret_err = draft_make_local(fs, copy, folder, LOCAL_SCRATCH);
		copy->route = NULL;
	}
	if (*ret_err < 0) {
		node_unref(copy);
		return NULL;
	}
	return copy;
}

/* A second name for a local file; of a view or a draft, a copy of what it shows now. */
static int link_local(struct op *op)
{
	struct fs *fs = op->fs;
	struct node *node = op->node;
	struct folder *folder = ops_folder(fs, op->to_node);
	bool shared = node->local && node->local->role != LOCAL_DRAFT;
	int failed = 0;
	struct found found = { .node = shared ? node_ref(node)
					      : copy_of(op, node, folder, &failed) };
	if (!found.node) {
		return failed;
	}
	int err = entry_add(ops_entries(fs, op->to_node), op->to_name, found.node);
	if (err < 0) {
		node_unref(found.node);
		return err;
	}
	ops_touch(fs, op->to_node);
	ops_entry(op, REPLY_ENTRY, &found);
	return 0;
}

static int step_link(struct op *op)
{
	struct node *node = op->node;
	const struct route *to = ops_fixed_route(op->to_node, op->to_name);
	int result;
	if (!tree_is_local_dir(op->to_node) || (!node->local && !S_ISREG(node->route->mode))) {
		return -EPERM;
	}
	if (ops_exists(op, op->to_node, op->to_name, &result)) {
		return result;
	}
	struct folder *folder = ops_folder(op->fs, op->to_node);
	if (!folder) {
		return -ENOMEM;
	}
	if (node->local ? node->local->folder != folder : node->parent != op->to_node) {
		return -EXDEV;
	}
	if (folder->route->folder->plugin && archive_format(op->to_name)) {
		return -EPERM;
	}
	struct slot *slot = folder_writes(folder, to, op->pid, clock_now_ms());
	if (slot) {
		return node->local && !node->local->spooled
			       ? to->save(op, slot, node, process_of(op->fs, op->pid), SAVE_BY_LINK)
			       : -EPERM;
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
	return link_local(op);
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned int flags)
{
	struct op *op = ops_name_op(req, parent, name, step_rename);
	if (op) {
		op->to_node = ops_node(op->fs, to_parent);
		op->to_name = strdup(to_name);
		op->flags = flags;
		op_run(op);
	}
}

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to_parent, const char *to_name)
{
	struct op *op = ops_name_op(req, ino, to_name, step_link);
	if (op) {
		op->to_node = ops_node(op->fs, to_parent);
		op->to_name = strdup(to_name);
		op_run(op);
	}
}
