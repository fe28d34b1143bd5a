/*
 * The emulated account: environments, their clusters, their connectors.
 *
 * A connector's past is kept as snapshots, newest first, so that reads can lag
 * behind writes: every read names the moment it looks at. Moments are
 * milliseconds of the monotonic clock; ACCOUNT_ALWAYS is before all of them.
 *
 * Lifecycle: account_init, account_finish; everything below is owned by the
 * account, and borrowed by callers until the next change.
 *
 * Threads: the account has no lock; all calls are made under emulator.lock.
 */
#ifndef EMULATOR_ACCOUNT_H
#define EMULATOR_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "emulator/config.h"
#include "emulator/plugins.h"
#include "emulator/rate.h"
#include "emulator/times.h"

#define ACCOUNT_ORGANIZATION "5e3c1a90-7c44-4d1f-b6a2-2f0d8e6b9a17"
#define ACCOUNT_ALWAYS       INT64_MIN

enum connector_state {
	STATE_NONE,
	STATE_PROVISIONING,
	STATE_RUNNING,
	STATE_DEGRADED,
	STATE_FAILED,
	STATE_PAUSED,
	STATE_DELETED,
};

enum list_kind { LIST_NAMES = 1, LIST_EXPANDED = 2 };

struct snapshot {
	struct snapshot *older; /* owned */
	int64_t at;
	bool exists; /* false: deleted; then only `at` and `older` mean anything */
	char id[24];
	const struct plugin *plugin;
	struct config *config; /* a reference */
	enum connector_state state;
	char *trace; /* owned */
	size_t tasks;
	/* PROVISIONING between these two, and in no expanded list in the first half. */
	int64_t provisioning_from;
	int64_t provisioning_until;
	/* Texts made by view.c when first needed, owned, NULL until then. */
	char *info;
	char *status;
	enum connector_state status_state; /* which state `status` shows */
};

struct connector {
	char *name;   /* owned */
	uint64_t seq; /* in the order in which they came into their cluster */
	char id[24];  /* the latest it had */
	struct cluster *cluster;
	struct snapshot *newest;  /* owned, never NULL */
	struct config **accepted; /* owned references, oldest first */
	size_t accepted_count;
	size_t puts;
	struct offsets *offsets; /* owned, NULL until asked for */
	struct rate exports;     /* of its metrics */
	UT_hash_handle hh;
	UT_hash_handle hh_id;
};

struct cluster {
	char *id; /* all owned */
	char *display_name;
	char *region;
	char *endpoint; /* host and port */
	const char *provider;
	const char *kind;
	const char *availability;
	char created_at[TIME_SIZE];
	uint64_t seq;
	struct environment *environment;
	struct connector *connectors; /* owned, by name, in order of creation */
	struct connector *ids;        /* the same, by id */
	struct config *hidden;        /* owned, names as settings; may be NULL */
	unsigned hidden_from;         /* of enum list_kind */
	struct rate exports;          /* of its metrics */
	UT_hash_handle hh;
};

struct environment {
	char *id; /* all owned */
	char *display_name;
	char created_at[TIME_SIZE];
	uint64_t seq;
	struct cluster *clusters; /* owned, by id */
	UT_hash_handle hh;
};

struct account {
	struct environment *environments; /* owned, by id */
	uint64_t seq;                     /* of all that is in paginated lists */
	uint64_t ids;                     /* connector ids given so far */
	int64_t settle_ms;
	int64_t provisioning_ms;
	int64_t offsets_ms;    /* requests to alter offsets end that late, */
	int64_t offsets_reads; /* or when their status was read that often */
	int64_t processing_ms; /* of versions of custom plugins, likewise */
	int64_t processing_reads;
	int64_t upload_expiry_ms;   /* of presigned URLs */
	struct artifact *artifacts; /* owned, in order of creation */
	struct upload *uploads;     /* likewise */
	uint64_t artifact_ids;      /* given so far */
	uint64_t upload_ids;        /* given so far */
};

void account_init(struct account *account);
void account_finish(struct account *account);

struct environment *account_environment(struct account *account, const char *id);
/* `environment_id` may be NULL for a cluster of any environment. */
struct cluster *account_cluster(
	struct account *account, const char *environment_id, const char *id);
/* Adds one, or renames the one there is. `display_name` may be NULL: the id.
 * `created_at` NULL is now. */
struct environment *account_add_environment(
	struct account *account, const char *id, const char *display_name, const char *created_at);
struct cluster *account_add_cluster(struct account *account, struct environment *environment,
	const char *id, const char *display_name, const char *created_at);
/* Moves it, which new connectors will notice. `provider` is a constant. */
void cluster_place(struct cluster *cluster, const char *provider, const char *region);
/* With all it holds. */
void account_remove_environment(struct account *account, struct environment *environment);
void account_remove_cluster(struct cluster *cluster);
/* Hides these names (a JSON array of strings) from lists of these kinds. */
void cluster_hide(struct cluster *cluster, const cJSON *names, unsigned from);
bool cluster_hides(const struct cluster *cluster, const char *name, enum list_kind kind);

/* The moment a read at `now` sees. */
int64_t account_read_time(const struct account *account, int64_t now);
/* Drops deleted connectors nobody can see any more. */
void account_sweep(struct account *account, struct cluster *cluster, int64_t now);

/* What a connector was at that moment; NULL if it did not exist. */
struct snapshot *connector_at(const struct connector *connector, int64_t at);
/* By the name in a cluster, also deleted ones; NULL if there is none. */
struct connector *cluster_connector(const struct cluster *cluster, const char *name);
/* The connector as it really is now; NULL if it does not exist. */
struct connector *cluster_live(const struct cluster *cluster, const char *name);
/* The same, of any cluster, by its id. */
struct connector *account_live(const struct account *account, const char *id);

/* The state it shows at that moment, PROVISIONING included. */
enum connector_state snapshot_state(const struct snapshot *snapshot, int64_t at);
bool snapshot_has_status(const struct snapshot *snapshot, int64_t at);
const char *state_name(enum connector_state state);
/* -EINVAL if there is no such state. */
int state_parse(const char *name, enum connector_state *ret_state);

/* `prefix` and six letters that differ for every id counted. */
void account_new_id(uint64_t *count, const char *prefix, char id[24]);
/* Drops the texts kept of what this plugin runs. */
void account_forget_texts(struct account *account, const struct plugin *plugin);

/* The plugin a config names; NULL if there is none. */
const struct plugin *config_plugin(const struct account *account, const struct config *config);
/* Changes, seen by reads from `now` on (or later, see settle_ms).
 * `config` is consumed; it must be the only reference and name a plugin, and
 * gets the settings that are the API's own. connector_create needs the name to
 * be free. */
struct connector *connector_create(struct account *account, struct cluster *cluster,
	const char *name, struct config *config, int64_t now, int64_t provisioning_ms);
/* An accepted config; a FAILED connector starts anew. */
void connector_configure(
	struct account *account, struct connector *connector, struct config *config, int64_t now);
/* Another client's config: neither accepted here nor a new start. */
void connector_replace(
	struct account *account, struct connector *connector, struct config *config, int64_t now);
void connector_set_state(struct account *account, struct connector *connector,
	enum connector_state state, const char *trace, int64_t now);
void connector_delete(struct account *account, struct connector *connector, int64_t now);
/* Without a trace: takes it out of its cluster and frees it. */
void connector_destroy(struct connector *connector);

#endif
