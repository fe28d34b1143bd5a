#include "fs/topology.h"

#include <errno.h>
#include <string.h>

#include "api/cloud.h"
#include "fs/ahead.h"
#include "fs/connectors.h"
#include "fs/custom.h"
#include "fs/fs.h"
#include "fs/op.h"

const struct document_kind document_environments = {
	.target = CLOUD_ENVIRONMENTS,
	.ttl = TTL_TOPOLOGY,
	.name_member = "id",
	.paged = true,
};

const struct document_kind document_clusters = {
	.target = CLOUD_CLUSTERS,
	.variables = 1,
	.ttl = TTL_TOPOLOGY,
	.name_member = "id",
	.paged = true,
};

const struct document_kind document_plugins = {
	.target = CLOUD_PLUGINS,
	.variables = 2,
	.ttl = TTL_PLUGINS,
	.name_member = "class",
};

const struct document_kind document_organizations = {
	.target = CLOUD_ORGANIZATIONS,
	.ttl = TTL_TOPOLOGY,
	.name_member = "id",
	.paged = true,
};

const struct document_kind document_runtimes = {
	.target = CLOUD_RUNTIMES,
	.ttl = TTL_PLUGINS,
	.paged = true,
	.single = true,
};

static const struct document_kind document_environment = {
	.target = CLOUD_ENVIRONMENT,
	.variables = 1,
	.ttl = TTL_TOPOLOGY,
	.single = true,
};

/* Its variables are the cluster and the environment, in this order. */
static const struct document_kind document_cluster = {
	.target = CLOUD_CLUSTER,
	.variables = 2,
	.ttl = TTL_TOPOLOGY,
	.single = true,
};

static bool is_id(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(name, prefix, len) == 0 && name[len] &&
	       strspn(name + len, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name + len);
}

static int find_unlisted(
	struct op *op, const char *environment, const char *cluster, struct item **ret_item)
{
	struct document *one =
		cluster ? document_get(op->fs, &document_cluster, cluster, environment)
			: document_get(op->fs, &document_environment, environment, NULL);
	int result = one ? document_need(op, one) : -ENOMEM;
	if (result == 0) {
		*ret_item = document_find(one, "");
		return *ret_item ? 0 : -ENOENT;
	}
	if (result == -EACCES && cluster) {
		/* It may not be described, but perhaps used. */
		struct document *connectors =
			document_get(op->fs, &document_connectors, environment, cluster);
		result = connectors ? document_need(op, connectors) : -ENOMEM;
		if (result == 0) {
			*ret_item = NULL;
			return 0;
		}
	}
	/* The API answers 403 also for what is not there. */
	return result == -EACCES ? -ENOENT : result;
}

int topology_find(
	struct op *op, const char *environment, const char *cluster, struct item **ret_item)
{
	struct document *list =
		cluster ? document_get(op->fs, &document_clusters, environment, NULL)
			: document_get(op->fs, &document_environments, NULL, NULL);
	const char *name = cluster ? cluster : environment;
	int result = list ? document_need(op, list) : -ENOMEM;
	bool listing_denied = result == -EACCES;
	if (result != 0 && !listing_denied) {
		return result;
	}
	struct item *item = result == 0 ? document_find(list, name) : NULL;
	if (item) {
		*ret_item = item;
		return 0;
	}
	if (!is_id(name, cluster ? "lkc-" : "env-")) {
		return listing_denied ? -EACCES : -ENOENT;
	}
	int unlisted = find_unlisted(op, environment, cluster, ret_item);
	/* Where the list was refused too, nobody said that there is none. */
	return unlisted == -ENOENT && listing_denied ? -EACCES : unlisted;
}

int topology_enter(
	struct op *op, const char *environment, const char *cluster, struct item **ret_item)
{
	struct fs *fs = op->fs;
	int result = topology_find(op, environment, cluster, ret_item);
	if (result == OP_WAIT && is_id(cluster, "lkc-") && http_is_multiplexed(fs->http)) {
		ahead_enters(op, document_get(fs, &document_connectors, environment, cluster));
	}
	return result;
}

