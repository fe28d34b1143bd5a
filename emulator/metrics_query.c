/* metrics v2: queries for points, and for the values of labels. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "emulator/handlers.h"
#include "emulator/intervals.h"
#include "emulator/json.h"
#include "emulator/mem.h"
#include "emulator/metrics_api.h"
#include "emulator/pages.h"

#define INTERVALS_MAX 16
#define LABELS_MAX    8
#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define WHY_MAX       4096
#define KEY_MAX       4096
#define MINUTE        60
#define HOUR          3600
#define DAY           86400

static const struct granularity {
	const char *name;
	int64_t seconds; /* 0: all of it */
	int64_t longest; /* interval in seconds; 0: any */
} granularities[] = {
	{ "PT1M", MINUTE, 6 * HOUR },
	{ "PT5M", 5 * MINUTE, DAY },
	{ "PT15M", 15 * MINUTE, 4 * DAY },
	{ "PT30M", 30 * MINUTE, 7 * DAY },
	{ "PT1H", HOUR, 0 },
	{ "PT4H", 4 * HOUR, 0 },
	{ "PT6H", 6 * HOUR, 0 },
	{ "PT12H", 12 * HOUR, 0 },
	{ "P1D", DAY, 0 },
	{ "ALL", 0, 0 },
};

/* All series that have the same values of the labels asked for. */
struct group {
	char *key; /* owned: the values, each with a control character behind it */
	struct sum sum;
	double value;    /* of ALL */
	int64_t minutes; /* that are part of it */
};

struct query {
	const struct metric *metric;
	const struct granularity *granularity;
	const char *labels[LABELS_MAX]; /* of group_by, borrowed */
	size_t label_count;
	struct interval intervals[INTERVALS_MAX];
	size_t interval_count;
	struct filter *filter; /* owned */
	size_t limit;
	bool grouped; /* the form of the answer */
	bool ascending;
	int64_t now;
	struct group *groups; /* owned, with their keys */
	size_t group_count;
	size_t group_size;
};

static void query_cleanup(struct query *query)
{
	for (size_t i = 0; i < query->group_count; i++) {
		free(query->groups[i].key);
	}
	free(query->groups);
	filter_destroy(query->filter);
}

/* --- What is asked ----------------------------------------------------------------------- */

static const char *parse_metric(const char *name, struct query *query)
{
	query->metric = name ? metric_find(name) : NULL;
	return query->metric ? NULL : "there is no such metric";
}

static const char *parse_aggregations(const cJSON *body, struct query *query)
{
	const cJSON *list = json_get(body, "aggregations");
	const cJSON *one = cJSON_IsArray(list) ? list->child : NULL;
	const char *agg = json_get_string(one, "agg");
	if (!one || one->next) {
		return "aggregations must have one element";
	}
	if (json_get(one, "agg") && !(agg && strcmp(agg, "SUM") == 0)) {
		return "agg must be SUM, or left out";
	}
	return parse_metric(json_get_string(one, "metric"), query);
}

static const char *parse_group_by(const cJSON *body, struct query *query)
{
	const cJSON *list = json_get(body, "group_by");
	const cJSON *item;
	if (list && !cJSON_IsArray(list)) {
		return "group_by is no array";
	}
	cJSON_ArrayForEach(item, list)
	{
		const char *label = cJSON_GetStringValue(item);
		if (!label || !metric_has_label(query->metric, label) ||
			query->label_count == LABELS_MAX) {
			return "group_by names a label that the metric does not have";
		}
		query->labels[query->label_count++] = label;
	}
	return NULL;
}

static const char *parse_granularity(const cJSON *body, struct query *query)
{
	const char *name = json_get_string(body, "granularity");
	for (size_t i = 0; name && i < sizeof(granularities) / sizeof(*granularities); i++) {
		if (strcmp(granularities[i].name, name) == 0) {
			query->granularity = &granularities[i];
			return NULL;
		}
	}
	return "granularity must be one of PT1M, PT5M, PT15M, PT30M, PT1H, PT4H, PT6H, PT12H, "
	       "P1D, ALL";
}

