/* What the kernel knows of directories: checked when it asks, and taken back when it changes. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fs/document.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/op.h"
#include "fs/route.h"
#include "fs/tree.h"

#define LOOK_MS 100

/* What a variable stands for in all that a document shows. */
static const char *bound_to(const struct document *document, enum variable variable)
{
	return variable == VAR_ENVIRONMENT     ? document->environment
	       : variable == VAR_CLUSTER       ? document->cluster
	       : variable == VAR_CUSTOM_PLUGIN ? document->plugin
					       : NULL;
}

/* A directory above a document's items, if the kernel may know it. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table's paths */
static struct node *directory_node(
	struct fs *fs, const struct document *document, const struct route *route)
{
	if (route_id(route) == ROUTE_ROOT) {
		return fs->root;
	}
	struct node *parent = directory_node(fs, document, &routes[route->parent]);
	const char *key = route->name ? NULL : bound_to(document, route->variable);
	char *name = key ? name_encode(key) : NULL;
	const char *found = name ? name : route->name;
	struct node *node = parent && found ? node_find(parent, found) : NULL;
	free(name);
	return node;
}

/* The next row, behind `id`, of those below which a document's items stand; 0: there is none. */
static unsigned next_listing(const struct document *document, unsigned id)
{
	do {
		id++;
	} while (id < ROUTES && (routes[id].name || routes[id].document != document->kind));
	return id < ROUTES ? id : 0;
}

void tree_forget_item(struct fs *fs, const struct item *item)
{
	const struct document *document = item->document;
	for (unsigned i = next_listing(document, 0); i; i = next_listing(document, i)) {
		struct node *dir = directory_node(fs, document, &routes[routes[i].parent]);
		char *name = name_encode(item->name);
		if (dir && name) {
			notify_entry(fs, dir, name);
		}
		free(name);
	}
}

void tree_forget_listing(const struct document *document)
{
	struct fs *fs = document->fs;
	for (unsigned i = next_listing(document, 0); i; i = next_listing(document, i)) {
		const struct node *dir = directory_node(fs, document, &routes[routes[i].parent]);
		if (dir) {
			notify_listing(fs, dir);
		}
	}
}

/* Of a directory that has a folder. */
static int check_folder(struct op *op, struct node *dir, int64_t *ret_valid_ms)
{
	struct folder *folder = folder_find(op->fs, dir);
	*ret_valid_ms = 0;
	if (folder && folder->made) {
		return 0;
	}
	struct document *document = tree_document(op->fs, dir->route->document, dir);
	struct item *item = document ? document_find(document, dir->key) : NULL;
	int64_t now = clock_now_ms();
	if (!document) {
		return -ENOMEM;
	}
	*ret_valid_ms = document_ttl_left(document, now);
	if (item && *ret_valid_ms == 0) {
		enum part_kind part = routes[dir->route->folder->main].part;
		int result = document_need_part(op, item, part);
		if (result == 0) {
			*ret_valid_ms = item_ttl_left(item, part, now);
		}
		return result;
	}
	int result = document_need(op, document);
	return result == 0 && !document_find(document, dir->key) && !folder_keeps(folder) ? -ENOENT
											  : result;
}

/* Whether an op goes on from the look before it; it then began when that did. */
static bool goes_on(struct op *op, const struct look *look, uint64_t ino)
{
	bool mine = look->ino == ino && look->pid == op->pid && look->began <= op->began &&
		    clock_now_ms() - look->ended < LOOK_MS;
	if (mine) {
		op->began = look->began;
	}
	return mine;
}

void tree_reads_on(struct op *op, const struct node *dir)
{
	if (goes_on(op, &op->fs->look, dir->ino)) {
		op->fs->look.ino = 0;
	}
}

void tree_looks_again(struct op *op)
{
	struct look *look = &op->fs->look_by_name;
	if (look->ino && goes_on(op, look, node_ino(op->node, op->name))) {
		look->ino = 0;
	}
}

void tree_look_failed(struct op *op)
{
	struct node *node = node_find(op->node, op->name);
	if (node && node->lookups > 0 && !node->lost) {
		node->lost = true;
		op->fs->look_by_name = (struct look){ .ino = node_ino(op->node, op->name),
			.pid = op->pid,
			.began = op->began,
			.ended = clock_now_ms() };
	}
}

int tree_check_dir(struct op *op, struct node *dir, int64_t *ret_valid_ms)
{
	struct fs *fs = op->fs;
	struct document *listing = tree_listing(fs, dir);
	*ret_valid_ms = fs->options->ttl[TTL_TOPOLOGY];
	if (!listing && !route_has_folder(dir->route)) {
		return 0;
	}
	/* glibc's opendir is one look, the kernel's before reading another. */
	bool again = (fs->look.failed || fs->look.fresh) && goes_on(op, &fs->look, dir->ino);
	fs->look.fresh &= !again;
	int result = listing ? document_need(op, listing) : check_folder(op, dir, ret_valid_ms);
	int64_t now = clock_now_ms();
	if (result == OP_WAIT) {
		return OP_WAIT;
	}
	if (!again && (listing || result == 0)) {
		fs->look = (struct look){ dir->ino, op->pid, op->began, now, result < 0, true };
	}
	if (listing) {
		*ret_valid_ms = result == 0 ? document_ttl_left(listing, now) : 0;
	}
	if (listing && result < 0 && result != -ENOENT) {
		/* It can be looked at although its names cannot be had now; but what the kernel has
		 * of them is no answer any more. */
		notify_listing(fs, dir);
		result = 0;
	}
	return result;
}
