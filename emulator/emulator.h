/*
 * Everything the emulator knows, behind one lock.
 *
 * Lifecycle: emulator_init, emulator_finish; in between a server runs on it.
 *
 * Threads: one per connection. Handlers run with `lock` held and never wait;
 * waiting is done by the server, without it.
 */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H

#include <pthread.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "emulator/account.h"
#include "emulator/faults.h"
#include "emulator/journal.h"
#include "emulator/rate.h"
#include "emulator/reply.h"
#include "emulator/request.h"

struct emulator {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* faults were cleared, or the end has come */
	bool stopping;          /* lock */
	int64_t latency_ms;     /* lock */
	char *key;              /* lock, owned */
	const char *upload_url; /* where presigned URLs lead; borrowed, set before requests come */
	char *secret;           /* lock, owned */
	regex_t *denied;        /* lock, owned: paths answered 403 */
	size_t denied_count;    /* lock */
	uint64_t requests;      /* lock: answers given, for their ids */
	uint64_t connections;   /* lock: numbers given to connections */
	struct rate rate;       /* lock: of org, cmk and the like; only reported */
	struct rate metrics_rate; /* lock */
	int64_t export_limit;     /* lock: exports of one resource in an hour */
	char id_prefix[20];       /* of X-Request-Id, fixed at the start */
	struct account account;   /* lock */
	struct faults faults;     /* lock */
	struct journal journal;   /* lock */
};

void emulator_init(struct emulator *emulator);
void emulator_finish(struct emulator *emulator);

/* Strings are copied; NULL leaves one as it is. */
void emulator_set_key(struct emulator *emulator, const char *key, const char *secret);
/* -EINVAL if one of them is no regular expression; then nothing changes. */
int emulator_set_denied(struct emulator *emulator, const cJSON *patterns);
bool emulator_denies(const struct emulator *emulator, const char *path);
/* Wakes all who wait. */
void emulator_stop(struct emulator *emulator);

/* Waits, without the lock; false if the end came meanwhile. */
bool emulator_wait(struct emulator *emulator, int64_t ms);
/* Waits until the faults of that epoch are cleared or the client goes away. */
void emulator_hang(struct emulator *emulator, const struct request *request, uint64_t epoch);

#endif
