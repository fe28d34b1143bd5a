/*
 * Connector plugins: the managed ones with their definitions, which are const
 * and live forever, and what all plugins have in common, the custom ones (see
 * artifacts.h) too. No locks.
 */
#ifndef EMULATOR_PLUGINS_H
#define EMULATOR_PLUGINS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "emulator/config.h"

enum plugin_value { VALUE_STRING, VALUE_INT, VALUE_BOOLEAN, VALUE_LIST, VALUE_PASSWORD };

struct definition {
	const char *name;
	enum plugin_value type;
	bool required;
	const char *default_value; /* "" if there is none */
	const char *importance;    /* HIGH, MEDIUM or LOW */
	const char *group;
	const char *display_name;
	const char *documentation;
	const char *choices; /* comma separated, or NULL for any value */
	long long minimum;   /* of VALUE_INT */
	const char *when;    /* "name=value": only visible then; NULL for always */
};

struct plugin {
	const char *class; /* or the id of a custom plugin */
	const char *java_class;
	const char *type; /* source or sink */
	const char *version;
	const struct definition *definitions; /* of its own, beside the common ones */
	size_t count;
	const char *sensitive; /* of a custom plugin: names, comma separated */
	bool custom;
	bool crn;     /* its configs carry connector.crn */
	bool premium; /* its configs carry the connector's tier */
};

/* Called for each definition in order; `order` counts from 1 within its group. */
typedef void plugin_visit(void *ctx, const struct definition *definition, int order);

/* Whether a comma separated list, or NULL, has this word. */
bool plugin_list_has(const char *list, const char *word);

/* The managed plugins; ends with an element whose class is NULL. */
const struct plugin *plugin_list(void);
/* NULL if there is none. */
const struct plugin *plugin_find(const char *class);
void plugin_each(const struct plugin *plugin, plugin_visit *visit, void *ctx);

/* Whether the API shows this setting as a mask. */
bool plugin_is_secret(const struct plugin *plugin, const char *name);
/* A string of asterisks, its length fixed by the setting's name. */
const char *plugin_mask(const char *name);
/* Whether `value` is two or more asterisks and nothing else. */
bool plugin_is_mask(const char *value);

/* Appends a line "NAME: REASON" for each thing wrong. */
void plugin_check(const struct plugin *plugin, const struct config *config, struct strbuf *lines);
/* The whole answer of a validation request. */
void plugin_validate(const struct plugin *plugin, const struct config *config, struct strbuf *out);

#endif
