/* What the tree hangs on: environments and clusters, the managed plugins of a cluster, and what
 * there is once in an account. */
#ifndef FS_TOPOLOGY_H
#define FS_TOPOLOGY_H

#include "fs/document.h"

extern const struct document_kind document_environments;
extern const struct document_kind document_clusters;
extern const struct document_kind document_plugins;
extern const struct document_kind document_organizations;
extern const struct document_kind document_runtimes;

/* The item of an environment (cluster NULL) or cluster: out of the listing, or, where it is not
 * listed but has the form of an id, asked for by itself. 0 with ret_item (NULL where it can be
 * used but not read), OP_WAIT, or -errno: -ENOENT where the API has none. */
int topology_find(
	struct op *op, const char *environment, const char *cluster, struct item **ret_item);

/* The same for who goes on to what is below a cluster. Where requests share a connection the
 * cluster's connectors are asked for along with the listing that is waited for. */
int topology_enter(
	struct op *op, const char *environment, const char *cluster, struct item **ret_item);

/*
 * What a 403 or 404 from below an environment or cluster means: -ENOENT where a list made since the
 * op began has it no longer, else `err`. May return OP_WAIT.
 */
int topology_verdict(struct op *op, const struct document *document, int err);

/*
 * Calls back with the connectors of every cluster that the key may use, each asked for within
 * max_age (milliseconds; at most its TTL), all at once: with none behind one that must be waited
 * for, nor, unless `past_failures`, behind one that cannot be had. 0, OP_WAIT, -errno (some are
 * missing), or what the visitor ended the walk with.
 */
int topology_connectors(struct op *op, int64_t max_age, bool past_failures,
	int (*visit)(void *arg, struct document *connectors), void *arg);

#endif
