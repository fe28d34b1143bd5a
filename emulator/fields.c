#include "emulator/fields.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/json.h"
#include "emulator/plugins.h"

#define CLASS "^(([a-zA-Z][a-zA-Z_$0-9]*)\\.)*[a-zA-Z][a-zA-Z_$0-9]*$"

static size_t characters(const char *text)
{
	size_t count = 0;
	for (const char *c = text; *c; c++) {
		count += ((unsigned char)*c & 0xc0) != 0x80;
	}
	return count;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
		return false;
	}
	bool found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

/* What is wrong with a text; NULL if nothing is. */
static const char *judge_text(const struct field *field, const cJSON *item)
{
	const char *text = cJSON_GetStringValue(item);
	if (!text) {
		return "this is no string";
	}
	if (field->required && !*text) {
		return "this is required";
	}
	if (characters(text) > field->max) {
		return "this is too long";
	}
	if (field->pattern && !matches(text, field->pattern)) {
		return "this does not have the right form";
	}
	return field->choices && !plugin_list_has(field->choices, text) ? "this is not known"
									: NULL;
}

static const char *judge_class(const cJSON *item)
{
	const char *name = json_get_string(item, "class_name");
	const char *type = json_get_string(item, "type");
	if (!name || characters(name) > 150 || !matches(name, CLASS)) {
		return "a class_name does not have the right form";
	}
	return type && plugin_list_has("SOURCE,SINK", type) ? NULL
							    : "a type is neither SOURCE nor SINK";
}

static const char *judge(const struct field *field, const cJSON *item)
{
	const char *mistake = NULL;
	const cJSON *element;
	if (field->type == FIELD_TEXT) {
		return judge_text(field, item);
	}
	if (!cJSON_IsArray(item)) {
		return "this is no array";
	}
	cJSON_ArrayForEach(element, item)
	{
		const char *one = field->type == FIELD_NAMES ? judge_text(field, element)
							     : judge_class(element);
		mistake = mistake ? mistake : one;
	}
	if (field->type == FIELD_CLASSES && !mistake) {
		size_t count = (size_t)cJSON_GetArraySize(item);
		mistake = count < 1 || count > field->max ? "these are too few or too many" : NULL;
	}
	return mistake;
}

static void add_default(const struct field *field, cJSON *spec)
{
	if (field->type == FIELD_NAMES) {
		cJSON_AddArrayToObject(spec, field->name);
	} else if (field->otherwise) {
		cJSON_AddStringToObject(spec, field->name, field->otherwise);
	}
}

bool fields_take(const struct field *fields, const cJSON *given, const char *pointer, bool is_new,
	cJSON *spec, const struct request *request, struct reply *reply)
{
	for (const struct field *field = fields; field->name; field++) {
		const cJSON *item = json_get(given, field->name);
		const cJSON *old = json_get(spec, field->name);
		const char *mistake = NULL;
		if (!item || cJSON_IsNull(item)) {
			if (is_new) {
				add_default(field, spec);
			}
			mistake = is_new && field->required ? "this is required" : NULL;
		} else if (!is_new && field->immutable) {
			mistake = cJSON_Compare(item, old, true) ? NULL : "this cannot be changed";
		} else {
			mistake = judge(field, item);
		}
		if (mistake) {
			char where[128];
			snprintf(where, sizeof(where), "%s/%s", pointer, field->name);
			reply_refuse_member(reply, request, where, mistake);
			return false;
		}
		if (item && !cJSON_IsNull(item)) {
			cJSON_DeleteItemFromObjectCaseSensitive(spec, field->name);
			cJSON_AddItemToObject(spec, field->name, cJSON_Duplicate(item, true));
		}
	}
	return true;
}

void fields_write(const struct field *fields, const cJSON *spec, struct strbuf *out)
{
	for (const struct field *field = fields; field->name; field++) {
		const cJSON *item = json_get(spec, field->name);
		cleanup(free) char *text = item ? cJSON_PrintUnformatted(item) : NULL;
		if (text) {
			json_key(out, field->name);
			json_raw(out, text);
		}
	}
}
