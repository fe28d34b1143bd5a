#include "emulator/plugins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/definitions.h"
#include "emulator/json.h"

#define MASK_MIN        4
#define MASK_MAX        16
#define REASON_MAX      512
#define TABLES          3
#define DEFINITIONS_MAX 64

const struct plugin *plugin_list(void)
{
	return definitions_plugins;
}

const struct plugin *plugin_find(const char *class)
{
	for (const struct plugin *p = definitions_plugins; p->class; p++) {
		if (strcmp(p->class, class) == 0) {
			return p;
		}
	}
	return NULL;
}

struct table {
	const struct definition *definitions;
	size_t count;
};

/* The tables that define a plugin's settings. */
static void find_tables(const struct plugin *plugin, struct table tables[TABLES])
{
	bool sink = !plugin->custom && strcmp(plugin->type, "sink") == 0;
	tables[0] = plugin->custom ? (struct table){ definitions_custom, definitions_custom_count }
				   : (struct table){ definitions_common, definitions_common_count };
	tables[1] = (struct table){ definitions_sink, sink ? definitions_sink_count : 0 };
	tables[2] = (struct table){ plugin->definitions, plugin->count };
}

void plugin_each(const struct plugin *plugin, plugin_visit *visit, void *ctx)
{
	struct table tables[TABLES];
	const struct definition *seen[DEFINITIONS_MAX];
	size_t count = 0;
	find_tables(plugin, tables);
	for (size_t t = 0; t < TABLES; t++) {
		for (size_t i = 0; i < tables[t].count && count < DEFINITIONS_MAX; i++) {
			seen[count] = &tables[t].definitions[i];
			int order = 1;
			for (size_t k = 0; k < count; k++) {
				order += strcmp(seen[k]->group, seen[count]->group) == 0;
			}
			visit(ctx, seen[count++], order);
		}
	}
}

static const struct definition *find_definition(const struct plugin *plugin, const char *name)
{
	struct table tables[TABLES];
	find_tables(plugin, tables);
	for (size_t t = 0; t < TABLES; t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			if (strcmp(tables[t].definitions[i].name, name) == 0) {
				return &tables[t].definitions[i];
			}
		}
	}
	return NULL;
}

bool plugin_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
			return true;
		}
	}
	return false;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s);
	size_t suffix_len = strlen(suffix);
	return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

bool plugin_is_secret(const struct plugin *plugin, const char *name)
{
	static const char *const suffixes[] = { ".password", ".passphrase", ".secret",
		".secret.key", ".secret.access.key", ".credentials.config", ".credentials.json",
		".sasl.jaas.config", "basic.auth.user.info" };
	const struct definition *definition = find_definition(plugin, name);
	if (definition) {
		return definition->type == VALUE_PASSWORD;
	}
	if (plugin->custom) {
		return plugin_list_has(plugin->sensitive, name);
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (ends_with(name, suffixes[i])) {
			return true;
		}
	}
	return false;
}

const char *plugin_mask(const char *name)
{
	static const char longest[] = "****************";
	unsigned hash = 5381;
	for (const char *c = name; *c; c++) {
		hash = hash * 33 + (unsigned char)*c;
	}
	return longest + (MASK_MAX - MASK_MIN - hash % (MASK_MAX - MASK_MIN + 1));
}

bool plugin_is_mask(const char *value)
{
	size_t len = strspn(value, "*");
	return len >= 2 && value[len] == '\0';
}

static bool is_visible(
	const struct plugin *plugin, const struct definition *d, const struct config *config)
{
	if (!d->when) {
		return true;
	}
	const char *equals = strchr(d->when, '=');
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)(equals - d->when), d->when);
	const char *value = config_get(config, name);
	if (!value) {
		const struct definition *other = find_definition(plugin, name);
		value = other ? other->default_value : "";
	}
	return strcmp(value, equals + 1) == 0;
}

/* What is wrong with a value, in `reason`; "" if nothing is. */
static void judge(const struct definition *d, const char *value, char reason[REASON_MAX])
{
	reason[0] = '\0';
	if (*value == '\0') {
		if (d->required) {
			snprintf(reason, REASON_MAX, "this setting is required");
		}
		return;
	}
	if (d->type == VALUE_INT) {
		char *end;
		errno = 0;
		long long number = strtoll(value, &end, 10);
		if (*end || errno || strspn(value, "-0123456789") != strlen(value)) {
			snprintf(reason, REASON_MAX, "\"%.100s\" is not a whole number", value);
		} else if (number < d->minimum) {
			snprintf(reason, REASON_MAX, "%lld is less than %lld, the least allowed",
				number, d->minimum);
		}
	} else if (d->type == VALUE_BOOLEAN && strcmp(value, "true") && strcmp(value, "false")) {
		snprintf(reason, REASON_MAX, "\"%.100s\" is neither true nor false", value);
	} else if (d->choices && !plugin_list_has(d->choices, value)) {
		snprintf(reason, REASON_MAX, "\"%.100s\" is not one of %s", value, d->choices);
	}
}

