/* The control API: requests, faults, settings. */
#include "emulator/control.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "emulator/handlers.h"
#include "emulator/json.h"

#define WHY_MAX 4096

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

HANDLER(control_get_settings)
{
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	json_field_int(out, "latency_ms", emulator->latency_ms);
	json_field_int(out, "settle_ms", emulator->account.settle_ms);
	json_field_int(out, "provisioning_ms", emulator->account.provisioning_ms);
	json_field_int(out, "offsets_ms", emulator->account.offsets_ms);
	json_field_int(out, "offsets_reads", emulator->account.offsets_reads);
	json_field_int(out, "metrics_limit", emulator->metrics_rate.limit);
	json_field_int(out, "metrics_window_ms", emulator->metrics_rate.window_ms);
	json_field_int(out, "export_limit", emulator->export_limit);
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
	struct account *account = &emulator->account;
	emulator->latency_ms = json_get_int(body, "latency_ms", emulator->latency_ms);
	account->settle_ms = json_get_int(body, "settle_ms", account->settle_ms);
	account->provisioning_ms = json_get_int(body, "provisioning_ms", account->provisioning_ms);
	account->offsets_ms = json_get_int(body, "offsets_ms", account->offsets_ms);
	account->offsets_reads = json_get_int(body, "offsets_reads", account->offsets_reads);
	struct rate *rate = &emulator->metrics_rate;
	rate->limit = json_get_int(body, "metrics_limit", rate->limit);
	rate->window_ms = json_get_int(body, "metrics_window_ms", rate->window_ms);
	emulator->export_limit = json_get_int(body, "export_limit", emulator->export_limit);
	emulator_set_key(emulator, json_get_string(body, "key"), json_get_string(body, "secret"));
	control_get_settings(emulator, request, reply);
}
