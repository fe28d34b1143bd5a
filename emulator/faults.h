/*
 * Faults: which requests go wrong, how, and how often.
 *
 * A fault is made from its JSON description, which it keeps; a request that
 * meets one gets an `effect`, its own copy of what is to happen.
 *
 * Lifecycle: faults_init, faults_finish; EFFECT_NONE, effect_finish.
 * Threads: faults_* are called under emulator.lock; an effect belongs to the
 * thread of its request.
 */
#ifndef EMULATOR_FAULTS_H
#define EMULATOR_FAULTS_H

#include <cjson/cJSON.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "emulator/request.h"

enum fault_action {
	FAULT_NONE,
	FAULT_STATUS,
	FAULT_DROP,
	FAULT_TRUNCATE,
	FAULT_GARBAGE,
	FAULT_HANG,
	FAULT_TRICKLE,
	FAULT_REDIRECT,
	FAULT_UNANSWERED,
	FAULT_DELAY,
	FAULT_BODY_ONLY,
	FAULT_GZIP_UNLABELLED,
	FAULT_CHANGE,
};

struct effect {
	enum fault_action action;
	cJSON *spec;    /* owned: the fault's description */
	uint64_t epoch; /* of the faults when it was met */
};

#define EFFECT_NONE ((struct effect){ .action = FAULT_NONE })

struct fault {
	struct fault *prev;
	struct fault *next;
	uint64_t id;
	enum fault_action action;
	cJSON *spec; /* owned */
	bool has_path;
	bool has_query;
	regex_t path;
	regex_t query;
	long long skip;  /* matches still to be let through */
	long long times; /* hits still to come, negative for ever */
	long long hits;
};

struct faults {
	struct fault *list; /* owned, in order of creation */
	uint64_t ids;
	uint64_t epoch; /* counts the clearings: releases what hangs */
};

void faults_init(struct faults *faults);
void faults_finish(struct faults *faults);

/* -EINVAL with the reason in `why`. `spec` is copied. */
int faults_add(struct faults *faults, const cJSON *spec, struct strbuf *why, uint64_t *ret_id);
void faults_clear(struct faults *faults);
void faults_write(const struct faults *faults, struct strbuf *out);
/* The effect of the first fault that applies, which is thereby hit. */
struct effect faults_match(struct faults *faults, const struct request *request);

void effect_finish(struct effect *effect);
/* Milliseconds to wait first, whatever the action. */
long long effect_delay(const struct effect *effect);

static inline void effect_cleanup(struct effect *effect)
{
	effect_finish(effect);
}

#endif
