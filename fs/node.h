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

#include "base/table.h"
#include "fs/part.h"

struct fs;
struct folder;
struct item;
struct local;
struct route;

/* There are five for each connector, so their bytes count. */
struct node {
	struct table_link link;    /* in fs->nodes, by the hash of its parent and name */
	struct node *parent;       /* counted; NULL: the root */
	const char *name;          /* as in the directory; its own, or its row's literal one */
	const struct route *route; /* NULL: local */
	struct local *local;       /* a file in memory: scratch or a draft; NULL: a view */
	uint64_t ino;
	uint64_t lookups;
	unsigned refs;         /* children, handles, other holders, and one for lookups > 0 */
	unsigned writers : 26; /* handles that may still write */
	bool literal : 1;      /* its name is its row's */
	bool current : 1;      /* the one of its name */
	bool cached : 1;       /* the kernel may have cached its name: it is never written to */
	bool opened : 1;       /* somebody has opened it, and may read it: it is never written to */
	bool retired : 1;      /* a writer was sent to look again */
	bool lost : 1;         /* a look at its name has failed: the kernel has dropped the name */
	union {
		struct {                 /* of a directory */
			const char *key; /* the API's name where the route has a variable, else
					  * NULL; its own, or the name */
			struct folder *folder; /* of a connector's, once it has one; not counted */
		};
		struct {                   /* of a view that is none */
			struct part *part; /* what it is rendered of; literal text where the route
					    * has no renderer */
			uint64_t hash;     /* of what is shown: with mtime, the generation */
			int64_t seconds;   /* of its mtime */
			uint32_t nanoseconds;
			uint32_t size;
		};
	};
};

bool node_is_dir(const struct node *node);

static inline struct timespec node_mtime(const struct node *node)
{
	return (struct timespec){ node->seconds, node->nanoseconds };
}

static inline void node_set_mtime(struct node *node, struct timespec mtime)
{
	node->seconds = mtime.tv_sec;
	node->nanoseconds = (uint32_t)mtime.tv_nsec;
}

struct fs *node_fs(const struct node *node);

/* A new node for a name in a directory (NULL: the root); a reference for the caller. NULL: no
 * memory. */
struct node *node_create(struct fs *fs, struct node *parent, const char *name);
/* The same for what a row stands for; `key` is the API's name where the row is a variable's. */
struct node *node_create_route(
	struct node *parent, const char *name, const struct route *route, const char *key);
/* It stands for another of the API's names from now on. 0 or -ENOMEM. */
int node_set_key(struct node *node, const char *key);
struct node *node_ref(struct node *node);
void node_unref(struct node *node);
/* Makes it the current node of its name, or no longer. */
void node_bind(struct node *node);
void node_unbind(struct node *node);
struct node *node_find(struct node *parent, const char *name);

/* The inode number of a name in a directory. */
uint64_t node_ino(const struct node *parent, const char *name);
/* One for a local file, which may get other names: no other file has it. */
uint64_t node_new_ino(struct fs *fs);
/* What a variable (route.h) of the path stands for, NULL where it has none. */
const char *node_variable(const struct node *node, unsigned variable);

/* All nodes, in no order: the first one after NULL, then the one behind another; NULL at the end.
 */
struct node *node_next(const struct fs *fs, const struct node *node);
/* Frees all that the kernel has never forgotten, the root too. */
void nodes_destroy(struct fs *fs);

#endif
