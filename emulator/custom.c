#include "emulator/custom.h"

#include <string.h>

#include "emulator/plugins.h"
#include "emulator/runtimes.h"

#define RUNTIME   "confluent.custom.connect.plugin.runtime"
#define JAVA      "confluent.custom.connect.java.version"
#define ENDPOINTS "confluent.custom.connection.endpoints"

static void add_line(struct strbuf *lines, const char *name, const char *reason)
{
	strbuf_addf(lines, "%s%s: %s", lines->len > 0 ? "\n" : "", name, reason);
}

static void check_runtime(const struct config *config, struct strbuf *lines)
{
	const char *name = config_get(config, RUNTIME);
	const char *java = config_get(config, JAVA);
	const struct runtime *runtime = name && *name ? runtime_find(name) : NULL;
	if (name && *name && !runtime) {
		add_line(lines, RUNTIME, "there is no such runtime");
	} else if (java && *java && !runtime) {
		add_line(lines, JAVA, "it needs a runtime");
	} else if (java && *java && !plugin_list_has(runtime->java_versions, java)) {
		add_line(lines, JAVA, "the runtime does not have it");
	}
}

/* HOST:PORT or HOST:PORT:TCP. */
static bool is_endpoint(const char *at, size_t len)
{
	size_t host = strcspn(at, ":;,");
	size_t port = host < len ? strspn(at + host + 1, "0123456789") : 0;
	size_t end = host + 1 + port;
	return host > 0 && host < len && port > 0 &&
	       (end == len || (len == end + 4 && strncmp(at + end, ":TCP", 4) == 0));
}

static void check_endpoints(const struct config *config, struct strbuf *lines)
{
	const char *at = config_get(config, ENDPOINTS);
	while (at && *at) {
		size_t len = strcspn(at, ";,");
		if (!is_endpoint(at, len)) {
			add_line(lines, ENDPOINTS, "an endpoint is HOST:PORT or HOST:PORT:TCP");
			return;
		}
		at += len + (at[len] != '\0');
	}
}

void custom_check(const struct config *config, struct strbuf *lines)
{
	check_runtime(config, lines);
	check_endpoints(config, lines);
}
