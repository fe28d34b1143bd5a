#include "emulator/artifacts_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "emulator/json.h"
#include "emulator/pages.h"

#define PATH_MAX_BYTES 512
#define WHERE_MAX      128

cJSON *artifact_body(const struct request *request, struct reply *reply)
{
	cJSON *body = json_parse(strbuf_str(&request->body), request->body.len);
	if (!cJSON_IsObject(body)) {
		cJSON_Delete(body);
		reply_refuse(reply, request, 400, "the body is no JSON object");
		return NULL;
	}
	return body;
}

static void refuse(const struct request *request, struct reply *reply, const char *pointer,
	const char *name, const char *detail)
{
	char where[WHERE_MAX];
	snprintf(where, sizeof(where), "%s/%s", pointer, name);
	reply_refuse_member(reply, request, where, detail);
}

const char *artifact_environment(struct emulator *emulator, const cJSON *object,
	const char *pointer, const struct request *request, struct reply *reply)
{
	const char *id = json_get_string(json_get(object, "environment"), "id");
	if (!id || !*id) {
		refuse(request, reply, pointer, "environment", "this is required");
		return NULL;
	}
	if (!account_environment(&emulator->account, id)) {
		reply_refuse(reply, request, 403, "no access to environment %s", id);
		return NULL;
	}
	return id;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

struct upload *artifact_upload(struct emulator *emulator, const cJSON *object, const char *pointer,
	const char *cloud, const char *environment, const struct request *request,
	struct reply *reply)
{
	const cJSON *source = json_get(object, "upload_source");
	const char *location = json_get_string(source, "location");
	const char *id = json_get_string(source, "upload_id");
	if (!source || cJSON_IsNull(source)) {
		refuse(request, reply, pointer, "upload_source", "this is required");
		return NULL;
	}
	if (!location || strcmp(location, "PRESIGNED_URL_LOCATION") != 0) {
		refuse(request, reply, pointer, "upload_source/location", "this is not known");
		return NULL;
	}
	struct upload *upload = id ? upload_find(&emulator->account, id) : NULL;
	const char *mistake = !upload                          ? "there is no such upload"
			      : !upload->done                  ? "nothing has been uploaded"
			      : !is_same(upload->cloud, cloud) ? "it is in another cloud"
			      : !is_same(upload->environment, environment)
				      ? "it belongs to another environment"
				      : NULL;
	if (mistake) {
		refuse(request, reply, pointer, "upload_source/upload_id", mistake);
		return NULL;
	}
	if (upload->used) {
		reply_refuse(reply, request, 409, "a plugin was made of the upload %s already", id);
		return NULL;
	}
	return upload;
}

/* The list it is in, and what its own URL needs. */
static void make_paths(
	const struct artifact *artifact, char path[PATH_MAX_BYTES], char query[PATH_MAX_BYTES])
{
	query[0] = '\0';
	if (artifact->kind == ARTIFACT_CUSTOM) {
		snprintf(path, PATH_MAX_BYTES, "/connect/v1/custom-connector-plugins");
		return;
	}
	snprintf(query, PATH_MAX_BYTES, "?environment=%.400s", artifact->environment);
	if (artifact->kind == ARTIFACT_PLUGIN) {
		snprintf(path, PATH_MAX_BYTES, "/ccpm/v1/plugins");
	} else {
		snprintf(
			path, PATH_MAX_BYTES, "/ccpm/v1/plugins/%s/versions", artifact->parent->id);
	}
}

static void write_metadata(
	const struct artifact *artifact, const struct request *request, struct strbuf *out)
{
	static const char *const words[] = { "custom-connector-plugin", "custom-connect-plugin",
		"custom-connect-plugin-version" };
	char path[PATH_MAX_BYTES];
	char query[PATH_MAX_BYTES];
	char resource[PATH_MAX_BYTES];
	make_paths(artifact, path, query);
	snprintf(resource, sizeof(resource), "/%s=%s", words[artifact->kind], artifact->id);
	struct member member = {
		.path = path,
		.id = artifact->id,
		.query = query,
		.resource = resource,
		.created_at = artifact->created_at,
		.updated_at = artifact->updated_at,
	};
	page_member(request, &member, out);
}

static void write_source(const struct artifact *artifact, struct strbuf *out)
{
	json_field(out, "content_format", artifact->upload->format);
	json_key(out, "upload_source");
	json_begin(out, '{');
	json_field(out, "location", "PRESIGNED_URL_LOCATION");
	json_field(out, "upload_id", "");
	json_end(out, '}');
}

static void write_spec(
	const struct artifact *artifact, const struct request *request, struct strbuf *out)
{
	fields_write(artifact_fields(artifact->kind), artifact->spec, out);
	if (artifact->kind == ARTIFACT_PLUGIN) {
		json_field(out, "runtime_language", "JAVA");
	} else {
		write_source(artifact, out);
	}
	if (artifact->environment) {
		page_environment(request, artifact->environment, out);
	}
}

void artifact_write(
	const struct artifact *artifact, const struct request *request, struct strbuf *out)
{
	bool is_custom = artifact->kind == ARTIFACT_CUSTOM;
	json_begin(out, '{');
	json_field(out, "api_version", is_custom ? "connect/v1" : "ccpm/v1");
	json_field(out, "kind", artifact_kind_name(artifact->kind));
	json_field(out, "id", artifact->id);
	write_metadata(artifact, request, out);
	if (is_custom) {
		write_spec(artifact, request, out);
	} else {
		json_key(out, "spec");
		json_begin(out, '{');
		write_spec(artifact, request, out);
		json_end(out, '}');
	}
	if (artifact->kind == ARTIFACT_VERSION) {
		json_key(out, "status");
		json_begin(out, '{');
		json_field(out, "phase", artifact_phase_name(artifact->phase));
		if (artifact->message) {
			json_field(out, "error_message", artifact->message);
		}
		json_end(out, '}');
	}
	json_end(out, '}');
}

void artifact_write_new(const struct artifact *artifact, const struct request *request,
	unsigned status, struct reply *reply)
{
	cleanup(strbuf) struct strbuf location = STRBUF_INIT(4 * PATH_MAX_BYTES);
	char path[PATH_MAX_BYTES];
	char query[PATH_MAX_BYTES];
	make_paths(artifact, path, query);
	page_base(request, &location);
	strbuf_addf(&location, "%s/%s%s", path, artifact->id, query);
	reply_set_header(reply, "Location", strbuf_str(&location));
	reply->status = status;
	artifact_write(artifact, request, &reply->body);
}

void artifact_write_missing(const struct request *request, const char *id, struct reply *reply)
{
	reply_refuse(reply, request, 404, "there is no %s", id);
}

static void add_filter(struct strbuf *filter, const char *name, const char *value)
{
	if (value) {
		strbuf_addf(filter, "%s%s=%s", filter->len > 0 ? "&" : "", name, value);
	}
}

void artifact_write_list(struct emulator *emulator, const struct request *request,
	enum artifact_kind kind, const char *environment, const struct artifact *parent,
	struct reply *reply)
{
	const char *by_cloud = kind == ARTIFACT_CUSTOM ? "cloud" : "spec.cloud";
	cleanup(free) char *cloud = request_query(request, by_cloud);
	cleanup(strbuf) struct strbuf filter = STRBUF_INIT(4 * PATH_MAX_BYTES);
	struct page page = { .path = request->path };
	if (!page_init(&page, request, reply)) {
		return;
	}
	add_filter(&filter, "environment", environment);
	add_filter(&filter, by_cloud, cloud);
	page.filter = filter.len > 0 ? strbuf_str(&filter) : NULL;
	char list_kind[64];
	snprintf(list_kind, sizeof(list_kind), "%sList", artifact_kind_name(kind));
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	json_field(out, "api_version", kind == ARTIFACT_CUSTOM ? "connect/v1" : "ccpm/v1");
	json_field(out, "kind", list_kind);
	json_key(out, "data");
	json_begin(out, '[');
	struct artifact *artifact;
	DL_FOREACH (emulator->account.artifacts, artifact) {
		const char *own = json_get_string(artifact->spec, "cloud");
		if (artifact->deleted || artifact->kind != kind || artifact->parent != parent ||
			!is_same(artifact->environment, environment) ||
			(cloud && !is_same(own, cloud)) || !page_takes(&page, artifact->seq)) {
			continue;
		}
		artifact_settle(artifact);
		artifact->reads_left--;
		artifact_write(artifact, request, out);
	}
	json_end(out, ']');
	page_write(&page, request, out);
	json_end(out, '}');
}

void artifact_answer_update(struct emulator *emulator, struct artifact *artifact,
	const cJSON *given, const char *pointer, const struct request *request, struct reply *reply)
{
	cleanup(json) cJSON *spec = cJSON_Duplicate(artifact->spec, true);
	if (fields_take(
		    artifact_fields(artifact->kind), given, pointer, false, spec, request, reply)) {
		artifact_update(&emulator->account, artifact, steal(spec));
		artifact_write(artifact, request, &reply->body);
	}
}

void artifact_answer_delete(struct emulator *emulator, struct artifact *artifact,
	const struct request *request, struct reply *reply)
{
	const char *user = artifact_user(&emulator->account, artifact);
	if (user) {
		reply_refuse(reply, request, 400, "%s is in use by %s", artifact->id, user);
		return;
	}
	artifact_delete(artifact);
	reply->status = 204;
}
