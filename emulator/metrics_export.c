/* metrics v2: the newest point of every series, as Prometheus reads it. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/handlers.h"
#include "emulator/metrics_api.h"

#define OFFSET_MINUTES 5
#define HOUR_MS        3600000
#define OPEN_METRICS   "application/openmetrics-text"

struct exposition {
	const struct request *request;
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

/* Whether the request asks for this, by one of the parameters of that name. */
static bool asks_for(const struct request *request, const char *name, const char *value)
{
	for (size_t nth = 0;; nth++) {
		cleanup(free) char *given = request_query(request, name, nth);
		if (!given) {
			return false;
		}
		if (strcmp(given, value) == 0) {
			return true;
		}
	}
}

static const char *parameter_of(const char *type)
{
	return strcmp(type, "kafka") == 0 ? "resource.kafka.id" : "resource.connector.id";
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
	if (!asks_for(page->request, parameter_of(metric->resource), series->resource)) {
		return;
	}
	if (!page->begun) {
		write_head(metric, page);
		page->begun = true;
	}
	struct sum sum = { 0 };
	sum_add(&sum, series);
	write_name(metric->name, out);
	strbuf_addc(out, '{');
	write_label(strcmp(metric->resource, "kafka") == 0 ? "kafka_id" : "connector_id",
		series->resource, out);
	if (series->label) {
		strbuf_addc(out, ',');
		write_label(metric->label, series->label, out);
	}
	strbuf_addf(out, "} %.1f %" PRId64 "%s\n",
		sum_value(&sum, metric, page->minute, page->minute + 1), page->minute * 60,
		page->open_metrics ? ".000" : "000");
}

/* Each resource asked for must be there, and not have been exported too often. */
static bool check_resources(struct emulator *emulator, const struct request *request,
	const char *type, size_t *count, struct reply *reply)
{
	for (size_t nth = 0;; nth++, (*count)++) {
		cleanup(free) char *id = request_query(request, parameter_of(type), nth);
		if (!id) {
			return true;
		}
		struct rate *rate = metric_resource(&emulator->account, type, id);
		if (!rate) {
			reply_refuse(reply, request, 403, "no access to %s.id:%s", type, id);
			return false;
		}
		if (!may_export(emulator, rate)) {
			reply_refuse(reply, request, 429, "too many exports of %s.id:%s in an hour",
				type, id);
			return false;
		}
	}
}

HANDLER(metrics_export)
{
	const char *accept = request_header(request, "Accept");
	struct exposition page = {
		.request = request,
		.out = &reply->body,
		.minute = time(NULL) / 60 - OFFSET_MINUTES,
		.open_metrics = accept && strstr(accept, OPEN_METRICS),
	};
	size_t count = 0;
	if (!metrics_is_known(request, reply) ||
		!check_resources(emulator, request, "kafka", &count, reply) ||
		!check_resources(emulator, request, "connector", &count, reply)) {
		return;
	}
	if (count == 0) {
		reply_refuse(reply, request, 400, "there is no resource to export");
		return;
	}
	cleanup(free) char *chosen = request_query(request, "metric", 0);
	for (const struct metric *metric = metric_list(); metric->name; metric++) {
		page.begun = false;
		if (!chosen || asks_for(request, "metric", metric->name)) {
			metric_each(&emulator->account, metric, write_series, &page);
		}
	}
	if (page.open_metrics) {
		strbuf_adds(&reply->body, "# EOF\n");
	}
	reply_set_header(reply, "Content-Type",
		page.open_metrics ? OPEN_METRICS ";version=1.0.0;charset=utf-8"
				  : "text/plain;version=0.0.4");
}
