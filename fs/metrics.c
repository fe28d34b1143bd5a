#include "fs/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "fs/connectors.h"
#include "fs/exposition.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/gather.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/question.h"
#include "fs/view.h"

#define GROUPS_MAX 1000 /* groups in an answer, which are connectors here */
#define URL_MAX    8192 /* bytes of a URL */
#define ID         "resource.connector.id"
#define MINUTE_MS  60000

static int fetch_query(struct document *document, struct stage *stage, int64_t deadline);
static int fetch_export(struct document *document, struct stage *stage, int64_t deadline);

/* Descriptors by their names. */
static const struct document_kind document_descriptors = { .target = CLOUD_METRICS,
	.ttl = TTL_PLUGINS,
	.name_member = "name",
	.paged = true,
	.telemetry = true };

/* One metric of a cluster: the points of each connector that has some, by its id. All queries go
 * to one place: what stands behind # only tells them apart. */
static const struct document_kind document_metric = { .target = CLOUD_METRICS_QUERY "#{}/{}/{}",
	.variables = 3,
	.ttl = TTL_METRICS,
	.telemetry = true,
	.fetch = fetch_query,
	.merge = gather_merge };

static const struct document_kind document_export = { .target = CLOUD_METRICS_EXPORT "#{}/{}",
	.variables = 2,
	.ttl = TTL_METRICS,
	.single = true,
	.telemetry = true,
	.fetch = fetch_export,
	.merge = gather_merge };

/* A query for the next connectors, or the next page of the last one. */
static int make_query(struct gather *gather)
{
	const struct options *options = gather->document->fs->options;
	struct strbuf *body = &gather->body;
	const char *metric = gather->document->name, *separator = "";
	strbuf_reset(&gather->target);
	if (gather->next) {
		strbuf_adds(&gather->target, gather->next);
		return 0;
	}
	strbuf_adds(&gather->target, CLOUD_METRICS_QUERY);
	strbuf_reset(body);
	strbuf_adds(body, "{\"aggregations\":[{\"metric\":");
	json_encode(metric, strlen(metric), body);
	strbuf_adds(body, "}],\"filter\":{\"op\":\"OR\",\"filters\":[");
	for (size_t end = gather->at + GROUPS_MAX; gather->at < gather->count && gather->at < end;
		gather->at++) {
		const char *id = gather->ids[gather->at];
		strbuf_addf(body, "%s{\"field\":\"" ID "\",\"op\":\"EQ\",\"value\":", separator);
		json_encode(id, strlen(id), body);
		strbuf_addc(body, '}');
		separator = ",";
	}
	/* The API's clock is the one that counts. */
	strbuf_addf(body,
		"]},\"granularity\":\"%s\",\"group_by\":[\"" ID "\"],"
		"\"intervals\":[\"now-%lldm|m/now|m\"],\"limit\":%d,\"format\":\"GROUPED\"}",
		options->metrics_granularity,
		(long long)((options->metrics_interval + MINUTE_MS - 1) / MINUTE_MS), GROUPS_MAX);
	return 0;
}

/* One connector's points. */
static int stage_group(struct stage *stage, struct json_slice group)
{
	struct json_slice points = json_get(group, "points");
	char *id = json_decode_cstr(json_get(group, ID));
	if (!id || json_type(points) != JSON_ARRAY) {
		free(id);
		return -EBADMSG;
	}
	struct strbuf text = STRBUF_INIT(points.len + 16);
	strbuf_adds(&text, "{\"data\":");
	strbuf_add(&text, points.text, points.len);
	strbuf_addc(&text, '}');
	struct staged *staged = stage_add(stage, id);
	struct json_slice value = { text.buf, text.len };
	bool kept = !text.err && staged && stage_part(stage, staged, PART_WHOLE, value);
	strbuf_finish(&text);
	free(id);
	return kept ? 0 : -ENOMEM;
}

/* The target of the page behind this one; NULL: there is none. To be freed. */
static char *next_page(struct json_slice answer)
{
	char *token = json_decode_cstr(json_get(answer, "meta/pagination/next_page_token"));
	char *target =
		token && *token ? url_target(CLOUD_METRICS_QUERY "?page_token={}", token) : NULL;
	free(token);
	return target;
}

