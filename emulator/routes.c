#include "emulator/routes.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "emulator/handlers.h"

#define CLUSTER    "/connect/v1/environments/{environment_id}/clusters/{kafka_cluster_id}"
#define CONNECTORS CLUSTER "/connectors"
#define CONNECTOR  CONNECTORS "/{connector_name}"
#define PLUGINS    CLUSTER "/connector-plugins"
#define PLUGIN     PLUGINS "/{plugin_name}"
#define CUSTOM     "/connect/v1/custom-connector-plugins"
#define CCPM       "/ccpm/v1/plugins"
#define VERSIONS   CCPM "/{plugin_id}/versions"
#define METRICS    "/v2/metrics/{dataset}"

const struct route routes[] = {
	{ "GET", "/org/v2/environments", "listOrgV2Environments", org_list_environments },
	{ "GET", "/org/v2/environments/{id}", "getOrgV2Environment", org_get_environment },
	{ "GET", "/org/v2/organizations", "listOrgV2Organizations", org_list_organizations },
	{ "GET", "/org/v2/organizations/{id}", "getOrgV2Organization", org_get_organization },
	{ "GET", "/cmk/v2/clusters", "listCmkV2Clusters", cmk_list_clusters },
	{ "GET", "/cmk/v2/clusters/{id}", "getCmkV2Cluster", cmk_get_cluster },
	{ "GET", CONNECTORS, "listConnectv1Connectors", connect_list },
	{ "POST", CONNECTORS, "createConnectv1Connector", connect_create },
	{ "GET", CONNECTOR, "readConnectv1Connector", connect_get },
	{ "DELETE", CONNECTOR, "deleteConnectv1Connector", connect_delete },
	{ "GET", CONNECTOR "/config", "getConnectv1ConnectorConfig", connect_get_config },
	{ "PUT", CONNECTOR "/config", "createOrUpdateConnectv1ConnectorConfig",
		connect_put_config },
	{ "PUT", CONNECTOR "/pause", "pauseConnectv1Connector", connect_pause },
	{ "PUT", CONNECTOR "/resume", "resumeConnectv1Connector", connect_resume },
	{ "GET", CONNECTOR "/status", "readConnectv1ConnectorStatus", connect_get_status },
	{ "GET", CONNECTOR "/tasks", "listConnectv1ConnectorTasks", connect_get_tasks },
	{ "GET", CONNECTOR "/offsets", "getConnectv1ConnectorOffsets", connect_get_offsets },
	{ "POST", CONNECTOR "/offsets/request", "alterConnectv1ConnectorOffsetsRequest",
		connect_alter_offsets },
	{ "GET", CONNECTOR "/offsets/request/status", "getConnectv1ConnectorOffsetsRequestStatus",
		connect_get_offsets_status },
	{ "GET", PLUGINS, "listConnectv1ConnectorPlugins", connect_list_plugins },
	{ "PUT", PLUGIN "/config/validate", "validateConnectv1ConnectorPlugin", connect_validate },
	{ "GET", "/connect/v1/custom-connector-runtimes", "listConnectV1CustomConnectorRuntimes",
		custom_list_runtimes },
	{ "GET", CUSTOM, "listConnectV1CustomConnectorPlugins", custom_list },
	{ "POST", CUSTOM, "createConnectV1CustomConnectorPlugin", custom_create },
	{ "GET", CUSTOM "/{id}", "getConnectV1CustomConnectorPlugin", custom_get },
	{ "PATCH", CUSTOM "/{id}", "updateConnectV1CustomConnectorPlugin", custom_update },
	{ "DELETE", CUSTOM "/{id}", "deleteConnectV1CustomConnectorPlugin", custom_delete },
	{ "POST", "/connect/v1/presigned-upload-url", "presigned-upload-urlConnectV1PresignedUrl",
		custom_presign },
	{ "GET", CCPM, "listCcpmV1CustomConnectPlugins", ccpm_list },
	{ "POST", CCPM, "createCcpmV1CustomConnectPlugin", ccpm_create },
	{ "GET", CCPM "/{id}", "getCcpmV1CustomConnectPlugin", ccpm_get },
	{ "PATCH", CCPM "/{id}", "updateCcpmV1CustomConnectPlugin", ccpm_update },
	{ "DELETE", CCPM "/{id}", "deleteCcpmV1CustomConnectPlugin", ccpm_delete },
	{ "GET", VERSIONS, "listCcpmV1CustomConnectPluginVersions", ccpm_list_versions },
	{ "POST", VERSIONS, "createCcpmV1CustomConnectPluginVersion", ccpm_create_version },
	{ "GET", VERSIONS "/{id}", "getCcpmV1CustomConnectPluginVersion", ccpm_get },
	{ "DELETE", VERSIONS "/{id}", "deleteCcpmV1CustomConnectPluginVersion", ccpm_delete },
	{ "POST", "/ccpm/v1/presigned-upload-url", "createCcpmV1PresignedUrl", ccpm_presign },
	{ "GET", METRICS "/descriptors/metrics", "listMetricsV2Descriptors", metrics_list },
	{ "GET", METRICS "/descriptors/resources", "listMetricsV2Resources",
		metrics_list_resources },
	{ "POST", METRICS "/query", "queryMetricsV2", metrics_query },
	{ "POST", METRICS "/attributes", "queryMetricsV2Attributes", metrics_attributes },
	{ "GET", METRICS "/export", "exportMetricsV2", metrics_export },
	{ "GET", "/_emulator/requests", "emulatorGetRequests", control_get_requests },
	{ "DELETE", "/_emulator/requests", "emulatorClearRequests", control_clear_requests },
	{ "GET", "/_emulator/faults", "emulatorGetFaults", control_get_faults },
	{ "POST", "/_emulator/faults", "emulatorAddFault", control_add_fault },
	{ "DELETE", "/_emulator/faults", "emulatorClearFaults", control_clear_faults },
	{ "GET", "/_emulator/settings", "emulatorGetSettings", control_get_settings },
	{ "PUT", "/_emulator/settings", "emulatorPutSettings", control_put_settings },
	{ "GET", "/_emulator/account", "emulatorGetAccount", control_get_account },
	{ "GET", "/_emulator/connectors/{cluster}/{name}", "emulatorGetConnector",
		control_get_connector },
	{ "PATCH", "/_emulator/connectors/{cluster}/{name}", "emulatorPatchConnector",
		control_patch_connector },
	{ "POST", "/_emulator/lists", "emulatorHideNames", control_post_lists },
	{ "POST", "/_emulator/environments", "emulatorPostEnvironments",
		control_post_environments },
	{ "GET", "/_emulator/plugins", "emulatorGetPlugins", control_get_plugins },
	{ "PATCH", "/_emulator/plugins/{id}", "emulatorPatchPlugin", control_patch_plugin },
	{ "GET", "/_emulator/uploads", "emulatorGetUploads", control_get_uploads },
	{ "PATCH", "/_emulator/uploads/{id}", "emulatorPatchUpload", control_patch_upload },
	{ "POST", "/_emulator/clusters", "emulatorPostClusters", control_post_clusters },
	{ NULL },
};

