/* metrics v2: the newest point of every series, as Prometheus reads it. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/handlers.h"
#include "emulator/mem.h"
#include "emulator/metrics_api.h"

#define OFFSET_MINUTES 5
#define HOUR_MS        3600000
#define OPEN_METRICS   "application/openmetrics-text"

/* What a request asks for, of one kind. */
struct choice {
	const void **items; /* owned; borrowed from the account */
	size_t count, size;
};

static void choice_cleanup(struct choice *choice)
{
	free(choice->items);
}

struct exposition {
	struct strbuf *out;
	int64_t minute;
	bool open_metrics;
	bool begun; /* the present metric has a head */
};

static bool may_export(const struct emulator *emulator, struct rate *rate)
{
	rate->limit = emulator->export_limit;
	rate->window_ms = HOUR_MS;
	return rate_take(rate, clock_now_ms());
}

/* Whether a metric is to be exported. */
static bool asks_for(const struct request *request, const struct metric *metric)
{
	const char *at = request->query;
	bool any = false;
	for (;; any = true) {
		cleanup(free) char *name = request_query_next(&at, "metric");
		if (!name || strcmp(name, metric->name) == 0) {
			return name || !any;
		}
	}
}

/* "io.confluent.kafka.connect/sent_records" without "io.", in letters, digits and _. */
static void write_name(const char *name, struct strbuf *out)
{
	for (const char *c = name + 3; *c; c++) {
		strbuf_addc(out, (char)(isalnum((unsigned char)*c) ? *c : '_'));
	}
}

static void write_label(const char *name, const char *value, struct strbuf *out)
{
	strbuf_addf(out, "%s=\"", name);
	for (const char *c = value; *c; c++) {
		strbuf_adds(out, *c == '"' || *c == '\\' ? "\\" : "");
		strbuf_adds(out, *c == '\n' ? "\\n" : (char[2]){ *c, '\0' });
	}
	strbuf_addc(out, '"');
}

static void write_head(const struct metric *metric, const struct exposition *page)
{
	struct strbuf *out = page->out;
	if (out->len > 0 && !page->open_metrics) {
		strbuf_addc(out, '\n');
	}
	strbuf_adds(out, "# HELP ");
	write_name(metric->name, out);
	strbuf_addf(out, " %s\n# TYPE ", metric->description);
	write_name(metric->name, out);
	strbuf_adds(out, " gauge\n");
}

static void write_series(void *ctx, const struct series *series)
{
	struct exposition *page = ctx;
	const struct metric *metric = series->metric;
	struct strbuf *out = page->out;
	if (!page->begun) {
		write_head(metric, page);
		page->begun = true;
	}
	struct sum sum = { 0 };
	sum_add(&sum, series);
	write_name(metric->name, out);
	strbuf_addc(out, '{');
	write_label(
		metric_is_of_kafka(metric) ? "kafka_id" : "connector_id", series->resource, out);
	if (series->label) {
		strbuf_addc(out, ',');
		write_label(metric->label, series->label, out);
	}
	strbuf_addf(out, "} %.1f %" PRId64 "%s\n",
		sum_value(&sum, metric, page->minute, page->minute + 1), page->minute * 60,
		page->open_metrics ? ".000" : "000");
}

/* A resource must be there, which has a rate, and not have been exported too often. */
static bool check(struct emulator *emulator, const struct request *request, const char *type,
	const char *id, struct rate *rate, struct reply *reply)
{
	if (!rate) {
		reply_refuse(reply, request, 403, "no access to %s.id:%s", type, id);
		return false;
	}
	if (!may_export(emulator, rate)) {
		reply_refuse(
			reply, request, 429, "too many exports of %s.id:%s in an hour", type, id);
		return false;
	}
	return true;
}

static void choose(struct choice *choice, const void *item)
{
	if (choice->count == choice->size) {
		choice->size = choice->size ? 2 * choice->size : 64;
		choice->items = mem_grow(choice->items, choice->size, sizeof(*choice->items));
	}
	choice->items[choice->count++] = item;
}