/* Whether a list, made since the op began, has the name: 1, 0, OP_WAIT + 1, or -1 unknown. */
enum listed { LISTED_NO, LISTED_YES, LISTED_WAIT, LISTED_UNKNOWN };

static enum listed is_listed(struct op *op, struct document *list, const char *name)
{
	if (!list) {
		return LISTED_UNKNOWN;
	}
	if (list->fetched_at < op->began) {
		if (list->failure && list->failed_at >= op->began) {
			return LISTED_UNKNOWN;
		}
		if (!op->peek) {
			document_refresh(list, false);
		}
		return list->fetching && op_wait(op, &list->waiters) == OP_WAIT ? LISTED_WAIT
										: LISTED_UNKNOWN;
	}
	return document_find(list, name) ? LISTED_YES : LISTED_NO;
}

int topology_verdict(struct op *op, const struct document *document, int err)
{
	struct fs *fs = op->fs;
	enum listed listed = is_listed(
		op, document_get(fs, &document_environments, NULL, NULL), document->environment);
	if (listed == LISTED_YES && document->cluster) {
		listed = is_listed(op,
			document_get(fs, &document_clusters, document->environment, NULL),
			document->cluster);
	}
	if (listed == LISTED_YES && document->plugin) {
		listed = is_listed(op,
			document_get(
				fs, &document_environment_plugins, document->environment, NULL),
			document->plugin);
	}
	if (listed == LISTED_WAIT) {
		return OP_WAIT;
	}
	if (listed == LISTED_NO) {
		return -ENOENT;
	}
	/* It is there: whatever is missing, no file is. */
	return err == -ENOENT ? -EIO : err;
}

struct sweep {
	struct op *op;
	int64_t max_age;
	bool past_failures;
	int (*visit)(void *arg, struct document *connectors);
	void *arg;
	bool waits;
	int failure;
};

/* Whether a document is at hand; what it lacks is noted. What is denied or gone is nothing's. */
static bool have(struct sweep *sweep, struct document *document, int64_t max_age)
{
	int result = document ? document_need_within(sweep->op, document, max_age) : -ENOMEM;
	sweep->waits |= result == OP_WAIT;
	if (result < 0 && result != -EACCES && result != -ENOENT && sweep->failure == 0) {
		sweep->failure = result;
	}
	return result == 0;
}

static int sweep_clusters(struct sweep *sweep, const char *environment)
{
	struct fs *fs = sweep->op->fs;
	struct document *clusters = document_get(fs, &document_clusters, environment, NULL);
	int result = 0;
	if (!have(sweep, clusters, INT64_MAX)) {
		return 0;
	}
	for (size_t i = 0; i < clusters->count && result == 0; i++) {
		struct document *connectors = document_get(
			fs, &document_connectors, environment, clusters->items[i]->name);
		bool here = have(sweep, connectors, sweep->max_age);
		bool ends = sweep->failure && !sweep->past_failures;
		/* An op that waits is not answered before it was woken. */
		if (here && !sweep->waits && !ends) {
			result = sweep->visit(sweep->arg, connectors);
		}
	}
	return result;
}

int topology_connectors(struct op *op, int64_t max_age, bool past_failures,
	int (*visit)(void *arg, struct document *connectors), void *arg)
{
	struct sweep sweep = { op, max_age, past_failures, visit, arg, false, 0 };
	struct document *environments = document_get(op->fs, &document_environments, NULL, NULL);
	int result = environments ? document_need(op, environments) : -ENOMEM;
	for (size_t i = 0; result == 0 && i < environments->count; i++) {
		result = sweep_clusters(&sweep, environments->items[i]->name);
	}
	return result != 0 ? result : sweep.waits ? OP_WAIT : sweep.failure;
}
