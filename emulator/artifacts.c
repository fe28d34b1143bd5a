#include "emulator/artifacts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define NAMES_MAX ((size_t)64 << 10)
#define CLASS     "^(([a-zA-Z][a-zA-Z_$0-9]*)\\.)*[a-zA-Z][a-zA-Z_$0-9]*$"
#define LINK      "^$|^https?://."
#define SETTING   "^[A-Za-z0-9_+.-]+$"
#define SEMVER    "^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$"
#define CLOUDS    "AWS,GCP,AZURE"

static const struct field custom_fields[] = {
	{ "display_name", FIELD_TEXT, true, false, 60 },
	{ "description", FIELD_TEXT, false, false, 256, NULL, NULL, "" },
	{ "documentation_link", FIELD_TEXT, false, false, 512, LINK, NULL, "" },
	{ "connector_class", FIELD_TEXT, true, true, 150, CLASS },
	{ "connector_type", FIELD_TEXT, true, true, 10, NULL, "SOURCE,SINK" },
	{ "cloud", FIELD_TEXT, false, true, 10, NULL, CLOUDS, "AWS" },
	{ "sensitive_config_properties", FIELD_NAMES, false, false, 150, SETTING },
	{ "runtime_language", FIELD_TEXT, false, false, 10, NULL, "JAVA,PYTHON", "JAVA" },
	{ NULL },
};

static const struct field plugin_fields[] = {
	{ "display_name", FIELD_TEXT, true, false, 60 },
	{ "description", FIELD_TEXT, false, false, 256, NULL, NULL, "" },
	{ "cloud", FIELD_TEXT, true, true, 10, NULL, CLOUDS },
	{ NULL },
};

static const struct field version_fields[] = {
	{ "version", FIELD_TEXT, true, true, 60, SEMVER },
	{ "connector_classes", FIELD_CLASSES, true, true, 10 },
	{ "sensitive_config_properties", FIELD_NAMES, false, true, 150, SETTING },
	{ "documentation_link", FIELD_TEXT, false, true, 512, LINK, NULL, "" },
	{ NULL },
};

static const struct kind {
	const char *name;
	const char *prefix;
	const struct field *fields;
} kinds[] = {
	{ "CustomConnectorPlugin", "ccp-", custom_fields },
	{ "CustomConnectPlugin", "ccp-", plugin_fields },
	{ "CustomConnectPluginVersion", "ver-", version_fields },
};

const struct field *artifact_fields(enum artifact_kind kind)
{
	return kinds[kind].fields;
}

const char *artifact_kind_name(enum artifact_kind kind)
{
	return kinds[kind].name;
}

const char *artifact_phase_name(enum artifact_phase phase)
{
	static const char *const names[] = { "PROCESSING", "READY", "FAILED" };
	return names[phase];
}

/* The names of an array, comma separated, for the caller to free. */
static char *join(const cJSON *list)
{
	cleanup(strbuf) struct strbuf names = STRBUF_INIT(NAMES_MAX);
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		const char *name = cJSON_GetStringValue(item);
		strbuf_addf(&names, "%s%s", names.len > 0 ? "," : "", name ? name : "");
	}
	return mem_dup(strbuf_str(&names));
}

static void set_plugin(const struct artifact *artifact, struct plugin *plugin, const char *class,
	const char *type, const char *version)
{
	*plugin = (struct plugin){
		.class = artifact->parent ? artifact->parent->id : artifact->id,
		.java_class = class ? class : "",
		.type = type && strcmp(type, "SINK") == 0 ? "sink" : "source",
		.version = version ? version : "",
		.sensitive = artifact->sensitive,
		.custom = true,
		.crn = true,
	};
}

/* What connectors see of it follows from the spec. */
static void make_plugins(struct artifact *artifact)
{
	const cJSON *spec = artifact->spec;
	const cJSON *classes = json_get(spec, "connector_classes");
	size_t count = artifact->kind == ARTIFACT_CUSTOM ? 1 : (size_t)cJSON_GetArraySize(classes);
	free(artifact->sensitive);
	artifact->sensitive = join(json_get(spec, "sensitive_config_properties"));
	if (!artifact->plugins) {
		artifact->plugins = mem_alloc(count * sizeof(*artifact->plugins));
		artifact->plugin_count = count;
	}
	if (artifact->kind == ARTIFACT_CUSTOM) {
		set_plugin(artifact, artifact->plugins, json_get_string(spec, "connector_class"),
			json_get_string(spec, "connector_type"), NULL);
		return;
	}
	const cJSON *item = classes ? classes->child : NULL;
	for (size_t i = 0; i < artifact->plugin_count && item; i++, item = item->next) {
		set_plugin(artifact, &artifact->plugins[i], json_get_string(item, "class_name"),
			json_get_string(item, "type"), json_get_string(spec, "version"));
	}
}