static const char *parse_intervals(const cJSON *body, struct query *query)
{
	const cJSON *list = json_get(body, "intervals");
	int64_t longest = query->granularity ? query->granularity->longest : 0;
	const cJSON *item;
	if (!cJSON_IsArray(list) || !list->child) {
		return "intervals must have an element";
	}
	cJSON_ArrayForEach(item, list)
	{
		const char *text = cJSON_GetStringValue(item);
		struct interval interval;
		if (!text || query->interval_count == INTERVALS_MAX ||
			interval_parse(text, query->now, &interval) < 0) {
			return "an interval is START/END, START/DURATION or DURATION/END";
		}
		if (longest > 0 && interval.to - interval.from > longest) {
			return "an interval is too long for this granularity";
		}
		query->intervals[query->interval_count++] = interval;
	}
	return NULL;
}

static const char *parse_limit(const cJSON *body, struct query *query)
{
	long long limit = json_get(body, "limit") ? json_get_int(body, "limit", 0) : LIMIT_DEFAULT;
	query->limit = (size_t)limit;
	return limit < 1 || limit > LIMIT_MAX ? "limit must be a number from 1 to 1000" : NULL;
}

static const char *parse_form(const cJSON *body, struct query *query)
{
	const char *format = json_get_string(body, "format");
	query->grouped = format && strcmp(format, "GROUPED") == 0;
	if (json_get(body, "format") && !query->grouped &&
		!(format && strcmp(format, "FLAT") == 0)) {
		return "format must be FLAT or GROUPED";
	}
	return query->grouped && query->label_count == 0 ? "format GROUPED needs a group_by" : NULL;
}

static const char *parse_order(const cJSON *body, struct query *query)
{
	const cJSON *list = json_get(body, "order_by");
	const cJSON *item;
	if (list && (!cJSON_IsArray(list) || !list->child)) {
		return "order_by must have an element";
	}
	cJSON_ArrayForEach(item, list)
	{
		const char *metric = json_get_string(item, "metric");
		const char *order = json_get_string(item, "order");
		query->ascending = order && strcmp(order, "ASCENDING") == 0;
		if (!metric || strcmp(metric, query->metric->name) != 0 ||
			(json_get(item, "order") && !query->ascending &&
				!(order && strcmp(order, "DESCENDING") == 0))) {
			return "order_by names another metric, or no order";
		}
	}
	return NULL;
}

static const char *parse_query(const cJSON *body, struct query *query)
{
	static const char *(*const parts[])(const cJSON *, struct query *) = { parse_aggregations,
		parse_group_by, parse_granularity, parse_intervals, parse_limit, parse_form,
		parse_order };
	const char *mistake = NULL;
	for (size_t i = 0; !mistake && i < sizeof(parts) / sizeof(*parts); i++) {
		mistake = parts[i](body, query);
	}
	return mistake;
}

static const char *parse_attributes(const cJSON *body, struct query *query)
{
	const char *mistake = parse_metric(json_get_string(body, "metric"), query);
	mistake = mistake ? mistake : parse_group_by(body, query);
	mistake = mistake ? mistake : parse_limit(body, query);
	if (!mistake && query->label_count != 1) {
		mistake = "group_by must have one element";
	}
	if (!mistake && json_get(body, "intervals")) {
		mistake = parse_intervals(body, query);
	}
	return mistake;
}

struct access {
	struct account *account;
	const char *denied;
};

static bool check_access(void *ctx, const char *type, const char *id)
{
	struct access *access = ctx;
	bool found = strcmp(type, "kafka") == 0 ? account_cluster(access->account, NULL, id) != NULL
						: account_live(access->account, id) != NULL;
	access->denied = found ? NULL : id;
	return found;
}

