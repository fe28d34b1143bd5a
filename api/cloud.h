/* The calls of Confluent Cloud's API, by the names that it gives them, as patterns for url_target.
 */
#ifndef API_CLOUD_H
#define API_CLOUD_H

/* listOrgV2Environments, getOrgV2Environment */
#define CLOUD_ENVIRONMENTS "/org/v2/environments?page_size=100"
#define CLOUD_ENVIRONMENT  "/org/v2/environments/{}"
/* listOrgV2Organizations */
#define CLOUD_ORGANIZATIONS "/org/v2/organizations?page_size=100"
/* listCmkV2Clusters; getCmkV2Cluster (cluster, environment) */
#define CLOUD_CLUSTERS "/cmk/v2/clusters?environment={}&page_size=100"
#define CLOUD_CLUSTER  "/cmk/v2/clusters/{}?environment={}"
/* listConnectv1Connectors, createConnectv1Connector; …WithExpansions */
#define CLOUD_CONNECTORS          "/connect/v1/environments/{}/clusters/{}/connectors"
#define CLOUD_CONNECTORS_EXPANDED CLOUD_CONNECTORS "?expand=id,info,status"
/* readConnectv1Connector, deleteConnectv1Connector */
#define CLOUD_CONNECTOR CLOUD_CONNECTORS "/{}"
/* getConnectv1ConnectorConfig, createOrUpdateConnectv1ConnectorConfig */
#define CLOUD_CONFIG CLOUD_CONNECTOR "/config"
/* readConnectv1ConnectorStatus */
#define CLOUD_STATUS CLOUD_CONNECTOR "/status"
/* listConnectv1ConnectorTasks */
#define CLOUD_TASKS  CLOUD_CONNECTOR "/tasks"
#define CLOUD_PAUSE  CLOUD_CONNECTOR "/pause"
#define CLOUD_RESUME CLOUD_CONNECTOR "/resume"
/* getConnectv1ConnectorOffsets; alterConnectv1ConnectorOffsetsRequest;
 * getConnectv1ConnectorOffsetsRequestStatus */
#define CLOUD_OFFSETS         CLOUD_CONNECTOR "/offsets"
#define CLOUD_OFFSETS_REQUEST CLOUD_OFFSETS "/request"
#define CLOUD_OFFSETS_STATUS  CLOUD_OFFSETS_REQUEST "/status"
/* listConnectv1ConnectorPlugins */
#define CLOUD_PLUGINS "/connect/v1/environments/{}/clusters/{}/connector-plugins"
/* validateConnectv1ConnectorPlugin */
#define CLOUD_VALIDATE CLOUD_PLUGINS "/{}/config/validate"
/* listConnectV1CustomConnectorPlugins, createConnectV1CustomConnectorPlugin */
#define CLOUD_CUSTOM_PLUGINS "/connect/v1/custom-connector-plugins"
/* get…, update…, deleteConnectV1CustomConnectorPlugin */
#define CLOUD_CUSTOM_PLUGIN CLOUD_CUSTOM_PLUGINS "/{}"
/* presigned-upload-urlConnectV1PresignedUrl */
#define CLOUD_UPLOAD "/connect/v1/presigned-upload-url"
/* listCcpmV1CustomConnectPlugins (environment), createCcpmV1CustomConnectPlugin */
#define CLOUD_ENVIRONMENT_PLUGINS "/ccpm/v1/plugins"
/* get… (plugin, environment), update… (plugin), deleteCcpmV1CustomConnectPlugin (as get) */
#define CLOUD_ENVIRONMENT_PLUGIN CLOUD_ENVIRONMENT_PLUGINS "/{}"
/* listCcpmV1CustomConnectPluginVersions (plugin, environment),
 * createCcpmV1CustomConnectPluginVersion (plugin) */
#define CLOUD_VERSIONS CLOUD_ENVIRONMENT_PLUGIN "/versions"
/* get…, deleteCcpmV1CustomConnectPluginVersion (plugin, version, environment) */
#define CLOUD_VERSION CLOUD_VERSIONS "/{}"
/* createCcpmV1PresignedUrl */
#define CLOUD_ENVIRONMENT_UPLOAD "/ccpm/v1/presigned-upload-url"
/* listConnectV1CustomConnectorRuntimes */
#define CLOUD_RUNTIMES "/connect/v1/custom-connector-runtimes?page_size=100"

/* The telemetry API's: listing the metrics of connectors, queries, exports */
#define CLOUD_METRICS        "/v2/metrics/cloud/descriptors/metrics?resource_type=connector&page_size=1000"
#define CLOUD_METRICS_QUERY  "/v2/metrics/cloud/query"
#define CLOUD_METRICS_EXPORT "/v2/metrics/cloud/export"

#endif
