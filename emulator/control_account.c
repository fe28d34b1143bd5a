/* The control API: the account behind the API's back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/control.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/offsets.h"

#define WHY_MAX 4096

static void write_names(const struct cluster *cluster, struct strbuf *out)
{
	json_begin(out, '[');
	for (const struct connector *c = cluster->connectors; c; c = c->hh.next) {
		if (c->newest->exists) {
			json_string(out, c->name);
		}
	}
	json_end(out, ']');
}

HANDLER(control_get_account)
{
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	for (const struct environment *e = emulator->account.environments; e; e = e->hh.next) {
		json_key(out, e->id);
		json_begin(out, '{');
		for (const struct cluster *c = e->clusters; c; c = c->hh.next) {
			json_key(out, c->id);
			write_names(c, out);
		}
		json_end(out, '}');
	}
	json_end(out, '}');
}

static struct cluster *find_cluster(struct emulator *emulator, const char *id,
	const struct request *request, struct reply *reply)
{
	struct cluster *cluster = id ? account_cluster(&emulator->account, NULL, id) : NULL;
	if (!cluster) {
		reply_refuse(reply, request, 404, "there is no cluster %s", id ? id : "");
	}
	return cluster;
}

static void write_connector(const struct connector *connector, struct strbuf *out)
{
	const struct snapshot *snapshot = connector->newest;
	enum connector_state state = snapshot_state(snapshot, clock_now_ms());
	json_begin(out, '{');
	json_field(out, "id", snapshot->id);
	json_field(out, "name", connector->name);
	json_field(out, "cluster", connector->cluster->id);
	json_field(out, "type", snapshot->plugin->type);
	json_field(out, "state", state_name(state));
	json_field(out, "trace", snapshot->trace ? snapshot->trace : "");
	json_field_int(out, "tasks", (long long)snapshot->tasks);
	json_field_int(out, "puts", (long long)connector->puts);
	json_key(out, "config");
	config_to_json(snapshot->config, out);
	json_key(out, "history");
	json_begin(out, '[');
	for (size_t i = 0; i < connector->accepted_count; i++) {
		config_to_json(connector->accepted[i], out);
	}
	json_end(out, ']');
	json_end(out, '}');
}

HANDLER(control_get_connector)
{
	const struct cluster *cluster = find_cluster(emulator, request->params[0], request, reply);
	if (!cluster) {
		return;
	}
	const struct connector *connector = cluster_live(cluster, request->params[1]);
	if (!connector) {
		reply_refuse(reply, request, 404, "there is no connector %s", request->params[1]);
		return;
	}
	write_connector(connector, &reply->body);
}

/* The config a change asks for, on top of `config`, which is consumed. */
static struct config *merge(struct config *config, const cJSON *change)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, json_get(change, "merge"))
	{
		if (cJSON_IsString(item)) {
			config_set(config, item->string, item->valuestring);
		}
	}
	cJSON_ArrayForEach(item, json_get(change, "unset"))
	{
		if (cJSON_IsString(item)) {
			config_unset(config, item->valuestring);
		}
	}
	return config;
}

/* A whole config, with a name in it if it had none. */
static int take_config(
	const cJSON *object, const char *name, struct strbuf *why, struct config **ret_config)
{
	cleanup(strbuf) struct strbuf wrong = STRBUF_INIT(WHY_MAX);
	cleanup(config) struct config *config = config_from_json(object, &wrong);
	if (!config) {
		strbuf_addf(why, "config is no object of strings: %s", strbuf_str(&wrong));
		return -EINVAL;
	}
	if (!config_get(config, "name")) {
		config_set(config, "name", name);
	}
	*ret_config = steal(config);
	return 0;
}

static int check_plugin(
	const struct emulator *emulator, const struct config *config, struct strbuf *why)
{
	if (config_plugin(&emulator->account, config)) {
		return 0;
	}
	strbuf_adds(why, "the config names no plugin there is");
	return -EINVAL;
}

static int change_config(struct emulator *emulator, struct connector *connector,
	const cJSON *change, struct strbuf *why)
{
	const cJSON *whole = json_get(change, "config");
	if (!whole && !json_get(change, "merge") && !json_get(change, "unset")) {
		return 0;
	}
	cleanup(config) struct config *config = NULL;
	if (whole) {
		int err = take_config(whole, connector->name, why, &config);
		if (err < 0) {
			return err;
		}
	} else {
		config = config_copy(connector->newest->config);
	}
	merge(config, change);
	int err = check_plugin(emulator, config, why);
	if (err == 0) {
		connector_replace(&emulator->account, connector, steal(config), clock_now_ms());
	}
	return err;
}

static int change_state(struct emulator *emulator, struct connector *connector, const cJSON *change,
	struct strbuf *why)
{
	const char *trace = json_get_string(change, "trace");
	const char *name = json_get_string(change, "state");
	if (!name && !trace) {
		return 0;
	}
	enum connector_state state = connector->newest->state;
	if (name && state_parse(name, &state) < 0) {
		strbuf_addf(why, "there is no state %s", name);
		return -EINVAL;
	}
	connector_set_state(&emulator->account, connector, state, trace, clock_now_ms());
	return 0;
}

static int change_offsets(struct emulator *emulator, struct connector *connector,
	const cJSON *change, struct strbuf *why)
{
	const cJSON *list = json_get(change, "offsets");
	const char *message = json_get_string(change, "fail_offsets");
	if (list && !offsets_are_valid(list, true)) {
		strbuf_adds(why, "offsets is no array of objects with partition and offset");
		return -EINVAL;
	}
	if (list) {
		offsets_replace(offsets_of(&emulator->account, connector), list);
	}
	if (message) {
		offsets_fail(offsets_of(&emulator->account, connector), message);
	}
	return 0;
}

