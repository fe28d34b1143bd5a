#include "api/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void setting_finish(struct setting *setting)
{
	free(setting->name);
	if (setting->value) {
		explicit_bzero(setting->value, strlen(setting->value));
		free(setting->value);
	}
}

void config_finish(struct config *config)
{
	for (size_t i = 0; i < config->count; i++) {
		setting_finish(&config->settings[i]);
	}
	free(config->settings);
	*config = (struct config){ 0 };
}

/* The setting of a name; NULL, and where it would be inserted. */
static struct setting *find(const struct config *config, const char *name, size_t *ret_at)
{
	size_t low = 0, high = config->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(config->settings[middle].name, name);
		if (order == 0) {
			*ret_at = middle;
			return &config->settings[middle];
		}
		if (order < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	*ret_at = low;
	return NULL;
}

/* Takes name and value over, also when it fails. The name must be new. */
static int insert(struct config *config, size_t at, char *name, char *value)
{
	struct setting setting = { name, value };
	struct setting *more = NULL;
	if (name && value) {
		more = reallocarray(config->settings, config->count + 1, sizeof(*more));
	}
	if (!more) {
		setting_finish(&setting);
		return -ENOMEM;
	}
	config->settings = more;
	memmove(more + at + 1, more + at, (config->count - at) * sizeof(*more));
	more[at] = setting;
	config->count++;
	return 0;
}

const char *config_get(const struct config *config, const char *name)
{
	size_t at;
	const struct setting *setting = find(config, name, &at);
	return setting ? setting->value : NULL;
}

int config_set(struct config *config, const char *name, const char *value)
{
	size_t at;
	struct setting *setting = find(config, name, &at);
	if (!setting) {
		return value ? insert(config, at, strdup(name), strdup(value)) : 0;
	}
	if (!value) {
		setting_finish(setting);
		config->count--;
		memmove(setting, setting + 1, (config->count - at) * sizeof(*setting));
		return 0;
	}
	char *copy = strdup(value);
	if (!copy) {
		return -ENOMEM;
	}
	explicit_bzero(setting->value, strlen(setting->value));
	free(setting->value);
	setting->value = copy;
	return 0;
}

int config_copy(const struct config *config, struct config *ret_copy)
{
	struct config copy = { 0 };
	int err = 0;
	for (size_t i = 0; i < config->count && err == 0; i++) {
		err = config_set(&copy, config->settings[i].name, config->settings[i].value);
	}
	if (err < 0) {
		config_finish(&copy);
		return err;
	}
	*ret_copy = copy;
	return 0;
}

/* The value as a string to be freed; NULL where it is nested, null, or holds a NUL. */
static char *scalar(struct json_slice value)
{
	switch (json_type(value)) {
	case JSON_STRING:
		return json_decode_cstr(value);
	case JSON_NUMBER:
	case JSON_BOOL:
		return strndup(value.text, value.len);
	default:
		return NULL;
	}
}

/* Adds one member; -EINVAL with the reason where it cannot be a setting. */
static int add_member(
	struct config *config, struct json_slice key, struct json_slice value, struct strbuf *why)
{
	static const char *const words[] = { [JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_NULL] = "null",
		[JSON_STRING] = "text with a NUL" };
	char *name = json_decode_cstr(key);
	char *text = scalar(value);
	if (!name || !text) {
		const char *word = words[json_type(value)];
		strbuf_addf(why, "%.*s: %s; a setting is a string", (int)key.len, key.text,
			!text && word ? word : "a name with a NUL");
		free(name);
		free(text);
		return -EINVAL;
	}
	size_t at;
	if (find(config, name, &at)) {
		strbuf_addf(why, "\"%s\" stands there twice", name);
		free(name);
		free(text);
		return -EINVAL;
	}
	return insert(config, at, name, text);
}

static int add_members(struct config *config, struct json_slice object, struct strbuf *why)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	int err = 0;
	while (err == 0 && json_next(&iter, &key, &value)) {
		err = add_member(config, key, value, why);
	}
	return err;
}

/* Whether it is the form that wraps the settings: a "config" that is an object, and beside it
 * nothing but a name and offsets. */
static int unwrap(struct json_slice *object, struct json_slice *ret_name,
	struct json_slice *ret_offsets, struct strbuf *why)
{
	struct json_slice config = json_get(*object, "config");
	if (json_type(config) != JSON_OBJECT) {
		return 0;
	}
	struct json_iter iter = json_iter(*object);
	struct json_slice key, value;
	while (json_next(&iter, &key, &value)) {
		if (!json_is(key, "config") && !json_is(key, "name") && !json_is(key, "offsets")) {
			strbuf_addf(why,
				"%.*s beside \"config\": only \"name\" and \"offsets\" may stand there",
				(int)key.len, key.text);
			return -EINVAL;
		}
	}
	*ret_name = json_get(*object, "name");
	*ret_offsets = json_get(*object, "offsets");
	if (ret_name->text && json_type(*ret_name) != JSON_STRING) {
		strbuf_adds(why, "\"name\" is no string");
		return -EINVAL;
	}
	if (ret_offsets->text && json_type(*ret_offsets) != JSON_ARRAY) {
		strbuf_adds(why, "\"offsets\" is no array");
		return -EINVAL;
	}
	*object = config;
	return 0;
}

