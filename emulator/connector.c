#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/account.h"
#include "emulator/artifacts.h"
#include "emulator/mem.h"
#include "emulator/offsets.h"
#include "emulator/tables.h"

#define TASKS_MAX 1000
/* 36 to the power of 6, and a factor that shares no divisor with it. */
#define ID_SPACE  2176782336ULL
#define ID_FACTOR 1220703127ULL

static const char *const state_names[] = {
	"NONE",
	"PROVISIONING",
	"RUNNING",
	"DEGRADED",
	"FAILED",
	"PAUSED",
	"DELETED",
};

const char *state_name(enum connector_state state)
{
	return state_names[state];
}

int state_parse(const char *name, enum connector_state *ret_state)
{
	for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++) {
		if (strcmp(state_names[i], name) == 0) {
			*ret_state = (enum connector_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void snapshot_free(struct snapshot *snapshot)
{
	while (snapshot) {
		struct snapshot *older = snapshot->older;
		config_unref(snapshot->config);
		free(snapshot->trace);
		free(snapshot->info);
		free(snapshot->status);
		free(snapshot);
		snapshot = older;
	}
}

void connector_destroy(struct connector *connector)
{
	table_remove_connector_id(connector->cluster, connector);
	table_remove_connector(connector->cluster, connector);
	snapshot_free(connector->newest);
	for (size_t i = 0; i < connector->accepted_count; i++) {
		config_unref(connector->accepted[i]);
	}
	offsets_destroy(connector->offsets);
	free(connector->accepted);
	free(connector->name);
	free(connector);
}

struct snapshot *connector_at(const struct connector *connector, int64_t at)
{
	struct snapshot *snapshot = connector->newest;
	while (snapshot && snapshot->at > at) {
		snapshot = snapshot->older;
	}
	return snapshot && snapshot->exists ? snapshot : NULL;
}

/* Puts a copy of the newest snapshot in front of it, and forgets those nobody
 * can see any more. */
static struct snapshot *snapshot_push(
	const struct account *account, struct connector *connector, int64_t now)
{
	struct snapshot *old = connector->newest;
	struct snapshot *snapshot = mem_alloc(sizeof(*snapshot));
	if (old) {
		*snapshot = *old;
		snapshot->config = old->config ? config_ref(old->config) : NULL;
		snapshot->trace = old->trace ? mem_dup(old->trace) : NULL;
		snapshot->info = NULL;
		snapshot->status = NULL;
	}
	snapshot->older = old;
	snapshot->at = now;
	connector->newest = snapshot;

	struct snapshot *last = snapshot;
	while (last && last->at > account_read_time(account, now)) {
		last = last->older;
	}
	if (last) {
		snapshot_free(last->older);
		last->older = NULL;
	}
	return snapshot;
}

enum connector_state snapshot_state(const struct snapshot *snapshot, int64_t at)
{
	return at < snapshot->provisioning_until ? STATE_PROVISIONING : snapshot->state;
}

bool snapshot_has_status(const struct snapshot *snapshot, int64_t at)
{
	if (at >= snapshot->provisioning_until) {
		return true;
	}
	int64_t half = (snapshot->provisioning_until - snapshot->provisioning_from) / 2;
	return at >= snapshot->provisioning_from + half;
}

const struct plugin *config_plugin(const struct account *account, const struct config *config)
{
	const char *type = config_get(config, "confluent.connector.type");
	const char *class = config_get(config, "connector.class");
	if (type && strcmp(type, "CUSTOM") == 0) {
		return artifact_plugin(account, config);
	}
	return class ? plugin_find(class) : NULL;
}

static size_t config_tasks(const struct config *config)
{
	const char *text = config_get(config, "tasks.max");
	long tasks = text ? strtol(text, NULL, 10) : 1;
	return tasks < 1 ? 1 : tasks > TASKS_MAX ? TASKS_MAX : (size_t)tasks;
}

void account_new_id(uint64_t *count, const char *prefix, char id[24])
{
	uint64_t number = (++*count * ID_FACTOR + 777767777) % ID_SPACE;
	char letters[7] = "";
	for (size_t i = 0; i < 6; i++, number /= 36) {
		letters[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
	}
	snprintf(id, 24, "%s%s", prefix, letters);
}

static void forget_texts(struct cluster *cluster, const struct plugin *plugin)
{
	for (struct connector *c = cluster->connectors; c; c = c->hh.next) {
		for (struct snapshot *s = c->newest; s; s = s->older) {
			if (s->plugin == plugin) {
				free(s->info);
				s->info = NULL;
			}
		}
	}
}

void account_forget_texts(struct account *account, const struct plugin *plugin)
{
	for (struct environment *e = account->environments; e; e = e->hh.next) {
		for (struct cluster *c = e->clusters; c; c = c->hh.next) {
			forget_texts(c, plugin);
		}
	}
}

static void add_own_settings(
	const struct cluster *cluster, const struct snapshot *snapshot, struct config *config)
{
	char text[512];
	config_set(config, "cloud.environment", "prod");
	config_set(config, "cloud.provider", cluster->provider);
	config_set(config, "kafka.region", cluster->region);
	snprintf(text, sizeof(text), "SASL_SSL://%s", cluster->endpoint);
	config_set(config, "kafka.endpoint", text);
	if (snapshot->plugin->premium) {
		config_set(config, "confluent.resource.connector.tier", "PREMIUM");
	}
	if (strcmp(snapshot->plugin->type, "sink") == 0) {
		config_set(config, "valid.kafka.api.key", "true");
	}
	if (snapshot->plugin->custom) {
		config_set(config, "confluent.custom.plugin.type",
			strcmp(snapshot->plugin->type, "sink") == 0 ? "SINK" : "SOURCE");
	}
	if (snapshot->plugin->crn) {
		snprintf(text, sizeof(text),
			"crn://confluent.cloud/organization=" ACCOUNT_ORGANIZATION
			"/environment=%.100s/cloud-cluster=%.100s/connector=%s",
			cluster->environment->id, cluster->id, snapshot->id);
		config_set(config, "connector.crn", text);
	}
}

static void take_config(
	const struct connector *connector, struct snapshot *snapshot, struct config *config)
{
	add_own_settings(connector->cluster, snapshot, config);
	config_unref(snapshot->config);
	snapshot->config = config;
	snapshot->tasks = config_tasks(config);
}

static void accept_config(
	struct connector *connector, struct snapshot *snapshot, struct config *config)
{
	take_config(connector, snapshot, config);
	connector->accepted =
		mem_grow(connector->accepted, connector->accepted_count + 1, sizeof(void *));
	connector->accepted[connector->accepted_count++] = config_ref(config);
}

struct connector *connector_create(struct account *account, struct cluster *cluster,
	const char *name, struct config *config, int64_t now, int64_t provisioning_ms)
{
	struct connector *connector = cluster_connector(cluster, name);
	assert(!connector || !connector->newest->exists);
	if (!connector) {
		connector = mem_alloc(sizeof(*connector));
		connector->name = mem_dup(name);
		connector->cluster = cluster;
		connector->seq = account->ids;
		table_add_connector(cluster, connector);
	} else {
		table_remove_connector_id(cluster, connector);
	}
	struct snapshot *snapshot = snapshot_push(account, connector, now);
	snapshot->exists = true;
	snapshot->plugin = config_plugin(account, config);
	snapshot->state = STATE_RUNNING;
	account_new_id(&account->ids, snapshot->plugin->custom ? "clcc-" : "lcc-", snapshot->id);
	memcpy(connector->id, snapshot->id, sizeof(connector->id));
	table_add_connector_id(cluster, connector);
	snapshot->provisioning_from = now;
	snapshot->provisioning_until = provisioning_ms > 0 ? now + provisioning_ms : ACCOUNT_ALWAYS;
	accept_config(connector, snapshot, config);
	return connector;
}

void connector_configure(
	struct account *account, struct connector *connector, struct config *config, int64_t now)
{
	struct snapshot *snapshot = snapshot_push(account, connector, now);
	snapshot->plugin = config_plugin(account, config);
	if (snapshot->state == STATE_FAILED || snapshot->state == STATE_DEGRADED) {
		snapshot->state = STATE_RUNNING;
		free(snapshot->trace);
		snapshot->trace = NULL;
	}
	accept_config(connector, snapshot, config);
}

void connector_replace(
	struct account *account, struct connector *connector, struct config *config, int64_t now)
{
	struct snapshot *snapshot = snapshot_push(account, connector, now);
	snapshot->plugin = config_plugin(account, config);
	take_config(connector, snapshot, config);
}

void connector_set_state(struct account *account, struct connector *connector,
	enum connector_state state, const char *trace, int64_t now)
{
	struct snapshot *snapshot = snapshot_push(account, connector, now);
	snapshot->state = state;
	snapshot->provisioning_until = ACCOUNT_ALWAYS;
	free(snapshot->trace);
	snapshot->trace = trace ? mem_dup(trace) : NULL;
}

void connector_delete(struct account *account, struct connector *connector, int64_t now)
{
	struct snapshot *snapshot = snapshot_push(account, connector, now);
	snapshot->exists = false;
	if (!snapshot->older) {
		connector_destroy(connector);
		return;
	}
	config_unref(snapshot->config);
	snapshot->config = NULL;
	free(snapshot->trace);
	snapshot->trace = NULL;
	for (size_t i = 0; i < connector->accepted_count; i++) {
		config_unref(connector->accepted[i]);
	}
	connector->accepted_count = 0;
	connector->puts = 0;
}
