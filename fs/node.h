/*
 * Nodes: what the kernel holds. A node is a name in a directory together with one generation of
 * its content: new content is a new node (and nodeid) with the same inode number, so that pages
 * that the kernel has cached are never wrong.
 *
 * A node is kept while the kernel knows it, a handle or a child holds it. Protected by the lock
 * of struct fs.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

#include "fs/part.h"

struct fs;
struct folder;
struct item;
struct local;
struct route;

struct node {
	struct fs *fs;
	struct node *all_prev, *all_next; /* in fs->nodes */
	UT_hash_handle hh;   /* in parent->children while it is the current one of its name */
	struct node *parent; /* counted; NULL: the root */
	struct node *children;
	char *name; /* as in the directory; owned */
	char *key;  /* the API's name where the route has a variable; owned, else NULL */
	const struct route *route; /* NULL: local */
	struct local *local;       /* a file in memory: scratch or a draft; NULL: a view */
	struct folder *folder;     /* of a connector's directory, once it has one; not counted */
	uint64_t ino;
	uint64_t lookups;
	unsigned refs; /* children, handles, other holders, and one for lookups > 0 */
	bool current;  /* in parent->children */

	/* Of a view. */
	struct part
		*part; /* what it is rendered of; literal text where the route has no renderer */
	uint64_t hash; /* of what is shown: with mtime, the generation */
	size_t size;
	struct timespec mtime;
	bool cached;      /* the kernel may have cached its name: it is never written to */
	bool retired;     /* a writer was sent to look again */
	unsigned writers; /* handles that may still write */
};

/* A new node for a name in a directory (NULL: the root); a reference for the caller. NULL: no
 * memory. */
struct node *node_create(struct fs *fs, struct node *parent, const char *name);
struct node *node_ref(struct node *node);
void node_unref(struct node *node);
/* Makes it the current node of its name, or no longer. */
void node_bind(struct node *node);
void node_unbind(struct node *node);
struct node *node_find(struct node *parent, const char *name);

/* The inode number of a name in a directory. */
uint64_t node_ino(const struct node *parent, const char *name);
/* What a variable (route.h) of the path stands for, NULL where it has none. */
const char *node_variable(const struct node *node, unsigned variable);

/* Frees all that the kernel has never forgotten, the root too. */
void nodes_destroy(struct fs *fs);

#endif
