#include "emulator/offsets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/json.h"
#include "emulator/mem.h"
#include "emulator/times.h"

#define TEXT_MAX    ((size_t)4 << 20)
#define WHY_MAX     4096
#define PARTITIONS  2
#define TOPIC_MAX   249
#define OBSERVE_MS  60000
#define OFFSET_MAX  "9223372036854775807"
#define OFFSET_SIZE (sizeof(OFFSET_MAX) - 1)

enum phase { PHASE_NONE, PHASE_PENDING, PHASE_APPLIED, PHASE_FAILED };

struct offsets {
	char id[24];        /* of the connector they belong to */
	cJSON *list;        /* owned */
	int64_t changed_ms; /* wall clock */

	/* The last request. */
	enum phase phase;
	cJSON *request;       /* owned */
	cJSON *previous;      /* owned, once applied */
	char *message;        /* owned, once ended */
	char *failure;        /* owned: it is to fail like that */
	int64_t requested_ms; /* wall clock */
	int64_t applied_ms;   /* wall clock */
	int64_t due_ms;       /* monotonic */
	int64_t reads_left;
	bool was_read;
};

/* Where sources keep what: a partition is named by a setting, or by its task. */
static const struct source {
	const char *class;
	const char *key;
	const char *setting; /* NULL: one partition for each task */
	const char *offset;
} sources[] = {
	{ "DatagenSource", "task.id", NULL,
		"{\"task.generation\":0,\"current.iteration\":481516,"
		"\"random.seed\":-7046029254386353131}" },
	{ "MySqlCdcSourceV2", "server", "topic.prefix",
		"{\"file\":\"mysql-bin.000123\",\"pos\":154,\"ts_sec\":1712907333,\"row\":1}" },
	{ "PostgresCdcSourceV2", "server", "topic.prefix",
		"{\"lsn\":9007199254740993,\"txId\":571,\"ts_usec\":1712907333123456}" },
	{ "MongoDbAtlasSource", "ns", "database",
		"{\"_id\":\"{\\\"_data\\\": \\\"8265F3A1\\\"}\",\"copy\":false}" },
};

static bool is_sink(const struct connector *connector)
{
	return strcmp(connector->newest->plugin->type, "sink") == 0;
}

static void add(cJSON *list, cJSON *partition, cJSON *offset)
{
	cJSON *item = cJSON_CreateObject();
	cJSON_AddItemToObject(item, "partition", partition);
	cJSON_AddItemToObject(item, "offset", offset);
	cJSON_AddItemToArray(list, item);
}

static cJSON *sink_offset(unsigned long number)
{
	char text[24];
	snprintf(text, sizeof(text), "%lu", number);
	cJSON *offset = cJSON_CreateObject();
	cJSON_AddRawToObject(offset, "kafka_offset", text);
	return offset;
}

static void add_topics(const struct config *config, cJSON *list)
{
	const char *topics = config_get(config, "topics");
	while (topics && *topics) {
		size_t len = strcspn(topics, ",");
		cleanup(free) char *topic = mem_dup_len(topics, len);
		for (unsigned i = 0; i < PARTITIONS && *topic; i++) {
			char number[8];
			snprintf(number, sizeof(number), "%u", i);
			cJSON *partition = cJSON_CreateObject();
			cJSON_AddRawToObject(partition, "kafka_partition", number);
			cJSON_AddStringToObject(partition, "kafka_topic", topic);
			add(list, partition,
				sink_offset(1000000 +
					    crc32(0, (const Bytef *)topic, (uInt)len) % 1000000 +
					    i));
		}
		topics += len + (topics[len] == ',');
	}
}

static void add_partitions(const struct snapshot *snapshot, cJSON *list)
{
	const struct source *source = NULL;
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		source = strcmp(sources[i].class, snapshot->plugin->class) == 0 ? &sources[i]
										: source;
	}
	size_t count = !source ? 0 : source->setting ? 1 : snapshot->tasks;
	for (size_t i = 0; i < count; i++) {
		char number[24];
		snprintf(number, sizeof(number), "%zu", i);
		cJSON *partition = cJSON_CreateObject();
		if (source->setting) {
			const char *name = config_get(snapshot->config, source->setting);
			cJSON_AddStringToObject(partition, source->key, name ? name : "");
		} else {
			cJSON_AddRawToObject(partition, source->key, number);
		}
		add(list, partition, json_parse_exact(source->offset, strlen(source->offset)));
	}
}

static void drop_request(struct offsets *offsets)
{
	cJSON_Delete(offsets->request);
	cJSON_Delete(offsets->previous);
	free(offsets->message);
	offsets->request = NULL;
	offsets->previous = NULL;
	offsets->message = NULL;
	offsets->phase = PHASE_NONE;
}

