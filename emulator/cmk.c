/* cmk/v2: Kafka clusters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/handlers.h"
#include "emulator/json.h"
#include "emulator/pages.h"

#define CLUSTERS "/cmk/v2/clusters"
#define TEXT_MAX 1024

static void write_spec(
	const struct cluster *cluster, const struct request *request, struct strbuf *out)
{
	char text[TEXT_MAX];
	const char *cloud = strcmp(cluster->provider, "gcp") == 0     ? "GCP"
			    : strcmp(cluster->provider, "azure") == 0 ? "AZURE"
								      : "AWS";
	int host = (int)strcspn(cluster->endpoint, ":");
	json_key(out, "spec");
	json_begin(out, '{');
	json_field(out, "display_name", cluster->display_name);
	json_field(out, "availability", cluster->availability);
	json_field(out, "cloud", cloud);
	json_field(out, "region", cluster->region);
	json_key(out, "config");
	json_begin(out, '{');
	json_field(out, "kind", cluster->kind);
	if (strcmp(cluster->kind, "Dedicated") == 0) {
		json_field_int(out, "cku", 2);
	}
	json_end(out, '}');
	snprintf(text, sizeof(text), "SASL_SSL://%s", cluster->endpoint);
	json_field(out, "kafka_bootstrap_endpoint", text);
	snprintf(text, sizeof(text), "https://%.*s:443", host, cluster->endpoint);
	json_field(out, "http_endpoint", text);
	json_field_bool(out, "deletion_protection", false);
	page_environment(request, cluster->environment->id, out);
	json_end(out, '}');
}

static void write_cluster(
	const struct cluster *cluster, const struct request *request, struct strbuf *out)
{
	char resource[TEXT_MAX];
	char query[TEXT_MAX];
	snprintf(resource, sizeof(resource), "/environment=%.400s/cloud-cluster=%.400s",
		cluster->environment->id, cluster->id);
	snprintf(query, sizeof(query), "?environment=%.400s", cluster->environment->id);
	json_begin(out, '{');
	json_field(out, "api_version", "cmk/v2");
	json_field(out, "kind", "Cluster");
	json_field(out, "id", cluster->id);
	struct member member = {
		.path = CLUSTERS,
		.id = cluster->id,
		.query = query,
		.resource = resource,
		.created_at = cluster->created_at,
		.updated_at = cluster->created_at,
	};
	page_member(request, &member, out);
	write_spec(cluster, request, out);
	json_key(out, "status");
	json_begin(out, '{');
	json_field(out, "phase", "PROVISIONED");
	if (strcmp(cluster->kind, "Dedicated") == 0) {
		json_field_int(out, "cku", 2);
	}
	json_end(out, '}');
	json_end(out, '}');
}

/* The environment the query names; NULL: the reply says no already. */
static struct environment *find_environment(
	struct emulator *emulator, const struct request *request, struct reply *reply)
{
	cleanup(free) char *id = request_query(request, "environment");
	if (!id || !*id) {
		reply_refuse_parameter(
			reply, request, "environment", "the parameter environment is missing");
		return NULL;
	}
	struct environment *environment = account_environment(&emulator->account, id);
	if (!environment) {
		reply_refuse(reply, request, 403, "no access to environment %s", id);
	}
	return environment;
}

HANDLER(cmk_list_clusters)
{
	struct page page = { .path = CLUSTERS };
	const struct environment *environment = find_environment(emulator, request, reply);
	if (!environment || !page_init(&page, request, reply)) {
		return;
	}
	struct strbuf *out = &reply->body;
	char filter[TEXT_MAX];
	snprintf(filter, sizeof(filter), "environment=%.400s", environment->id);
	page.filter = filter;
	json_begin(out, '{');
	json_field(out, "api_version", "cmk/v2");
	json_field(out, "kind", "ClusterList");
	json_key(out, "data");
	json_begin(out, '[');
	for (struct cluster *c = environment->clusters; c; c = c->hh.next) {
		if (page_takes(&page, c->seq)) {
			write_cluster(c, request, out);
		}
	}
	json_end(out, ']');
	page_write(&page, request, out);
	json_end(out, '}');
}

HANDLER(cmk_get_cluster)
{
	const struct environment *environment = find_environment(emulator, request, reply);
	if (!environment) {
		return;
	}
	const struct cluster *cluster =
		account_cluster(&emulator->account, environment->id, request->params[0]);
	if (!cluster) {
		reply_refuse(reply, request, 403, "no access to cluster %s", request->params[0]);
		return;
	}
	write_cluster(cluster, request, &reply->body);
}