static int create(struct emulator *emulator, struct cluster *cluster, const char *name,
	const cJSON *object, struct strbuf *why)
{
	cleanup(config) struct config *config = NULL;
	int err = take_config(object, name, why, &config);
	if (err == 0) {
		err = check_plugin(emulator, config, why);
	}
	if (err == 0) {
		connector_create(&emulator->account, cluster, name, steal(config), clock_now_ms(),
			emulator->account.provisioning_ms);
	}
	return err;
}

int control_change(struct emulator *emulator, const char *cluster_id, const char *name,
	const cJSON *change, struct strbuf *why)
{
	struct cluster *cluster = account_cluster(&emulator->account, NULL, cluster_id);
	if (!cluster) {
		strbuf_addf(why, "there is no cluster %s", cluster_id);
		return -ENOENT;
	}
	struct connector *connector = cluster_live(cluster, name);
	if (connector && cJSON_IsTrue(json_get(change, "delete"))) {
		connector_delete(&emulator->account, connector, clock_now_ms());
		connector = NULL;
	}
	const cJSON *created = json_get(change, "create");
	if (created) {
		if (connector) {
			strbuf_addf(why, "connector %s exists already", name);
			return -EINVAL;
		}
		int err = create(emulator, cluster, name, created, why);
		if (err < 0) {
			return err;
		}
		connector = cluster_live(cluster, name);
	}
	if (!connector) {
		bool deleted = cJSON_IsTrue(json_get(change, "delete"));
		strbuf_addf(why, "there is no connector %s", name);
		return deleted ? 0 : -ENOENT;
	}
	int err = change_config(emulator, connector, change, why);
	err = err < 0 ? err : change_state(emulator, connector, change, why);
	return err < 0 ? err : change_offsets(emulator, connector, change, why);
}

int control_apply(struct emulator *emulator, const cJSON *change, struct strbuf *why)
{
	const char *plugin = json_get_string(change, "plugin");
	return plugin ? control_change_plugin(emulator, plugin, change, why)
		      : control_change(emulator, json_get_string(change, "cluster"),
				json_get_string(change, "connector"), change, why);
}

HANDLER(control_patch_connector)
{
	cleanup(json) cJSON *change =
		json_parse_exact(strbuf_str(&request->body), request->body.len);
	if (!cJSON_IsObject(change)) {
		reply_refuse(reply, request, 400, "the body is no JSON object");
		return;
	}
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_MAX);
	int err = control_change(emulator, request->params[0], request->params[1], change, &why);
	if (err < 0) {
		reply_refuse(reply, request, err == -ENOENT ? 404 : 400, "%s", strbuf_str(&why));
		return;
	}
	const struct cluster *cluster =
		account_cluster(&emulator->account, NULL, request->params[0]);
	const struct connector *connector = cluster_live(cluster, request->params[1]);
	if (connector) {
		write_connector(connector, &reply->body);
	} else {
		strbuf_adds(&reply->body, "{}");
	}
}

HANDLER(control_post_lists)
{
	cleanup(json) cJSON *body = control_body(request, reply);
	struct cluster *cluster =
		body ? find_cluster(emulator, json_get_string(body, "cluster"), request, reply)
		     : NULL;
	if (!cluster) {
		return;
	}
	unsigned from = 0;
	const cJSON *item;
	cJSON_ArrayForEach(item, json_get(body, "hide_from"))
	{
		const char *kind = cJSON_GetStringValue(item);
		from |= kind && strcmp(kind, "list") == 0 ? LIST_NAMES : 0U;
		from |= kind && strcmp(kind, "expand") == 0 ? LIST_EXPANDED : 0U;
	}
	cluster_hide(cluster, json_get(body, "hide"), from ? from : LIST_NAMES | LIST_EXPANDED);
	strbuf_adds(&reply->body, "{}");
}

HANDLER(control_post_environments)
{
	cleanup(json) cJSON *body = control_body(request, reply);
	const char *id = body ? json_get_string(body, "id") : NULL;
	if (!id || !*id) {
		if (body) {
			reply_refuse(reply, request, 400, "id is missing");
		}
		return;
	}
	struct account *account = &emulator->account;
	if (cJSON_IsTrue(json_get(body, "delete"))) {
		struct environment *environment = account_environment(account, id);
		if (environment) {
			account_remove_environment(account, environment);
		}
	} else {
		account_add_environment(account, id, json_get_string(body, "display_name"), NULL);
	}
	strbuf_adds(&reply->body, "{}");
}

HANDLER(control_post_clusters)
{
	cleanup(json) cJSON *body = control_body(request, reply);
	if (!body) {
		return;
	}
	const char *id = json_get_string(body, "id");
	const char *environment_id = json_get_string(body, "environment");
	struct account *account = &emulator->account;
	struct environment *environment =
		environment_id ? account_environment(account, environment_id) : NULL;
	bool delete = cJSON_IsTrue(json_get(body, "delete"));
	if (!id || !*id || (!environment && (environment_id || !delete))) {
		reply_refuse(reply, request, 400, "id or a known environment is missing");
		return;
	}
	if (!delete) {
		account_add_cluster(
			account, environment, id, json_get_string(body, "display_name"), NULL);
	} else {
		struct cluster *cluster = account_cluster(account, environment_id, id);
		if (cluster) {
			account_remove_cluster(cluster);
		}
	}
	strbuf_adds(&reply->body, "{}");
}
