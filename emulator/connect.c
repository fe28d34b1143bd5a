/* connect/v1: reading. */
#include "emulator/connect.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/view.h"

#define NAMES_MAX ((size_t)64 << 10)

struct cluster *connect_cluster(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	struct cluster *cluster =
		account_cluster(&emulator->account, request->params[0], request->params[1]);
	if (!cluster) {
		reply_refuse(reply, request, 403, "Forbidden");
	}
	return cluster;
}

void connect_unknown(const struct request *request, const char *name, struct reply *reply)
{
	reply_refuse(reply, request, 404, "there is no connector %s", name);
}

struct connector *connect_live(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	const struct cluster *cluster = connect_cluster(emulator, request, reply);
	if (!cluster) {
		return NULL;
	}
	struct connector *connector = cluster_live(cluster, request->params[2]);
	if (!connector) {
		connect_unknown(request, request->params[2], reply);
	}
	return connector;
}

cJSON *connect_body(const struct request *request, struct reply *reply)
{
	cJSON *body = json_parse_exact(strbuf_str(&request->body), request->body.len);
	if (!body) {
		reply_refuse(reply, request, 400, "the body is no valid JSON");
	} else if (!cJSON_IsObject(body)) {
		reply_refuse(reply, request, 400, "the body is no JSON object");
		cJSON_Delete(body);
		return NULL;
	}
	return body;
}

struct config *connect_config(
	const cJSON *object, const struct request *request, struct reply *reply)
{
	cleanup(strbuf) struct strbuf wrong = STRBUF_INIT(NAMES_MAX);
	struct config *config = config_from_json(object, &wrong);
	if (!config) {
		reply_refuse(reply, request, 400, "%s%s",
			wrong.len > 0 ? "these settings are no strings: "
				      : "config is no JSON object",
			strbuf_str(&wrong));
	}
	return config;
}

struct sight {
	const struct connector *connector;
	struct snapshot *snapshot;
	int64_t at;
};

/* The connector the path names, as reads see it now. False: the reply says no. */
static bool look(struct emulator *emulator, const struct request *request, struct reply *reply,
	struct sight *ret_sight)
{
	struct cluster *cluster = connect_cluster(emulator, request, reply);
	if (!cluster) {
		return false;
	}
	int64_t at = account_read_time(&emulator->account, clock_now_ms());
	const struct connector *connector = cluster_connector(cluster, request->params[2]);
	struct snapshot *snapshot = connector ? connector_at(connector, at) : NULL;
	if (!snapshot) {
		connect_unknown(request, request->params[2], reply);
		return false;
	}
	*ret_sight = (struct sight){ .connector = connector, .snapshot = snapshot, .at = at };
	return true;
}

/* The parts all expand parameters ask for; 0 if there is no such parameter,
 * -1 if one asks for something unknown. */
static int expanded_parts(const struct request *request)
{
	static const struct {
		const char *name;
		int part;
	} names[] = { { "id", VIEW_ID }, { "info", VIEW_INFO }, { "status", VIEW_STATUS } };
	int parts = 0;
	for (const char *at = request->query;;) {
		cleanup(free) char *list = request_query_next(&at, "expand");
		if (!list) {
			return parts;
		}
		char *rest = list;
		for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
			int part = 0;
			for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
				part |= strcmp(word, names[i].name) == 0 ? names[i].part : 0;
			}
			if (part == 0) {
				return -1;
			}
			parts |= part;
		}
	}
}

HANDLER(connect_list)
{
	struct cluster *cluster = connect_cluster(emulator, request, reply);
	if (!cluster) {
		return;
	}
	int parts = expanded_parts(request);
	int64_t now = clock_now_ms();
	int64_t at = account_read_time(&emulator->account, now);
	account_sweep(&emulator->account, cluster, now);
	if (parts < 0) {
		reply_refuse(reply, request, 400, "expand knows id, info and status");
	} else if (parts == 0) {
		view_names(cluster, at, &reply->body);
	} else {
		view_expanded(cluster, (unsigned)parts, at, &reply->body);
	}
}

HANDLER(connect_get)
{
	struct sight sight;
	if (look(emulator, request, reply, &sight)) {
		view_connector(sight.connector, sight.snapshot, NULL, &reply->body);
	}
}

HANDLER(connect_get_config)
{
	struct sight sight;
	if (look(emulator, request, reply, &sight)) {
		view_config(sight.snapshot, &reply->body);
	}
}

HANDLER(connect_get_status)
{
	struct sight sight;
	if (look(emulator, request, reply, &sight)) {
		view_status(sight.connector, sight.snapshot, sight.at, &reply->body);
	}
}

HANDLER(connect_get_tasks)
{
	struct sight sight;
	if (look(emulator, request, reply, &sight)) {
		view_tasks(sight.connector, sight.snapshot, sight.at, &reply->body);
	}
}

HANDLER(connect_list_plugins)
{
	if (!connect_cluster(emulator, request, reply)) {
		return;
	}
	json_begin(&reply->body, '[');
	for (const struct plugin *plugin = plugin_list(); plugin->class; plugin++) {
		json_begin(&reply->body, '{');
		json_field(&reply->body, "class", plugin->class);
		json_field(&reply->body, "type", plugin->type);
		json_field(&reply->body, "version", plugin->version);
		json_end(&reply->body, '}');
	}
	json_end(&reply->body, ']');
}

HANDLER(connect_validate)
{
	if (!connect_cluster(emulator, request, reply)) {
		return;
	}
	const struct plugin *plugin = plugin_find(request->params[2]);
	if (!plugin) {
		reply_refuse(reply, request, 404, "there is no plugin %s", request->params[2]);
		return;
	}
	cleanup(json) cJSON *body = connect_body(request, reply);
	if (!body) {
		return;
	}
	cleanup(config) struct config *config = connect_config(body, request, reply);
	if (config) {
		plugin_validate(plugin, config, &reply->body);
	}
}
