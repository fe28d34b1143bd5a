#include <stdio.h>

#include "emulator/sample.h"

#define ID_LETTERS "0123456789abcdefghijklmnopqrstuvwxyz"

/* `prefix` and six letters that differ for every number. */
static void make_id(char id[24], const char *prefix, size_t number)
{
	char letters[7] = "";
	for (size_t i = 6; i-- > 0; number /= 36) {
		letters[i] = ID_LETTERS[number % 36];
	}
	snprintf(id, 24, "%s%s", prefix, letters);
}

static void set_common(struct config *config, const char *name)
{
	config_set(config, "name", name);
	config_set(config, "kafka.auth.mode", "KAFKA_API_KEY");
	config_set(config, "kafka.api.key", "K7EXAMPLEKEY4QZ2");
	config_set(config, "kafka.api.secret", "cfltExampleSecretOfTheClusterKey0000000000000000");
	config_set(config, "tasks.max", "2");
	config_set(config, "auto.restart.on.user.error", "true");
	config_set(config, "key.converter.key.subject.name.strategy", "TopicNameStrategy");
	config_set(config, "value.converter.ignore.default.for.nullables", "false");
	config_set(config, "value.converter.value.subject.name.strategy", "TopicNameStrategy");
}

static struct config *make_sink(const char *name, size_t number)
{
	char text[128];
	struct config *config = config_create();
	set_common(config, name);
	config_set(config, "connector.class", "S3Sink");
	snprintf(text, sizeof(text), "topic-%06zu,topic-%06zu.retries", number, number);
	config_set(config, "topics", text);
	snprintf(text, sizeof(text), "acme-archive-%03zu", number % 1000);
	config_set(config, "s3.bucket.name", text);
	config_set(config, "authentication.method", "Access Keys");
	config_set(config, "aws.access.key.id", "AKIAEXAMPLE7ORDERS4U");
	config_set(config, "aws.secret.access.key", "sEcretExample/0rders/Arch1veKey+4tSthree");
	config_set(config, "errors.tolerance", "all");
	config_set(config, "flush.size", "10000");
	config_set(config, "input.data.format", "AVRO");
	config_set(config, "input.key.format", "STRING");
	config_set(config, "locale", "en");
	config_set(config, "max.poll.interval.ms", "300000");
	config_set(config, "max.poll.records", "500");
	config_set(config, "output.data.format", "PARQUET");
	config_set(config, "path.format", "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH");
	config_set(config, "rotate.interval.ms", "900000");
	config_set(config, "rotate.schedule.interval.ms", "600000");
	config_set(config, "s3.compression.type", "gzip");
	config_set(config, "s3.part.size", "5242880");
	config_set(config, "s3.wan.mode", "false");
	config_set(config, "time.interval", "HOURLY");
	config_set(config, "timestamp.field", "created_at");
	config_set(config, "timezone", "UTC");
	config_set(config, "topics.dir", "topics");
	config_set(config, "value.converter.connect.meta.data", "true");
	return config;
}

static struct config *make_source(const char *name, size_t number)
{
	char text[128];
	struct config *config = config_create();
	set_common(config, name);
	config_set(config, "connector.class", "MySqlCdcSourceV2");
	snprintf(text, sizeof(text), "db-%06zu.internal.acme.example", number);
	config_set(config, "database.hostname", text);
	config_set(config, "database.port", "3306");
	config_set(config, "database.user", "cdc_reader");
	config_set(config, "database.password", "tr0ub4dor&3-mysql");
	config_set(config, "database.ssl.mode", "required");
	snprintf(text, sizeof(text), "%zu", 5400 + number);
	config_set(config, "database.server.id", text);
	snprintf(text, sizeof(text), "mysql.shop%06zu", number);
	config_set(config, "topic.prefix", text);
	snprintf(text, sizeof(text), "shop%06zu.orders,shop%06zu.order_items,shop%06zu.customers",
		number, number, number);
	config_set(config, "table.include.list", text);
	config_set(config, "after.state.only", "true");
	config_set(config, "decimal.handling.mode", "precise");
	config_set(config, "heartbeat.interval.ms", "30000");
	config_set(config, "max.batch.size", "2048");
	config_set(config, "output.data.format", "AVRO");
	config_set(config, "output.key.format", "AVRO");
	config_set(config, "poll.interval.ms", "1000");
	config_set(config, "snapshot.locking.mode", "minimal");
	config_set(config, "snapshot.mode", "when_needed");
	config_set(config, "tombstones.on.delete", "true");
	config_set(config, "value.converter.decimal.format", "BASE64");
	config_set(config, "value.converter.reference.subject.name.strategy",
		"DefaultReferenceSubjectNameStrategy");
	return config;
}

static void fill_cluster(struct account *account, struct cluster *cluster, size_t connectors)
{
	for (size_t i = 0; i < connectors; i++) {
		char name[32];
		snprintf(name, sizeof(name), "connector-%06zu", i);
		struct config *config = i % 2 == 0 ? make_sink(name, i) : make_source(name, i);
		connector_create(account, cluster, name, config, ACCOUNT_ALWAYS, 0);
	}
}

void sample_generate(
	struct account *account, size_t environments, size_t clusters, size_t connectors)
{
	char id[24];
	char name[48];
	for (size_t e = 0; e < environments; e++) {
		make_id(id, "env-", e);
		snprintf(name, sizeof(name), "environment-%03zu", e);
		struct environment *environment =
			account_add_environment(account, id, name, "2024-01-01T00:00:00Z");
		for (size_t c = 0; c < clusters; c++) {
			make_id(id, "lkc-", e * clusters + c);
			snprintf(name, sizeof(name), "cluster-%03zu", c);
			fill_cluster(account,
				account_add_cluster(
					account, environment, id, name, "2024-01-01T00:00:00Z"),
				connectors);
		}
	}
}
