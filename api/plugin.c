#include "api/plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define VALUE_BYTES ((size_t)4 << 20)
#define SHOWN_BYTES 1000
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

const struct plugin_kind plugin_of_organization = { .label = "display_name", .clouded = true };
const struct plugin_kind plugin_of_environment = { .spec = true,
	.label = "display_name",
	.clouded = true,
	.environment = true,
	.read = { "runtime_language" } };
const struct plugin_kind plugin_version = { .spec = true, .label = "version", .environment = true };

/* What stands beside a spec. */
static const char *const outer[] = { "api_version", "kind", "id", "metadata", "status" };
/* What the API takes from nobody. */
static const char *const read_only[] = { "api_version", "kind", "id", "metadata", "status",
	"content_format" };
/* What is settled when it is created. */
static const char *const fixed[] = { "connector_class", "connector_type", "cloud",
	"runtime_language", "environment" };

/* What the API tells by itself, or tells nobody. */
static const char *const untold[] = { "metadata", "status", "upload_source" };

static bool has(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (names[i] && strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static char *one_line(struct json_slice value)
{
	cleanup(strbuf) struct strbuf text = STRBUF_INIT(VALUE_BYTES);
	json_compact(value, JSON_SORTED, &text);
	return strbuf_detach(&text, NULL);
}

static int add_members(struct config *members, struct json_slice object, const char *but)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	int err = 0;
	while (err == 0 && json_next(&iter, &key, &value)) {
		cleanup(free) char *name = json_decode_cstr(key);
		if (but && json_is(key, but)) {
			continue;
		}
		cleanup(free) char *text = name ? one_line(value) : NULL;
		err = !name ? -EINVAL : text ? config_set(members, name, text) : -ENOMEM;
	}
	return err;
}

static int take(
	const struct plugin_kind *kind, struct json_slice object, struct config *ret_members)
{
	struct config members = { 0 };
	struct json_slice spec = json_get(object, "spec");
	int err = add_members(&members, object, kind->spec ? "spec" : NULL);
	if (err == 0 && kind->spec && spec.text) {
		err = add_members(&members, spec, NULL);
	}
	if (err < 0) {
		config_finish(&members);
		return err;
	}
	*ret_members = members;
	return 0;
}

/* Of a kind with a spec: everything else has its place. */
static int check_spec(struct json_slice object, struct strbuf *why)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	cleanup(strbuf) struct strbuf twice = STRBUF_INIT(256);
	while (json_next(&iter, &key, &value)) {
		cleanup(free) char *name = json_decode_cstr(key);
		if (name && strcmp(name, "spec") != 0 && !has(outer, COUNT(outer), name)) {
			strbuf_addf(why, "\"%s\" belongs into \"spec\"", name);
			return -EINVAL;
		}
	}
	value = json_get(object, "spec");
	if (value.text && json_type(value) != JSON_OBJECT) {
		strbuf_adds(why, "\"spec\" is no object");
		return -EINVAL;
	}
	if (value.text && json_has_duplicate(value, &twice)) {
		strbuf_addf(why, "\"%s\" stands there twice", strbuf_str(&twice));
		return -EINVAL;
	}
	return 0;
}

int plugin_parse(const struct plugin_kind *kind, const char *text, size_t len,
	struct config *ret_members, struct strbuf *ret_why)
{
	struct json_slice object;
	int err = config_object(text, len, &object, ret_why);
	if (err == 0 && kind->spec) {
		err = check_spec(object, ret_why);
	}
	return err < 0 ? err : take(kind, object, ret_members);
}

int plugin_of_answer(
	const struct plugin_kind *kind, struct json_slice answer, struct config *ret_members)
{
	bool good = json_type(answer) == JSON_OBJECT &&
		    (!kind->spec || json_type(json_get(answer, "spec")) == JSON_OBJECT);
	int err = good ? take(kind, answer, ret_members) : -EBADMSG;
	return err == -EINVAL ? -EBADMSG : err;
}

