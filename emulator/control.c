/* The control API: requests, faults, settings. */
#include "emulator/control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/handlers.h"
#include "emulator/json.h"

#define WHY_MAX 4096
#define NUMBERS 11

cJSON *control_body(const struct request *request, struct reply *reply)
{
	cJSON *body = json_parse(strbuf_str(&request->body), request->body.len);
	if (!cJSON_IsObject(body)) {
		cJSON_Delete(body);
		reply_refuse(reply, request, 400, "the body is no JSON object");
		return NULL;
	}
	return body;
}

HANDLER(control_get_requests)
{
	journal_write(&emulator->journal, &reply->body);
}

HANDLER(control_clear_requests)
{
	journal_clear(&emulator->journal);
	strbuf_adds(&reply->body, "{}");
}

HANDLER(control_get_faults)
{
	faults_write(&emulator->faults, &reply->body);
}

HANDLER(control_add_fault)
{
	cleanup(json) cJSON *body = control_body(request, reply);
	if (!body) {
		return;
	}
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_MAX);
	uint64_t id;
	if (faults_add(&emulator->faults, body, &why, &id) < 0) {
		reply_refuse(reply, request, 400, "%s", strbuf_str(&why));
		return;
	}
	reply->status = 201;
	strbuf_addf(&reply->body, "{\"id\":%" PRIu64 "}", id);
}

HANDLER(control_clear_faults)
{
	faults_clear(&emulator->faults);
	pthread_cond_broadcast(&emulator->changed);
	strbuf_adds(&reply->body, "{}");
}

struct number {
	const char *name;
	int64_t *value;
};

/* The settings that are numbers. */
static void find_numbers(struct emulator *emulator, struct number numbers[NUMBERS])
{
	struct account *account = &emulator->account;
	const struct number found[NUMBERS] = {
		{ "latency_ms", &emulator->latency_ms },
		{ "settle_ms", &account->settle_ms },
		{ "provisioning_ms", &account->provisioning_ms },
		{ "offsets_ms", &account->offsets_ms },
		{ "offsets_reads", &account->offsets_reads },
		{ "processing_ms", &account->processing_ms },
		{ "processing_reads", &account->processing_reads },
		{ "upload_expiry_ms", &account->upload_expiry_ms },
		{ "metrics_limit", &emulator->metrics_rate.limit },
		{ "metrics_window_ms", &emulator->metrics_rate.window_ms },
		{ "export_limit", &emulator->export_limit },
	};
	memcpy(numbers, found, sizeof(found));
}

HANDLER(control_get_settings)
{
	struct strbuf *out = &reply->body;
	struct number numbers[NUMBERS];
	find_numbers(emulator, numbers);
	json_begin(out, '{');
	for (size_t i = 0; i < NUMBERS; i++) {
		json_field_int(out, numbers[i].name, *numbers[i].value);
	}
	json_field_int(out, "denied", (long long)emulator->denied_count);
	json_end(out, '}');
}

HANDLER(control_put_settings)
{
	cleanup(json) cJSON *body = control_body(request, reply);
	if (!body) {
		return;
	}
	const cJSON *denied = json_get(body, "deny");
	if (denied && emulator_set_denied(emulator, denied) < 0) {
		reply_refuse(
			reply, request, 400, "deny is no list of extended regular expressions");
		return;
	}
	struct number numbers[NUMBERS];
	find_numbers(emulator, numbers);
	for (size_t i = 0; i < NUMBERS; i++) {
		*numbers[i].value = json_get_int(body, numbers[i].name, *numbers[i].value);
	}
	emulator_set_key(emulator, json_get_string(body, "key"), json_get_string(body, "secret"));
	control_get_settings(emulator, request, reply);
}