struct check {
	const struct plugin *plugin;
	const struct config *config;
	struct strbuf *out;
	int errors;
};

static void check_visit(void *ctx, const struct definition *d, int order)
{
	struct check *check = ctx;
	const char *value = config_get(check->config, d->name);
	char reason[REASON_MAX];
	judge(d, value ? value : d->default_value, reason);
	if (*reason && is_visible(check->plugin, d, check->config)) {
		strbuf_addf(check->out, "%s%s: %s", check->out->len ? "\n" : "", d->name, reason);
	}
}

void plugin_check(const struct plugin *plugin, const struct config *config, struct strbuf *lines)
{
	struct check check = { .plugin = plugin, .config = config, .out = lines };
	plugin_each(plugin, check_visit, &check);
}

static void write_definition(const struct definition *d, int order, struct strbuf *out)
{
	static const char *const types[] = { "STRING", "INT", "BOOLEAN", "LIST", "PASSWORD" };
	json_key(out, "definition");
	json_begin(out, '{');
	json_field(out, "name", d->name);
	json_field(out, "type", types[d->type]);
	json_field_bool(out, "required", d->required);
	json_field(out, "default_value", d->default_value);
	json_field(out, "importance", d->importance);
	json_field(out, "documentation", d->documentation);
	json_field(out, "group", d->group);
	json_field(out, "width", "NONE");
	json_field(out, "display_name", d->display_name);
	json_key(out, "dependents");
	json_begin(out, '[');
	if (d->when) {
		json_string_len(out, d->when, strcspn(d->when, "="));
	}
	json_end(out, ']');
	json_field_int(out, "order", order);
	json_field(out, "alias", "");
	json_end(out, '}');
}

/* The value a validation shows. The class is the one that runs, whatever was sent, and the name
 * is made up from the connector's id once there is one. */
static const char *shown_value(
	const struct plugin *plugin, const struct definition *d, const struct config *config)
{
	if (strcmp(d->name, "connector.class") == 0) {
		return plugin->java_class;
	}
	if (strcmp(d->name, "name") == 0) {
		return "{{.logicalClusterId}}";
	}
	const char *value = config_get(config, d->name);
	return value ? value : d->default_value;
}

static void validate_visit(void *ctx, const struct definition *d, int order)
{
	struct check *check = ctx;
	struct strbuf *out = check->out;
	bool visible = is_visible(check->plugin, d, check->config);
	const char *value = shown_value(check->plugin, d, check->config);
	char reason[REASON_MAX];
	judge(d, value, reason);

	json_begin(out, '{');
	write_definition(d, order, out);
	json_key(out, "value");
	json_begin(out, '{');
	json_field(out, "name", d->name);
	json_field(out, "value", d->type == VALUE_PASSWORD ? "" : value);
	json_key(out, "recommended_values");
	json_list(out, d->type == VALUE_BOOLEAN ? "true,false" : d->choices);
	json_key(out, "errors");
	json_begin(out, '[');
	if (visible && *reason) {
		json_string(out, reason);
		check->errors++;
	}
	json_end(out, ']');
	json_field_bool(out, "visible", visible);
	json_end(out, '}');
	json_key(out, "metadata");
	json_begin(out, '{');
	json_end(out, '}');
	json_end(out, '}');
}

struct groups {
	const char *names[16];
	size_t count;
};

static void group_visit(void *ctx, const struct definition *d, int order)
{
	struct groups *groups = ctx;
	if (order == 1 && groups->count < 16) {
		groups->names[groups->count++] = d->group;
	}
}

void plugin_validate(const struct plugin *plugin, const struct config *config, struct strbuf *out)
{
	struct groups groups = { .count = 0 };
	struct check check = { .plugin = plugin, .config = config, .out = out };
	plugin_each(plugin, group_visit, &groups);
	json_begin(out, '{');
	json_field(out, "name", plugin->java_class);
	json_key(out, "groups");
	json_begin(out, '[');
	for (size_t i = 0; i < groups.count; i++) {
		json_string(out, groups.names[i]);
	}
	json_end(out, ']');
	json_key(out, "configs");
	json_begin(out, '[');
	plugin_each(plugin, validate_visit, &check);
	json_end(out, ']');
	json_field_int(out, "error_count", check.errors);
	json_end(out, '}');
}
