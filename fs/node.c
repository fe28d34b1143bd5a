#include "fs/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/local.h"
#include "fs/route.h"

static uint64_t valid_ino(uint64_t hash)
{
	return hash > ROOT_INO ? hash : hash + 2;
}

uint64_t node_ino(const struct node *parent, const char *name)
{
	uint64_t hash = hash_bytes(HASH_START ^ parent->ino, name, strlen(name));
	return valid_ino(hash_mix(hash));
}

uint64_t node_new_ino(struct fs *fs)
{
	return valid_ino(hash_mix(HASH_START + ++fs->local_inos));
}

/* The one that knows the mount. */
struct root {
	struct node node;
	struct fs *fs;
};

struct fs *node_fs(const struct node *node)
{
	while (node->parent) {
		node = node->parent;
	}
	return ((const struct root *)node)->fs;
}

bool node_is_dir(const struct node *node)
{
	mode_t mode = node->route ? node->route->mode : node->local ? node->local->mode : 0;
	return S_ISDIR(mode);
}

/* Takes the name over. */
static struct node *create(struct fs *fs, struct node *parent, const char *name, bool literal)
{
	size_t size = parent ? sizeof(struct node) : sizeof(struct root);
	struct node *node = name ? calloc(1, size) : NULL;
	uint64_t ino = parent && name ? node_ino(parent, name) : ROOT_INO;
	if (!node || table_add(&fs->nodes, &node->link, ino) < 0) {
		if (!literal) {
			free((char *)name);
		}
		free(node);
		return NULL;
	}
	if (!parent) {
		((struct root *)node)->fs = fs;
	}
	node->refs = 1;
	node->name = name;
	node->literal = literal;
	node->parent = node_ref(parent);
	node->ino = ino;
	return node;
}

struct node *node_create(struct fs *fs, struct node *parent, const char *name)
{
	return create(fs, parent, strdup(name), false);
}

struct node *node_create_route(
	struct node *parent, const char *name, const struct route *route, const char *key)
{
	bool literal = route->name != NULL;
	struct node *node =
		create(node_fs(parent), parent, literal ? route->name : strdup(name), literal);
	if (!node) {
		return NULL;
	}
	node->route = route;
	if (key) {
		node->key = strcmp(key, node->name) == 0 ? node->name : strdup(key);
	}
	if (key && !node->key) {
		node_unref(node);
		return NULL;
	}
	return node;
}

int node_set_key(struct node *node, const char *key)
{
	char *copy = strdup(key);
	if (!copy) {
		return -ENOMEM;
	}
	if (node->key != node->name) {
		free((char *)node->key);
	}
	node->key = copy;
	return 0;
}

struct node *node_ref(struct node *node)
{
	if (node) {
		node->refs++;
	}
	return node;
}

static void node_destroy(struct fs *fs, struct node *node)
{
	table_remove(&fs->nodes, &node->link);
	if (!node_is_dir(node)) {
		part_unref(node->part);
	} else if (node->key != node->name) {
		free((char *)node->key);
	}
	local_destroy(node->local);
	if (!node->literal) {
		free((char *)node->name);
	}
	free(node);
}

void node_unref(struct node *node)
{
	while (node && --node->refs == 0) {
		struct node *parent = node->parent;
		node_destroy(node_fs(node), node);
		node = parent;
	}
}

struct node *node_next(const struct fs *fs, const struct node *node)
{
	struct table_link *link = table_next(&fs->nodes, node ? &node->link : NULL);
	return link ? table_entry(link, struct node, link) : NULL;
}

void nodes_destroy(struct fs *fs)
{
	/* Directories of scratch first: what they hold refers to other nodes. */
	for (struct node *node = node_next(fs, NULL); node; node = node_next(fs, node)) {
		if (node->local) {
			node_ref(node);
			entries_clear(&node->local->entries);
		}
	}
	for (struct node *node = node_next(fs, NULL), *next; node; node = next) {
		next = node_next(fs, node);
		node_destroy(fs, node);
	}
	table_finish(&fs->nodes);
}

void node_bind(struct node *node)
{
	struct node *other = node_find(node->parent, node->name);
	if (other) {
		node_unbind(other);
	}
	node->current = true;
}

void node_unbind(struct node *node)
{
	node->current = false;
}

struct node *node_find(struct node *parent, const char *name)
{
	const struct table *nodes = &node_fs(parent)->nodes;
	struct table_link *link = table_find(nodes, node_ino(parent, name));
	for (; link; link = table_find_next(link)) {
		struct node *node = table_entry(link, struct node, link);
		if (node->current && node->parent == parent && strcmp(node->name, name) == 0) {
			return node;
		}
	}
	return NULL;
}

const char *node_variable(const struct node *node, unsigned variable)
{
	for (; node; node = node->parent) {
		if (node->route && node->route->variable == variable && node_is_dir(node)) {
			return node->key;
		}
	}
	return NULL;
}
