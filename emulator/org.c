/* org/v2: environments and the organization. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/pages.h"

#define ENVIRONMENTS  "/org/v2/environments"
#define ORGANIZATIONS "/org/v2/organizations"
#define FOUNDED       "2023-03-14T09:12:40Z"

static void write_environment(
	const struct environment *environment, const struct request *request, struct strbuf *out)
{
	char resource[512];
	snprintf(resource, sizeof(resource), "/environment=%.400s", environment->id);
	json_begin(out, '{');
	json_field(out, "api_version", "org/v2");
	json_field(out, "kind", "Environment");
	json_field(out, "id", environment->id);
	struct member member = {
		.path = ENVIRONMENTS,
		.id = environment->id,
		.query = "",
		.resource = resource,
		.created_at = environment->created_at,
		.updated_at = environment->created_at,
	};
	page_member(request, &member, out);
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

static void write_organization(const struct request *request, struct strbuf *out)
{
	struct member member = {
		.path = ORGANIZATIONS,
		.id = ACCOUNT_ORGANIZATION,
		.query = "",
		.resource = "",
		.created_at = FOUNDED,
		.updated_at = FOUNDED,
	};
	json_begin(out, '{');
	json_field(out, "api_version", "org/v2");
	json_field(out, "kind", "Organization");
	json_field(out, "id", ACCOUNT_ORGANIZATION);
	page_member(request, &member, out);
	json_field(out, "display_name", "Acme");
	json_field_bool(out, "jit_enabled", false);
	json_end(out, '}');
}

HANDLER(org_list_organizations)
{
	struct page page = { .path = ORGANIZATIONS };
	if (!page_init(&page, request, reply)) {
		return;
	}
	struct strbuf *out = &reply->body;
	json_begin(out, '{');
	json_field(out, "api_version", "org/v2");
	json_field(out, "kind", "OrganizationList");
	json_key(out, "data");
	json_begin(out, '[');
	if (page_takes(&page, 1)) {
		write_organization(request, out);
	}
	json_end(out, ']');
	page_write(&page, request, out);
	json_end(out, '}');
}

HANDLER(org_get_organization)
{
	if (strcmp(request->params[0], ACCOUNT_ORGANIZATION) != 0) {
		reply_refuse(
			reply, request, 403, "no access to organization %s", request->params[0]);
		return;
	}
	write_organization(request, &reply->body);
}