static char *string_of(struct json_slice value)
{
	char *text = json_type(value) == JSON_STRING ? json_decode_cstr(value) : NULL;
	if (text && text[0] == '\0') {
		free(text);
		return NULL;
	}
	return text;
}

static struct json_slice slice_of(const struct config *members, const char *name)
{
	const char *text = config_get(members, name);
	return (struct json_slice){ text, text ? strlen(text) : 0 };
}

char *plugin_string(const struct config *members, const char *name)
{
	return string_of(slice_of(members, name));
}

char *plugin_upload_id(const struct config *members)
{
	return string_of(json_get(slice_of(members, "upload_source"), "upload_id"));
}

/* Metadata without the time of the last change, which every save moves. */
static char *lasting(struct json_slice metadata)
{
	cleanup(strbuf) struct strbuf text = STRBUF_INIT(VALUE_BYTES);
	struct json_iter iter = json_iter(metadata);
	struct json_slice key, value;
	while (json_type(metadata) == JSON_OBJECT && json_next(&iter, &key, &value)) {
		if (!json_is(key, "updated_at")) {
			strbuf_add(&text, key.text, key.len);
			strbuf_add(&text, value.text, value.len);
		}
	}
	return strbuf_detach(&text, NULL);
}

/* Whether a member is what it was. An environment is its id, whatever else is told of it; an
 * upload is told to nobody. */
static bool is_same(const char *name, const struct config *a, const struct config *b)
{
	struct json_slice x = slice_of(a, name), y = slice_of(b, name);
	if (strcmp(name, "environment") == 0 && x.text && y.text) {
		x = json_get(x, "id");
		y = json_get(y, "id");
	}
	if (strcmp(name, "metadata") == 0) {
		cleanup(free) char *before = lasting(x);
		cleanup(free) char *after = lasting(y);
		return before && after && strcmp(before, after) == 0;
	}
	return x.text && y.text ? x.len == y.len && memcmp(x.text, y.text, x.len) == 0
				: x.text == y.text;
}

struct comparison {
	const struct config *a, *b;
	bool differs;
};

static void compare(void *arg, const char *name, const char *before, const char *after)
{
	struct comparison *comparison = arg;
	(void)before;
	(void)after;
	comparison->differs |=
		!has(untold, COUNT(untold), name) && !is_same(name, comparison->a, comparison->b);
}

bool plugin_same(const struct config *a, const struct config *b)
{
	struct comparison comparison = { a, b, false };
	config_diff(a, b, compare, &comparison);
	return !comparison.differs;
}

bool plugin_has(const struct config *wanted, const struct config *live)
{
	cleanup(free) char *upload_id = plugin_upload_id(wanted);
	return !upload_id && plugin_looks(wanted, live);
}

bool plugin_looks(const struct config *wanted, const struct config *live)
{
	bool all = true;
	for (size_t i = 0; i < wanted->count && all; i++) {
		const char *name = wanted->settings[i].name;
		bool told = strcmp(name, "metadata") == 0 || !has(untold, COUNT(untold), name);
		all = !told || is_same(name, wanted, live);
	}
	return all;
}

int plugin_changes(const struct config *wanted, const struct config *base,
	const struct config *live, struct config *ret_changes, struct strbuf *ret_why)
{
	struct config changes = { 0 };
	unsigned refused = 0;
	int err = 0;
	for (size_t i = 0; i < wanted->count && err == 0; i++) {
		const char *name = wanted->settings[i].name;
		bool upload = strcmp(name, "upload_source") == 0;
		bool constant =
			has(read_only, COUNT(read_only), name) || has(fixed, COUNT(fixed), name);
		if (is_same(name, wanted, live) ||
			((constant || upload) && is_same(name, wanted, base))) {
			continue;
		}
		if (constant) {
			strbuf_addf(ret_why, "%s\"%s\"", refused++ ? ", " : "", name);
			continue;
		}
		err = config_set(&changes, name, wanted->settings[i].value);
	}
	if (err == 0 && refused) {
		strbuf_adds(ret_why, " cannot be changed");
		err = -EINVAL;
	}
	if (err < 0) {
		config_finish(&changes);
		return err;
	}
	*ret_changes = changes;
	return 0;
}