/* The filter, which must name resources that are there. False: the reply says no. */
static bool take_filter(struct emulator *emulator, const cJSON *body, struct query *query,
	const struct request *request, struct reply *reply)
{
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_MAX);
	const cJSON *object = json_get(body, "filter");
	struct access access = { .account = &emulator->account };
	if (object) {
		query->filter = filter_compile(object, query->metric, &why);
		if (!query->filter) {
			reply_refuse(reply, request, 400, "%s", strbuf_str(&why));
			return false;
		}
	}
	if (query->filter && filter_each_resource(query->filter, check_access, &access)) {
		return true;
	}
	if (access.denied) {
		reply_refuse(reply, request, 403, "no access to %s", access.denied);
	} else {
		reply_refuse(reply, request, 400, "the filter names no resource");
	}
	return false;
}

/* --- What there is ------------------------------------------------------------------------ */

static void collect(void *ctx, const struct series *series)
{
	struct query *query = ctx;
	cleanup(strbuf) struct strbuf key = STRBUF_INIT(KEY_MAX);
	if (!filter_takes(query->filter, series)) {
		return;
	}
	for (size_t i = 0; i < query->label_count; i++) {
		strbuf_adds(&key, series_label(series, query->labels[i]));
		strbuf_addc(&key, '\001');
	}
	if (query->group_count == query->group_size) {
		query->group_size = query->group_size ? 2 * query->group_size : 64;
		query->groups = mem_grow(query->groups, query->group_size, sizeof(*query->groups));
	}
	struct group *group = &query->groups[query->group_count++];
	*group = (struct group){ .key = mem_dup(strbuf_str(&key)) };
	sum_add(&group->sum, series);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->key, ((const struct group *)b)->key);
}

static int compare_descending(const void *a, const void *b)
{
	double x = ((const struct group *)a)->value;
	double y = ((const struct group *)b)->value;
	return x < y ? 1 : x > y ? -1 : compare_keys(a, b);
}

static int compare_ascending(const void *a, const void *b)
{
	double x = ((const struct group *)a)->value;
	double y = ((const struct group *)b)->value;
	return x < y ? -1 : x > y ? 1 : compare_keys(a, b);
}

static void sort_groups(struct query *query, int (*compare)(const void *, const void *))
{
	if (query->group_count > 0) {
		qsort(query->groups, query->group_count, sizeof(*query->groups), compare);
	}
}

/* One group for each key, in their order. */
static void merge_groups(struct query *query)
{
	size_t used = 0;
	sort_groups(query, compare_keys);
	for (size_t i = 0; i < query->group_count; i++) {
		struct group *group = &query->groups[i];
		if (used > 0 && strcmp(query->groups[used - 1].key, group->key) == 0) {
			query->groups[used - 1].sum.base += group->sum.base;
			query->groups[used - 1].sum.moving += group->sum.moving;
			free(group->key);
		} else {
			query->groups[used++] = *group;
		}
	}
	query->group_count = used;
}

/* The minutes that a range has and that are over; from >= to if there are none. */
static struct interval minutes_of(const struct query *query, int64_t from, int64_t to)
{
	int64_t end = query->now / MINUTE;
	struct interval minutes = { (from + MINUTE - 1) / MINUTE, (to + MINUTE - 1) / MINUTE };
	minutes.to = minutes.to < end ? minutes.to : end;
	return minutes;
}

/* The one value of all intervals, and the order that follows from it. */
static void take_all(struct query *query)
{
	for (size_t i = 0; i < query->group_count; i++) {
		struct group *group = &query->groups[i];
		for (size_t k = 0; k < query->interval_count; k++) {
			struct interval minutes =
				minutes_of(query, query->intervals[k].from, query->intervals[k].to);
			int64_t count = minutes.to - minutes.from;
			if (count > 0) {
				double value = sum_value(
					&group->sum, query->metric, minutes.from, minutes.to);
				group->value +=
					query->metric->is_gauge ? value * (double)count : value;
				group->minutes += count;
			}
		}
		if (query->metric->is_gauge && group->minutes > 0) {
			group->value /= (double)group->minutes;
		}
	}
	sort_groups(query, query->ascending ? compare_ascending : compare_descending);
}

/* --- The answer --------------------------------------------------------------------------- */

