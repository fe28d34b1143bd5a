#include "fs/node.h"

#include <stdlib.h>
#include <string.h>

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

struct node *node_create(struct node *parent, const char *name)
{
	struct node *node = calloc(1, sizeof(*node));
	if (!node) {
		return NULL;
	}
	node->refs = 1;
	node->name = strdup(name);
	if (!node->name) {
		free(node);
		return NULL;
	}
	node->parent = node_ref(parent);
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

void node_unref(struct node *node)
{
	while (node && --node->refs == 0) {
		struct node *parent = node->parent;
		node_unbind(node);
		local_destroy(node->local);
		part_unref(node->part);
		free(node->name);
		free(node->key);
		free(node);
		node = parent;
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
