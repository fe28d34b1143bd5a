/* Environments and clusters, and the managed plugins of a cluster: what the tree hangs on. */
#ifndef FS_TOPOLOGY_H
#define FS_TOPOLOGY_H

#include "fs/document.h"

extern const struct document_kind document_environments;
extern const struct document_kind document_clusters;
extern const struct document_kind document_plugins;

/* The item of an environment (cluster NULL) or cluster: out of the listing, or, where it is not
 * listed but has the form of an id, asked for by itself. 0 with ret_item (NULL where it can be
 * used but not read), OP_WAIT, or -errno: -ENOENT where the API has none. */
int topology_find(
	struct op *op, const char *environment, const char *cluster, struct item **ret_item);

/*
 * What a 403 or 404 from below an environment or cluster means: -ENOENT where a list made since the
 * op began has it no longer, else `err`. May return OP_WAIT.
 */
int topology_verdict(struct op *op, const struct document *document, int err);

#endif
