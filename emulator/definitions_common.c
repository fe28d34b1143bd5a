#include "emulator/definitions.h"

#include "emulator/groups.h"

const struct definition definitions_common[] = {
	{ "connector.class", VALUE_STRING, true, "", HIGH, IN_NAME, "Connector class",
		"The plugin that runs this connector." },
	{ "name", VALUE_STRING, true, "", HIGH, IN_NAME, "Connector name",
		"What this connector is called in its cluster." },
	{ "kafka.auth.mode", VALUE_STRING, false, "KAFKA_API_KEY", HIGH, IN_KAFKA,
		"Kafka authentication mode", "How the connector proves itself to the cluster.",
		"KAFKA_API_KEY,SERVICE_ACCOUNT" },
	{ "kafka.api.key", VALUE_PASSWORD, true, "", HIGH, IN_KAFKA, "Kafka API key",
		"Key of the cluster's API.", NULL, 0, "kafka.auth.mode=KAFKA_API_KEY" },
	{ "kafka.api.secret", VALUE_PASSWORD, true, "", HIGH, IN_KAFKA, "Kafka API secret",
		"Secret that belongs to the key.", NULL, 0, "kafka.auth.mode=KAFKA_API_KEY" },
	{ "kafka.service.account.id", VALUE_STRING, true, "", HIGH, IN_KAFKA, "Service account",
		"Account the connector acts for.", NULL, 0, "kafka.auth.mode=SERVICE_ACCOUNT" },
	{ "tasks.max", VALUE_INT, true, "", HIGH, IN_TASKS, "Tasks",
		"How many tasks may share the work.", NULL, 1 },
};

const size_t definitions_common_count = sizeof(definitions_common) / sizeof(*definitions_common);

const struct definition definitions_sink[] = {
	{ "topics", VALUE_LIST, true, "", HIGH, IN_TOPICS, "Topics",
		"Topics to read, separated by commas." },
	{ "input.data.format", VALUE_STRING, false, "JSON", HIGH, IN_INPUT,
		"Input record value format", "How record values are encoded.",
		"AVRO,JSON,JSON_SR,PROTOBUF,BYTES,STRING" },
	{ "input.key.format", VALUE_STRING, false, "BYTES", MEDIUM, IN_INPUT,
		"Input record key format", "How record keys are encoded.",
		"AVRO,JSON,JSON_SR,PROTOBUF,BYTES,STRING" },
	{ "max.poll.interval.ms", VALUE_INT, false, "300000", LOW, IN_INPUT,
		"Longest poll interval",
		"Milliseconds between two polls before the task counts as lost.", NULL, 60000 },
	{ "max.poll.records", VALUE_INT, false, "500", LOW, IN_INPUT, "Records per poll",
		"Most records taken in one poll.", NULL, 1 },
	{ "errors.tolerance", VALUE_STRING, false, "all", LOW, IN_INPUT, "Error tolerance",
		"Whether bad records end the task.", "all,none" },
};

const size_t definitions_sink_count = sizeof(definitions_sink) / sizeof(*definitions_sink);

const struct definition definitions_custom[] = {
	{ "confluent.connector.type", VALUE_STRING, true, "", HIGH, IN_NAME, "Connector type",
		"CUSTOM for a custom plugin.", "CUSTOM" },
	{ "confluent.custom.plugin.id", VALUE_STRING, true, "", HIGH, IN_NAME, "Custom plugin",
		"Id of the uploaded plugin." },
	{ "confluent.custom.plugin.version", VALUE_STRING, false, "", HIGH, IN_NAME,
		"Version of the plugin", "One of its versions, if it has several." },
	{ "confluent.custom.connect.plugin.runtime", VALUE_STRING, false, "", MEDIUM, IN_NAME,
		"Runtime", "Runtime the plugin runs in." },
	{ "confluent.custom.connect.java.version", VALUE_STRING, false, "", MEDIUM, IN_NAME,
		"Java version", "One that the runtime has." },
	{ "confluent.custom.connection.endpoints", VALUE_STRING, false, "", MEDIUM, IN_NAME,
		"Endpoints", "Where the connector may connect to, HOST:PORT separated by ;." },
	{ "confluent.custom.schema.registry.auto", VALUE_STRING, false, "FALSE", LOW, IN_NAME,
		"Schema registry", "Whether its settings are added.", "TRUE,FALSE" },
	{ "name", VALUE_STRING, true, "", HIGH, IN_NAME, "Connector name",
		"What this connector is called in its cluster." },
	{ "kafka.auth.mode", VALUE_STRING, false, "KAFKA_API_KEY", HIGH, IN_KAFKA,
		"Kafka authentication mode", "How the connector proves itself to the cluster.",
		"KAFKA_API_KEY,SERVICE_ACCOUNT" },
	{ "kafka.api.key", VALUE_PASSWORD, true, "", HIGH, IN_KAFKA, "Kafka API key",
		"Key of the cluster's API.", NULL, 0, "kafka.auth.mode=KAFKA_API_KEY" },
	{ "kafka.api.secret", VALUE_PASSWORD, true, "", HIGH, IN_KAFKA, "Kafka API secret",
		"Secret that belongs to the key.", NULL, 0, "kafka.auth.mode=KAFKA_API_KEY" },
	{ "kafka.service.account.id", VALUE_STRING, true, "", HIGH, IN_KAFKA, "Service account",
		"Account the connector acts for.", NULL, 0, "kafka.auth.mode=SERVICE_ACCOUNT" },
	{ "tasks.max", VALUE_INT, true, "", HIGH, IN_TASKS, "Tasks",
		"How many tasks may share the work.", NULL, 1 },
};

const size_t definitions_custom_count = sizeof(definitions_custom) / sizeof(*definitions_custom);
