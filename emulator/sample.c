#include "emulator/sample.h"

#include <stdio.h>
#include <string.h>

#include "emulator/artifacts.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define SETTINGS_MAX 40

struct sample_setting {
	const char *name;
	const char *value;
};

struct sample {
	const char *cluster;
	const char *name;
	const char *class; /* or the id of a custom plugin */
	enum connector_state state;
	const char *trace;
	struct sample_setting settings[SETTINGS_MAX]; /* beside those common to all */
};

#define PG_TRACE \
	"org.apache.kafka.connect.errors.ConnectException: the replication stream has ended\n" \
	"\tat io.debezium.connector.postgresql.PostgresConnectorTask.start" \
	"(PostgresConnectorTask.java:190)\n" \
	"\tat io.debezium.connector.common.BaseSourceTask.startIfNeededAndPossible" \
	"(BaseSourceTask.java:253)\n" \
	"\tat org.apache.kafka.connect.runtime.WorkerSourceTask.execute" \
	"(WorkerSourceTask.java:227)\n" \
	"\tat java.base/java.lang.Thread.run(Thread.java:840)\n" \
	"Caused by: org.postgresql.util.PSQLException: " \
	"FATAL: password authentication failed for user \"orders_cdc\"\n" \
	"\tat org.postgresql.core.v3.ConnectionFactoryImpl.doAuthentication" \
	"(ConnectionFactoryImpl.java:693)\n" \
	"\t... 4 more\n"

static const struct sample samples[] = {
	{ "lkc-7n2kvd", "orders-datagen", "DatagenSource", STATE_RUNNING, NULL,
		{ { "kafka.topic", "orders" }, { "quickstart", "ORDERS" },
			{ "output.data.format", "JSON_SR" }, { "max.interval", "500" },
			{ "tasks.max", "1" } } },
	{ "lkc-7n2kvd", "orders-archive-s3", "S3Sink", STATE_RUNNING, NULL,
		{ { "topics", "orders,orders.refunds" }, { "input.data.format", "JSON_SR" },
			{ "output.data.format", "PARQUET" },
			{ "aws.access.key.id", "AKIAEXAMPLE7ORDERS4U" },
			{ "aws.secret.access.key", "sEcretExample/0rders/Arch1veKey+4tSthree" },
			{ "s3.bucket.name", "acme-orders-archive" }, { "topics.dir", "topics" },
			{ "time.interval", "HOURLY" }, { "flush.size", "10000" },
			{ "rotate.schedule.interval.ms", "600000" }, { "timezone", "UTC" },
			{ "s3.compression.type", "gzip" }, { "tasks.max", "2" } } },
	{ "lkc-7n2kvd", "orders-cdc-postgres", "PostgresCdcSourceV2", STATE_FAILED, PG_TRACE,
		{ { "database.hostname", "orders-db.internal.acme.example" },
			{ "database.port", "5432" }, { "database.user", "orders_cdc" },
			{ "database.password", "c0rrect-h0rse-battery" },
			{ "database.dbname", "orders" }, { "database.sslmode", "require" },
			{ "slot.name", "orders_cdc_slot" }, { "publication.name", "orders_pub" },
			{ "publication.autocreate.mode", "filtered" },
			{ "topic.prefix", "pg.orders" },
			{ "table.include.list", "public.orders,public.order_items" },
			{ "snapshot.mode", "initial" }, { "output.data.format", "AVRO" },
			{ "tasks.max", "1" } } },
	{ "lkc-7n2kvd", "customers-cdc-mysql", "MySqlCdcSourceV2", STATE_RUNNING, NULL,
		{ { "database.hostname", "crm-db.internal.acme.example" },
			{ "database.port", "3306" }, { "database.user", "crm_reader" },
			{ "database.password", "tr0ub4dor&3-mysql" },
			{ "database.ssl.mode", "required" }, { "database.server.id", "5401" },
			{ "topic.prefix", "mysql.crm" },
			{ "table.include.list", "crm.customers,crm.addresses,crm.consents" },
			{ "snapshot.mode", "when_needed" }, { "after.state.only", "true" },
			{ "output.data.format", "AVRO" }, { "tasks.max", "1" } } },
	{ "lkc-7n2kvd", "orders-warehouse-bigquery", "BigQueryStorageSink", STATE_RUNNING, NULL,
		{ { "topics", "orders" }, { "input.data.format", "JSON_SR" },
			{ "keyfile",
				"{\"type\":\"service_account\",\"project_id\":\"acme-warehouse\","
				"\"private_key_id\":\"0f3e\",\"private_key\":\"-----BEGIN PRIVATE "
				"KEY-----\\nMIIEexample\\n-----END PRIVATE KEY-----\\n\"}" },
			{ "project", "acme-warehouse" }, { "datasets", "orders_raw" },
			{ "ingestion.mode", "STREAMING" },
			{ "auto.create.tables", "PARTITION by INGESTION TIME" },
			{ "partitioning.type", "DAY" }, { "sanitize.topics", "true" },
			{ "tasks.max", "3" } } },
	{ "lkc-7n2kvd", "product search index", "ElasticsearchSink", STATE_RUNNING, NULL,
		{ { "topics", "products" }, { "input.data.format", "JSON" },
			{ "connection.url", "https://search.acme.example:9243" },
			{ "connection.username", "indexer" },
			{ "connection.password", "l00k-it-up" }, { "key.ignore", "false" },
			{ "schema.ignore", "true" }, { "behavior.on.malformed.documents", "warn" },
			{ "batch.size", "1000" }, { "tasks.max", "1" } } },
	{ "lkc-7n2kvd", "gateway-telemetry", "ccp-4r7k2p", STATE_RUNNING, NULL,
		{ { "gateway.url", "https://gateway.acme.example/v2/stream" },
			{ "gateway.token", "gw-tok-71ce0b2d" }, { "gateway.sites", "ams,ber,osl" },
			{ "confluent.custom.connection.endpoints", "gateway.acme.example:443" },
			{ "confluent.custom.schema.registry.auto", "FALSE" },
			{ "kafka.topic", "telemetry" }, { "tasks.max", "2" } } },
	{ "lkc-q05m8w", "pageviews-datagen", "DatagenSource", STATE_PAUSED, NULL,
		{ { "kafka.topic", "pageviews" }, { "quickstart", "PAGEVIEWS" },
			{ "output.data.format", "AVRO" }, { "tasks.max", "1" } } },
	{ "lkc-q05m8w", "sessions-snowflake", "SnowflakeSink", STATE_RUNNING, NULL,
		{ { "topics", "sessions" }, { "input.data.format", "AVRO" },
			{ "snowflake.url.name", "acme-eu.snowflakecomputing.example:443" },
			{ "snowflake.user.name", "kafka_loader" },
			{ "snowflake.private.key", "MIIEvExampleOfAKeyThatOpensNothing" },
			{ "snowflake.database.name", "ANALYTICS" },
			{ "snowflake.schema.name", "SESSIONS" },
			{ "snowflake.ingestion.method", "SNOWPIPE_STREAMING" },
			{ "buffer.flush.time", "60" }, { "tasks.max", "2" } } },
	{ "lkc-q05m8w", "alerts-webhook", "HttpSink", STATE_RUNNING, NULL,
		{ { "topics", "alerts" }, { "input.data.format", "JSON" },
			{ "http.api.url", "https://hooks.acme.example/alerts" },
			{ "request.method", "POST" }, { "auth.type", "BASIC" },
			{ "connection.user", "alerter" }, { "connection.password", "r1ng-r1ng" },
			{ "request.body.format", "json" }, { "batch.max.size", "10" },
			{ "tasks.max", "1" } } },
	{ "lkc-x93prt", "staging-orders-datagen", "DatagenSource", STATE_RUNNING, NULL,
		{ { "kafka.topic", "orders" }, { "quickstart", "ORDERS" },
			{ "output.data.format", "JSON" }, { "max.interval", "1000" },
			{ "tasks.max", "1" } } },
	{ "lkc-x93prt", "staging-profiles-mongodb", "MongoDbAtlasSink", STATE_RUNNING, NULL,
		{ { "topics", "profiles" }, { "input.data.format", "JSON" },
			{ "connection.host", "staging.ab12c.mongodb.example" },
			{ "connection.user", "kafka_writer" },
			{ "connection.password", "atl4s-staging" }, { "database", "profiles" },
			{ "collection", "profiles" },
			{ "doc.id.strategy", "ProvidedInKeyStrategy" }, { "tasks.max", "1" } } },
};

