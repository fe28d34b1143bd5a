#include "emulator/storage.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/mem.h"
#include "emulator/uploads.h"

#define FORM_BYTES ((size_t)64 << 10)
#define VALUE_MAX  ((size_t)64 << 10)

/* An upload on its way. */
struct incoming {
	struct emulator *emulator;
	struct reception *reception;         /* owned */
	struct MHD_PostProcessor *processor; /* owned: of a form, else NULL */
	cJSON *fields;                       /* owned: of the form, in their order */
	struct upload *upload;               /* borrowed, once it is known */
	bool has_file;
	bool is_disordered; /* something follows the file */
};

static void find_upload(struct incoming *incoming, const char *id)
{
	pthread_mutex_lock(&incoming->emulator->lock);
	incoming->upload = upload_find(&incoming->emulator->account, id);
	if (incoming->upload) {
		incoming->upload->received = 0;
	}
	pthread_mutex_unlock(&incoming->emulator->lock);
}

/* The one whose form has this key. */
static void find_by_key(struct incoming *incoming)
{
	struct emulator *emulator = incoming->emulator;
	const char *key = json_get_string(incoming->fields, "key");
	struct upload *upload;
	cleanup(free) char *id = NULL;
	pthread_mutex_lock(&emulator->lock);
	for (upload = emulator->account.uploads; upload; upload = upload->next) {
		const char *own = json_get_string(upload->form, "key");
		if (key && own && strcmp(key, own) == 0) {
			id = mem_dup(upload->id);
		}
	}
	pthread_mutex_unlock(&emulator->lock);
	if (id) {
		find_upload(incoming, id);
	}
}

static void add(struct incoming *incoming, const char *data, size_t len)
{
	reception_add(incoming->reception, data, len);
	if (incoming->upload) {
		pthread_mutex_lock(&incoming->emulator->lock);
		incoming->upload->received += len;
		pthread_mutex_unlock(&incoming->emulator->lock);
	}
}

/* NOLINTNEXTLINE(readability-function-size): the library wants it so */
static enum MHD_Result take_field(void *ctx, enum MHD_ValueKind kind, const char *key,
	const char *filename, const char *type, const char *encoding, const char *data,
	uint64_t offset, size_t len)
{
	struct incoming *incoming = ctx;
	bool is_file = strcmp(key, "file") == 0;
	incoming->is_disordered |= incoming->has_file && (!is_file || (offset == 0 && len > 0));
	if (is_file) {
		if (!incoming->has_file) {
			incoming->has_file = true;
			find_by_key(incoming);
		}
		add(incoming, data, len);
		return MHD_YES;
	}
	const char *old = offset > 0 ? json_get_string(incoming->fields, key) : NULL;
	cleanup(strbuf) struct strbuf value = STRBUF_INIT(VALUE_MAX);
	strbuf_adds(&value, old ? old : "");
	strbuf_add(&value, data, len);
	cJSON_DeleteItemFromObjectCaseSensitive(incoming->fields, key);
	cJSON_AddStringToObject(incoming->fields, key, strbuf_str(&value));
	return MHD_YES;
}

/* The id in "/azure/ID/plugin.zip". */
static void find_by_path(struct incoming *incoming, const char *path)
{
	const char *start = *path ? strchr(path + 1, '/') : NULL;
	if (start) {
		cleanup(free) char *id = mem_dup_len(start + 1, strcspn(start + 1, "/"));
		find_upload(incoming, id);
	}
}

void storage_begin(struct emulator *emulator, struct request *request)
{
	struct incoming *incoming = mem_alloc(sizeof(*incoming));
	const char *type = request_header(request, "Content-Type");
	incoming->emulator = emulator;
	incoming->reception = reception_create();
	incoming->fields = cJSON_CreateObject();
	request->incoming = incoming;
	if (strcmp(request->method, "POST") != 0) {
		find_by_path(incoming, request->path);
	} else if (type && strncasecmp(type, "multipart/form-data", 19) == 0) {
		incoming->processor = MHD_create_post_processor(
			request->connection, FORM_BYTES, take_field, incoming);
	}
}

void storage_receive(struct request *request, const char *data, size_t len)
{
	struct incoming *incoming = request->incoming;
	if (strcmp(request->method, "PUT") == 0) {
		add(incoming, data, len);
	} else if (incoming->processor) {
		MHD_post_process(incoming->processor, data, len);
	}
}

void storage_forget(struct request *request)
{
	struct incoming *incoming = request->incoming;
	if (!incoming) {
		return;
	}
	if (incoming->processor) {
		MHD_destroy_post_processor(incoming->processor);
	}
	reception_destroy(incoming->reception);
	cJSON_Delete(incoming->fields);
	free(incoming);
	request->incoming = NULL;
}