static void write_labels(const struct query *query, const struct group *group, struct strbuf *out)
{
	const char *at = group->key;
	for (size_t i = 0; i < query->label_count; i++) {
		size_t len = strcspn(at, "\001");
		json_key(out, query->labels[i]);
		json_string_len(out, at, len);
		at += len + 1;
	}
}

static void write_point(const struct query *query, const struct group *group, int64_t timestamp,
	double value, struct strbuf *out)
{
	char text[TIME_SIZE];
	json_begin(out, '{');
	time_write(timestamp, text);
	json_field(out, "timestamp", text);
	if (!query->grouped) {
		write_labels(query, group, out);
	}
	json_key(out, "value");
	sum_write(value, out);
	json_end(out, '}');
}

static void write_interval(const struct query *query, const struct group *group,
	const struct interval *interval, struct strbuf *out)
{
	int64_t step = query->granularity->seconds;
	for (int64_t at = interval->from / step * step; at < interval->to && at < query->now;
		at += step) {
		struct interval minutes =
			minutes_of(query, at < interval->from ? interval->from : at,
				at + step < interval->to ? at + step : interval->to);
		if (minutes.from < minutes.to) {
			write_point(query, group, at,
				sum_value(&group->sum, query->metric, minutes.from, minutes.to),
				out);
		}
	}
}

static void write_points(const struct query *query, const struct group *group, struct strbuf *out)
{
	if (query->granularity->seconds > 0) {
		for (size_t i = 0; i < query->interval_count; i++) {
			write_interval(query, group, &query->intervals[i], out);
		}
	} else if (group->minutes > 0) {
		write_point(query, group, query->intervals[0].from, group->value, out);
	}
}

static void write_group(const struct query *query, const struct group *group, struct strbuf *out)
{
	if (!query->grouped) {
		write_points(query, group, out);
		return;
	}
	json_begin(out, '{');
	write_labels(query, group, out);
	json_key(out, "points");
	json_begin(out, '[');
	write_points(query, group, out);
	json_end(out, ']');
	json_end(out, '}');
}

static void write_answer(const struct query *query, struct page *page,
	const struct request *request, bool only_labels, struct strbuf *out)
{
	json_begin(out, '{');
	json_key(out, "data");
	json_begin(out, '[');
	for (size_t i = 0; i < query->group_count; i++) {
		if (!page_takes(page, i + 1)) {
			continue;
		}
		if (only_labels) {
			json_begin(out, '{');
			write_labels(query, &query->groups[i], out);
			json_end(out, '}');
		} else {
			write_group(query, &query->groups[i], out);
		}
	}
	json_end(out, ']');
	if (query->label_count > 0) {
		page_write_meta(page, request, false, out);
	}
	json_end(out, '}');
}

static void answer(struct emulator *emulator, const struct request *request, struct reply *reply,
	bool only_labels)
{
	struct page page = {
		.path = only_labels ? "/v2/metrics/cloud/attributes" : "/v2/metrics/cloud/query",
	};
	cleanup(query) struct query query = { .now = time(NULL) };
	cleanup(json) cJSON *body = json_parse(strbuf_str(&request->body), request->body.len);
	if (!metrics_is_known(request, reply) || !page_init_token(&page, request, reply)) {
		return;
	}
	const char *mistake = !cJSON_IsObject(body) ? "the body is no JSON object"
			      : only_labels         ? parse_attributes(body, &query)
						    : parse_query(body, &query);
	if (!mistake && page.after > 0 && query.label_count == 0) {
		mistake = "there are pages only with a group_by";
	}
	if (mistake) {
		reply_refuse(reply, request, 400, "%s", mistake);
		return;
	}
	if (!take_filter(emulator, body, &query, request, reply)) {
		return;
	}
	metric_each(&emulator->account, query.metric, collect, &query);
	merge_groups(&query);
	if (query.granularity && query.granularity->seconds == 0) {
		take_all(&query);
	}
	page.size = query.limit;
	write_answer(&query, &page, request, only_labels, &reply->body);
}

HANDLER(metrics_query)
{
	answer(emulator, request, reply, false);
}

HANDLER(metrics_attributes)
{
	answer(emulator, request, reply, true);
}
