/* connect/v1: writing. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/connect.h"
#include "emulator/custom.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/offsets.h"
#include "emulator/view.h"

#define NAME_MAX_BYTES 255
#define LINES_MAX      ((size_t)256 << 10)

/* Whether a new connector may be called that. */
static bool is_good_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\') {
			return false;
		}
	}
	size_t len = strlen(name);
	return len > 0 && len <= NAME_MAX_BYTES && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static const struct plugin *find_plugin(struct emulator *emulator, const struct config *config,
	const struct request *request, struct reply *reply)
{
	const struct plugin *plugin = config_plugin(&emulator->account, config);
	if (plugin) {
		return plugin;
	}
	const char *type = config_get(config, "confluent.connector.type");
	const char *class = config_get(config, "connector.class");
	if (type && strcmp(type, "CUSTOM") == 0) {
		reply_refuse(reply, request, 400,
			"Errors in the configuration:\n"
			"confluent.custom.plugin.id: there is no such plugin, or no such version "
			"that is ready");
	} else if (!class || !*class) {
		reply_refuse(reply, request, 400,
			"Errors in the configuration:\n"
			"connector.class: this setting is required");
	} else {
		reply_refuse_kafka(reply, 500,
			"Failed to find any class that implements Connector and which name "
			"matches %s",
			class);
	}
	return NULL;
}

static void add_line(struct strbuf *lines, const char *name, const char *reason)
{
	strbuf_addf(lines, "%s%s: %s", lines->len > 0 ? "\n" : "", name, reason);
}

/* Puts the stored secrets where the config has masks. What cannot be replaced
 * becomes a line. `stored` is NULL for a new connector. */
static void restore_secrets(const struct plugin *plugin, const struct config *stored,
	struct config *config, struct strbuf *lines)
{
	for (size_t i = 0; i < config->count; i++) {
		const struct setting *setting = &config->items[i];
		if (!plugin_is_mask(setting->value) || !plugin_is_secret(plugin, setting->name)) {
			continue;
		}
		const char *secret = stored ? config_get(stored, setting->name) : NULL;
		if (secret) {
			config_set(config, setting->name, secret);
		} else {
			add_line(lines, setting->name,
				"the value is a mask, and no secret is stored");
		}
	}
}

/* Everything that speaks against a config. False: the reply says so already. */
static bool accept(struct emulator *emulator, const char *name, const struct config *stored,
	struct config *config, const struct request *request, struct reply *reply)
{
	const struct plugin *plugin = find_plugin(emulator, config, request, reply);
	if (!plugin) {
		return false;
	}
	cleanup(strbuf) struct strbuf lines = STRBUF_INIT(LINES_MAX);
	const char *given = config_get(config, "name");
	plugin_check(plugin, config, &lines);
	if (plugin->custom) {
		custom_check(config, &lines);
	}
	if (given && *given && strcmp(given, name) != 0) {
		add_line(&lines, "name", "it differs from the name of the connector");
	}
	if (!stored && !is_good_name(name)) {
		add_line(&lines, "name", "a connector cannot be called that");
	}
	restore_secrets(plugin, stored, config, &lines);
	if (lines.len > 0 || lines.err) {
		reply_refuse(reply, request, 400, "Errors in the configuration:\n%s",
			strbuf_str(&lines));
		return false;
	}
	return true;
}

HANDLER(connect_create)
{
	struct cluster *cluster = connect_cluster(emulator, request, reply);
	cleanup(json) cJSON *body = cluster ? connect_body(request, reply) : NULL;
	if (!body) {
		return;
	}
	const char *name = json_get_string(body, "name");
	if (!name || !*name) {
		reply_refuse(reply, request, 400, "name: this member is required");
		return;
	}
	const cJSON *offsets = json_get(body, "offsets");
	offsets = cJSON_IsNull(offsets) ? NULL : offsets;
	if (offsets && !offsets_are_valid(offsets, true)) {
		reply_refuse(reply, request, 400,
			"offsets: this is no array of objects with partition and offset");
		return;
	}
	cleanup(config) struct config *config =
		connect_config(json_get(body, "config"), request, reply);
	if (!config) {
		return;
	}
	if (cluster_live(cluster, name)) {
		reply_refuse_kafka(reply, 409, "Connector %s already exists", name);
		return;
	}
	if (!accept(emulator, name, NULL, config, request, reply)) {
		return;
	}
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(LINES_MAX);
	offsets_check(config_plugin(&emulator->account, config), config, offsets, &why);
	if (why.len > 0) {
		reply_refuse(reply, request, 400, "offsets: %s", strbuf_str(&why));
		return;
	}
	struct connector *connector = connector_create(&emulator->account, cluster, name,
		steal(config), clock_now_ms(), emulator->account.provisioning_ms);
	if (offsets) {
		offsets_patch(offsets_of(&emulator->account, connector), connector, offsets);
	}
	cleanup(free) char *echo = offsets ? cJSON_PrintUnformatted(offsets) : NULL;
	reply->status = 201;
	view_connector(connector, connector->newest, echo, &reply->body);
}

HANDLER(connect_put_config)
{
	const char *name = request->params[2];
	struct cluster *cluster = connect_cluster(emulator, request, reply);
	cleanup(json) cJSON *body = cluster ? connect_body(request, reply) : NULL;
	if (!body) {
		return;
	}
	cleanup(config) struct config *config = connect_config(body, request, reply);
	if (!config) {
		return;
	}
	struct connector *connector = cluster_live(cluster, name);
	const struct config *stored = connector ? connector->newest->config : NULL;
	if (!accept(emulator, name, stored, config, request, reply)) {
		return;
	}
	int64_t now = clock_now_ms();
	if (connector) {
		connector_configure(&emulator->account, connector, steal(config), now);
	} else {
		connector = connector_create(&emulator->account, cluster, name, steal(config), now,
			emulator->account.provisioning_ms);
		reply->status = 201;
	}
	connector->puts++;
	view_connector(connector, connector->newest, NULL, &reply->body);
}

HANDLER(connect_delete)
{
	struct connector *connector = connect_live(emulator, request, reply);
	if (connector) {
		connector_delete(&emulator->account, connector, clock_now_ms());
		strbuf_adds(&reply->body, "{\"error\":null}");
	}
}

/* From one state into another; other states stay as they are. */
static void change_state(struct emulator *emulator, const struct request *request,
	struct reply *reply, enum connector_state from, enum connector_state to)
{
	int64_t now = clock_now_ms();
	struct connector *connector = connect_live(emulator, request, reply);
	if (!connector) {
		return;
	}
	enum connector_state state = snapshot_state(connector->newest, now);
	if (state == STATE_PROVISIONING || state == STATE_NONE) {
		reply_refuse_kafka(
			reply, 409, "Connector %s is still being provisioned", connector->name);
		return;
	}
	if (state == from) {
		connector_set_state(&emulator->account, connector, to, NULL, now);
	}
	reply->status = 202;
}

HANDLER(connect_pause)
{
	change_state(emulator, request, reply, STATE_RUNNING, STATE_PAUSED);
}

HANDLER(connect_resume)
{
	change_state(emulator, request, reply, STATE_PAUSED, STATE_RUNNING);
}
