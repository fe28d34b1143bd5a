#include "fs/custom.h"

#include "api/cloud.h"
#include "api/plugin.h"
#include "api/url.h"
#include "base/cleanup.h"

/* The API works on an archive for some seconds. */
static bool is_processing(const struct item *item)
{
	return json_is(json_get(part_json(item->parts[PART_WHOLE]), "status/phase"), "PROCESSING");
}

const struct document_kind document_custom_plugins = {
	.target = CLOUD_CUSTOM_PLUGINS "?page_size=100",
	.ttl = TTL_PLUGINS,
	.name_member = "id",
	.paged = true,
};

const struct document_kind document_environment_plugins = {
	.target = CLOUD_ENVIRONMENT_PLUGINS "?environment={}&page_size=100",
	.variables = 1,
	.ttl = TTL_PLUGINS,
	.name_member = "id",
	.paged = true,
};

const struct document_kind document_versions = {
	.target = CLOUD_VERSIONS "?environment={}",
	.variables = 2,
	.of_plugin = true,
	.ttl = TTL_PLUGINS,
	.name_member = "id",
	.paged = true,
	.unsettled = is_processing,
};

static char *custom_plugin_target(const struct folder *folder)
{
	return url_target(CLOUD_CUSTOM_PLUGIN, folder->name);
}

static char *environment_plugin_target(const struct folder *folder)
{
	return url_target(
		CLOUD_ENVIRONMENT_PLUGIN "?environment={}", folder->name, folder->environment);
}

static char *version_target(const struct folder *folder)
{
	return url_target(
		CLOUD_VERSION "?environment={}", folder->plugin, folder->name, folder->environment);
}

static bool says(
	const struct plugin_kind *kind, struct json_slice answer, const char *text, size_t len)
{
	cleanup(config) struct config wanted = { 0 };
	cleanup(config) struct config live = { 0 };
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	return plugin_parse(kind, text, len, &wanted, &why) == 0 &&
	       plugin_of_answer(kind, answer, &live) == 0 && plugin_has(&wanted, &live);
}

static bool custom_plugin_says(struct json_slice answer, const char *text, size_t len)
{
	return says(&plugin_of_organization, answer, text, len);
}

static bool environment_plugin_says(struct json_slice answer, const char *text, size_t len)
{
	return says(&plugin_of_environment, answer, text, len);
}

static bool version_says(struct json_slice answer, const char *text, size_t len)
{
	return says(&plugin_version, answer, text, len);
}

const struct folder_kind custom_plugin_folder = {
	.main = ROUTE_CUSTOM_PLUGIN_JSON,
	.target = custom_plugin_target,
	.says = custom_plugin_says,
	.patient = true,
	.plugin = &plugin_of_organization,
	.archive = true,
};

const struct folder_kind environment_plugin_folder = {
	.main = ROUTE_ENVIRONMENT_PLUGIN_JSON,
	.target = environment_plugin_target,
	.says = environment_plugin_says,
	.patient = true,
	.plugin = &plugin_of_environment,
};

const struct folder_kind version_folder = {
	.main = ROUTE_VERSION_JSON,
	.target = version_target,
	.says = version_says,
	.patient = true,
	.plugin = &plugin_version,
	.archive = true,
};
