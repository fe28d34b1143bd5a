/* The control API: uploads and custom plugins behind the API's back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/artifacts.h"
#include "emulator/control.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define WHY_MAX 4096

static void write_archive(const struct upload *upload, struct strbuf *out)
{
	json_key(out, "archive");
	if (!upload || !upload->done) {
		json_raw(out, "null");
		return;
	}
	json_begin(out, '{');
	json_field_int(out, "size", (long long)upload->archive.size);
	json_field(out, "sha256", upload->archive.sha256);
	json_field_bool(out, "is_zip", upload->archive.is_zip);
	json_end(out, '}');
}

static void write_upload(const struct upload *upload, struct strbuf *out)
{
	json_begin(out, '{');
	json_field(out, "id", upload->id);
	json_field(out, "cloud", upload->cloud);
	json_field(out, "content_format", upload->format);
	json_field(out, "environment", upload->environment ? upload->environment : "");
	json_field_int(out, "expires_ms", upload->expires_ms - clock_wall_ms());
	json_field_int(out, "received", (long long)upload->received);
	json_field_bool(out, "used", upload->used);
	write_archive(upload, out);
	json_end(out, '}');
}

HANDLER(control_get_uploads)
{
	const struct upload *upload;
	json_begin(&reply->body, '[');
	DL_FOREACH (emulator->account.uploads, upload) {
		write_upload(upload, &reply->body);
	}
	json_end(&reply->body, ']');
}

HANDLER(control_patch_upload)
{
	cleanup(json) cJSON *body = control_body(request, reply);
	struct upload *upload = body ? upload_find(&emulator->account, request->params[0]) : NULL;
	if (!upload) {
		if (body) {
			reply_refuse(
				reply, request, 404, "there is no upload %s", request->params[0]);
		}
		return;
	}
	int64_t left = upload->expires_ms - clock_wall_ms();
	upload->expires_ms = clock_wall_ms() + json_get_int(body, "expires_ms", left);
	write_upload(upload, &reply->body);
}

static void write_artifact(const struct artifact *artifact, struct strbuf *out)
{
	cleanup(free) char *spec = cJSON_PrintUnformatted(artifact->spec);
	json_begin(out, '{');
	json_field(out, "id", artifact->id);
	json_field(out, "kind", artifact_kind_name(artifact->kind));
	json_field(out, "environment", artifact->environment ? artifact->environment : "");
	json_field(out, "plugin", artifact->parent ? artifact->parent->id : "");
	json_field(out, "phase", artifact_phase_name(artifact->phase));
	json_key(out, "spec");
	json_raw(out, spec);
	json_field(out, "upload_id", artifact->upload ? artifact->upload->id : "");
	write_archive(artifact->upload, out);
	json_end(out, '}');
}

HANDLER(control_get_plugins)
{
	const struct artifact *artifact;
	json_begin(&reply->body, '[');
	DL_FOREACH (emulator->account.artifacts, artifact) {
		if (!artifact->deleted) {
			write_artifact(artifact, &reply->body);
		}
	}
	json_end(&reply->body, ']');
}

static struct artifact *find(struct emulator *emulator, const char *id)
{
	struct artifact *artifact = NULL;
	for (int kind = ARTIFACT_CUSTOM; kind <= ARTIFACT_VERSION && !artifact; kind++) {
		artifact = artifact_find(&emulator->account, (enum artifact_kind)kind, id);
	}
	return artifact;
}

/* Members that replace those of the spec, unchecked. */
static void set_members(struct emulator *emulator, struct artifact *artifact, const cJSON *members)
{
	cJSON *spec = cJSON_Duplicate(artifact->spec, true);
	const cJSON *item;
	cJSON_ArrayForEach(item, members)
	{
		cJSON_DeleteItemFromObjectCaseSensitive(spec, item->string);
		cJSON_AddItemToObject(spec, item->string, cJSON_Duplicate(item, true));
	}
	artifact_update(&emulator->account, artifact, spec);
}

static int set_phase(struct artifact *artifact, const cJSON *change, struct strbuf *why)
{
	const char *name = json_get_string(change, "phase");
	const char *message = json_get_string(change, "error_message");
	for (int phase = ARTIFACT_PROCESSING; name && phase <= ARTIFACT_FAILED; phase++) {
		if (strcmp(name, artifact_phase_name((enum artifact_phase)phase)) == 0) {
			artifact->phase = (enum artifact_phase)phase;
			name = NULL;
		}
	}
	if (name) {
		strbuf_addf(why, "there is no phase %s", name);
		return -EINVAL;
	}
	if (message) {
		free(artifact->message);
		artifact->message = mem_dup(message);
	}
	return 0;
}

int control_change_plugin(
	struct emulator *emulator, const char *id, const cJSON *change, struct strbuf *why)
{
	struct artifact *artifact = find(emulator, id);
	if (!artifact) {
		strbuf_addf(why, "there is no plugin and no version %s", id);
		return -ENOENT;
	}
	if (cJSON_IsTrue(json_get(change, "delete"))) {
		artifact_delete(artifact);
		return 0;
	}
	if (cJSON_IsObject(json_get(change, "set"))) {
		set_members(emulator, artifact, json_get(change, "set"));
	}
	return set_phase(artifact, change, why);
}

HANDLER(control_patch_plugin)
{
	cleanup(json) cJSON *change = control_body(request, reply);
	if (!change) {
		return;
	}
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_MAX);
	int err = control_change_plugin(emulator, request->params[0], change, &why);
	if (err < 0) {
		reply_refuse(reply, request, err == -ENOENT ? 404 : 400, "%s", strbuf_str(&why));
		return;
	}
	const struct artifact *artifact = find(emulator, request->params[0]);
	if (artifact) {
		write_artifact(artifact, &reply->body);
	} else {
		strbuf_adds(&reply->body, "{}");
	}
}
