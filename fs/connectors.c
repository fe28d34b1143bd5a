#include "fs/connectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/config.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/confirm.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/overlay.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define STATE_BYTES 32

static int cut_connector(struct stage *stage, const char *name, struct json_slice value);
static void merge_connectors(struct document *document, struct stage *stage);

const struct document_kind document_connectors = {
	.target = CLOUD_CONNECTORS_EXPANDED,
	.variables = 2,
	.ttl = TTL_CONNECTORS,
	.cut = cut_connector,
	.merge = merge_connectors,
};

const struct document_kind document_tasks = {
	.target = CLOUD_TASKS,
	.variables = 3,
	.ttl = TTL_STATUS,
	.single = true,
	.array = true,
};

/* Both as settings; false where one is none. */
static bool same_settings(const struct part *a, const struct part *b)
{
	cleanup(config) struct config x = { 0 };
	cleanup(config) struct config y = { 0 };
	return config_of_answer(part_json(a), &x) == 0 && config_of_answer(part_json(b), &y) == 0 &&
	       config_equal(&x, &y);
}

bool item_same_part(enum part_kind kind, const struct part *a, const struct part *b)
{
	return part_is(a, b->text, b->len) || (kind == PART_CONFIG && same_settings(a, b));
}

/* What the answers say of a connector, beside its id and status. */
struct info {
	struct json_slice config;
	struct json_slice shown[3]; /* name, type, tasks */
};

static const char *const info_members[] = { "config", "name", "type", "tasks" };

static struct info info_of(struct json_slice value)
{
	struct json_slice values[COUNT(info_members)];
	struct info info;
	json_pick(value, info_members, values, COUNT(info_members));
	info.config = values[0];
	memcpy(info.shown, values + 1, sizeof(info.shown));
	return info;
}

/* What connector.json shows, compact: id, name, type and tasks. The id may be missing. */
static void add_info(struct strbuf *text, struct json_slice id, const struct info *info)
{
	size_t most = id.len + 64;
	const char *separator = "";
	for (size_t i = 0; i < COUNT(info->shown); i++) {
		most += info->shown[i].len;
	}
	strbuf_init(text, most);
	strbuf_reserve(text, most);
	strbuf_addc(text, '{');
	if (id.text) {
		strbuf_adds(text, "\"id\":");
		strbuf_add(text, id.text, id.len);
		separator = ",";
	}
	for (size_t i = 0; i < COUNT(info->shown); i++) {
		if (info->shown[i].text) {
			strbuf_adds(text, separator);
			strbuf_addc(text, '"');
			strbuf_adds(text, info_members[i + 1]);
			strbuf_adds(text, "\":");
			strbuf_add(text, info->shown[i].text, info->shown[i].len);
			separator = ",";
		}
	}
	strbuf_addc(text, '}');
}

static struct part *info_part(struct json_slice id, const struct info *info)
{
	struct strbuf text;
	add_info(&text, id, info);
	struct part *part = text.err ? NULL : part_create(text.buf, text.len);
	strbuf_finish(&text);
	return part;
}

static struct json_slice part_id(const struct part *info)
{
	return json_get(part_json(info), "id");
}

/* Checks that a configuration is one: an object of scalars. */
static bool is_config(struct json_slice config)
{
	struct json_iter iter = json_iter(config);
	struct json_slice key, value;
	bool good = json_type(config) == JSON_OBJECT;
	while (good && json_next(&iter, &key, &value)) {
		good = json_type(value) != JSON_OBJECT && json_type(value) != JSON_ARRAY;
	}
	return good;
}

static int cut_connector(struct stage *stage, const char *name, struct json_slice value)
{
	static const char *const members[] = { "id", "info", "status" };
	struct json_slice values[COUNT(members)];
	json_pick(value, members, values, COUNT(members));
	struct json_slice id = json_get(values[0], "id"), status = values[2];
	struct info info = info_of(values[1]);
	if (!is_config(info.config) || (id.text && json_type(id) != JSON_STRING)) {
		return -EBADMSG;
	}
	struct staged *staged = stage_add(stage, name);
	if (!staged) {
		return -ENOMEM;
	}
	struct strbuf text;
	add_info(&text, id, &info);
	struct json_slice shown = { strbuf_str(&text), text.len };
	bool kept = !text.err && stage_part(stage, staged, PART_INFO, shown) &&
		    stage_part(stage, staged, PART_CONFIG, info.config) &&
		    (json_type(status) != JSON_OBJECT ||
			    stage_part(stage, staged, PART_STATUS, status));
	strbuf_finish(&text);
	return kept ? 0 : -ENOMEM;
}

int item_take_answer(
	struct item *item, enum part_kind kind, const char *body, size_t len, int64_t started)
{
	struct json_slice value;
	if (json_check(body, len, &value, NULL) < 0 || json_type(value) != JSON_OBJECT) {
		return -EBADMSG;
	}
	struct part *part = NULL;
	if (kind == PART_INFO) {
		struct info info = info_of(value);
		if (!is_config(info.config)) {
			return -EBADMSG;
		}
		part = info_part(part_id(item->parts[PART_INFO]), &info);
		struct part *also = part_create(info.config.text, info.config.len);
		if (also) {
			overlay_take(item, PART_CONFIG, also, started);
		}
	} else if (kind == PART_STATUS || is_config(value)) {
		part = part_create(value.text, value.len);
	} else {
		return -EBADMSG;
	}
	if (!part) {
		return -ENOMEM;
	}
	overlay_take(item, kind, part, started);
	return 0;
}

