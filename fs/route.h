/*
 * Routes: one row for each kind of path, saying what it is, which document it shows, how it is
 * rendered and what may be done to it. A missing operation is a fixed errno.
 */
#ifndef FS_ROUTE_H
#define FS_ROUTE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "fs/document.h"
#include "fs/slot.h"

struct folder_kind;
struct node;
struct op;
struct question;

enum variable {
	VAR_NONE,
	VAR_ENVIRONMENT,
	VAR_CLUSTER,
	VAR_CONNECTOR,
	VAR_PLUGIN,
	VAR_CUSTOM_PLUGIN,
	VAR_VERSION,
	VAR_NAME,
	VAR_INNER_NAME
};

enum route_id {
	ROUTE_ROOT,
	ROUTE_ENVIRONMENTS,
	ROUTE_ENVIRONMENT,
	ROUTE_ENVIRONMENT_JSON,
	ROUTE_CLUSTERS,
	ROUTE_CLUSTER,
	ROUTE_CLUSTER_JSON,
	ROUTE_CONNECTORS,
	ROUTE_CONNECTOR,
	ROUTE_CONFIG,
	ROUTE_CONNECTOR_JSON,
	ROUTE_STATUS,
	ROUTE_STATE,
	ROUTE_TASKS,
	ROUTE_OFFSETS,
	ROUTE_OFFSETS_REQUEST,
	ROUTE_METRICS,
	ROUTE_METRIC,
	ROUTE_METRICS_PROM,
	ROUTE_PLUGINS,
	ROUTE_PLUGIN,
	ROUTE_PLUGIN_JSON,
	ROUTE_VALIDATE,
	ROUTE_TEMPLATE,
	ROUTE_ENVIRONMENT_PLUGINS,
	ROUTE_ENVIRONMENT_PLUGIN,
	ROUTE_ENVIRONMENT_PLUGIN_JSON,
	ROUTE_VERSIONS,
	ROUTE_VERSION,
	ROUTE_VERSION_JSON,
	ROUTE_CUSTOM_PLUGINS,
	ROUTE_CUSTOM_PLUGIN,
	ROUTE_CUSTOM_PLUGIN_JSON,
	ROUTE_BY_ID,
	ROUTE_BY_ID_CONNECTOR,
	ROUTE_QUERIES,
	ROUTE_QUERY,
	ROUTE_BY_NAME,
	ROUTE_BY_NAME_ENVIRONMENT,
	ROUTE_BY_NAME_CLUSTER,
	ROUTE_ORGANIZATION,
	ROUTE_RUNTIMES,
	ROUTE_CONTROL,
	ROUTE_CONTROL_STATUS,
	ROUTE_CONTROL_OVERVIEW,
	ROUTE_CONTROL_ERRORS,
	ROUTE_CONTROL_CHANGES,
	ROUTE_CONTROL_REFRESH,
	ROUTE_CONTROL_DELETED,
	ROUTE_CONTROL_DELETED_FILE,
	ROUTES
};

/* One name that a directory computes by itself. */
struct child {
	const char *name; /* as in the directory */
	const char *key;  /* what its variable is bound to */
	const char *
		text; /* a link's target or a file's content; NULL: rendered when it is looked at */
	size_t len;
	uint64_t place; /* in a listing, above 0; they ascend; 0: it is counted */
};

/* Gets the children of a directory one by one; a result other than 0 ends the walk with it. */
typedef int child_visitor(void *arg, const struct child *child);

struct route {
	enum route_id parent;
	const char *name; /* literal; NULL: a variable */
	enum variable variable;
	mode_t mode; /* type, and permissions before the umask */
	enum show show;
	/* A directory that takes local files (folder.h). */
	const struct folder_kind *folder;
	/* Views. A variable's row names the document whose items exist here; a file's row, the part
	 * of that item that it shows. */
	const struct document_kind *document;
	enum part_kind part;
	enum face_kind face;
	/* Files that show a part: appends the text. */
	int (*render)(const struct part *part, struct strbuf *out);
	/* Files that are made of more than a part, or of none: appends the text. 0, OP_WAIT or
	 * -errno. */
	int (*compose)(struct op *op, const struct node *dir, struct strbuf *out);
	/* The same for files that their directory computes, by the key of each. */
	int (*compose_child)(
		struct op *op, const struct node *dir, const char *key, struct strbuf *out);
	/* Directories whose children no document lists: all, or at least the one that `only` names
	 * if there is one. 0, OP_WAIT or -errno, or what the visitor ended the walk with. */
	int (*children)(struct op *op, const struct node *dir, const char *only,
		child_visitor *visit, void *arg);
	/* Files that have a slot (slot.h): commits a local file's text. `pid` is the process that
	 * saves. For a rename or link the op's names are carried out when the save has succeeded.
	 * op may be NULL. OP_WAIT, or at once 0 (nothing to send) or -errno (refused, and kept). */
	int (*save)(
		struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how);
	/* Files that are written and then answer (question.h): sends what is asked. 0, or -errno
	 * with the reason in question->why. */
	int (*ask)(struct question *question, const char *text, size_t len);
	/* Files that take a word: what was written becomes a request. 0, OP_WAIT or -errno. */
	int (*store)(struct op *op, struct node *dir, const char *text, size_t len);
};

extern const struct route routes[ROUTES];

static inline bool route_is_listed(const struct route *route, const struct options *options)
{
	return options->show >> route->show & 1;
}

static inline enum route_id route_id(const struct route *route)
{
	return (enum route_id)(route - routes);
}

/* Whether a directory takes local files: a connector's does. `route` may be NULL. */
static inline bool route_has_folder(const struct route *route)
{
	return route && route->folder;
}

/* The row for a name below a row: a literal one before a variable; NULL: no name can be there. */
const struct route *route_child(const struct route *parent, const char *name);
/* The row of the variable below a row; NULL: none. */
const struct route *route_variable_child(const struct route *parent);
/* Appends the pattern of a row's path, "/" for the root. */
void route_pattern(const struct route *route, struct strbuf *out);

#endif
