#include "emulator/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/json.h"
#include "emulator/mem.h"

struct config *config_create(void)
{
	struct config *config = mem_alloc(sizeof(*config));
	config->refs = 1;
	return config;
}

struct config *config_copy(const struct config *config)
{
	struct config *copy = config_create();
	copy->items = mem_alloc(config->count * sizeof(*copy->items));
	copy->size = config->count;
	copy->count = config->count;
	for (size_t i = 0; i < config->count; i++) {
		copy->items[i].name = mem_dup(config->items[i].name);
		copy->items[i].value = mem_dup(config->items[i].value);
	}
	return copy;
}

struct config *config_ref(struct config *config)
{
	config->refs++;
	return config;
}

void config_unref(struct config *config)
{
	if (!config || --config->refs > 0) {
		return;
	}
	for (size_t i = 0; i < config->count; i++) {
		free(config->items[i].name);
		mem_wipe(config->items[i].value);
	}
	free(config->items);
	free(config);
}

/* Where `name` is, or would have to be put. */
static size_t config_find(const struct config *config, const char *name, int *ret_order)
{
	size_t low = 0;
	size_t high = config->count;
	*ret_order = 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, config->items[middle].name);
		if (order == 0) {
			*ret_order = 0;
			return middle;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return low;
}

void config_set(struct config *config, const char *name, const char *value)
{
	assert(config->refs == 1);
	int order;
	size_t at = config_find(config, name, &order);
	if (order == 0) {
		char *old = config->items[at].value;
		config->items[at].value = mem_dup(value);
		mem_wipe(old);
		return;
	}
	if (config->count == config->size) {
		config->size = config->size ? 2 * config->size : 32;
		config->items = mem_grow(config->items, config->size, sizeof(*config->items));
	}
	memmove(config->items + at + 1, config->items + at,
		(config->count - at) * sizeof(*config->items));
	config->items[at].name = mem_dup(name);
	config->items[at].value = mem_dup(value);
	config->count++;
}

void config_unset(struct config *config, const char *name)
{
	assert(config->refs == 1);
	int order;
	size_t at = config_find(config, name, &order);
	if (order != 0) {
		return;
	}
	free(config->items[at].name);
	mem_wipe(config->items[at].value);
	config->count--;
	memmove(config->items + at, config->items + at + 1,
		(config->count - at) * sizeof(*config->items));
}

const char *config_get(const struct config *config, const char *name)
{
	int order;
	size_t at = config_find(config, name, &order);
	return order == 0 ? config->items[at].value : NULL;
}

struct config *config_from_json(const cJSON *object, struct strbuf *wrong)
{
	if (!cJSON_IsObject(object)) {
		return NULL;
	}
	cleanup(config) struct config *config = config_create();
	const cJSON *item;
	cJSON_ArrayForEach(item, object)
	{
		if (cJSON_IsString(item)) {
			config_set(config, item->string, item->valuestring);
		} else {
			strbuf_adds(wrong, wrong->len > 0 ? ", " : "");
			strbuf_adds(wrong, item->string);
		}
	}
	return wrong->len > 0 || wrong->err ? NULL : steal(config);
}

void config_to_json(const struct config *config, struct strbuf *out)
{
	json_begin(out, '{');
	for (size_t i = 0; i < config->count; i++) {
		json_field(out, config->items[i].name, config->items[i].value);
	}
	json_end(out, '}');
}