struct sample_artifact {
	enum artifact_kind kind;
	const char *id;
	const char *environment;
	const char *plugin; /* of a version */
	const char *spec;
};

static const struct sample_artifact artifacts[] = {
	{ ARTIFACT_CUSTOM, "ccp-4r7k2p", NULL, NULL,
		"{\"display_name\":\"IoT gateway\",\"description\":\"Streams of the gateway\","
		"\"documentation_link\":\"https://wiki.acme.example/gateway\","
		"\"connector_class\":\"com.example.connect.iot.IotGatewaySource\","
		"\"connector_type\":\"SOURCE\",\"cloud\":\"AWS\","
		"\"sensitive_config_properties\":[\"gateway.token\",\"gateway.client.secret\"],"
		"\"runtime_language\":\"JAVA\"}" },
	{ ARTIFACT_CUSTOM, "ccp-9mz0dq", NULL, NULL,
		"{\"display_name\":\"Ledger\",\"description\":\"\",\"documentation_link\":\"\","
		"\"connector_class\":\"com.example.connect.ledger.LedgerSink\","
		"\"connector_type\":\"SINK\",\"cloud\":\"GCP\","
		"\"sensitive_config_properties\":[\"ledger.signing.key\"],"
		"\"runtime_language\":\"JAVA\"}" },
	{ ARTIFACT_PLUGIN, "ccp-w2x6jh", "env-3k9dpz", NULL,
		"{\"display_name\":\"Weather\",\"description\":\"Stations and radar\","
		"\"cloud\":\"AWS\"}" },
	{ ARTIFACT_VERSION, "ver-1c8n5q", "env-3k9dpz", "ccp-w2x6jh",
		"{\"version\":\"1.0.0\",\"connector_classes\":[{\"class_name\":"
		"\"com.example.connect.weather.StationSource\",\"type\":\"SOURCE\"}],"
		"\"sensitive_config_properties\":[\"weather.api.key\"],"
		"\"documentation_link\":\"\"}" },
	{ ARTIFACT_VERSION, "ver-6f3t9z", "env-3k9dpz", "ccp-w2x6jh",
		"{\"version\":\"1.1.0\",\"connector_classes\":[{\"class_name\":"
		"\"com.example.connect.weather.StationSource\",\"type\":\"SOURCE\"},"
		"{\"class_name\":\"com.example.connect.weather.AlertSink\",\"type\":\"SINK\"}],"
		"\"sensitive_config_properties\":[\"weather.api.key\"],"
		"\"documentation_link\":\"https://wiki.acme.example/weather\"}" },
};