static int take_groups(struct gather *gather, const struct http_answer *answer)
{
	struct json_slice value, data, group;
	int err = json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL);
	if (err < 0) {
		return err;
	}
	data = json_get(value, "data");
	if (json_type(data) != JSON_ARRAY) {
		return json_type(data) == JSON_NULL ? 0 : -EBADMSG;
	}
	struct json_iter iter = json_iter(data);
	while (err == 0 && json_next(&iter, NULL, &group)) {
		err = stage_group(gather->stage, group);
	}
	gather->next = next_page(value);
	return err;
}

static int fetch_query(struct document *document, struct stage *stage, int64_t deadline)
{
	static const struct gather_kind kind = {
		.method = HTTP_POST, .make = make_query, .take = take_groups
	};
	return gather_start(&kind, document, stage, deadline);
}

/* As many connectors as a URL takes. */
static int make_export(struct gather *gather)
{
	size_t origin = strlen(gather->document->fs->options->telemetry_url);
	struct strbuf *target = &gather->target;
	strbuf_reset(target);
	strbuf_adds(target, CLOUD_METRICS_EXPORT);
	for (const char *separator = "?"; gather->at < gather->count; gather->at++) {
		size_t before = target->len;
		strbuf_addf(target, "%s" ID "=", separator);
		url_add_segment(target, gather->ids[gather->at]);
		if (origin + target->len > URL_MAX && *separator == '&') {
			target->len = before;
			target->buf[before] = '\0';
			break;
		}
		separator = "&";
	}
	return 0;
}

static int take_export(struct gather *gather, const struct http_answer *answer)
{
	if (!gather->kept) {
		gather->kept = exposition_create(gather->document->fs->options->max_answer);
	}
	return gather->kept
		       ? exposition_add(gather->kept, strbuf_str(&answer->body), answer->body.len)
		       : -ENOMEM;
}

static int stage_export(struct gather *gather)
{
	struct strbuf text = STRBUF_INIT(gather->document->fs->options->max_answer);
	exposition_write(gather->kept, &text);
	struct json_slice value = { strbuf_str(&text), text.len };
	struct staged *staged = stage_add(gather->stage, "");
	bool kept = !text.err && staged && stage_part(gather->stage, staged, PART_WHOLE, value);
	int err = text.err ? text.err : kept ? 0 : -ENOMEM;
	strbuf_finish(&text);
	return err;
}

static void release_exposition(void *kept)
{
	exposition_destroy(kept);
}

static int fetch_export(struct document *document, struct stage *stage, int64_t deadline)
{
	static const struct gather_kind kind = { .method = HTTP_GET,
		.accept = "text/plain;version=0.0.4",
		.make = make_export,
		.take = take_export,
		.end = stage_export,
		.release = release_exposition };
	return gather_start(&kind, document, stage, deadline);
}

/* Has the list of connectors asked for, unless that was done for this op already. OP_WAIT, or
 * -errno: it would not help. */
static int ask_connectors(struct op *op, struct document *connectors, int err)
{
	if (op->peek) {
		return -EAGAIN;
	}
	if (connectors->fetched_at >= op->began ||
		(connectors->failure && connectors->failed_at >= op->began)) {
		return err;
	}
	document_refresh(connectors, false);
	return connectors->fetching ? op_wait(op, &connectors->waiters) : connectors->failure;
}

/* Like document_need. A connector that is gone spoils the query for all others: then the list of
 * connectors is read anew, once. */
static int need(struct op *op, struct document *document)
{
	struct document *connectors = document_get(
		op->fs, &document_connectors, document->environment, document->cluster);
	int result = connectors ? 0 : -ENOMEM;
	if (result == 0 && !connectors->fetched_at) {
		result = document_need(op, connectors);
	}
	if (result == 0) {
		result = document_need(op, document);
	}
	if (result == -EACCES && connectors) {
		result = ask_connectors(op, connectors, result);
		if (result == OP_WAIT) {
			document_expire(document);
		}
	}
	return result;
}

/* What follows the last slash of a metric's name. */
static const char *short_name(const char *metric)
{
	const char *slash = strrchr(metric, '/');
	return slash ? slash + 1 : metric;
}

