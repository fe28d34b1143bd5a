#include "emulator/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "emulator/mem.h"

#define HOUR_SUM   1770 /* of 0 to 59 */
#define SERVER     "io.confluent.kafka.server/"
#define CONNECT    "io.confluent.kafka.connect/"
#define TOPIC_TEXT "Name of the topic."
#define TASK_TEXT  "Number of the task."

static const struct metric metrics[] = {
	{ SERVER "received_bytes", "Bytes that producers sent to the cluster in a minute.", "By",
		"COUNTER_INT64", "kafka", NULL, "topic", TOPIC_TEXT, false, false },
	{ SERVER "sent_bytes", "Bytes that consumers got from the cluster in a minute.", "By",
		"COUNTER_INT64", "kafka", NULL, "topic", TOPIC_TEXT, false, false },
	{ SERVER "received_records", "Records that producers sent to the cluster in a minute.",
		"{records}", "COUNTER_INT64", "kafka", NULL, "topic", TOPIC_TEXT, false, false },
	{ SERVER "retained_bytes", "Bytes that the cluster keeps.", "By", "GAUGE_INT64", "kafka",
		NULL, "topic", TOPIC_TEXT, true, false },
	{ CONNECT "sent_records", "Records that a source wrote to Kafka in a minute.", "{records}",
		"COUNTER_INT64", "connector", "source", NULL, NULL, false, false },
	{ CONNECT "received_records", "Records that a sink read from Kafka in a minute.",
		"{records}", "COUNTER_INT64", "connector", "sink", NULL, NULL, false, false },
	{ CONNECT "sent_bytes", "Bytes that a source wrote to Kafka in a minute.", "By",
		"COUNTER_INT64", "connector", "source", NULL, NULL, false, false },
	{ CONNECT "received_bytes", "Bytes that a sink read from Kafka in a minute.", "By",
		"COUNTER_INT64", "connector", "sink", NULL, NULL, false, false },
	{ CONNECT "dead_letter_queue_records",
		"Records that a sink put into its dead letter queue in a minute.", "{records}",
		"COUNTER_INT64", "connector", "sink", NULL, NULL, false, false },
	{ CONNECT "connector_status", "Always 1; the label tells the state of the connector.", "1",
		"GAUGE_INT64", "connector", NULL, "status", "State of the connector.", true, true },
	{ CONNECT "connector_task_batch_size_avg", "Records in a batch of a task, on average.",
		"{records}", "GAUGE_DOUBLE", "connector", NULL, "task", TASK_TEXT, true, false },
	{ NULL },
};

const struct metric *metric_list(void)
{
	return metrics;
}

const struct metric *metric_find(const char *name)
{
	for (const struct metric *metric = metrics; metric->name; metric++) {
		if (strcmp(metric->name, name) == 0) {
			return metric;
		}
	}
	return NULL;
}

bool metric_is_of_kafka(const struct metric *metric)
{
	return strcmp(metric->resource, "kafka") == 0;
}

static void add_topics(const char *topics, struct config *names)
{
	while (topics && *topics) {
		size_t len = strcspn(topics, ",");
		cleanup(free) char *topic = mem_dup_len(topics, len);
		if (*topic) {
			config_set(names, topic, "");
		}
		topics += len + (topics[len] == ',');
	}
}

/* Every topic that one of the cluster's connectors reads or writes. */
void metric_each_of_cluster(
	const struct cluster *cluster, const struct metric *metric, metric_visit *visit, void *ctx)
{
	cleanup(config) struct config *names = config_create();
	for (const struct connector *c = cluster->connectors; c; c = c->hh.next) {
		if (c->newest->exists) {
			add_topics(config_get(c->newest->config, "topics"), names);
			add_topics(config_get(c->newest->config, "kafka.topic"), names);
		}
	}
	for (size_t i = 0; i < names->count; i++) {
		struct series series = { metric, cluster->id, names->items[i].name };
		visit(ctx, &series);
	}
}

void metric_each_of_connector(const struct connector *connector, const struct metric *metric,
	metric_visit *visit, void *ctx)
{
	const struct snapshot *snapshot = connector->newest;
	struct series series = { metric, snapshot->id, NULL };
	if (!snapshot->exists ||
		(metric->only && strcmp(metric->only, snapshot->plugin->type) != 0)) {
		return;
	}
	if (metric->label && strcmp(metric->label, "task") == 0) {
		for (size_t i = 0; i < snapshot->tasks; i++) {
			char task[24];
			snprintf(task, sizeof(task), "%zu", i);
			series.label = task;
			visit(ctx, &series);
		}
		return;
	}
	series.label = metric->label ? state_name(snapshot->state) : NULL;
	visit(ctx, &series);
}

void metric_each(
	const struct account *account, const struct metric *metric, metric_visit *visit, void *ctx)
{
	for (const struct environment *e = account->environments; e; e = e->hh.next) {
		for (const struct cluster *c = e->clusters; c; c = c->hh.next) {
			if (metric_is_of_kafka(metric)) {
				metric_each_of_cluster(c, metric, visit, ctx);
				continue;
			}
			for (const struct connector *n = c->connectors; n; n = n->hh.next) {
				metric_each_of_connector(n, metric, visit, ctx);
			}
		}
	}
}

static bool is_resource_label(const struct metric *metric, const char *field)
{
	size_t len = strlen(metric->resource);
	return strncmp(field, "resource.", 9) == 0 &&
	       strncmp(field + 9, metric->resource, len) == 0 &&
	       strcmp(field + 9 + len, ".id") == 0;
}

static bool is_own_label(const struct metric *metric, const char *field)
{
	return metric->label && strncmp(field, "metric.", 7) == 0 &&
	       strcmp(field + 7, metric->label) == 0;
}

const char *series_label(const struct series *series, const char *field)
{
	return is_resource_label(series->metric, field) ? series->resource
	       : is_own_label(series->metric, field)    ? series->label
							: NULL;
}

bool metric_has_label(const struct metric *metric, const char *field)
{
	return is_resource_label(metric, field) || is_own_label(metric, field);
}

static uLong add_text(uLong crc, const char *text)
{
	return crc32(crc, (const Bytef *)text, (uInt)strlen(text));
}

void sum_add(struct sum *sum, const struct series *series)
{
	if (series->metric->is_constant) {
		sum->base += 1;
		return;
	}
	uLong seed = add_text(0, series->metric->name);
	seed = add_text(add_text(seed, "\n"), series->resource);
	if (series->label) {
		seed = add_text(add_text(seed, "\n"), series->label);
	}
	sum->base += (double)(seed % 1000);
	sum->moving += 1;
}

/* The sum of (minute modulo 60) of all minutes before this one. */
static double before(int64_t minute)
{
	int64_t rest = minute % 60;
	int64_t sum = minute / 60 * HOUR_SUM + rest * (rest - 1) / 2;
	return (double)sum;
}

double sum_value(const struct sum *sum, const struct metric *metric, int64_t from, int64_t to)
{
	double minutes = (double)(to - from);
	double value = sum->base * minutes + sum->moving * (before(to) - before(from));
	return metric->is_gauge ? value / minutes : value;
}

void sum_write(double value, struct strbuf *out)
{
	if (value == floor(value)) {
		strbuf_addf(out, "%.0f", value);
	} else {
		strbuf_addf(out, "%.10g", value);
	}
}
