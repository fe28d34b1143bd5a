#include <dirent.h>
#include <errno.h>
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
#include "fs/op.h"
#include "fs/question.h"
#include "fs/route.h"
#include "fs/topology.h"
#include "fs/tree.h"

void name_list_finish(struct name_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->names[i]);
	}
	free(list->names);
	free(list->types);
	*list = (struct name_list){ 0 };
}

static int add(struct name_list *list, const char *name, unsigned char type)
{
	if (list->count == list->size) {
		size_t size = list->size ? 2 * list->size : 16;
		char **names = reallocarray(list->names, size, sizeof(*names));
		if (!names) {
			return -ENOMEM;
		}
		list->names = names;
		unsigned char *types = reallocarray(list->types, size, sizeof(*types));
		if (!types) {
			return -ENOMEM;
		}
		list->types = types;
		list->size = size;
	}
	char *copy = strdup(name);
	if (!copy) {
		return -ENOMEM;
	}
	list->names[list->count] = copy;
	list->types[list->count++] = type;
	return 0;
}

static unsigned char type_of(mode_t mode)
{
	return (unsigned char)IFTODT(mode);
}

static int add_literals(
	struct name_list *list, const struct route *dir, const struct options *options)
{
	int err = 0;
	for (unsigned i = 1; i < ROUTES && err == 0; i++) {
		if (&routes[routes[i].parent] == dir && routes[i].name &&
			route_is_listed(&routes[i], options)) {
			err = add(list, routes[i].name, type_of(routes[i].mode));
		}
	}
	return err;
}

static int add_items(struct name_list *list, struct document *document, mode_t mode)
{
	int err = 0;
	for (size_t i = 0; i < document->count && err == 0; i++) {
		const struct item *item = document->items[i];
		char *name = name_encode(item->name);
		if (name) {
			err = add(list, name, type_of(mode));
		} else {
			log_warn(
				"a name of %zu bytes is too long for a file name and is left out of a listing",
				strlen(item->name));
		}
		free(name);
	}
	return err;
}

static int visit(void *arg, const struct child *child)
{
	struct name_list *list = arg;
	/* The type is filled in by the caller: all computed children of a directory share one. */
	return add(list, child->name, DT_UNKNOWN);
}

static int list_computed(
	struct op *op, struct node *dir, const struct route *child, struct name_list *list)
{
	int result = dir->route->children(op, dir, NULL, visit, list);
	for (size_t i = 0; child && i < list->count; i++) {
		list->types[i] = type_of(child->mode);
	}
	return result;
}

static int add_entries(struct name_list *list, const struct entry *entries)
{
	int err = 0;
	for (const struct entry *entry = entries; entry && err == 0; entry = entry->hh.next) {
		err = add(list, entry->name, type_of(entry->node->local->mode));
	}
	return err;
}

/* The server's files, as far as they are not hidden, and the local ones. */
static int list_folder(struct op *op, struct node *dir, struct name_list *list)
{
	struct folder *folder = folder_find(op->fs, dir);
	int64_t now = clock_now_ms(), valid;
	int result = tree_check_dir(op, dir, &valid);
	for (unsigned i = 1; i < ROUTES && result == 0; i++) {
		const struct route *route = &routes[i];
		if (&routes[route->parent] != dir->route ||
			!route_is_listed(route, op->fs->options)) {
			continue;
		}
		bool there = tree_item(op->fs, dir) && (!folder || !folder->made);
		const struct slot *slot =
			folder ? folder_writes(folder, route, op->pid, now) : NULL;
		if (slot) {
			there = slot->draft || (there && slot->away == AWAY_NOT);
		} else if (folder) {
			there = there && now >= folder->hidden_until[route->face] &&
				!folder_takes_files(folder, op->pid, now) &&
				!entry_find(folder->entries, route->name);
		}
		result = there ? add(list, route->name, type_of(route->mode)) : 0;
	}
	return result == 0 && folder ? add_entries(list, folder->entries) : result;
}

/* Directories that mkdir made and no save has created yet, and those that keep what was refused. */
static int add_made(struct op *op, struct node *dir, struct name_list *list)
{
	int err = 0;
	struct folder *folder, *next;
	HASH_ITER (hh, op->fs->folders, folder, next) {
		bool local = folder->made || (folder_keeps(folder) && !folder_item(folder));
		if (local && folder->dir && folder->dir->parent == dir && err == 0) {
			err = add(list, folder->dir->name, DT_DIR);
		}
	}
	return err;
}

static int list_items(
	struct op *op, struct node *dir, const struct route *child, struct name_list *list)
{
	struct document *document = tree_document(op->fs, child->document, dir);
	int result = document ? document_need(op, document) : -ENOMEM;
	if (result == 0) {
		result = add_items(list, document, child->mode);
	}
	return result == 0 && route_has_folder(child) ? add_made(op, dir, list) : result;
}

int tree_list(struct op *op, struct node *dir, struct name_list *ret_list)
{
	struct name_list list = { 0 };
	int result;
	if (dir->local) {
		result = add_entries(&list, dir->local->entries);
	} else if (route_has_folder(dir->route)) {
		result = list_folder(op, dir, &list);
	} else {
		const struct route *child = route_variable_child(dir->route);
		result = add_literals(&list, dir->route, op->fs->options);
		if (result == 0) {
			result = question_list_notes(op, dir, visit, &list);
		}
		if (result == 0 && child && child->document) {
			result = list_items(op, dir, child, &list);
		} else if (result == 0 && dir->route->children) {
			result = list_computed(op, dir, child, &list);
		}
	}
	if (result == 0) {
		*ret_list = list;
	} else {
		name_list_finish(&list);
	}
	return result;
}