const struct route storage_routes[] = {
	{ "POST", "/", "uploadToAws", storage_post },
	{ "PUT", "/azure/{upload_id}/{file}", "uploadToAzure", storage_put_azure },
	{ "PUT", "/gcp/{upload_id}/{file}", "uploadToGcp", storage_put_gcp },
	{ NULL },
};

/* The route of the request, or NULL with the methods there are in `allowed`. */
static const struct route *find_route(struct request *request, struct strbuf *allowed)
{
	const struct route *table = request->family == FAMILY_STORAGE ? storage_routes : routes;
	for (const struct route *route = table; route->method; route++) {
		if (!request_match(request, route->pattern)) {
			continue;
		}
		if (strcmp(route->method, request->method) == 0) {
			return route;
		}
		strbuf_adds(allowed, allowed->len > 0 ? ", " : "");
		strbuf_adds(allowed, route->method);
	}
	return NULL;
}

/* The metrics' limit is meant; the other is only reported, with what succeeds. */
static bool is_within_rate(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	int64_t now = clock_now_ms();
	if (request->family != FAMILY_METRICS) {
		return true;
	}
	bool within = rate_take(&emulator->metrics_rate, now);
	if (!within) {
		reply_refuse(reply, request, 429, "too many requests in a minute");
	}
	rate_write(&emulator->metrics_rate, now, reply);
	return within;
}

static void report_rate(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	int64_t now = clock_now_ms();
	if (request->family == FAMILY_PLATFORM && reply->status < 300) {
		rate_take(&emulator->rate, now);
		rate_write(&emulator->rate, now, reply);
	}
}

static bool is_allowed(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	if (request->family == FAMILY_CONTROL || request->family == FAMILY_STORAGE) {
		return true;
	}
	if (!request_authorized(request, emulator->key, emulator->secret)) {
		reply_refuse(reply, request, 401,
			request->family == FAMILY_CONNECT ? "Unauthorized"
							  : "these credentials are not valid");
		if (request->family != FAMILY_CONNECT) {
			reply_set_header(reply, "WWW-Authenticate",
				"Basic error=\"invalid_key\", "
				"error_description=\"the key or its secret is wrong\"");
		}
		return false;
	}
	if (emulator_denies(emulator, request->path)) {
		reply_refuse(reply, request, 403, "Forbidden");
		return false;
	}
	return true;
}

void routes_handle(struct emulator *emulator, struct request *request, struct reply *reply)
{
	cleanup(strbuf) struct strbuf allowed = STRBUF_INIT(64);
	const struct route *route = find_route(request, &allowed);
	if (!is_allowed(emulator, request, reply) || !is_within_rate(emulator, request, reply)) {
		return;
	}
	if (request->body_len > REQUEST_BODY_MAX && request->family != FAMILY_STORAGE) {
		reply_refuse(
			reply, request, 413, "the body is longer than %zu bytes", REQUEST_BODY_MAX);
	} else if (route) {
		route->handle(emulator, request, reply);
		report_rate(emulator, request, reply);
	} else if (allowed.len > 0) {
		reply_refuse(
			reply, request, 405, "this resource does not know %s", request->method);
		reply_set_header(reply, "Allow", strbuf_str(&allowed));
	} else {
		reply_refuse(reply, request, 404, "resource not found");
	}
}
