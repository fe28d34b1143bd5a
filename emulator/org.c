/* org/v2: environments. */
#include <stdio.h>
#include <stdlib.h>

#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/pages.h"

#define ENVIRONMENTS "/org/v2/environments"

static void write_environment(
	const struct environment *environment, const struct request *request, struct strbuf *out)
{
	char resource[512];
	snprintf(resource, sizeof(resource), "/environment=%.400s", environment->id);
	json_begin(out, '{');
	json_field(out, "api_version", "org/v2");
	json_field(out, "kind", "Environment");
	json_field(out, "id", environment->id);
	page_member(
		request, ENVIRONMENTS, environment->id, "", resource, environment->created_at, out);
	json_field(out, "display_name", environment->display_name);
	json_key(out, "stream_governance_config");
	json_begin(out, '{');
	json_field(out, "package", "ESSENTIALS");
	json_end(out, '}');
	json_end(out, '}');
}

HANDLER(org_list_environments)
{
	struct page page = { .path = ENVIRONMENTS };
	if (!page_init(&page, request, reply)) {
		return;
	}
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	json_field(out, "api_version", "org/v2");
	json_field(out, "kind", "EnvironmentList");
	json_key(out, "data");
	json_begin(out, '[');
	for (struct environment *e = emulator->account.environments; e; e = e->hh.next) {
		if (page_takes(&page, e->seq)) {
			write_environment(e, request, out);
		}
	}
	json_end(out, ']');
	page_write(&page, request, out);
	json_end(out, '}');
}

HANDLER(org_get_environment)
{
	const struct environment *environment =
		account_environment(&emulator->account, request->params[0]);
	if (!environment) {
		reply_refuse(
			reply, request, 403, "no access to environment %s", request->params[0]);
		return;
	}
	write_environment(environment, request, &reply->body);
}
