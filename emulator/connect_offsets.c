/* connect/v1: offsets. */
#include "emulator/offsets.h"

#include <string.h>

#include "base/cleanup.h"
#include "emulator/connect.h"
#include "emulator/handlers.h"
#include "emulator/json.h"

/* The connector the path names; NULL: the reply says no already. */
static struct connector *find(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	struct connector *connector = connect_live(emulator, request, reply);
	if (connector && connector->newest->plugin->custom) {
		reply_refuse(
			reply, request, 400, "the offsets of custom connectors are not managed");
		return NULL;
	}
	return connector;
}

HANDLER(connect_get_offsets)
{
	struct connector *connector = find(emulator, request, reply);
	if (connector) {
		offsets_write(offsets_of(&emulator->account, connector), connector, &reply->body);
	}
}

/* What is wrong with a request; NULL if nothing is. */
static const char *find_mistake(const cJSON *request)
{
	const char *type = json_get_string(request, "type");
	const cJSON *list = json_get(request, "offsets");
	bool patch = type && strcmp(type, "PATCH") == 0;
	if (!patch && !(type && strcmp(type, "DELETE") == 0)) {
		return "type: this is neither PATCH nor DELETE";
	}
	if (patch && cJSON_GetArraySize(list) == 0) {
		return "offsets: there is none to alter";
	}
	if (list && !cJSON_IsNull(list) && !offsets_are_valid(list, patch)) {
		return "offsets: this is no array of objects with partition and offset";
	}
	return NULL;
}

HANDLER(connect_alter_offsets)
{
	struct connector *connector = find(emulator, request, reply);
	cleanup(json) cJSON *body = connector ? connect_body(request, reply) : NULL;
	if (!body) {
		return;
	}
	const char *mistake = find_mistake(body);
	if (mistake) {
		reply_refuse(reply, request, 400, "%s", mistake);
		return;
	}
	struct offsets *offsets = offsets_of(&emulator->account, connector);
	if (offsets_is_pending(offsets)) {
		reply_refuse(reply, request, 409, "a request to alter the offsets is under way");
		return;
	}
	offsets_request(&emulator->account, offsets, body);
	reply->status = 202;
	offsets_write_request(offsets, connector, &reply->body);
}

HANDLER(connect_get_offsets_status)
{
	struct connector *connector = find(emulator, request, reply);
	if (connector && !offsets_write_status(offsets_of(&emulator->account, connector), connector,
				 &reply->body)) {
		reply_refuse(reply, request, 404, "there was no request to alter the offsets");
	}
}
