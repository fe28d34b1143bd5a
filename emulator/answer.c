#include "emulator/answer.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/control.h"
#include "emulator/json.h"
#include "emulator/mem.h"
#include "emulator/routes.h"

#define GZIP_MIN      1024
#define BLOCK_BYTES   ((size_t)32 << 10)
#define TRICKLE_BYTES 16
#define WHY_MAX       4096

/* A body that is not simply sent: cut off, or in drops. */
struct odd_body {
	struct emulator *emulator;
	struct strbuf data;
	size_t end;      /* cut off here */
	int64_t step_ms; /* between two drops, 0 for none */
};

static ssize_t read_odd(void *ctx, uint64_t pos, char *buf, size_t max)
{
	struct odd_body *odd = ctx;
	if (pos >= odd->end) {
		return odd->end < odd->data.len ? MHD_CONTENT_READER_END_WITH_ERROR
						: MHD_CONTENT_READER_END_OF_STREAM;
	}
	size_t len = odd->end - (size_t)pos;
	len = len < max ? len : max;
	if (odd->step_ms > 0) {
		if (!emulator_wait(odd->emulator, odd->step_ms)) {
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
		len = len < TRICKLE_BYTES ? len : TRICKLE_BYTES;
	}
	memcpy(buf, odd->data.buf + pos, len);
	return (ssize_t)len;
}

static void free_odd(void *ctx)
{
	struct odd_body *odd = ctx;
	strbuf_finish(&odd->data);
	free(odd);
}

static struct MHD_Response *make_response(
	struct emulator *emulator, struct reply *reply, const struct effect *effect)
{
	size_t len = reply->body.len;
	long long cut = json_get_int(effect->spec, "truncate", (long long)len);
	if (effect->action == FAULT_TRICKLE ||
		(effect->action == FAULT_TRUNCATE && (size_t)cut < len)) {
		struct odd_body *odd = mem_alloc(sizeof(*odd));
		odd->emulator = emulator;
		odd->data = reply->body;
		odd->end = effect->action == FAULT_TRUNCATE ? (size_t)cut : len;
		odd->step_ms = effect->action == FAULT_TRICKLE
				       ? json_get_int(effect->spec, "trickle_ms", 0)
				       : 0;
		reply->body = STRBUF_INIT(0);
		return MHD_create_response_from_callback(len, BLOCK_BYTES, read_odd, odd, free_odd);
	}
	char *body = strbuf_detach(&reply->body, NULL);
	return MHD_create_response_from_buffer(
		len, body ? body : mem_dup(""), MHD_RESPMEM_MUST_FREE);
}

static bool send_reply(struct emulator *emulator, const struct request *request,
	struct reply *reply, const struct effect *effect)
{
	if (!reply->plain && reply->body.len >= GZIP_MIN && request_accepts_gzip(request)) {
		reply_gzip(reply);
		reply_set_header(reply, "Content-Encoding", "gzip");
	}
	if (reply->body.len > 0 && !reply_has_header(reply, "Content-Type")) {
		reply_set_header(reply, "Content-Type", "application/json");
	}
	reply_set_header(reply, "Vary", "Accept-Encoding");
	if (!reply_has_header(reply, "X-Request-Id")) {
		reply_set_header(reply, "X-Request-Id", request->id);
	}
	struct MHD_Response *response = make_response(emulator, reply, effect);
	if (!response) {
		return false;
	}
	for (size_t i = 0; i < reply->header_count; i++) {
		MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	}
	enum MHD_Result sent = MHD_queue_response(request->connection, reply->status, response);
	MHD_destroy_response(response);
	return sent == MHD_YES;
}

/* The answer a fault has of its own, instead of the real one. */
static void make_up(const struct request *request, const struct effect *effect, struct reply *reply)
{
	const cJSON *body = json_get(effect->spec, "body");
	const cJSON *header;
	unsigned status = (unsigned)json_get_int(effect->spec, "status", 302);
	if (!body) {
		reply_refuse(reply, request, status, "made up by a fault");
	} else if (cJSON_IsString(body)) {
		strbuf_adds(&reply->body, body->valuestring);
	} else {
		cleanup(free) char *text = cJSON_PrintUnformatted(body);
		strbuf_adds(&reply->body, text ? text : "");
	}
	reply->status = status;
	reply->plain = true;
	cJSON_ArrayForEach(header, json_get(effect->spec, "headers"))
	{
		if (cJSON_IsString(header)) {
			reply_set_header(reply, header->string, header->valuestring);
		}
	}
	if (effect->action == FAULT_REDIRECT) {
		reply_set_header(reply, "Location", json_get_string(effect->spec, "redirect"));
	}
}

/* What a fault does to the real answer. */
static void spoil(const struct effect *effect, struct reply *reply)
{
	switch (effect->action) {
	case FAULT_GARBAGE:
		for (size_t i = 0; i < reply->body.len; i++) {
			reply->body.buf[i] = "\xff<\x01%~"[i % 5];
		}
		reply->status = 200;
		reply->plain = true;
		break;
	case FAULT_BODY_ONLY:
		strbuf_reset(&reply->body);
		strbuf_adds(&reply->body, json_get_string(effect->spec, "body_only"));
		reply->plain = true;
		break;
	case FAULT_GZIP_UNLABELLED:
		reply_gzip(reply);
		reply->plain = true;
		break;
	case FAULT_TRUNCATE:
	case FAULT_TRICKLE:
		reply->plain = true;
		break;
	default:
		break;
	}
}

void answer_begin(struct emulator *emulator, struct request *request)
{
	uint64_t *number =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			->socket_context;
	request->effect = mem_alloc(sizeof(*request->effect));
	pthread_mutex_lock(&emulator->lock);
	snprintf(request->id, sizeof(request->id), "%s%016" PRIx64, emulator->id_prefix,
		++emulator->requests);
	if (request->family != FAMILY_CONTROL) {
		if (*number == 0) {
			*number = ++emulator->connections;
		}
		request->record = journal_add(&emulator->journal, request, *number);
		*request->effect = faults_match(&emulator->faults, request);
	}
	pthread_mutex_unlock(&emulator->lock);
}

bool answer_receives(struct emulator *emulator, const struct request *request, size_t len)
{
	const struct effect *effect = request->effect;
	bool ends = effect->action == FAULT_DROP || effect->action == FAULT_HANG;
	if (!ends || request->body_len + len < (size_t)json_get_int(effect->spec, "bytes", 0)) {
		return true;
	}
	if (effect->action == FAULT_HANG) {
		emulator_hang(emulator, request, effect->epoch);
	}
	return false;
}

static void handle(struct emulator *emulator, struct request *request, const struct effect *effect,
	struct reply *reply)
{
	const cJSON *change = json_get(effect->spec, "change");
	pthread_mutex_lock(&emulator->lock);
	if (effect->action == FAULT_CHANGE) {
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_MAX);
		control_apply(emulator, change, &why);
	}
	routes_handle(emulator, request, reply);
	pthread_mutex_unlock(&emulator->lock);
	if (reply->body.err) {
		reply_refuse(reply, request, 500, "the answer is too long");
	}
}

