/* The account's tables: by id or by name, in order of insertion. They own
 * nothing; see account.h for who does. */
#ifndef EMULATOR_TABLES_H
#define EMULATOR_TABLES_H

#include "emulator/account.h"

struct environment *table_find_environment(const struct account *account, const char *id);
void table_add_environment(struct account *account, struct environment *environment);
void table_remove_environment(struct account *account, struct environment *environment);

struct cluster *table_find_cluster(const struct environment *environment, const char *id);
void table_add_cluster(struct environment *environment, struct cluster *cluster);
void table_remove_cluster(struct environment *environment, struct cluster *cluster);

struct connector *table_find_connector(const struct cluster *cluster, const char *name);
void table_add_connector(struct cluster *cluster, struct connector *connector);
void table_remove_connector(struct cluster *cluster, struct connector *connector);
struct connector *table_find_connector_id(const struct cluster *cluster, const char *id);
void table_add_connector_id(struct cluster *cluster, struct connector *connector);
void table_remove_connector_id(struct cluster *cluster, struct connector *connector);

#endif
