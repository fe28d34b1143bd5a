#include "emulator/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define MESSAGE_MAX ((size_t)1 << 20)
/* Bodies above this are compressed in a hurry. */
#define LARGE_BODY  ((size_t)64 << 10)
#define GZIP_WINDOW (MAX_WBITS + 16)

void reply_finish(struct reply *reply)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		free(reply->headers[i].name);
		free(reply->headers[i].value);
	}
	reply->header_count = 0;
	strbuf_finish(&reply->body);
}

static struct reply_header *find_header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		if (strcasecmp(reply->headers[i].name, name) == 0) {
			return (struct reply_header *)&reply->headers[i];
		}
	}
	return NULL;
}

bool reply_has_header(const struct reply *reply, const char *name)
{
	return find_header(reply, name) != NULL;
}

void reply_set_header(struct reply *reply, const char *name, const char *value)
{
	struct reply_header *header = find_header(reply, name);
	if (header) {
		free(header->value);
		header->value = mem_dup(value);
	} else if (reply->header_count < REPLY_HEADERS_MAX) {
		header = &reply->headers[reply->header_count++];
		header->name = mem_dup(name);
		header->value = mem_dup(value);
	}
}

struct word {
	unsigned status;
	const char *code;
	const char *title;
};

static const struct word words[] = {
	{ 400, "invalid_request", "Invalid Request" },
	{ 401, "user_unauthenticated", "Authentication Required" },
	{ 403, "user_unauthorized", "User Access Unauthorized" },
	{ 404, "not_found", "Not Found" },
	{ 405, "method_not_allowed", "Method Not Allowed" },
	{ 409, "resource_already_exists", "Resource Already Exists" },
	{ 413, "request_too_large", "Request Too Large" },
	{ 429, "rate_limit_exceeded", "Rate Limit Exceeded" },
	{ 500, "internal_error", "Internal Error" },
	{ 502, "bad_gateway", "Bad Gateway" },
	{ 503, "service_unavailable", "Service Unavailable" },
	{ 504, "gateway_timeout", "Gateway Timeout" },
};

static const struct word *word_of(unsigned status)
{
	static const struct word other = { 0, "error", "Error" };
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (words[i].status == status) {
			return &words[i];
		}
	}
	return &other;
}

/* What a refusal is about: a query parameter, or a place in the body. */
struct source {
	const char *kind; /* parameter, pointer, or NULL for neither */
	const char *name;
	struct word word; /* code and title, if not those of the status */
};

/* org, cmk, ccpm and custom plugins tell more than the metrics do. */
static void write_failure(struct reply *reply, const struct request *request, const char *detail,
	const struct source *source)
{
	const struct word *word = source->kind ? &source->word : word_of(reply->status);
	bool brief = request->family == FAMILY_METRICS;
	char status[16];
	snprintf(status, sizeof(status), "%u", reply->status);
	json_begin(&reply->body, '{');
	json_key(&reply->body, "errors");
	json_begin(&reply->body, '[');
	json_begin(&reply->body, '{');
	json_field(&reply->body, "id", request->id);
	json_field(&reply->body, "status", status);
	if (!brief) {
		json_field(&reply->body, "code", word->code);
		json_field(&reply->body, "title", word->title);
	}
	json_field(&reply->body, "detail", detail);
	if (!brief) {
		json_key(&reply->body, "source");
		json_begin(&reply->body, '{');
		if (source->kind) {
			json_field(&reply->body, source->kind, source->name);
		}
		json_end(&reply->body, '}');
	}
	json_end(&reply->body, '}');
	json_end(&reply->body, ']');
	json_end(&reply->body, '}');
}

void reply_refuse(
	struct reply *reply, const struct request *request, unsigned status, const char *fmt, ...)
{
	cleanup(strbuf) struct strbuf message = STRBUF_INIT(MESSAGE_MAX);
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&message, fmt, ap);
	va_end(ap);
	strbuf_reset(&reply->body);
	reply->status = status;
	if (request->family == FAMILY_STORAGE) {
		reply_refuse_storage(
			reply, request, status, word_of(status)->code, strbuf_str(&message));
		return;
	}
	if (request->family == FAMILY_PLATFORM || request->family == FAMILY_METRICS) {
		write_failure(
			reply, request, strbuf_str(&message), &(struct source){ .kind = NULL });
		return;
	}
	json_begin(&reply->body, '{');
	json_key(&reply->body, "error");
	json_begin(&reply->body, '{');
	json_field_int(&reply->body, "code", status);
	json_field(&reply->body, "message", strbuf_str(&message));
	json_end(&reply->body, '}');
	json_end(&reply->body, '}');
}

void reply_refuse_parameter(struct reply *reply, const struct request *request,
	const char *parameter, const char *detail)
{
	struct source source = {
		"parameter",
		parameter,
		{ 400, "invalid_filter", "Invalid Filter" },
	};
	strbuf_reset(&reply->body);
	reply->status = 400;
	write_failure(reply, request, detail, &source);
}

void reply_refuse_member(
	struct reply *reply, const struct request *request, const char *pointer, const char *detail)
{
	struct source source = {
		"pointer",
		pointer,
		{ 422, "invalid_configuration", "Validation Failed" },
	};
	strbuf_reset(&reply->body);
	reply->status = 422;
	write_failure(reply, request, detail, &source);
}

void reply_refuse_kafka(struct reply *reply, unsigned status, const char *fmt, ...)
{
	cleanup(strbuf) struct strbuf message = STRBUF_INIT(MESSAGE_MAX);
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&message, fmt, ap);
	va_end(ap);
	strbuf_reset(&reply->body);
	reply->status = status;
	json_begin(&reply->body, '{');
	json_field_int(&reply->body, "error_code", status);
	json_field(&reply->body, "message", strbuf_str(&message));
	json_end(&reply->body, '}');
}

void reply_refuse_storage(struct reply *reply, const struct request *request, unsigned status,
	const char *code, const char *message)
{
	strbuf_reset(&reply->body);
	reply->status = status;
	reply_set_header(reply, "Content-Type", "application/xml");
	strbuf_addf(&reply->body,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
		"<RequestId>%s</RequestId></Error>",
		code, message, request->id);
}

void reply_gzip(struct reply *reply)
{
	z_stream stream = { .next_in = (Bytef *)reply->body.buf,
		.avail_in = (uInt)reply->body.len };
	int level = reply->body.len > LARGE_BODY ? 1 : 6;
	if (deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		return;
	}
	struct strbuf packed = STRBUF_INIT(REPLY_BODY_MAX);
	size_t bound = deflateBound(&stream, reply->body.len);
	if (strbuf_reserve(&packed, bound) == 0) {
		stream.next_out = (Bytef *)packed.buf;
		stream.avail_out = (uInt)bound;
		if (deflate(&stream, Z_FINISH) == Z_STREAM_END) {
			packed.len = stream.total_out;
			packed.buf[packed.len] = '\0';
			strbuf_finish(&reply->body);
			reply->body = packed;
			packed = STRBUF_INIT(0);
		}
	}
	deflateEnd(&stream);
	strbuf_finish(&packed);
}
