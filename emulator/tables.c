#include "emulator/tables.h"

#include <string.h>
#include <uthash.h>

/* The macros of uthash expand to more than a function may have.
 * NOLINTBEGIN(readability-function-size) */

struct environment *table_find_environment(const struct account *account, const char *id)
{
	struct environment *environment;
	HASH_FIND_STR(account->environments, id, environment);
	return environment;
}

void table_add_environment(struct account *account, struct environment *environment)
{
	HASH_ADD_KEYPTR(
		hh, account->environments, environment->id, strlen(environment->id), environment);
}

void table_remove_environment(struct account *account, struct environment *environment)
{
	HASH_DEL(account->environments, environment);
}

struct cluster *table_find_cluster(const struct environment *environment, const char *id)
{
	struct cluster *cluster;
	HASH_FIND_STR(environment->clusters, id, cluster);
	return cluster;
}

void table_add_cluster(struct environment *environment, struct cluster *cluster)
{
	HASH_ADD_KEYPTR(hh, environment->clusters, cluster->id, strlen(cluster->id), cluster);
}

void table_remove_cluster(struct environment *environment, struct cluster *cluster)
{
	HASH_DEL(environment->clusters, cluster);
}

struct connector *table_find_connector(const struct cluster *cluster, const char *name)
{
	struct connector *connector;
	HASH_FIND_STR(cluster->connectors, name, connector);
	return connector;
}

void table_add_connector(struct cluster *cluster, struct connector *connector)
{
	HASH_ADD_KEYPTR(
		hh, cluster->connectors, connector->name, strlen(connector->name), connector);
}

void table_remove_connector(struct cluster *cluster, struct connector *connector)
{
	HASH_DEL(cluster->connectors, connector);
}

struct connector *table_find_connector_id(const struct cluster *cluster, const char *id)
{
	struct connector *connector;
	HASH_FIND(hh_id, cluster->ids, id, strlen(id), connector);
	return connector;
}

void table_add_connector_id(struct cluster *cluster, struct connector *connector)
{
	HASH_ADD_KEYPTR(hh_id, cluster->ids, connector->id, strlen(connector->id), connector);
}

void table_remove_connector_id(struct cluster *cluster, struct connector *connector)
{
	HASH_DELETE(hh_id, cluster->ids, connector);
}

/* NOLINTEND(readability-function-size) */
