/* connect/v1 and ccpm/v1: presigned URLs. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/artifacts_api.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/pages.h"

#define URL_MAX 4096

static const struct field custom_fields[] = {
	{ "content_format", FIELD_TEXT, true, false, 10, NULL, "ZIP,JAR" },
	{ "cloud", FIELD_TEXT, false, false, 10, NULL, "AWS,GCP,AZURE", "AWS" },
	{ NULL },
};

static const struct field ccpm_fields[] = {
	{ "content_format", FIELD_TEXT, true, false, 10, NULL, "ZIP,JAR" },
	{ "cloud", FIELD_TEXT, true, false, 10, NULL, "AWS,GCP,AZURE" },
	{ NULL },
};

static void write_upload(const struct emulator *emulator, const struct upload *upload,
	const struct request *request, struct strbuf *out)
{
	cleanup(strbuf) struct strbuf url = STRBUF_INIT(URL_MAX);
	cleanup(free) char *form = upload->form ? cJSON_PrintUnformatted(upload->form) : NULL;
	strbuf_addf(&url, "%s%s", emulator->upload_url, upload->path);
	json_begin(out, '{');
	json_field(out, "api_version", upload->environment ? "ccpm/v1" : "connect/v1");
	json_field(out, "kind", "PresignedUrl");
	json_field(out, "content_format", upload->format);
	json_field(out, "cloud", upload->cloud);
	json_field(out, "upload_id", upload->id);
	json_field(out, "upload_url", strbuf_str(&url));
	json_key(out, "upload_form_data");
	json_raw(out, form ? form : "{}");
	if (upload->environment) {
		page_environment(request, upload->environment, out);
	}
	json_end(out, '}');
}

static void answer(struct emulator *emulator, const struct request *request, const cJSON *body,
	const struct field *fields, const char *environment, struct reply *reply)
{
	cleanup(json) cJSON *spec = cJSON_CreateObject();
	if (fields_take(fields, body, "", true, spec, request, reply)) {
		const struct upload *upload =
			upload_create(&emulator->account, json_get_string(spec, "cloud"),
				json_get_string(spec, "content_format"), environment);
		write_upload(emulator, upload, request, &reply->body);
	}
}

HANDLER(custom_presign)
{
	cleanup(json) cJSON *body = artifact_body(request, reply);
	if (body) {
		answer(emulator, request, body, custom_fields, NULL, reply);
	}
}

HANDLER(ccpm_presign)
{
	cleanup(json) cJSON *body = artifact_body(request, reply);
	const char *environment =
		body ? artifact_environment(emulator, body, "", request, reply) : NULL;
	if (environment) {
		reply->status = 201;
		answer(emulator, request, body, ccpm_fields, environment, reply);
	}
}