void offsets_destroy(struct offsets *offsets)
{
	if (offsets) {
		drop_request(offsets);
		cJSON_Delete(offsets->list);
		free(offsets->failure);
		free(offsets);
	}
}

static struct offsets *make(const struct connector *connector)
{
	struct offsets *offsets = mem_alloc(sizeof(*offsets));
	memcpy(offsets->id, connector->newest->id, sizeof(offsets->id));
	offsets->list = cJSON_CreateArray();
	if (is_sink(connector)) {
		add_topics(connector->newest->config, offsets->list);
	} else {
		add_partitions(connector->newest, offsets->list);
	}
	return offsets;
}

/* A number as JSON of its own has it: not negative, and fit for 64 bits. */
static bool is_offset(const cJSON *item)
{
	const char *text = cJSON_IsRaw(item) ? item->valuestring : "";
	size_t len = strspn(text, "0123456789");
	return len > 0 && text[len] == '\0' &&
	       (len < OFFSET_SIZE || (len == OFFSET_SIZE && strcmp(text, OFFSET_MAX) <= 0));
}

void offsets_check(const struct plugin *plugin, const struct config *config, const cJSON *list,
	struct strbuf *why)
{
	const char *topics = config_get(config, "topics");
	const cJSON *item;
	if (strcmp(plugin->type, "sink") != 0) {
		return;
	}
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *partition = json_get(item, "partition");
		const cJSON *offset = json_get(item, "offset");
		const char *topic = json_get_string(partition, "kafka_topic");
		if (!topic || !is_offset(json_get(partition, "kafka_partition"))) {
			strbuf_adds(why, "A partition of a sink has a kafka_topic and a "
					 "kafka_partition.");
			return;
		}
		if (!plugin_list_has(topics, topic)) {
			strbuf_addf(why, "The connector does not read the topic %.*s.", TOPIC_MAX,
				topic);
			return;
		}
		if (cJSON_IsObject(offset) && !is_offset(json_get(offset, "kafka_offset"))) {
			strbuf_adds(why, "A kafka_offset is a whole number, and not negative.");
			return;
		}
	}
}

static int find(const cJSON *list, const cJSON *partition)
{
	int at = 0;
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_Compare(json_get(item, "partition"), partition, true)) {
			return at;
		}
		at++;
	}
	return -1;
}

/* As if the connector were new: sinks start over, sources know nothing. */
static void reset(struct offsets *offsets, const struct connector *connector, int at)
{
	if (at < 0) {
		return;
	}
	if (is_sink(connector)) {
		cJSON_ReplaceItemInObjectCaseSensitive(
			cJSON_GetArrayItem(offsets->list, at), "offset", sink_offset(0));
	} else {
		cJSON_DeleteItemFromArray(offsets->list, at);
	}
}

static void reset_all(struct offsets *offsets, const struct connector *connector)
{
	for (int at = cJSON_GetArraySize(offsets->list); at-- > 0;) {
		reset(offsets, connector, at);
	}
}

static void apply(struct offsets *offsets, const struct connector *connector, const cJSON *list,
	bool only_reset)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *partition = json_get(item, "partition");
		const cJSON *offset = json_get(item, "offset");
		int at = find(offsets->list, partition);
		if (only_reset || !cJSON_IsObject(offset)) {
			reset(offsets, connector, at);
		} else if (at >= 0) {
			cJSON_ReplaceItemInObjectCaseSensitive(
				cJSON_GetArrayItem(offsets->list, at), "offset",
				cJSON_Duplicate(offset, true));
		} else {
			add(offsets->list, cJSON_Duplicate(partition, true),
				cJSON_Duplicate(offset, true));
		}
	}
}

static bool is_delete(const cJSON *request)
{
	const char *type = json_get_string(request, "type");
	return type && strcmp(type, "DELETE") == 0;
}

static void end_request(struct offsets *offsets, const struct connector *connector)
{
	const cJSON *list = json_get(offsets->request, "offsets");
	bool only_reset = is_delete(offsets->request);
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_MAX);
	if (offsets->failure) {
		strbuf_adds(&why, offsets->failure);
	} else {
		offsets_check(connector->newest->plugin, connector->newest->config, list, &why);
	}
	if (why.len > 0) {
		offsets->phase = PHASE_FAILED;
		offsets->message = mem_dup(strbuf_str(&why));
		free(offsets->failure);
		offsets->failure = NULL;
		return;
	}
	offsets->phase = PHASE_APPLIED;
	offsets->applied_ms = clock_wall_ms();
	offsets->changed_ms = offsets->applied_ms;
	offsets->previous = cJSON_Duplicate(offsets->list, true);
	offsets->message =
		mem_dup(only_reset ? "The offsets were reset." : "The offsets were altered.");
	if (only_reset && cJSON_GetArraySize(list) == 0) {
		reset_all(offsets, connector);
	} else {
		apply(offsets, connector, list, only_reset);
	}
}

