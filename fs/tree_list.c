#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/local.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/question.h"
#include "fs/route.h"
#include "fs/tree.h"

/*
 * Where a directory's names stand. A reader may go on from any place whatever has come and gone
 * meanwhile: a name keeps its place for as long as it is there.
 */
#define PLACE_LITERALS 2
#define PLACE_COMPUTED (UINT64_C(1) << 16)
#define PLACE_ITEMS    (UINT64_C(1) << 32)
#define PLACE_LOCAL    (UINT64_C(1) << 62)

struct lister {
	struct op *op;
	struct node *dir;
	uint64_t from;
	tree_visitor *visit;
	void *arg;
	uint64_t counted; /* computed names so far */
	mode_t mode;      /* theirs */
};

static int give(
	const struct lister *lister, uint64_t place, const char *name, mode_t mode, uint64_t ino)
{
	struct listed listed = { name, ino, mode & S_IFMT, place + 1 };
	return place < lister->from ? 0 : lister->visit(lister->arg, &listed);
}

static int give_view(const struct lister *lister, uint64_t place, const char *name, mode_t mode)
{
	return place < lister->from ? 0
				    : give(lister, place, name, mode, node_ino(lister->dir, name));
}

static int list_dots(const struct lister *lister)
{
	const struct node *dir = lister->dir, *parent = dir->parent ? dir->parent : dir;
	int result = give(lister, 0, ".", S_IFDIR, dir->ino);
	return result != 0 ? result : give(lister, 1, "..", S_IFDIR, parent->ino);
}

static int list_literals(const struct lister *lister)
{
	int result = 0;
	for (unsigned i = 1; i < ROUTES && result == 0; i++) {
		const struct route *route = &routes[i];
		if (&routes[route->parent] == lister->dir->route && route->name &&
			route_is_listed(route, lister->op->fs->options)) {
			result = give_view(lister, PLACE_LITERALS + i, route->name, route->mode);
		}
	}
	return result;
}

static int list_items(const struct lister *lister, const struct document *document)
{
	uint64_t from = lister->from > PLACE_ITEMS ? lister->from - PLACE_ITEMS : 0;
	int result = 0;
	for (size_t i = document_index(document, from); i < document->count && result == 0; i++) {
		struct item *item = document->items[i];
		char *name = name_encode(item->name);
		if (name) {
			result = give_view(lister, PLACE_ITEMS + item->place, name, S_IFDIR);
		} else if (!item->unnamed) {
			item->unnamed = true;
			log_warn(
				"a name of %zu bytes is too long for a file name and is left out of a listing",
				strlen(item->name));
		}
		free(name);
	}
	return result;
}

static int visit_child(void *arg, const struct child *child)
{
	struct lister *lister = arg;
	uint64_t place = child->place ? child->place : ++lister->counted;
	return give_view(lister, PLACE_COMPUTED + place, child->name, lister->mode);
}

static int list_entries(const struct lister *lister, const struct entry *entries)
{
	int result = 0;
	const struct entry *entry, *next;
	/* Giving one may be its end. */
	for (entry = entries; entry && result == 0; entry = next) {
		const struct node *node = entry->node;
		next = entry->hh.next;
		result = give(lister, PLACE_LOCAL + entry->place, entry->name, node->local->mode,
			node->ino);
	}
	return result;
}

/* Whether a directory with a folder lists a file that the API has, if it is `there`. */
static bool is_listed(const struct op *op, struct folder *folder, const struct route *route,
	bool there, int64_t now)
{
	const struct slot *slot = folder ? folder_writes(folder, route, op->pid, now) : NULL;
	if (slot) {
		return slot->draft || (there && slot->away == AWAY_NOT);
	}
	return there && (!folder || (!folder_hides(folder, route, op->pid, now) &&
					    !entry_find(folder->entries, route->name)));
}

/* The server's files, as far as they are not hidden, and the local ones. */
static int list_folder(const struct lister *lister)
{
	struct op *op = lister->op;
	struct folder *folder = folder_find(op->fs, lister->dir);
	if (folder) {
		/* Or a look at one of its names does it, while they are given. */
		folder_settle_undecided(folder);
	}
	bool there = tree_item(op->fs, lister->dir) && (!folder || !folder->made);
	int64_t now = clock_now_ms();
	int result = 0;
	for (unsigned i = 1; i < ROUTES && result == 0; i++) {
		const struct route *route = &routes[i];
		if (&routes[route->parent] == lister->dir->route &&
			route_is_listed(route, op->fs->options) &&
			is_listed(op, folder, route, there, now)) {
			result = give_view(lister, PLACE_LITERALS + i, route->name, route->mode);
		}
	}
	return result == 0 && folder ? list_entries(lister, folder->entries) : result;
}

/* Directories that mkdir made and no save has created yet, those that keep what was refused, and
 * links to those that the API has named. */
static int list_made(const struct lister *lister)
{
	int result = 0;
	struct folder *folder, *next;
	HASH_ITER (hh, lister->op->fs->folders, folder, next) {
		bool local = !folder_item(folder) && (folder->made || folder_keeps(folder));
		if (local && folder->dir && folder->dir->parent == lister->dir && result == 0) {
			result = give_view(
				lister, PLACE_LOCAL + folder->place, folder->dir->name, S_IFDIR);
		}
		const struct node *alias = folder->alias;
		if (alias && alias->parent == lister->dir && result == 0) {
			result = give_view(
				lister, PLACE_LOCAL + folder->place, alias->name, S_IFLNK);
		}
	}
	return result;
}

/* Has the names at hand before the first one is given. */
static int prepare(struct op *op, struct node *dir, struct document *document)
{
	int64_t valid;
	tree_reads_on(op, dir);
	ahead_reads(op, document);
	if (document) {
		return document_need(op, document);
	}
	return route_has_folder(dir->route) ? tree_check_dir(op, dir, &valid) : 0;
}

/* Of a directory that neither is local nor has a folder. */
static int list_fixed(struct lister *lister, const struct document *document)
{
	struct op *op = lister->op;
	struct node *dir = lister->dir;
	const struct route *child = route_variable_child(dir->route);
	int result = list_literals(lister);
	if (result == 0) {
		lister->mode = S_IFREG;
		result = question_list_notes(op, dir, visit_child, lister);
	}
	if (result == 0 && document) {
		result = list_items(lister, document);
	}
	if (result == 0 && route_has_folder(child)) {
		result = list_made(lister);
	}
	if (result == 0 && dir->route->children) {
		lister->mode = child ? child->mode : 0;
		result = dir->route->children(op, dir, NULL, visit_child, lister);
	}
	return result;
}

int tree_list(struct op *op, struct node *dir, uint64_t from, tree_visitor *visit, void *arg)
{
	struct lister lister = { .op = op, .dir = dir, .from = from, .visit = visit, .arg = arg };
	struct document *document = tree_listing(op->fs, dir);
	int result = from == 0 ? prepare(op, dir, document) : 0;
	if (result == 0) {
		result = list_dots(&lister);
	}
	if (result != 0) {
		return result;
	}
	if (dir->local) {
		return list_entries(&lister, dir->local->entries);
	}
	return route_has_folder(dir->route) ? list_folder(&lister) : list_fixed(&lister, document);
}

bool tree_is_steady(struct fs *fs, struct node *dir)
{
	return !dir->local && !dir->route->children && !question_has_notes(fs, dir) &&
	       !(route_has_folder(dir->route) && folder_find(fs, dir));
}