/* --- Judgement, once all is there; under emulator.lock ------------------------------------- */

static void refuse(struct reply *reply, const struct request *request, unsigned status,
	const char *code, const char *message)
{
	reply_refuse_storage(reply, request, status, code, message);
}

/* What holds for all of them. False: the reply says no already. */
static bool is_sound(const struct request *request, struct reply *reply)
{
	if (request_header(request, "Authorization")) {
		refuse(reply, request, 400, "InvalidArgument",
			"a presigned URL takes no Authorization header");
		return false;
	}
	if (!request_header(request, "Content-Length")) {
		refuse(reply, request, 411, "MissingContentLength", "there is no Content-Length");
		return false;
	}
	return true;
}

static void keep(const struct request *request, struct upload *upload)
{
	struct incoming *incoming = request->incoming;
	reception_finish(incoming->reception, &upload->archive);
	upload->done = true;
}

/* False: the reply says no already. */
static bool has_good_size(
	const struct request *request, const struct upload *upload, struct reply *reply)
{
	if (upload->received == 0) {
		refuse(reply, request, 400, "EntityTooSmall", "the file is empty");
	} else if (upload->received > UPLOAD_MAX) {
		refuse(reply, request, 400, "EntityTooLarge", "the file is too large");
	} else {
		return true;
	}
	return false;
}

/* What is not as it was given out, or NULL. */
static const char *wrong_field(const cJSON *form, const cJSON *fields)
{
	const cJSON *field;
	cJSON_ArrayForEach(field, form)
	{
		const char *given = json_get_string(fields, field->string);
		if (!given || strcmp(given, field->valuestring) != 0) {
			return field->string;
		}
	}
	cJSON_ArrayForEach(field, fields)
	{
		if (!json_get(form, field->string)) {
			return "a field of its own";
		}
	}
	return NULL;
}

HANDLER(storage_post)
{
	const struct incoming *incoming = request->incoming;
	struct upload *upload = incoming->upload;
	if (!is_sound(request, reply)) {
		return;
	}
	if (!incoming->processor) {
		refuse(reply, request, 412, "PreconditionFailed",
			"the body is no multipart/form-data");
		return;
	}
	if (!incoming->has_file || incoming->is_disordered) {
		refuse(reply, request, 400, "InvalidArgument",
			"there must be one file, and no field after it");
		return;
	}
	const char *wrong = upload ? wrong_field(upload->form, incoming->fields) : "key";
	if (wrong) {
		char message[256];
		snprintf(message, sizeof(message), "against the policy: %.200s", wrong);
		refuse(reply, request, 403,
			strcmp(wrong, "x-amz-signature") == 0 ? "SignatureDoesNotMatch"
							      : "AccessDenied",
			message);
	} else if (upload_is_expired(upload)) {
		refuse(reply, request, 403, "AccessDenied", "the policy has expired");
	} else if (has_good_size(request, upload, reply)) {
		keep(request, upload);
		reply->status = 204;
	}
}

/* Whether path and query are those that were given out. */
static bool is_signed(const struct request *request, const struct upload *upload)
{
	size_t len = strlen(request->path);
	return upload && strncmp(upload->path, request->path, len) == 0 &&
	       upload->path[len] == '?' && strcmp(upload->path + len + 1, request->query) == 0;
}

HANDLER(storage_put_azure)
{
	struct upload *upload = request->incoming->upload;
	const char *type = request_header(request, "x-ms-blob-type");
	if (!is_sound(request, reply)) {
		return;
	}
	if (!is_signed(request, upload) || upload_is_expired(upload)) {
		refuse(reply, request, 403, "AuthenticationFailed",
			"the signature is wrong, or has expired");
	} else if (!type) {
		refuse(reply, request, 400, "MissingRequiredHeader", "x-ms-blob-type is missing");
	} else if (strcmp(type, "BlockBlob") != 0) {
		refuse(reply, request, 400, "InvalidHeaderValue", "x-ms-blob-type is wrong");
	} else if (has_good_size(request, upload, reply)) {
		keep(request, upload);
		reply->status = 201;
	}
}

HANDLER(storage_put_gcp)
{
	struct upload *upload = request->incoming->upload;
	if (!is_sound(request, reply)) {
		return;
	}
	if (!is_signed(request, upload)) {
		refuse(reply, request, 403, "SignatureDoesNotMatch", "the signature is wrong");
	} else if (upload_is_expired(upload)) {
		refuse(reply, request, 400, "ExpiredToken", "the signature has expired");
	} else if (has_good_size(request, upload, reply)) {
		keep(request, upload);
	}
}