/* Before the answer leaves, so that whoever has it finds it recorded. */
static void record_status(struct emulator *emulator, struct request *request, unsigned status)
{
	if (request->record) {
		pthread_mutex_lock(&emulator->lock);
		request->record->status = status;
		journal_done(&emulator->journal, request->record);
		pthread_mutex_unlock(&emulator->lock);
	}
}

/* The waiting before anything is done. */
static void delay(
	struct emulator *emulator, const struct request *request, const struct effect *effect)
{
	if (request->family == FAMILY_CONTROL) {
		return;
	}
	pthread_mutex_lock(&emulator->lock);
	int64_t latency_ms = emulator->latency_ms;
	pthread_mutex_unlock(&emulator->lock);
	emulator_wait(emulator, latency_ms + effect_delay(effect));
}

/* False: no answer is to be sent. */
static bool fill_reply(struct emulator *emulator, struct request *request,
	const struct effect *effect, struct reply *reply)
{
	const char *unanswered = json_get_string(effect->spec, "unanswered");
	switch (effect->action) {
	case FAULT_DROP:
		return false;
	case FAULT_HANG:
		emulator_hang(emulator, request, effect->epoch);
		return false;
	case FAULT_STATUS:
	case FAULT_REDIRECT:
		make_up(request, effect, reply);
		return true;
	case FAULT_UNANSWERED:
		handle(emulator, request, effect, reply);
		if (unanswered && strcmp(unanswered, "hang") == 0) {
			emulator_hang(emulator, request, effect->epoch);
		}
		return false;
	default:
		handle(emulator, request, effect, reply);
		spoil(effect, reply);
		return true;
	}
}

bool answer_request(struct emulator *emulator, struct request *request)
{
	cleanup(reply) struct reply reply = REPLY_INIT;
	const struct effect *effect = request->effect;
	delay(emulator, request, effect);
	bool answered = fill_reply(emulator, request, effect, &reply);
	record_status(emulator, request, answered ? reply.status : 0);
	return answered && send_reply(emulator, request, &reply, effect);
}

void answer_forget(struct emulator *emulator, struct request *request)
{
	if (request->effect) {
		effect_finish(request->effect);
		free(request->effect);
		request->effect = NULL;
	}
	if (request->record) {
		pthread_mutex_lock(&emulator->lock);
		journal_release(request->record);
		pthread_mutex_unlock(&emulator->lock);
		request->record = NULL;
	}
}
