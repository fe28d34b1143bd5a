/* connect/v1: the custom plugins of the organization. */
#include "base/cleanup.h"
#include "emulator/artifacts_api.h"
#include "emulator/handlers.h"
#include "emulator/json.h"

/* The one that the path names; NULL: the reply says no already. */
static struct artifact *find(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	struct artifact *artifact =
		artifact_find(&emulator->account, ARTIFACT_CUSTOM, request->params[0]);
	if (!artifact) {
		artifact_write_missing(request, request->params[0], reply);
	}
	return artifact;
}

HANDLER(custom_list)
{
	artifact_write_list(emulator, request, ARTIFACT_CUSTOM, NULL, NULL, reply);
}

HANDLER(custom_create)
{
	cleanup(json) cJSON *body = artifact_body(request, reply);
	cleanup(json) cJSON *spec = cJSON_CreateObject();
	if (!body || !fields_take(artifact_fields(ARTIFACT_CUSTOM), body, "", true, spec, request,
			     reply)) {
		return;
	}
	struct upload *upload = artifact_upload(
		emulator, body, "", json_get_string(spec, "cloud"), NULL, request, reply);
	if (!upload) {
		return;
	}
	if (!upload->archive.is_zip) {
		reply_refuse_member(reply, request, "/upload_source/upload_id",
			"the archive is neither a ZIP nor a JAR file");
		return;
	}
	upload->used = true;
	artifact_write_new(artifact_create(&emulator->account, ARTIFACT_CUSTOM, NULL, NULL, NULL,
				   upload, steal(spec)),
		request, 201, reply);
}

HANDLER(custom_get)
{
	const struct artifact *artifact = find(emulator, request, reply);
	if (artifact) {
		artifact_write(artifact, request, &reply->body);
	}
}

HANDLER(custom_update)
{
	struct artifact *artifact = find(emulator, request, reply);
	cleanup(json) cJSON *body = artifact ? artifact_body(request, reply) : NULL;
	if (body) {
		artifact_answer_update(emulator, artifact, body, "", request, reply);
	}
}

HANDLER(custom_delete)
{
	struct artifact *artifact = find(emulator, request, reply);
	if (artifact) {
		artifact_answer_delete(emulator, artifact, request, reply);
	}
}