/* As if it had been uploaded: a ZIP file with nothing in it but a name. */
static struct upload *sample_upload(
	struct account *account, const struct sample_artifact *sample, const char *cloud)
{
	static const char end[] = "PK\005\006\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct upload *upload = upload_create(account, cloud, "ZIP", sample->environment);
	struct reception *reception = reception_create();
	reception_add(reception, "PK\003\004", 4);
	reception_add(reception, sample->id, strlen(sample->id));
	reception_add(reception, end, sizeof(end) - 1);
	reception_finish(reception, &upload->archive);
	reception_destroy(reception);
	upload->done = true;
	upload->used = true;
	return upload;
}

static void add_artifacts(struct account *account)
{
	for (size_t i = 0; i < sizeof(artifacts) / sizeof(*artifacts); i++) {
		const struct sample_artifact *sample = &artifacts[i];
		cJSON *spec = json_parse(sample->spec, strlen(sample->spec));
		struct artifact *parent =
			sample->plugin ? artifact_find(account, ARTIFACT_PLUGIN, sample->plugin)
				       : NULL;
		const char *cloud = json_get_string(parent ? parent->spec : spec, "cloud");
		const struct upload *upload = sample->kind == ARTIFACT_PLUGIN
						      ? NULL
						      : sample_upload(account, sample, cloud);
		struct artifact *artifact = artifact_create(account, sample->kind, sample->id,
			sample->environment, parent, upload, spec);
		artifact->phase = ARTIFACT_READY;
		snprintf(artifact->created_at, TIME_SIZE, "2024-02-0%zuT10:00:00Z", i + 1);
		snprintf(artifact->updated_at, TIME_SIZE, "2024-03-0%zuT10:00:00Z", i + 1);
	}
}

static struct config *sample_config(const struct sample *sample)
{
	struct config *config = config_create();
	config_set(config, "name", sample->name);
	config_set(config, "kafka.auth.mode", "KAFKA_API_KEY");
	config_set(config, "kafka.api.key", "K7EXAMPLEKEY4QZ2");
	config_set(config, "kafka.api.secret", "cfltExampleSecretOfTheClusterKey0000000000000000");
	if (strncmp(sample->class, "ccp-", 4) == 0) {
		config_set(config, "confluent.connector.type", "CUSTOM");
		config_set(config, "confluent.custom.plugin.id", sample->class);
	} else {
		config_set(config, "connector.class", sample->class);
	}
	for (size_t i = 0; i < SETTINGS_MAX && sample->settings[i].name; i++) {
		config_set(config, sample->settings[i].name, sample->settings[i].value);
	}
	return config;
}

void sample_fill(struct account *account)
{
	struct environment *production = account_add_environment(
		account, "env-3k9dpz", "Production", "2023-03-14T09:26:53Z");
	struct environment *staging =
		account_add_environment(account, "env-8wq41x", "Staging", "2023-05-02T16:40:11Z");
	account_add_cluster(account, production, "lkc-7n2kvd", "orders", "2023-03-14T09:41:07Z");
	struct cluster *analytics = account_add_cluster(
		account, production, "lkc-q05m8w", "analytics", "2023-06-21T07:15:30Z");
	struct cluster *shared = account_add_cluster(
		account, staging, "lkc-x93prt", "staging", "2023-05-02T16:52:48Z");
	cluster_place(analytics, "gcp", "europe-west3");
	analytics->kind = "Dedicated";
	analytics->availability = "MULTI_ZONE";
	shared->kind = "Basic";

	add_artifacts(account);
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const struct sample *sample = &samples[i];
		struct cluster *cluster = account_cluster(account, NULL, sample->cluster);
		struct connector *connector = connector_create(
			account, cluster, sample->name, sample_config(sample), ACCOUNT_ALWAYS, 0);
		connector->newest->state = sample->state;
		connector->newest->trace = sample->trace ? mem_dup(sample->trace) : NULL;
	}
}