int item_not_found(struct item *item, enum part_kind kind, int64_t started)
{
	bool ours = overlay_is_created(item, clock_now_ms());
	/* One that starts has no status for a while; its own absence shows in its configuration. */
	if (!ours && kind != PART_STATUS) {
		return -ENOENT;
	}
	item->part_at[kind] = started;
	if (item->trouble) {
		item->trouble->failure[kind] = 0;
	}
	return 0;
}

static void merge_connectors(struct document *document, struct stage *stage)
{
	document_begin_merge(document, stage);
	int64_t started = stage->started;
	stage_destroy(stage);
	if (document_count_unseen(document) > 0) {
		confirm_absence(document, started);
	} else {
		document->suspect_at = 0;
		document_fetched(document, started, true);
	}
}

struct item *connector_created(
	struct document *document, const char *name, struct json_slice answer)
{
	struct item *item = document_add(document, name);
	struct json_slice none = { NULL, 0 };
	struct info info = info_of(answer);
	if (!item || overlay_created(item) < 0) {
		return NULL;
	}
	int64_t now = fs_moment(document->fs);
	struct strbuf status = STRBUF_INIT(4096);
	strbuf_adds(&status, "{\"name\":");
	json_encode(name, strlen(name), &status);
	strbuf_adds(&status, ",\"connector\":{\"state\":\"PROVISIONING\"},\"tasks\":[]}");
	if (is_config(info.config)) {
		item_set_part(
			item, PART_CONFIG, part_create(info.config.text, info.config.len), now);
	}
	item_set_part(item, PART_INFO, info_part(none, &info), now);
	/* Guessed, not asked: the first reader asks. */
	item_set_part(item, PART_STATUS, part_create(strbuf_str(&status), status.len), 0);
	strbuf_finish(&status);
	return item;
}

/* A status with the connector's and every task's state replaced where it is the old one. */
static struct part *status_with(const struct part *status, const char *before, const char *after)
{
	struct strbuf out = STRBUF_INIT(2 * (size_t)status->len + 4096);
	struct strbuf old = STRBUF_INIT(STATE_BYTES + 2);
	const char *at = status->text, *end = status->text + status->len;
	json_encode(before, strlen(before), &old);
	/* A state's word in quotes, behind the member's name: nothing else looks like it. */
	while (at < end) {
		const char *found = memmem(at, (size_t)(end - at), "\"state\"", 7);
		const char *value = found ? found + 7 : end;
		while (value < end && strchr(" \t\r\n:", *value)) {
			value++;
		}
		strbuf_add(&out, at, (size_t)(value - at));
		at = value;
		if ((size_t)(end - at) >= old.len && memcmp(at, old.buf, old.len) == 0) {
			json_encode(after, strlen(after), &out);
			at += old.len;
		}
	}
	struct part *part = out.err ? NULL : part_create(strbuf_str(&out), out.len);
	strbuf_finish(&out);
	strbuf_finish(&old);
	return part;
}

void connector_state_changed(struct item *item, const char *state)
{
	struct strbuf before = STRBUF_INIT(STATE_BYTES - 1);
	connector_state(item, &before);
	if (item->parts[PART_STATUS] && !before.err && strcmp(state, strbuf_str(&before)) != 0) {
		overlay_state(item, strbuf_str(&before), state);
		item_set_part(item, PART_STATUS,
			status_with(item->parts[PART_STATUS], strbuf_str(&before), state),
			fs_moment(item->document->fs));
	}
	strbuf_finish(&before);
}

void connector_state(const struct item *item, struct strbuf *out)
{
	struct json_slice state = json_get(part_json(item->parts[PART_STATUS]), "connector/state");
	if (json_type(state) == JSON_STRING) {
		json_decode(state, out);
	} else {
		strbuf_adds(out, "UNKNOWN");
	}
}

void connector_id(const struct item *item, struct strbuf *out)
{
	struct json_slice id = part_id(item->parts[PART_INFO]);
	if (json_type(id) == JSON_STRING) {
		json_decode(id, out);
	}
}

static char *connector_target(const struct folder *folder)
{
	return url_target(CLOUD_CONNECTOR, folder->environment, folder->cluster, folder->name);
}

static bool says(struct json_slice answer, const char *text, size_t len)
{
	cleanup(config) struct config wanted = { 0 };
	cleanup(config) struct config live = { 0 };
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	return config_parse(text, len, &wanted, NULL, &why) == 0 &&
	       config_of_answer(answer, &live) == 0 && config_covers(&live, &wanted);
}

const struct folder_kind connector_folder = {
	.main = ROUTE_CONFIG,
	.target = connector_target,
	.id = connector_id,
	.says = says,
};
