#include "emulator/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "emulator/artifacts.h"
#include "emulator/json.h"
#include "emulator/mem.h"
#include "emulator/tables.h"
#include "emulator/times.h"

void account_init(struct account *account)
{
	*account = (struct account){
		.provisioning_ms = 1000,
		.offsets_ms = 2000,
		.offsets_reads = 2,
		.processing_ms = 2000,
		.processing_reads = 2,
		.upload_expiry_ms = 3600000,
	};
}

void account_finish(struct account *account)
{
	struct environment *environment;
	struct environment *next;
	HASH_ITER (hh, account->environments, environment, next) {
		account_remove_environment(account, environment);
	}
	struct artifact *artifact;
	struct artifact *next_artifact;
	DL_FOREACH_SAFE (account->artifacts, artifact, next_artifact) {
		artifact_destroy(artifact);
	}
	struct upload *upload;
	struct upload *next_upload;
	DL_FOREACH_SAFE (account->uploads, upload, next_upload) {
		upload_destroy(upload);
	}
}

struct environment *account_environment(struct account *account, const char *id)
{
	return table_find_environment(account, id);
}

struct cluster *account_cluster(struct account *account, const char *environment_id, const char *id)
{
	struct environment *environment;
	struct environment *next;
	HASH_ITER (hh, account->environments, environment, next) {
		struct cluster *cluster = NULL;
		if (!environment_id || strcmp(environment->id, environment_id) == 0) {
			cluster = table_find_cluster(environment, id);
		}
		if (cluster) {
			return cluster;
		}
	}
	return NULL;
}

static void set_time(char created_at[TIME_SIZE], const char *given)
{
	if (given) {
		snprintf(created_at, TIME_SIZE, "%s", given);
	} else {
		time_write_now(created_at);
	}
}

struct environment *account_add_environment(
	struct account *account, const char *id, const char *display_name, const char *created_at)
{
	struct environment *environment = account_environment(account, id);
	if (!environment) {
		environment = mem_alloc(sizeof(*environment));
		environment->id = mem_dup(id);
		environment->display_name = mem_dup(id);
		environment->seq = ++account->seq;
		set_time(environment->created_at, created_at);
		table_add_environment(account, environment);
	}
	if (display_name) {
		free(environment->display_name);
		environment->display_name = mem_dup(display_name);
	}
	return environment;
}

/* The middle part of the cluster's host names: its id, fit for a host name. */
static void set_endpoint(struct cluster *cluster)
{
	char host[16] = "pkc-";
	unsigned hash = 5381;
	for (const char *c = cluster->id; *c; c++) {
		hash = hash * 33 + (unsigned char)*c;
	}
	for (size_t i = 4; i < 9; i++, hash /= 36) {
		host[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[hash % 36];
	}
	char endpoint[128];
	snprintf(endpoint, sizeof(endpoint), "%s.%s.%s.confluent.cloud:9092", host, cluster->region,
		cluster->provider);
	cluster->endpoint = mem_dup(endpoint);
}

struct cluster *account_add_cluster(struct account *account, struct environment *environment,
	const char *id, const char *display_name, const char *created_at)
{
	struct cluster *cluster = account_cluster(account, environment->id, id);
	if (!cluster) {
		cluster = mem_alloc(sizeof(*cluster));
		cluster->id = mem_dup(id);
		cluster->display_name = mem_dup(id);
		cluster->provider = "aws";
		cluster->region = mem_dup("us-west-2");
		cluster->kind = "Standard";
		cluster->availability = "SINGLE_ZONE";
		cluster->seq = ++account->seq;
		cluster->environment = environment;
		set_time(cluster->created_at, created_at);
		set_endpoint(cluster);
		table_add_cluster(environment, cluster);
	}
	if (display_name) {
		free(cluster->display_name);
		cluster->display_name = mem_dup(display_name);
	}
	return cluster;
}

void cluster_place(struct cluster *cluster, const char *provider, const char *region)
{
	cluster->provider = provider;
	free(cluster->region);
	cluster->region = mem_dup(region);
	free(cluster->endpoint);
	set_endpoint(cluster);
}

void account_remove_cluster(struct cluster *cluster)
{
	struct connector *connector;
	struct connector *next;
	HASH_ITER (hh, cluster->connectors, connector, next) {
		connector_destroy(connector);
	}
	config_unref(cluster->hidden);
	table_remove_cluster(cluster->environment, cluster);
	free(cluster->id);
	free(cluster->display_name);
	free(cluster->region);
	free(cluster->endpoint);
	free(cluster);
}

void account_remove_environment(struct account *account, struct environment *environment)
{
	struct cluster *cluster;
	struct cluster *next;
	HASH_ITER (hh, environment->clusters, cluster, next) {
		account_remove_cluster(cluster);
	}
	table_remove_environment(account, environment);
	free(environment->id);
	free(environment->display_name);
	free(environment);
}

void cluster_hide(struct cluster *cluster, const cJSON *names, unsigned from)
{
	config_unref(cluster->hidden);
	cluster->hidden = config_create();
	cluster->hidden_from = from;
	const cJSON *item;
	cJSON_ArrayForEach(item, names)
	{
		if (cJSON_IsString(item)) {
			config_set(cluster->hidden, item->valuestring, "");
		}
	}
}

bool cluster_hides(const struct cluster *cluster, const char *name, enum list_kind kind)
{
	return cluster->hidden && (cluster->hidden_from & kind) &&
	       config_get(cluster->hidden, name);
}

int64_t account_read_time(const struct account *account, int64_t now)
{
	return now - account->settle_ms;
}

void account_sweep(struct account *account, struct cluster *cluster, int64_t now)
{
	int64_t seen = account_read_time(account, now);
	struct connector *connector;
	struct connector *next;
	HASH_ITER (hh, cluster->connectors, connector, next) {
		if (!connector->newest->exists && connector->newest->at <= seen) {
			connector_destroy(connector);
		}
	}
}

struct connector *cluster_connector(const struct cluster *cluster, const char *name)
{
	return table_find_connector(cluster, name);
}

struct connector *cluster_live(const struct cluster *cluster, const char *name)
{
	struct connector *connector = cluster_connector(cluster, name);
	return connector && connector->newest->exists ? connector : NULL;
}

struct connector *account_live(const struct account *account, const char *id)
{
	for (struct environment *e = account->environments; e; e = e->hh.next) {
		for (struct cluster *c = e->clusters; c; c = c->hh.next) {
			struct connector *connector = table_find_connector_id(c, id);
			if (connector && connector->newest->exists) {
				return connector;
			}
		}
	}
	return NULL;
}
