#include "fs/node.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/local.h"
#include "fs/route.h"

uint64_t node_ino(const struct node *parent, const char *name)
{
	uint64_t hash = hash_bytes(HASH_START ^ parent->ino, name, strlen(name));
	hash = hash_mix(hash);
	return hash > ROOT_INO ? hash : hash + 2;
}

struct node *node_create(struct fs *fs, struct node *parent, const char *name)
{
	struct node *node = calloc(1, sizeof(*node));
	if (!node) {
		return NULL;
	}
	node->fs = fs;
	node->refs = 1;
	node->name = strdup(name);
	if (!node->name) {
		free(node);
		return NULL;
	}
	node->parent = node_ref(parent);
	DL_APPEND2(fs->nodes, node, all_prev, all_next);
	node->ino = parent ? node_ino(parent, name) : ROOT_INO;
	return node;
}

struct node *node_ref(struct node *node)
{
	if (node) {
		node->refs++;
	}
	return node;
}

static void node_destroy(struct node *node)
{
	node_unbind(node);
	DL_DELETE2(node->fs->nodes, node, all_prev, all_next);
	local_destroy(node->local);
	part_unref(node->part);
	free(node->name);
	free(node->key);
	free(node);
}

void node_unref(struct node *node)
{
	while (node && --node->refs == 0) {
		struct node *parent = node->parent;
		node_destroy(node);
		node = parent;
	}
}

void nodes_destroy(struct fs *fs)
{
	struct node *node, *next;
	/* Directories of scratch first: what they hold refers to other nodes. */
	DL_FOREACH2(fs->nodes, node, all_next)
	{
		if (node->local) {
			node_ref(node);
			entries_clear(&node->local->entries);
		}
	}
	DL_FOREACH_SAFE2(fs->nodes, node, next, all_next)
	{
		node_unbind(node);
	}
	DL_FOREACH_SAFE2(fs->nodes, node, next, all_next)
	{
		node_destroy(node);
	}
}

void node_bind(struct node *node)
{
	struct node *other = node_find(node->parent, node->name);
	if (other != node) {
		if (other) {
			node_unbind(other);
		}
		HASH_ADD_KEYPTR(hh, node->parent->children, node->name, strlen(node->name), node);
		node->current = true;
	}
}

void node_unbind(struct node *node)
{
	if (node->current) {
		HASH_DEL(node->parent->children, node);
		node->current = false;
	}
}

struct node *node_find(struct node *parent, const char *name)
{
	struct node *node;
	HASH_FIND(hh, parent->children, name, strlen(name), node);
	return node;
}

const char *node_variable(const struct node *node, unsigned variable)
{
	for (; node; node = node->parent) {
		if (node->route && node->route->variable == variable) {
			return node->key;
		}
	}
	return NULL;
}
