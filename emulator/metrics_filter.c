#include "emulator/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/json.h"
#include "emulator/mem.h"

#define DEPTH_MAX 16

enum op { OP_EQ, OP_GT, OP_GTE, OP_AND, OP_OR, OP_NOT };

static const char *const op_names[] = { "EQ", "GT", "GTE", "AND", "OR", "NOT" };

struct filter {
	enum op op;
	const char *field; /* borrowed */
	char *value;       /* owned */
	struct filter *children;
	size_t count;
};

static int find_op(const cJSON *object, enum op *ret_op)
{
	const char *name = json_get_string(object, "op");
	for (size_t i = 0; name && i < sizeof(op_names) / sizeof(*op_names); i++) {
		if (strcmp(op_names[i], name) == 0) {
			*ret_op = (enum op)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int compile(const cJSON *object, const struct metric *metric, unsigned depth,
	struct filter *filter, struct strbuf *why);

static int compile_field(
	const cJSON *object, const struct metric *metric, struct filter *filter, struct strbuf *why)
{
	const cJSON *value = json_get(object, "value");
	filter->field = json_get_string(object, "field");
	if (!filter->field || !metric_has_label(metric, filter->field)) {
		strbuf_addf(why, "%s has no label %s", metric->name,
			filter->field ? filter->field : "without a name");
		return -EINVAL;
	}
	if (!cJSON_IsString(value) && !cJSON_IsNumber(value)) {
		strbuf_adds(why, "the value of a filter is a string or a number");
		return -EINVAL;
	}
	filter->value =
		cJSON_IsString(value) ? mem_dup(value->valuestring) : cJSON_PrintUnformatted(value);
	return 0;
}

static int compile_children(const cJSON *object, const struct metric *metric, unsigned depth,
	struct filter *filter, struct strbuf *why)
{
	const cJSON *one = json_get(object, "filter");
	const cJSON *list = json_get(object, "filters");
	int count = filter->op == OP_NOT ? 1 : cJSON_GetArraySize(list);
	if (filter->op == OP_NOT ? !cJSON_IsObject(one) : !cJSON_IsArray(list) || count == 0) {
		strbuf_addf(why, "%s has nothing to work on", op_names[filter->op]);
		return -EINVAL;
	}
	if (filter->op != OP_NOT) {
		one = list->child;
	}
	filter->children = mem_alloc((size_t)count * sizeof(*filter->children));
	for (int i = 0; i < count; i++, one = one->next) {
		filter->count++;
		int err = compile(one, metric, depth + 1, &filter->children[i], why);
		if (err < 0) {
			return err;
		}
	}
	return 0;
}

static int compile(const cJSON *object, const struct metric *metric, unsigned depth,
	struct filter *filter, struct strbuf *why)
{
	if (find_op(object, &filter->op) < 0 || depth > DEPTH_MAX) {
		strbuf_adds(why, "the op of a filter is EQ, GT, GTE, AND, OR or NOT");
		return -EINVAL;
	}
	return filter->op < OP_AND ? compile_field(object, metric, filter, why)
				   : compile_children(object, metric, depth, filter, why);
}

static void finish(struct filter *filter)
{
	for (size_t i = 0; i < filter->count; i++) {
		finish(&filter->children[i]);
	}
	free(filter->children);
	free(filter->value);
}

void filter_destroy(struct filter *filter)
{
	if (filter) {
		finish(filter);
		free(filter);
	}
}

struct filter *filter_compile(const cJSON *object, const struct metric *metric, struct strbuf *why)
{
	struct filter *filter = mem_alloc(sizeof(*filter));
	if (compile(object, metric, 0, filter, why) < 0) {
		filter_destroy(filter);
		return NULL;
	}
	return filter;
}

bool filter_takes(const struct filter *filter, const struct series *series)
{
	if (filter->op < OP_AND) {
		int order = strcmp(series_label(series, filter->field), filter->value);
		return filter->op == OP_EQ   ? order == 0
		       : filter->op == OP_GT ? order > 0
					     : order >= 0;
	}
	if (filter->op == OP_NOT) {
		return !filter_takes(filter->children, series);
	}
	for (size_t i = 0; i < filter->count; i++) {
		if (filter_takes(&filter->children[i], series) == (filter->op == OP_OR)) {
			return filter->op == OP_OR;
		}
	}
	return filter->op == OP_AND;
}

static bool each_resource(
	const struct filter *filter, filter_visit *visit, void *ctx, size_t *count)
{
	if (filter->op == OP_EQ && strncmp(filter->field, "resource.", 9) == 0) {
		bool of_kafka = strncmp(filter->field + 9, "kafka.", 6) == 0;
		(*count)++;
		return visit(ctx, of_kafka ? "kafka" : "connector", filter->value);
	}
	for (size_t i = 0; i < filter->count && filter->op != OP_NOT; i++) {
		if (!each_resource(&filter->children[i], visit, ctx, count)) {
			return false;
		}
	}
	return true;
}

bool filter_each_resource(const struct filter *filter, filter_visit *visit, void *ctx)
{
	size_t count = 0;
	return each_resource(filter, visit, ctx, &count) && count > 0;
}