static int set_string(struct config *members, const char *name, const char *text)
{
	cleanup(strbuf) struct strbuf json = STRBUF_INIT(VALUE_BYTES);
	json_encode(text, strlen(text), &json);
	return json.err ? json.err : config_set(members, name, json.buf);
}

static int set_upload(struct config *members, const char *upload_id)
{
	cleanup(strbuf) struct strbuf json = STRBUF_INIT(VALUE_BYTES);
	strbuf_adds(&json, "{\"location\":\"PRESIGNED_URL_LOCATION\",\"upload_id\":");
	json_encode(upload_id, strlen(upload_id), &json);
	strbuf_addc(&json, '}');
	return json.err ? json.err : config_set(members, "upload_source", json.buf);
}

int plugin_complete(
	const struct plugin_kind *kind, const struct plugin_place *place, struct config *members)
{
	int err = 0;
	for (size_t i = 0; i < COUNT(read_only) && err == 0; i++) {
		err = config_set(members, read_only[i], NULL);
	}
	for (size_t i = 0; i < COUNT(kind->read) && kind->read[i] && err == 0; i++) {
		err = config_set(members, kind->read[i], NULL);
	}
	if (err == 0 && place->environment) {
		/* The path's, which plugin_encode adds. */
		err = config_set(members, "environment", NULL);
	}
	if (err == 0 && !config_get(members, kind->label)) {
		err = set_string(members, kind->label, place->name);
	}
	if (err == 0 && kind->clouded && !config_get(members, "cloud")) {
		err = set_string(members, "cloud", "AWS");
	}
	if (err == 0 && place->upload_id) {
		err = set_upload(members, place->upload_id);
	}
	return err;
}

void plugin_encode(const struct plugin_kind *kind, const struct config *members,
	const char *environment, struct strbuf *out)
{
	const char *comma = "";
	strbuf_adds(out, kind->spec ? "{\"spec\":{" : "{");
	for (size_t i = 0; i < members->count; i++) {
		const struct setting *member = &members->settings[i];
		strbuf_adds(out, comma);
		json_encode(member->name, strlen(member->name), out);
		strbuf_addf(out, ":%s", member->value);
		comma = ",";
	}
	if (kind->environment) {
		strbuf_addf(out, "%s\"environment\":{\"id\":", comma);
		json_encode(environment, strlen(environment), out);
		strbuf_addc(out, '}');
	}
	strbuf_adds(out, kind->spec ? "}}" : "}");
}

static void add_value(const char *value, struct strbuf *out)
{
	size_t len = value ? strlen(value) : 0, shown = 0;
	while (shown < len && shown < SHOWN_BYTES) {
		size_t character = json_utf8_length(value + shown, len - shown);
		shown += character ? character : 1;
	}
	if (value) {
		strbuf_add(out, value, shown);
		strbuf_adds(out, shown < len ? "..." : "");
	} else {
		strbuf_adds(out, "(not set)");
	}
}

static void add_difference(void *arg, const char *name, const char *before, const char *after)
{
	struct strbuf *out = arg;
	if (has(untold, COUNT(untold), name)) {
		return;
	}
	strbuf_addf(out, "  %s: ", name);
	add_value(before, out);
	strbuf_adds(out, " -> ");
	add_value(after, out);
	strbuf_addc(out, '\n');
}

void plugin_add_difference(
	const struct config *before, const struct config *after, struct strbuf *out)
{
	config_diff(before, after, add_difference, out);
}