/* The name beside "config" counts like the one in it. */
static int adopt_name(struct config *config, struct json_slice outer, struct strbuf *why)
{
	if (!outer.text) {
		return 0;
	}
	const char *inner = config_get(config, "name");
	if (inner && !json_is(outer, inner)) {
		strbuf_adds(why, "the name beside \"config\" and the one in it differ");
		return -EINVAL;
	}
	char *name = json_decode_cstr(outer);
	if (!name) {
		strbuf_adds(why, "\"name\" is text with a NUL");
		return -EINVAL;
	}
	int err = config_set(config, "name", name);
	free(name);
	return err;
}

static void add_place(const char *text, size_t at, struct strbuf *why)
{
	size_t line = 1, column = 1;
	for (size_t i = 0; i < at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	strbuf_addf(why, "not complete, valid JSON: line %zu, column %zu", line, column);
}

int config_object(
	const char *text, size_t len, struct json_slice *ret_object, struct strbuf *ret_why)
{
	struct json_slice object;
	size_t at;
	if (json_check(text, len, &object, &at) < 0) {
		add_place(text, at, ret_why);
		return -EINVAL;
	}
	if (json_type(object) != JSON_OBJECT) {
		strbuf_adds(ret_why, "not a JSON object");
		return -EINVAL;
	}
	if (json_has_lone_surrogate(object)) {
		strbuf_adds(ret_why, "half of a surrogate pair: not valid text");
		return -EINVAL;
	}
	struct strbuf twice = STRBUF_INIT(256);
	if (json_has_duplicate(object, &twice)) {
		strbuf_addf(ret_why, "\"%s\" stands there twice", strbuf_str(&twice));
		strbuf_finish(&twice);
		return -EINVAL;
	}
	*ret_object = object;
	return 0;
}

int config_parse(const char *text, size_t len, struct config *ret_config,
	struct json_slice *ret_offsets, struct strbuf *ret_why)
{
	struct json_slice object, name = { NULL, 0 }, offsets = { NULL, 0 };
	struct config config = { 0 };
	int err = config_object(text, len, &object, ret_why);
	if (err < 0) {
		return err;
	}
	err = unwrap(&object, &name, &offsets, ret_why);
	if (err == 0) {
		err = add_members(&config, object, ret_why);
	}
	if (err == 0) {
		err = adopt_name(&config, name, ret_why);
	}
	if (err < 0) {
		config_finish(&config);
		return err;
	}
	*ret_config = config;
	if (ret_offsets) {
		*ret_offsets = offsets;
	}
	return 0;
}

int config_of_answer(struct json_slice object, struct config *ret_config)
{
	struct config config = { 0 };
	struct strbuf why = STRBUF_INIT(512);
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	int err = json_type(object) == JSON_OBJECT ? 0 : -EBADMSG;
	while (err == 0 && json_next(&iter, &key, &value)) {
		if (json_type(value) != JSON_NULL) {
			err = add_member(&config, key, value, &why);
		}
	}
	strbuf_finish(&why);
	if (err < 0) {
		config_finish(&config);
		return err == -EINVAL ? -EBADMSG : err;
	}
	*ret_config = config;
	return 0;
}

bool config_is_mask(const char *value)
{
	size_t len = strspn(value, "*");
	return len >= 2 && value[len] == '\0';
}

bool config_names_secret(const char *name)
{
	static const char *const words[] = { "password", "passphrase", "secret", "token",
		"credential", "key", "jaas", "user.info" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(name, words[i])) {
			return true;
		}
	}
	return false;
}

bool config_same_value(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (config_is_mask(a) && config_is_mask(b));
}

static void note_difference(void *arg, const char *name, const char *before, const char *after)
{
	(void)name;
	(void)before;
	(void)after;
	*(bool *)arg = true;
}

bool config_equal(const struct config *a, const struct config *b)
{
	bool differs = false;
	config_diff(a, b, note_difference, &differs);
	return !differs;
}

bool config_covers(const struct config *live, const struct config *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const struct setting *setting = &wanted->settings[i];
		const char *its = config_get(live, setting->name);
		if (!its || (strcmp(its, setting->value) != 0 && !config_is_mask(its))) {
			return false;
		}
	}
	return true;
}

void config_diff(const struct config *before, const struct config *after,
	void (*differs)(void *arg, const char *name, const char *before, const char *after),
	void *arg)
{
	size_t i = 0, j = 0;
	while (i < before->count || j < after->count) {
		const struct setting *a = i < before->count ? &before->settings[i] : NULL;
		const struct setting *b = j < after->count ? &after->settings[j] : NULL;
		int order = a && b ? strcmp(a->name, b->name) : a ? -1 : 1;
		if (a && order < 0) {
			differs(arg, a->name, a->value, NULL);
		} else if (b && order > 0) {
			differs(arg, b->name, NULL, b->value);
		} else if (a && b && !config_same_value(a->value, b->value)) {
			differs(arg, a->name, a->value, b->value);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

void config_encode(const struct config *config, struct strbuf *out)
{
	strbuf_addc(out, '{');
	for (size_t i = 0; i < config->count; i++) {
		const struct setting *setting = &config->settings[i];
		if (i > 0) {
			strbuf_addc(out, ',');
		}
		json_encode(setting->name, strlen(setting->name), out);
		strbuf_addc(out, ':');
		json_encode(setting->value, strlen(setting->value), out);
	}
	strbuf_addc(out, '}');
}
