#include "fs/custom.h"

#include "api/cloud.h"

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