/* In this order, and each once. */
static void settle(struct choice *choice, int (*compare)(const void *, const void *))
{
	size_t used = 0;
	if (choice->count > 0) {
		qsort(choice->items, choice->count, sizeof(*choice->items), compare);
	}
	for (size_t i = 0; i < choice->count; i++) {
		if (used == 0 || choice->items[used - 1] != choice->items[i]) {
			choice->items[used++] = choice->items[i];
		}
	}
	choice->count = used;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* As the account lists them. */
static int compare_clusters(const void *a, const void *b)
{
	const struct cluster *x = *(const struct cluster *const *)a;
	const struct cluster *y = *(const struct cluster *const *)b;
	int order = compare_numbers(x->environment->seq, y->environment->seq);
	return order ? order : compare_numbers(x->seq, y->seq);
}

static int compare_connectors(const void *a, const void *b)
{
	const struct connector *x = *(const struct connector *const *)a;
	const struct connector *y = *(const struct connector *const *)b;
	int order = compare_clusters(&x->cluster, &y->cluster);
	return order ? order : compare_numbers(x->seq, y->seq);
}

/* False: the reply says no already. */
static bool choose_clusters(struct emulator *emulator, const struct request *request,
	struct choice *choice, struct reply *reply)
{
	for (const char *at = request->query;;) {
		cleanup(free) char *id = request_query_next(&at, "resource.kafka.id");
		struct cluster *cluster = id ? account_cluster(&emulator->account, NULL, id) : NULL;
		if (!id) {
			settle(choice, compare_clusters);
			return true;
		}
		if (!check(emulator, request, "kafka", id, cluster ? &cluster->exports : NULL,
			    reply)) {
			return false;
		}
		choose(choice, cluster);
	}
}

static bool choose_connectors(struct emulator *emulator, const struct request *request,
	struct choice *choice, struct reply *reply)
{
	for (const char *at = request->query;;) {
		cleanup(free) char *id = request_query_next(&at, "resource.connector.id");
		struct connector *connector = id ? account_live(&emulator->account, id) : NULL;
		if (!id) {
			settle(choice, compare_connectors);
			return true;
		}
		if (!check(emulator, request, "connector", id,
			    connector ? &connector->exports : NULL, reply)) {
			return false;
		}
		choose(choice, connector);
	}
}

HANDLER(metrics_export)
{
	const char *accept = request_header(request, "Accept");
	struct exposition page = {
		.out = &reply->body,
		.minute = time(NULL) / 60 - OFFSET_MINUTES,
		.open_metrics = accept && strstr(accept, OPEN_METRICS),
	};
	cleanup(choice) struct choice clusters = { 0 };
	cleanup(choice) struct choice connectors = { 0 };
	if (!metrics_is_known(request, reply) ||
		!choose_clusters(emulator, request, &clusters, reply) ||
		!choose_connectors(emulator, request, &connectors, reply)) {
		return;
	}
	if (clusters.count + connectors.count == 0) {
		reply_refuse(reply, request, 400, "there is no resource to export");
		return;
	}
	for (const struct metric *metric = metric_list(); metric->name; metric++) {
		bool of_kafka = metric_is_of_kafka(metric);
		const struct choice *choice = of_kafka ? &clusters : &connectors;
		size_t count = asks_for(request, metric) ? choice->count : 0;
		page.begun = false;
		for (size_t i = 0; i < count; i++) {
			if (of_kafka) {
				metric_each_of_cluster(
					choice->items[i], metric, write_series, &page);
			} else {
				metric_each_of_connector(
					choice->items[i], metric, write_series, &page);
			}
		}
	}
	if (page.open_metrics) {
		strbuf_adds(&reply->body, "# EOF\n");
	}
	reply_set_header(reply, "Content-Type",
		page.open_metrics ? OPEN_METRICS ";version=1.0.0;charset=utf-8"
				  : "text/plain;version=0.0.4");
}
