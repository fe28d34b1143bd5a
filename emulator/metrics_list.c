/* metrics v2: what there is. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/metrics_api.h"
#include "emulator/pages.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000

static const struct {
	const char *type;
	const char *description;
	const char *key;
	const char *key_description;
} resources[] = {
	{ "kafka", "A Kafka cluster.", "kafka.id", "Id of the Kafka cluster." },
	{ "connector", "A connector.", "connector.id", "Id of the connector." },
};

bool metrics_is_known(const struct request *request, struct reply *reply)
{
	if (strcmp(request->params[0], "cloud") == 0) {
		return true;
	}
	reply_refuse(reply, request, 404, "there is no dataset %s", request->params[0]);
	return false;
}

static void write_label(const char *key, const char *description, struct strbuf *out)
{
	json_begin(out, '{');
	json_field(out, "key", key);
	json_field(out, "description", description);
	json_field_bool(out, "exportable", true);
	json_end(out, '}');
}

static void write_metric(const struct metric *metric, struct strbuf *out)
{
	json_begin(out, '{');
	json_field(out, "name", metric->name);
	json_field(out, "description", metric->description);
	json_field(out, "type", metric->type);
	json_field(out, "unit", metric->unit);
	json_field(out, "lifecycle_stage", "GENERAL_AVAILABILITY");
	json_field_bool(out, "exportable", true);
	json_key(out, "resources");
	json_list(out, metric->resource);
	json_key(out, "labels");
	json_begin(out, '[');
	if (metric->label) {
		write_label(metric->label, metric->label_description, out);
	}
	json_end(out, ']');
	json_end(out, '}');
}

HANDLER(metrics_list)
{
	cleanup(free) char *type = request_query(request, "resource_type");
	struct page page = {
		.path = "/v2/metrics/cloud/descriptors/metrics",
		.size = LIST_DEFAULT,
		.max = LIST_MAX,
	};
	if (!metrics_is_known(request, reply) || !page_init(&page, request, reply)) {
		return;
	}
	cleanup(strbuf) struct strbuf filter = STRBUF_INIT(LIST_MAX);
	if (type) {
		strbuf_addf(&filter, "resource_type=%s", type);
		page.filter = strbuf_str(&filter);
	}
	struct strbuf *out = &reply->body;
	uint64_t seq = 0;
	json_begin(out, '{');
	json_key(out, "data");
	json_begin(out, '[');
	for (const struct metric *metric = metric_list(); metric->name; metric++) {
		seq++;
		if ((!type || strcmp(type, metric->resource) == 0) && page_takes(&page, seq)) {
			write_metric(metric, out);
		}
	}
	json_end(out, ']');
	page_write_meta(&page, request, true, out);
	json_end(out, '}');
}

HANDLER(metrics_list_resources)
{
	struct page page = {
		.path = "/v2/metrics/cloud/descriptors/resources",
		.size = LIST_DEFAULT,
		.max = LIST_MAX,
	};
	if (!metrics_is_known(request, reply) || !page_init(&page, request, reply)) {
		return;
	}
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	json_key(out, "data");
	json_begin(out, '[');
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		if (!page_takes(&page, i + 1)) {
			continue;
		}
		json_begin(out, '{');
		json_field(out, "type", resources[i].type);
		json_field(out, "description", resources[i].description);
		json_key(out, "labels");
		json_begin(out, '[');
		write_label(resources[i].key, resources[i].key_description, out);
		json_end(out, ']');
		json_end(out, '}');
	}
	json_end(out, ']');
	page_write_meta(&page, request, true, out);
	json_end(out, '}');
}
