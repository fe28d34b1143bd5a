#include "fs/save_text.h"

#include <errno.h>
#include <string.h>

#include "fs/secrets.h"

#define VALUE_BYTES 1000

int save_fix_name(
	struct config *wanted, const char *name, const struct config *live, struct strbuf *why)
{
	const char *given = config_get(wanted, "name");
	const char *its = live ? config_get(live, "name") : NULL;
	if (given && live && strcmp(given, name) != 0 && !(its && strcmp(given, its) == 0)) {
		strbuf_addf(why,
			"\"name\" is \"%s\", but this is the connector \"%s\"; a connector cannot be renamed",
			given, name);
		return -EINVAL;
	}
	return given && live ? 0 : config_set(wanted, "name", name);
}

int save_fill_masks(struct config *wanted, const char *name, const struct config *live,
	const struct secrets *secrets, struct strbuf *why)
{
	unsigned missing = 0;
	for (size_t i = 0; i < wanted->count; i++) {
		const struct setting *setting = &wanted->settings[i];
		if (!config_is_mask(setting->value)) {
			continue;
		}
		const char *its = live ? config_get(live, setting->name) : NULL;
		const char *value = its && config_is_mask(its)
					    ? its
					    : secrets_get(secrets, name, setting->name);
		if (!value) {
			strbuf_addf(why, "%s%s",
				missing++ ? ", " : "no value for the masked: ", setting->name);
			continue;
		}
		int err = config_set(wanted, setting->name, value);
		if (err < 0) {
			return err;
		}
	}
	if (missing) {
		strbuf_adds(why,
			".\nThe API keeps a masked value only where it has the same setting masked already. "
			"Write the values in, or give them with -o secrets=FILE.");
	}
	return missing ? -EINVAL : 0;
}

void save_strip_added(struct config *wanted)
{
	static const char *const added[] = { "cloud.environment", "cloud.provider", "connector.crn",
		"kafka.endpoint", "kafka.region", "kafka.dedicated",
		"kafka.max.partition.validation.disable", "schema.registry.url",
		"valid.kafka.api.key", "confluent.custom.plugin.type",
		"confluent.resource.connector.tier" };
	static const char internal[] = "config.internal.";
	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
		config_set(wanted, added[i], NULL);
	}
	for (size_t i = wanted->count; i-- > 0;) {
		if (strncmp(wanted->settings[i].name, internal, sizeof(internal) - 1) == 0) {
			config_set(wanted, wanted->settings[i].name, NULL);
		}
	}
}

struct difference {
	const struct config *hidden;
	struct strbuf *out;
};

static void add_value(const char *value, bool secret, struct strbuf *out)
{
	if (!value) {
		strbuf_adds(out, "(not set)");
	} else if (secret) {
		strbuf_adds(out, "****");
	} else {
		size_t len = strlen(value), shown = 0;
		while (shown < len && shown < VALUE_BYTES) {
			size_t character = json_utf8_length(value + shown, len - shown);
			shown += character ? character : 1;
		}
		json_encode(value, shown, out);
		strbuf_adds(out, shown < len ? "..." : "");
	}
}

static void add_line(void *arg, const char *name, const char *before, const char *after)
{
	const struct difference *difference = arg;
	struct strbuf *out = difference->out;
	bool secret = config_names_secret(name) || (before && config_is_mask(before)) ||
		      (after && config_is_mask(after)) || config_get(difference->hidden, name);
	strbuf_addf(out, "  %s: ", name);
	add_value(before, secret, out);
	strbuf_adds(out, " -> ");
	add_value(after, secret, out);
	strbuf_addc(out, '\n');
}

void save_add_difference(const struct config *before, const struct config *after,
	const struct config *hidden, struct strbuf *out)
{
	struct difference difference = { hidden, out };
	config_diff(before, after, add_line, &difference);
}