struct offsets *offsets_of(const struct account *account, struct connector *connector)
{
	struct offsets *offsets = connector->offsets;
	if (!offsets || strcmp(offsets->id, connector->newest->id) != 0) {
		offsets_destroy(offsets);
		offsets = make(connector);
		connector->offsets = offsets;
	}
	if (offsets->phase == PHASE_PENDING &&
		(offsets->reads_left <= 0 || clock_now_ms() >= offsets->due_ms)) {
		end_request(offsets, connector);
	}
	return offsets;
}

bool offsets_are_valid(const cJSON *list, bool with_offset)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *offset = json_get(item, "offset");
		bool good = offset ? cJSON_IsObject(offset) || cJSON_IsNull(offset) : !with_offset;
		if (!cJSON_IsObject(json_get(item, "partition")) || !good) {
			return false;
		}
	}
	return cJSON_IsArray(list);
}

void offsets_patch(struct offsets *offsets, const struct connector *connector, const cJSON *list)
{
	apply(offsets, connector, list, false);
}

void offsets_replace(struct offsets *offsets, const cJSON *list)
{
	cleanup(free) char *text = cJSON_PrintUnformatted(list);
	cJSON_Delete(offsets->list);
	offsets->list = json_parse_exact(text, strlen(text));
	offsets->changed_ms = clock_wall_ms();
}

void offsets_fail(struct offsets *offsets, const char *message)
{
	free(offsets->failure);
	offsets->failure = mem_dup(message);
}

bool offsets_is_pending(const struct offsets *offsets)
{
	return offsets->phase == PHASE_PENDING;
}

void offsets_request(const struct account *account, struct offsets *offsets, const cJSON *request)
{
	drop_request(offsets);
	offsets->phase = PHASE_PENDING;
	offsets->request = cJSON_Duplicate(request, true);
	offsets->requested_ms = clock_wall_ms();
	offsets->due_ms = clock_now_ms() + account->offsets_ms;
	offsets->reads_left = account->offsets_reads;
	offsets->was_read = false;
}

static void write_list(const char *key, const cJSON *list, struct strbuf *out)
{
	cleanup(free) char *text = list ? cJSON_PrintUnformatted(list) : NULL;
	json_key(out, key);
	json_raw(out, text ? text : "[]");
}

static void write_time(const char *key, int64_t wall_ms, struct strbuf *out)
{
	char text[TIME_SIZE];
	time_write(wall_ms / 1000, text);
	json_field(out, key, text);
}

void offsets_write(
	const struct offsets *offsets, const struct connector *connector, struct strbuf *out)
{
	int64_t observed_ms = clock_wall_ms() / OBSERVE_MS * OBSERVE_MS;
	json_begin(out, '{');
	json_field(out, "name", connector->name);
	json_field(out, "id", offsets->id);
	write_list("offsets", offsets->list, out);
	json_key(out, "metadata");
	json_begin(out, '{');
	write_time("observed_at",
		observed_ms > offsets->changed_ms ? observed_ms : offsets->changed_ms, out);
	json_end(out, '}');
	json_end(out, '}');
}

void offsets_write_request(
	const struct offsets *offsets, const struct connector *connector, struct strbuf *out)
{
	json_begin(out, '{');
	json_field(out, "id", offsets->id);
	json_field(out, "name", connector->name);
	write_list("offsets", json_get(offsets->request, "offsets"), out);
	write_time("requested_at", offsets->requested_ms, out);
	json_field(out, "type", json_get_string(offsets->request, "type"));
	json_end(out, '}');
}

static const char *phase_name(const struct offsets *offsets)
{
	return offsets->phase == PHASE_APPLIED  ? "APPLIED"
	       : offsets->phase == PHASE_FAILED ? "FAILED"
	       : offsets->was_read              ? "PENDING"
						: "PENDING_VALIDATION";
}

bool offsets_write_status(
	struct offsets *offsets, const struct connector *connector, struct strbuf *out)
{
	if (offsets->phase == PHASE_NONE) {
		return false;
	}
	json_begin(out, '{');
	json_key(out, "request");
	offsets_write_request(offsets, connector, out);
	json_key(out, "status");
	json_begin(out, '{');
	json_field(out, "phase", phase_name(offsets));
	if (offsets->message) {
		json_field(out, "message", offsets->message);
	}
	json_end(out, '}');
	if (offsets->phase == PHASE_APPLIED) {
		write_list("previous_offsets", offsets->previous, out);
		write_time("applied_at", offsets->applied_ms, out);
	} else {
		json_key(out, "applied_at");
		json_raw(out, "null");
	}
	json_end(out, '}');
	offsets->was_read = true;
	offsets->reads_left--;
	return true;
}
