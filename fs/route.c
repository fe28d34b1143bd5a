#include "fs/route.h"

#include <string.h>

#include "fs/by_id.h"
#include "fs/by_name.h"
#include "fs/connectors.h"
#include "fs/control.h"
#include "fs/custom.h"
#include "fs/metrics.h"
#include "fs/offsets.h"
#include "fs/overview.h"
#include "fs/plugins.h"
#include "fs/save.h"
#include "fs/state_word.h"
#include "fs/topology.h"
#include "fs/view.h"

#define DIRECTORY (S_IFDIR | 0777)
#define READABLE  (S_IFREG | 0444)
#define WRITABLE  (S_IFREG | 0666)
#define LINK      (S_IFLNK | 0777)

const struct route routes[ROUTES] = {
	[ROUTE_ROOT] = { .parent = ROUTE_ROOT, .mode = DIRECTORY },

	[ROUTE_ENVIRONMENTS] = { .parent = ROUTE_ROOT, .name = "environments", .mode = DIRECTORY },
	[ROUTE_ENVIRONMENT] = { .parent = ROUTE_ENVIRONMENTS,
		.variable = VAR_ENVIRONMENT,
		.mode = DIRECTORY,
		.document = &document_environments },
	[ROUTE_ENVIRONMENT_JSON] = { .parent = ROUTE_ENVIRONMENT,
		.name = "environment.json",
		.mode = READABLE,
		.document = &document_environments,
		.render = view_json },

	[ROUTE_CLUSTERS] = { .parent = ROUTE_ENVIRONMENT, .name = "clusters", .mode = DIRECTORY },
	[ROUTE_CLUSTER] = { .parent = ROUTE_CLUSTERS,
		.variable = VAR_CLUSTER,
		.mode = DIRECTORY,
		.document = &document_clusters },
	[ROUTE_CLUSTER_JSON] = { .parent = ROUTE_CLUSTER,
		.name = "cluster.json",
		.mode = READABLE,
		.document = &document_clusters,
		.render = view_json },

	[ROUTE_CONNECTORS] = { .parent = ROUTE_CLUSTER, .name = "connectors", .mode = DIRECTORY },
	[ROUTE_CONNECTOR] = { .parent = ROUTE_CONNECTORS,
		.variable = VAR_CONNECTOR,
		.mode = DIRECTORY,
		.folder = &connector_folder,
		.document = &document_connectors },
	[ROUTE_CONFIG] = { .parent = ROUTE_CONNECTOR,
		.name = "config.json",
		.mode = WRITABLE,
		.document = &document_connectors,
		.part = PART_CONFIG,
		.face = FACE_CONFIG,
		.render = view_json_sorted,
		.save = save_start },
	[ROUTE_CONNECTOR_JSON] = { .parent = ROUTE_CONNECTOR,
		.name = "connector.json",
		.mode = READABLE,
		.document = &document_connectors,
		.part = PART_INFO,
		.face = FACE_CONNECTOR,
		.render = view_json },
	[ROUTE_STATUS] = { .parent = ROUTE_CONNECTOR,
		.name = "status.json",
		.mode = READABLE,
		.document = &document_connectors,
		.part = PART_STATUS,
		.face = FACE_STATUS,
		.render = view_status },
	[ROUTE_STATE] = { .parent = ROUTE_CONNECTOR,
		.name = "state",
		.mode = WRITABLE,
		.document = &document_connectors,
		.part = PART_STATUS,
		.face = FACE_STATE,
		.render = view_state,
		.store = state_word_store },
	[ROUTE_OFFSETS] = { .parent = ROUTE_CONNECTOR,
		.name = "offsets.json",
		.mode = WRITABLE,
		.show = SHOW_OFFSETS,
		.compose = offsets_compose,
		.save = offsets_save },
	[ROUTE_OFFSETS_REQUEST] = { .parent = ROUTE_CONNECTOR,
		.name = "offsets-request.json",
		.mode = WRITABLE,
		.show = SHOW_OFFSETS,
		.compose = offsets_request_compose,
		.save = offsets_request_save },
	[ROUTE_METRICS] = { .parent = ROUTE_CONNECTOR,
		.name = "metrics",
		.mode = DIRECTORY,
		.show = SHOW_METRICS,
		.face = FACE_METRICS,
		.children = metrics_children },
	[ROUTE_METRIC] = { .parent = ROUTE_METRICS,
		.variable = VAR_NAME,
		.mode = READABLE,
		.compose_child = metrics_compose },

	[ROUTE_METRICS_PROM] = { .parent = ROUTE_CLUSTER,
		.name = "metrics.prom",
		.mode = READABLE,
		.show = SHOW_METRICS,
		.compose = metrics_export },

	[ROUTE_TASKS] = { .parent = ROUTE_CONNECTOR,
		.name = "tasks.json",
		.mode = READABLE,
		.show = SHOW_TASKS,
		.document = &document_tasks,
		.face = FACE_TASKS,
		.render = view_json },

	[ROUTE_PLUGINS] = { .parent = ROUTE_CLUSTER,
		.name = "connector-plugins",
		.mode = DIRECTORY },
	[ROUTE_PLUGIN] = { .parent = ROUTE_PLUGINS,
		.variable = VAR_PLUGIN,
		.mode = DIRECTORY,
		.document = &document_plugins },
	[ROUTE_PLUGIN_JSON] = { .parent = ROUTE_PLUGIN,
		.name = "plugin.json",
		.mode = READABLE,
		.document = &document_plugins,
		.render = view_json },

	[ROUTE_VALIDATE] = { .parent = ROUTE_PLUGIN,
		.name = "validate.json",
		.mode = WRITABLE,
		.show = SHOW_VALIDATE,
		.compose = plugin_verdict,
		.ask = plugin_ask },
	[ROUTE_TEMPLATE] = { .parent = ROUTE_PLUGIN,
		.name = "template.json",
		.mode = READABLE,
		.show = SHOW_TEMPLATE,
		.compose = plugin_template },

	[ROUTE_ENVIRONMENT_PLUGINS] = { .parent = ROUTE_ENVIRONMENT,
		.name = "plugins",
		.mode = DIRECTORY },
	[ROUTE_ENVIRONMENT_PLUGIN] = { .parent = ROUTE_ENVIRONMENT_PLUGINS,
		.variable = VAR_CUSTOM_PLUGIN,
		.mode = DIRECTORY,
		.folder = &environment_plugin_folder,
		.document = &document_environment_plugins },
	[ROUTE_ENVIRONMENT_PLUGIN_JSON] = { .parent = ROUTE_ENVIRONMENT_PLUGIN,
		.name = "plugin.json",
		.mode = WRITABLE,
		.document = &document_environment_plugins,
		.render = view_json,
		.save = custom_save },

	[ROUTE_VERSIONS] = { .parent = ROUTE_ENVIRONMENT_PLUGIN,
		.name = "versions",
		.mode = DIRECTORY },
	[ROUTE_VERSION] = { .parent = ROUTE_VERSIONS,
		.variable = VAR_VERSION,
		.mode = DIRECTORY,
		.folder = &version_folder,
		.document = &document_versions },
	[ROUTE_VERSION_JSON] = { .parent = ROUTE_VERSION,
		.name = "version.json",
		.mode = READABLE,
		.document = &document_versions,
		.render = view_json,
		.save = custom_save },

	[ROUTE_CUSTOM_PLUGINS] = { .parent = ROUTE_ROOT,
		.name = "custom-connector-plugins",
		.mode = DIRECTORY },
	[ROUTE_CUSTOM_PLUGIN] = { .parent = ROUTE_CUSTOM_PLUGINS,
		.variable = VAR_CUSTOM_PLUGIN,
		.mode = DIRECTORY,
		.folder = &custom_plugin_folder,
		.document = &document_custom_plugins },
	[ROUTE_CUSTOM_PLUGIN_JSON] = { .parent = ROUTE_CUSTOM_PLUGIN,
		.name = "plugin.json",
		.mode = WRITABLE,
		.document = &document_custom_plugins,
		.render = view_json,
		.save = custom_save },

	[ROUTE_BY_ID] = { .parent = ROUTE_ROOT,
		.name = "by-id",
		.mode = DIRECTORY,
		.children = by_id_connectors },
	[ROUTE_BY_ID_CONNECTOR] = { .parent = ROUTE_BY_ID, .variable = VAR_NAME, .mode = LINK },

	[ROUTE_QUERIES] = { .parent = ROUTE_ROOT,
		.name = "metrics",
		.mode = DIRECTORY,
		.show = SHOW_METRICS },
	[ROUTE_QUERY] = { .parent = ROUTE_QUERIES,
		.name = "query.json",
		.mode = WRITABLE,
		.compose = metrics_no_query,
		.ask = metrics_ask },

	[ROUTE_BY_NAME] = { .parent = ROUTE_ROOT,
		.name = "by-name",
		.mode = DIRECTORY,
		.children = by_name_environments },
	[ROUTE_BY_NAME_ENVIRONMENT] = { .parent = ROUTE_BY_NAME,
		.variable = VAR_NAME,
		.mode = DIRECTORY,
		.children = by_name_clusters },
	[ROUTE_BY_NAME_CLUSTER] = { .parent = ROUTE_BY_NAME_ENVIRONMENT,
		.variable = VAR_INNER_NAME,
		.mode = LINK },

	[ROUTE_ORGANIZATION] = { .parent = ROUTE_ROOT,
		.name = "organization.json",
		.mode = READABLE,
		.document = &document_organizations,
		.render = view_json },
	[ROUTE_RUNTIMES] = { .parent = ROUTE_ROOT,
		.name = "custom-connector-runtimes.json",
		.mode = READABLE,
		.document = &document_runtimes,
		.render = view_json },

	[ROUTE_CONTROL] = { .parent = ROUTE_ROOT,
		.name = ".connectfs",
		.mode = DIRECTORY,
		.show = SHOW_NEVER },
	[ROUTE_CONTROL_STATUS] = { .parent = ROUTE_CONTROL,
		.name = "status.json",
		.mode = READABLE,
		.compose = control_status },
	[ROUTE_CONTROL_OVERVIEW] = { .parent = ROUTE_CONTROL,
		.name = "overview",
		.mode = READABLE,
		.compose = overview_compose },
	[ROUTE_CONTROL_ERRORS] = { .parent = ROUTE_CONTROL,
		.name = "errors",
		.mode = READABLE,
		.compose = control_errors },
	[ROUTE_CONTROL_CHANGES] = { .parent = ROUTE_CONTROL,
		.name = "changes",
		.mode = READABLE,
		.compose = control_changes },
	[ROUTE_CONTROL_REFRESH] = { .parent = ROUTE_CONTROL,
		.name = "refresh",
		.mode = S_IFREG | 0222,
		.compose = control_nothing,
		.store = control_refresh },
	[ROUTE_CONTROL_DELETED] = { .parent = ROUTE_CONTROL,
		.name = "deleted",
		.mode = DIRECTORY,
		.children = control_deleted },
	[ROUTE_CONTROL_DELETED_FILE] = { .parent = ROUTE_CONTROL_DELETED,
		.variable = VAR_NAME,
		.mode = READABLE },
};

