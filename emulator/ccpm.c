/* ccpm/v1: the custom plugins of an environment, and their versions. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/artifacts_api.h"
#include "emulator/handlers.h"
#include "emulator/json.h"

/* The environment of the query, for the caller to free; NULL: the reply says no already. */
static char *take_environment(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	cleanup(free) char *id = request_query(request, "environment");
	if (!id || !*id) {
		reply_refuse_parameter(
			reply, request, "environment", "the parameter environment is missing");
		return NULL;
	}
	if (!account_environment(&emulator->account, id)) {
		reply_refuse(reply, request, 403, "no access to environment %s", id);
		return NULL;
	}
	return steal(id);
}

/* The plugin of the path, if it is in that environment; NULL: the reply says no already. */
static struct artifact *find_plugin(struct emulator *emulator, const char *environment,
	const struct request *request, struct reply *reply)
{
	struct artifact *artifact =
		artifact_find(&emulator->account, ARTIFACT_PLUGIN, request->params[0]);
	if (!artifact || strcmp(artifact->environment, environment) != 0) {
		artifact_write_missing(request, request->params[0], reply);
		return NULL;
	}
	return artifact;
}

/* What the path names, in the environment of the query; NULL: the reply says no already. */
static struct artifact *find(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	cleanup(free) char *environment = take_environment(emulator, request, reply);
	struct artifact *plugin =
		environment ? find_plugin(emulator, environment, request, reply) : NULL;
	if (!plugin || request->param_count == 1) {
		return plugin;
	}
	struct artifact *version =
		artifact_find(&emulator->account, ARTIFACT_VERSION, request->params[1]);
	if (!version || version->parent != plugin) {
		artifact_write_missing(request, request->params[1], reply);
		return NULL;
	}
	artifact_settle(version);
	return version;
}

HANDLER(ccpm_list)
{
	cleanup(free) char *environment = take_environment(emulator, request, reply);
	if (environment) {
		artifact_write_list(emulator, request, ARTIFACT_PLUGIN, environment, NULL, reply);
	}
}

HANDLER(ccpm_list_versions)
{
	const struct artifact *plugin = find(emulator, request, reply);
	if (plugin) {
		artifact_write_list(
			emulator, request, ARTIFACT_VERSION, plugin->environment, plugin, reply);
	}
}

/* Of plugins and of versions. */
HANDLER(ccpm_get)
{
	struct artifact *artifact = find(emulator, request, reply);
	if (artifact) {
		artifact->reads_left--;
		artifact_write(artifact, request, &reply->body);
	}
}

HANDLER(ccpm_delete)
{
	struct artifact *artifact = find(emulator, request, reply);
	if (artifact) {
		artifact_answer_delete(emulator, artifact, request, reply);
	}
}

/* The spec of the body; NULL: the reply says no already. Borrowed. */
static const cJSON *take_spec(const cJSON *body, const struct request *request, struct reply *reply)
{
	const cJSON *spec = json_get(body, "spec");
	if (body && !cJSON_IsObject(spec)) {
		reply_refuse_member(reply, request, "/spec", "this is required");
		return NULL;
	}
	return spec;
}

HANDLER(ccpm_create)
{
	cleanup(json) cJSON *body = artifact_body(request, reply);
	cleanup(json) cJSON *spec = cJSON_CreateObject();
	const cJSON *given = take_spec(body, request, reply);
	const char *environment =
		given ? artifact_environment(emulator, given, "/spec", request, reply) : NULL;
	if (environment && fields_take(artifact_fields(ARTIFACT_PLUGIN), given, "/spec", true, spec,
				   request, reply)) {
		artifact_write_new(artifact_create(&emulator->account, ARTIFACT_PLUGIN, NULL,
					   environment, NULL, NULL, steal(spec)),
			request, 202, reply);
	}
}

HANDLER(ccpm_update)
{
	cleanup(json) cJSON *body = artifact_body(request, reply);
	const cJSON *given = take_spec(body, request, reply);
	const char *environment =
		given ? artifact_environment(emulator, given, "/spec", request, reply) : NULL;
	struct artifact *plugin =
		environment ? find_plugin(emulator, environment, request, reply) : NULL;
	if (plugin) {
		artifact_answer_update(emulator, plugin, given, "/spec", request, reply);
	}
}

HANDLER(ccpm_create_version)
{
	cleanup(json) cJSON *body = artifact_body(request, reply);
	cleanup(json) cJSON *spec = cJSON_CreateObject();
	const cJSON *given = take_spec(body, request, reply);
	const char *environment =
		given ? artifact_environment(emulator, given, "/spec", request, reply) : NULL;
	struct artifact *plugin =
		environment ? find_plugin(emulator, environment, request, reply) : NULL;
	if (!plugin || !fields_take(artifact_fields(ARTIFACT_VERSION), given, "/spec", true, spec,
			       request, reply)) {
		return;
	}
	const char *number = json_get_string(spec, "version");
	if (artifact_find_version(&emulator->account, plugin, number)) {
		reply_refuse(reply, request, 409, "%s has a version %s", plugin->id, number);
		return;
	}
	struct upload *upload = artifact_upload(emulator, given, "/spec",
		json_get_string(plugin->spec, "cloud"), environment, request, reply);
	if (upload) {
		upload->used = true;
		artifact_write_new(artifact_create(&emulator->account, ARTIFACT_VERSION, NULL,
					   environment, plugin, upload, steal(spec)),
			request, 202, reply);
	}
}
