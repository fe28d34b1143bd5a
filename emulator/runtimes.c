/* connect/v1: the runtimes of custom connectors. */
#include "emulator/runtimes.h"

#include <string.h>

#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/pages.h"

static const struct runtime runtimes[] = {
	{ "ccrt-370", "3.7.0", "3.7.0", "11,17", "GA", "2026-02-28T00:00:00Z",
		"Apache Kafka 3.7.0 with Java 11 or 17" },
	{ "ccrt-390", "3.9.0", "3.9.0", "11,17", "GA", "2027-11-30T00:00:00Z",
		"Apache Kafka 3.9.0 with Java 11 or 17" },
	{ "ccrt-400", "4.0.0", "4.0.0", "17", "PREVIEW", "2028-03-31T00:00:00Z",
		"Apache Kafka 4.0.0 with Java 17" },
};

#define COUNT (sizeof(runtimes) / sizeof(*runtimes))

const struct runtime *runtime_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(runtimes[i].name, name) == 0) {
			return &runtimes[i];
		}
	}
	return NULL;
}

static void write_runtime(const struct runtime *runtime, struct strbuf *out)
{
	json_begin(out, '{');
	json_field(out, "api_version", "connect/v1");
	json_field(out, "kind", "CustomConnectorRuntime");
	json_field(out, "id", runtime->id);
	json_field(out, "custom_connect_plugin_runtime_name", runtime->name);
	json_field(out, "runtime_ak_version", runtime->kafka_version);
	json_key(out, "supported_java_versions");
	json_list(out, runtime->java_versions);
	json_field(out, "product_maturity", runtime->maturity);
	json_field(out, "end_of_life_at", runtime->end_of_life_at);
	json_field(out, "description", runtime->description);
	json_end(out, '}');
}

HANDLER(custom_list_runtimes)
{
	struct page page = { .path = "/connect/v1/custom-connector-runtimes" };
	if (!page_init(&page, request, reply)) {
		return;
	}
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	json_field(out, "api_version", "connect/v1");
	json_field(out, "kind", "CustomConnectorRuntimeList");
	json_key(out, "data");
	json_begin(out, '[');
	for (size_t i = 0; i < COUNT; i++) {
		if (page_takes(&page, i + 1)) {
			write_runtime(&runtimes[i], out);
		}
	}
	json_end(out, ']');
	page_write(&page, request, out);
	json_end(out, '}');
}