const struct route *route_variable_child(const struct route *parent)
{
	for (unsigned i = 1; i < ROUTES; i++) {
		if (!routes[i].name && routes[i].parent == route_id(parent)) {
			return &routes[i];
		}
	}
	return NULL;
}

const struct route *route_child(const struct route *parent, const char *name)
{
	for (unsigned i = 1; i < ROUTES; i++) {
		if (routes[i].parent == route_id(parent) && routes[i].name &&
			strcmp(routes[i].name, name) == 0) {
			return &routes[i];
		}
	}
	return route_variable_child(parent);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table's paths */
static void add_path(const struct route *route, struct strbuf *out)
{
	static const char *const variables[] = { [VAR_ENVIRONMENT] = "{environment}",
		[VAR_CLUSTER] = "{cluster}",
		[VAR_CONNECTOR] = "{connector}",
		[VAR_PLUGIN] = "{class}",
		[VAR_CUSTOM_PLUGIN] = "{plugin}",
		[VAR_VERSION] = "{version}",
		[VAR_NAME] = "{name}",
		[VAR_INNER_NAME] = "{inner name}" };
	if (route_id(route) == ROUTE_ROOT) {
		return;
	}
	add_path(&routes[route->parent], out);
	strbuf_addf(out, "/%s", route->name ? route->name : variables[route->variable]);
}

void route_pattern(const struct route *route, struct strbuf *out)
{
	if (route_id(route) == ROUTE_ROOT) {
		strbuf_addc(out, '/');
	}
	add_path(route, out);
}
