/* What the kernel knows of directories: checked when it asks, and taken back when it changes. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fs/document.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/look.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/op.h"
#include "fs/route.h"
#include "fs/tree.h"

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

void tree_reads_on(struct op *op, const struct node *dir)
{
	struct look *look = look_of(op, dir->ino);
	if (look) {
		op->began = look->began;
		look_drop(op->fs, look);
	}
}

/* A name, apart from the directory that it may be of. */
static uint64_t name_looked_at(const struct op *op)
{
	return ~node_ino(op->node, op->name);
}

int tree_looks_again(struct op *op)
{
	const struct node *node = node_find(op->node, op->name);
	uint64_t what = name_looked_at(op);
	op->known = node && node->lookups > 0 && !node->lost;
	struct look *look = look_of(op, what);
	look = look ? look : look_of_others(op, what);
	if (look && !look->again) {
		look_drop(op->fs, look);
		look = NULL;
	}
	if (!look) {
		return 0;
	}
	look->again = false;
	return look->err;
}

void tree_look_failed(struct op *op, int err)
{
	uint64_t what = name_looked_at(op);
	struct look *look = look_of(op, what);
	if (err == -ENOENT || err == -EINTR) {
		return;
	}
	if (look) {
		look->again = op->known;
	} else {
		look_note(op, what, err, op->known);
	}
	struct node *node = node_find(op->node, op->name);
	if (node && op->known) {
		node->lost = true;
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
	struct look *look = look_of(op, dir->ino);
	bool again = look && (look->err < 0 || look->again);
	if (again) {
		op->began = look->began;
		look->again = false;
	}
	int result = listing ? document_need(op, listing) : check_folder(op, dir, ret_valid_ms);
	if (result == OP_WAIT) {
		return OP_WAIT;
	}
	if (listing) {
		*ret_valid_ms = result == 0 ? document_ttl_left(listing, clock_now_ms()) : 0;
	}
	if (!again && (listing || result == 0) && *ret_valid_ms < LOOK_MS) {
		look_note(op, dir->ino, result, true);
	}
	if (listing && result < 0 && result != -ENOENT) {
		/* It can be looked at although its names cannot be had now; but what the kernel has
		 * of them is no answer any more. */
		notify_listing(fs, dir);
		result = 0;
	}
	return result;
}