struct artifact *artifact_create(struct account *account, enum artifact_kind kind, const char *id,
	const char *environment, struct artifact *parent, const struct upload *upload, cJSON *spec)
{
	struct artifact *artifact = mem_alloc(sizeof(*artifact));
	artifact->kind = kind;
	if (id) {
		snprintf(artifact->id, sizeof(artifact->id), "%s", id);
	} else {
		account_new_id(&account->artifact_ids, kinds[kind].prefix, artifact->id);
	}
	artifact->seq = ++account->seq;
	time_write_now(artifact->created_at);
	time_write_now(artifact->updated_at);
	artifact->environment = environment ? mem_dup(environment) : NULL;
	artifact->parent = parent;
	artifact->upload = upload;
	artifact->spec = spec;
	artifact->phase = upload && kind == ARTIFACT_VERSION ? ARTIFACT_PROCESSING : ARTIFACT_READY;
	artifact->reads_left = account->processing_reads;
	artifact->due_ms = clock_now_ms() + account->processing_ms;
	make_plugins(artifact);
	DL_APPEND(account->artifacts, artifact);
	return artifact;
}

void artifact_update(struct account *account, struct artifact *artifact, cJSON *spec)
{
	cJSON *old = artifact->spec;
	artifact->spec = spec;
	time_write_now(artifact->updated_at);
	make_plugins(artifact);
	cJSON_Delete(old);
	for (size_t i = 0; i < artifact->plugin_count; i++) {
		account_forget_texts(account, &artifact->plugins[i]);
	}
}

void artifact_delete(struct artifact *artifact)
{
	artifact->deleted = true;
}

void artifact_destroy(struct artifact *artifact)
{
	free(artifact->plugins);
	free(artifact->sensitive);
	free(artifact->environment);
	free(artifact->message);
	cJSON_Delete(artifact->spec);
	free(artifact);
}

struct artifact *artifact_find(
	const struct account *account, enum artifact_kind kind, const char *id)
{
	struct artifact *artifact;
	DL_FOREACH (account->artifacts, artifact) {
		if (!artifact->deleted && artifact->kind == kind && strcmp(artifact->id, id) == 0) {
			return artifact;
		}
	}
	return NULL;
}

struct artifact *artifact_find_version(
	const struct account *account, const struct artifact *parent, const char *version)
{
	struct artifact *artifact;
	DL_FOREACH (account->artifacts, artifact) {
		const char *own = json_get_string(artifact->spec, "version");
		if (!artifact->deleted && artifact->parent == parent && own &&
			strcmp(own, version) == 0) {
			return artifact;
		}
	}
	return NULL;
}

void artifact_settle(struct artifact *artifact)
{
	if (artifact->phase != ARTIFACT_PROCESSING ||
		(artifact->reads_left > 0 && clock_now_ms() < artifact->due_ms)) {
		return;
	}
	artifact->phase = artifact->upload->archive.is_zip ? ARTIFACT_READY : ARTIFACT_FAILED;
	if (artifact->phase == ARTIFACT_FAILED) {
		artifact->message = mem_dup("The archive is neither a ZIP nor a JAR file.");
	}
}

static const char *connector_using(
	const struct account *account, const struct plugin *first, const struct plugin *end)
{
	for (const struct environment *e = account->environments; e; e = e->hh.next) {
		for (const struct cluster *c = e->clusters; c; c = c->hh.next) {
			for (const struct connector *n = c->connectors; n; n = n->hh.next) {
				const struct snapshot *snapshot = n->newest;
				if (snapshot->exists && snapshot->plugin >= first &&
					snapshot->plugin < end) {
					return snapshot->id;
				}
			}
		}
	}
	return NULL;
}

const char *artifact_user(const struct account *account, const struct artifact *artifact)
{
	const struct artifact *other;
	DL_FOREACH (account->artifacts, other) {
		if (!other->deleted && other->parent == artifact) {
			return other->id;
		}
	}
	return artifact->plugin_count == 0 ? NULL
					   : connector_using(account, artifact->plugins,
						     artifact->plugins + artifact->plugin_count);
}

const struct plugin *artifact_plugin(const struct account *account, const struct config *config)
{
	const char *id = config_get(config, "confluent.custom.plugin.id");
	const char *version = config_get(config, "confluent.custom.plugin.version");
	const char *class = config_get(config, "connector.class");
	struct artifact *artifact = id ? artifact_find(account, ARTIFACT_CUSTOM, id) : NULL;
	if (artifact) {
		return artifact->plugins;
	}
	struct artifact *parent = id ? artifact_find(account, ARTIFACT_PLUGIN, id) : NULL;
	artifact = parent && version ? artifact_find_version(account, parent, version) : NULL;
	if (!artifact) {
		return NULL;
	}
	artifact_settle(artifact);
	if (artifact->phase != ARTIFACT_READY) {
		return NULL;
	}
	for (size_t i = 0; i < artifact->plugin_count; i++) {
		if (!class || strcmp(artifact->plugins[i].java_class, class) == 0) {
			return &artifact->plugins[i];
		}
	}
	return NULL;
}
