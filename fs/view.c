#include "fs/view.h"

#include <errno.h>
#include <string.h>

#include "api/json.h"

int view_json(const struct part *part, struct strbuf *out)
{
	if (part) {
		json_pretty(part_json(part), JSON_AS_GIVEN, out);
	} else {
		strbuf_adds(out, "{}");
	}
	strbuf_addc(out, '\n');
	return out->err;
}

int view_json_sorted(const struct part *part, struct strbuf *out)
{
	if (part) {
		json_pretty(part_json(part), JSON_SORTED, out);
	} else {
		strbuf_adds(out, "{}");
	}
	strbuf_addc(out, '\n');
	return out->err;
}

int view_status(const struct part *part, struct strbuf *out)
{
	static const char unknown[] =
		"{\n  \"connector\": {\n    \"state\": \"UNKNOWN\"\n  },\n  \"tasks\": []\n}\n";
	if (part) {
		return view_json(part, out);
	}
	strbuf_adds(out, unknown);
	return out->err;
}

int view_state(const struct part *part, struct strbuf *out)
{
	struct json_slice state = json_get(part_json(part), "connector/state");
	if (json_type(state) == JSON_STRING) {
		json_decode(state, out);
	} else {
		strbuf_adds(out, "UNKNOWN");
	}
	strbuf_addc(out, '\n');
	return out->err;
}

/* The value to start with: the default, or else the fallback; nothing for a placeholder. */
static void add_start(struct json_slice config, struct json_slice fallback, struct strbuf *out)
{
	struct json_slice value = json_get(config, "definition/default_value");
	if (json_type(value) != JSON_STRING || json_is(value, "")) {
		value = fallback;
	}
	if (json_type(value) == JSON_STRING && !memmem(value.text, value.len, "{{", 2)) {
		json_respell(value, out);
	} else {
		strbuf_adds(out, "\"\"");
	}
}

/* Whether a list has the setting before this place, too. */
static bool is_repeated(struct json_slice configs, struct json_slice config)
{
	struct json_slice name = json_get(config, "definition/name"), other;
	struct json_iter iter = json_iter(configs);
	while (json_next(&iter, NULL, &other) && other.text != config.text) {
		struct json_slice its = json_get(other, "definition/name");
		if (its.len == name.len && memcmp(its.text, name.text, name.len) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_bool(struct json_slice value, char initial)
{
	return json_type(value) == JSON_BOOL && value.text[0] == initial;
}

/* The settings that are required, or those that are not and have recommended values. */
static void add_settings(struct json_slice configs, bool required, struct strbuf *out)
{
	struct json_iter iter = json_iter(configs);
	struct json_slice config;
	while (json_next(&iter, NULL, &config)) {
		struct json_slice name = json_get(config, "definition/name");
		struct json_slice values = json_get(config, "value/recommended_values");
		struct json_slice fallback = json_get(config, "value/value");
		bool offered = json_type(name) == JSON_STRING &&
			       !json_is(name, "connector.class") &&
			       !is_bool(json_get(config, "value/visible"), 'f') &&
			       !is_repeated(configs, config);
		if (!required) {
			struct json_iter each = json_iter(values);
			offered = offered && json_type(values) == JSON_ARRAY &&
				  json_next(&each, NULL, &fallback);
		}
		if (offered && is_bool(json_get(config, "definition/required"), 't') == required) {
			strbuf_adds(out, ",\n  ");
			json_respell(name, out);
			strbuf_adds(out, ": ");
			add_start(config, fallback, out);
		}
	}
}

int view_template(const char *class, const struct part *verdict, struct strbuf *out)
{
	struct json_slice configs = json_get(part_json(verdict), "configs");
	if (json_type(configs) != JSON_ARRAY) {
		return -EBADMSG;
	}
	strbuf_adds(out, "{\n  \"connector.class\": ");
	json_encode(class, strlen(class), out);
	add_settings(configs, true, out);
	add_settings(configs, false, out);
	strbuf_adds(out, "\n}\n");
	return out->err;
}
