#include "emulator/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define TEXT_MAX ((size_t)16 << 20)

void view_config(const struct snapshot *snapshot, struct strbuf *out)
{
	const struct config *config = snapshot->config;
	json_begin(out, '{');
	for (size_t i = 0; i < config->count; i++) {
		const struct setting *setting = &config->items[i];
		bool secret = *setting->value && plugin_is_secret(snapshot->plugin, setting->name);
		json_field(
			out, setting->name, secret ? plugin_mask(setting->name) : setting->value);
	}
	json_end(out, '}');
}

void view_connector(const struct connector *connector, const struct snapshot *snapshot,
	const char *offsets, struct strbuf *out)
{
	json_begin(out, '{');
	json_field(out, "name", connector->name);
	json_field(out, "type", snapshot->plugin->type);
	json_key(out, "config");
	view_config(snapshot, out);
	json_key(out, "tasks");
	json_begin(out, '[');
	for (size_t i = 0; i < snapshot->tasks; i++) {
		json_begin(out, '{');
		json_field(out, "connector", connector->name);
		json_field_int(out, "task", (long long)i);
		json_end(out, '}');
	}
	json_end(out, ']');
	if (offsets) {
		json_key(out, "offsets");
		json_raw(out, offsets);
	}
	json_end(out, '}');
}

static size_t active_tasks(const struct snapshot *snapshot, enum connector_state state)
{
	bool none = state == STATE_NONE || state == STATE_PROVISIONING || state == STATE_DELETED;
	return none ? 0 : snapshot->tasks;
}

static void write_task_status(const struct connector *connector, const struct snapshot *snapshot,
	enum connector_state state, size_t number, struct strbuf *out)
{
	/* A degraded connector has lost its first task. */
	bool failed = state == STATE_FAILED || (state == STATE_DEGRADED && number == 0);
	const char *shown = failed ? "FAILED" : state == STATE_PAUSED ? "PAUSED" : "RUNNING";
	const char *trace = failed && snapshot->trace ? snapshot->trace : "";
	json_begin(out, '{');
	json_field_int(out, "id", (long long)number);
	json_field(out, "state", shown);
	json_field(out, "worker_id", connector->name);
	json_key(out, "msg");
	json_string_len(out, trace, strcspn(trace, "\n"));
	json_end(out, '}');
}

void view_status(const struct connector *connector, const struct snapshot *snapshot, int64_t at,
	struct strbuf *out)
{
	enum connector_state state = snapshot_state(snapshot, at);
	bool traced = snapshot->trace && state != STATE_PROVISIONING;
	json_begin(out, '{');
	json_field(out, "name", connector->name);
	json_field(out, "type", snapshot->plugin->type);
	json_key(out, "connector");
	json_begin(out, '{');
	json_field(out, "state", state_name(state));
	json_field(out, "worker_id", connector->name);
	json_field(out, "trace", traced ? snapshot->trace : "");
	json_end(out, '}');
	json_key(out, "tasks");
	json_begin(out, '[');
	for (size_t i = 0; i < active_tasks(snapshot, state); i++) {
		write_task_status(connector, snapshot, state, i, out);
	}
	json_end(out, ']');
	json_end(out, '}');
}

void view_tasks(const struct connector *connector, const struct snapshot *snapshot, int64_t at,
	struct strbuf *out)
{
	size_t tasks = active_tasks(snapshot, snapshot_state(snapshot, at));
	json_begin(out, '[');
	for (size_t i = 0; i < tasks; i++) {
		json_begin(out, '{');
		json_key(out, "id");
		json_begin(out, '{');
		json_field(out, "connector", connector->name);
		json_field_int(out, "task", (long long)i);
		json_end(out, '}');
		json_key(out, "config");
		view_config(snapshot, out);
		json_end(out, '}');
	}
	json_end(out, ']');
}

void view_names(const struct cluster *cluster, int64_t at, struct strbuf *out)
{
	json_begin(out, '[');
	for (struct connector *c = cluster->connectors; c; c = c->hh.next) {
		if (connector_at(c, at) && !cluster_hides(cluster, c->name, LIST_NAMES)) {
			json_string(out, c->name);
		}
	}
	json_end(out, ']');
}

static const char *kept_info(const struct connector *connector, struct snapshot *snapshot)
{
	if (!snapshot->info) {
		cleanup(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
		view_connector(connector, snapshot, NULL, &text);
		snapshot->info = mem_dup(strbuf_str(&text));
	}
	return snapshot->info;
}

static const char *kept_status(
	const struct connector *connector, struct snapshot *snapshot, int64_t at)
{
	enum connector_state state = snapshot_state(snapshot, at);
	if (!snapshot->status || snapshot->status_state != state) {
		cleanup(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
		view_status(connector, snapshot, at, &text);
		free(snapshot->status);
		snapshot->status = mem_dup(strbuf_str(&text));
		snapshot->status_state = state;
	}
	return snapshot->status;
}

static void write_expanded(const struct connector *connector, struct snapshot *snapshot,
	unsigned parts, int64_t at, struct strbuf *out)
{
	json_key(out, connector->name);
	json_begin(out, '{');
	if (parts & VIEW_ID) {
		json_key(out, "id");
		json_begin(out, '{');
		json_field(out, "id", snapshot->id);
		json_field(out, "id_type", "ID");
		json_end(out, '}');
	}
	if (parts & VIEW_INFO) {
		json_key(out, "info");
		json_raw(out, kept_info(connector, snapshot));
	}
	if (parts & VIEW_STATUS) {
		json_key(out, "status");
		json_raw(out, kept_status(connector, snapshot, at));
	}
	json_end(out, '}');
}

void view_expanded(const struct cluster *cluster, unsigned parts, int64_t at, struct strbuf *out)
{
	json_begin(out, '{');
	for (struct connector *c = cluster->connectors; c; c = c->hh.next) {
		struct snapshot *snapshot = connector_at(c, at);
		if (snapshot && snapshot_has_status(snapshot, at) &&
			!cluster_hides(cluster, c->name, LIST_EXPANDED)) {
			write_expanded(c, snapshot, parts, at, out);
		}
	}
	json_end(out, '}');
}