/* The file name of a metric, to be freed; NULL: it has none. */
static char *file_name(const struct document *descriptors, const char *metric)
{
	const char *name = short_name(metric);
	bool shared = false;
	for (size_t i = 0; i < descriptors->count; i++) {
		const char *other = descriptors->items[i]->name;
		shared |= strcmp(other, metric) != 0 && strcmp(short_name(other), name) == 0;
	}
	struct strbuf full = STRBUF_INIT(4096);
	strbuf_addf(&full, "%s.json", shared ? metric : name);
	char *encoded = full.err ? NULL : name_encode(strbuf_str(&full));
	strbuf_finish(&full);
	return encoded;
}

int metrics_children(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg)
{
	(void)only;
	const struct folder *folder = folder_find(op->fs, dir->parent);
	struct document *descriptors = document_get(op->fs, &document_descriptors, NULL, NULL);
	int result = descriptors ? document_need(op, descriptors) : -ENOMEM;
	for (size_t i = 0; result == 0 && i < descriptors->count; i++) {
		const char *metric = descriptors->items[i]->name;
		char *name = file_name(descriptors, metric);
		if (name && !(folder && folder_hides_below(folder, dir->route, name))) {
			struct child child = { .name = name, .key = metric };
			result = visit(arg, &child);
		}
		free(name);
	}
	return result;
}

/* The connector's id, once the API has told it; NULL with ret_result else. To be freed. */
static char *need_id(struct op *op, const struct node *dir, int *ret_result)
{
	struct document *connectors = document_get(op->fs, &document_connectors,
		node_variable(dir, VAR_ENVIRONMENT), node_variable(dir, VAR_CLUSTER));
	const struct item *item =
		connectors ? document_find(connectors, node_variable(dir, VAR_CONNECTOR)) : NULL;
	struct strbuf id = STRBUF_INIT(256);
	if (!item) {
		*ret_result = connectors ? -ENOENT : -ENOMEM;
		return NULL;
	}
	connector_id(item, &id);
	char *text = id.len > 0 ? strbuf_detach(&id, NULL) : NULL;
	strbuf_finish(&id);
	*ret_result = text ? 0 : ask_connectors(op, connectors, 0);
	return text;
}

int metrics_compose(struct op *op, const struct node *dir, const char *metric, struct strbuf *out)
{
	int result;
	cleanup(free) char *id = need_id(op, dir, &result);
	struct document *document = document_get_named(op->fs, &document_metric,
		node_variable(dir, VAR_ENVIRONMENT), node_variable(dir, VAR_CLUSTER), metric);
	if (result == 0 && id) {
		result = document ? need(op, document) : -ENOMEM;
	}
	if (result != 0) {
		return result;
	}
	const struct item *item = id ? document_find(document, id) : NULL;
	if (item) {
		return view_json(item->parts[PART_WHOLE], out);
	}
	/* It had no points, or is too new for any. */
	strbuf_adds(out, "{\n  \"data\": []\n}\n");
	return out->err;
}

int metrics_export(struct op *op, const struct node *dir, struct strbuf *out)
{
	struct document *document = document_get(op->fs, &document_export,
		node_variable(dir, VAR_ENVIRONMENT), node_variable(dir, VAR_CLUSTER));
	int result = document ? need(op, document) : -ENOMEM;
	const struct item *item = result == 0 ? document_find(document, "") : NULL;
	if (item) {
		strbuf_add(out, item->parts[PART_WHOLE]->text, item->parts[PART_WHOLE]->len);
		result = out->err;
	}
	return result;
}

int metrics_no_query(struct op *op, const struct node *dir, struct strbuf *out)
{
	(void)op;
	(void)dir;
	return view_json(NULL, out);
}

int metrics_ask(struct question *question, const char *text, size_t len)
{
	struct strbuf body = STRBUF_INIT(len);
	strbuf_add(&body, text, len);
	int err = body.err;
	if (err == 0) {
		question->next = next_page;
		err = question_send(question, node_fs(question->node)->telemetry, HTTP_POST,
			strdup(CLOUD_METRICS_QUERY), &body);
	}
	strbuf_finish(&body);
	return err;
}
