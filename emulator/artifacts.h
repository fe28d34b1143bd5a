/*
 * What users upload: custom plugins of the organization (connect/v1), custom
 * plugins of an environment and their versions (ccpm/v1).
 *
 * Deleted ones stay in memory, marked, because the past of a connector may
 * still point to them. A version is PROCESSING until it has been read
 * `processing_reads` times, or for `processing_ms`; then it is READY, or FAILED
 * if its archive is none.
 *
 * Lifecycle: artifact_create; account_finish frees all. All calls are made
 * under emulator.lock.
 */
#ifndef EMULATOR_ARTIFACTS_H
#define EMULATOR_ARTIFACTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "emulator/account.h"
#include "emulator/fields.h"
#include "emulator/uploads.h"

enum artifact_kind { ARTIFACT_CUSTOM, ARTIFACT_PLUGIN, ARTIFACT_VERSION };
enum artifact_phase { ARTIFACT_PROCESSING, ARTIFACT_READY, ARTIFACT_FAILED };

struct artifact {
	struct artifact *prev;
	struct artifact *next;
	char id[24];
	enum artifact_kind kind;
	bool deleted;
	uint64_t seq;
	char created_at[TIME_SIZE];
	char updated_at[TIME_SIZE];
	char *environment;           /* owned: its id; NULL in the organization */
	struct artifact *parent;     /* of a version, borrowed */
	cJSON *spec;                 /* owned: the members of its fields */
	const struct upload *upload; /* borrowed; NULL for a plugin that has versions */

	enum artifact_phase phase; /* of a version */
	char *message;             /* owned: why it FAILED */
	int64_t reads_left;
	int64_t due_ms; /* monotonic */

	/* What connectors see: one for each class. Owned, and never moved. */
	char *sensitive; /* owned: names, comma separated */
	struct plugin *plugins;
	size_t plugin_count;
};

/* The members that clients give, of each kind. */
const struct field *artifact_fields(enum artifact_kind kind);
/* "CustomConnectorPlugin", ... */
const char *artifact_kind_name(enum artifact_kind kind);
const char *artifact_phase_name(enum artifact_phase phase);

/* `spec` is consumed. `id` NULL makes one up; `environment`, `parent` and `upload` may be NULL. */
struct artifact *artifact_create(struct account *account, enum artifact_kind kind, const char *id,
	const char *environment, struct artifact *parent, const struct upload *upload, cJSON *spec);
/* Another spec, which is consumed. */
void artifact_update(struct account *account, struct artifact *artifact, cJSON *spec);
void artifact_delete(struct artifact *artifact);
void artifact_destroy(struct artifact *artifact);

/* NULL if there is none. */
struct artifact *artifact_find(
	const struct account *account, enum artifact_kind kind, const char *id);
/* As it is now; NULL or a version of that plugin, by its number. */
struct artifact *artifact_find_version(
	const struct account *account, const struct artifact *parent, const char *version);
/* Ends the processing if it is time. */
void artifact_settle(struct artifact *artifact);
/* The id of a connector that uses it, or of a version that it has; NULL if there is none. */
const char *artifact_user(const struct account *account, const struct artifact *artifact);

/* What a custom connector's configuration names; NULL if there is none that can be used. */
const struct plugin *artifact_plugin(const struct account *account, const struct config *config);

#endif
