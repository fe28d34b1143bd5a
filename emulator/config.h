/*
 * A connector's settings, sorted by name. A config is built, then shared and
 * never changed again: snapshots and histories hold references to one.
 *
 * Lifecycle: config_create or config_copy gives one reference; config_ref adds
 * one, config_unref drops one and wipes the values with the last.
 *
 * Threads: whoever shares a config guards it with a lock of his own.
 */
#ifndef EMULATOR_CONFIG_H
#define EMULATOR_CONFIG_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/strbuf.h"

struct setting {
	char *name;  /* owned */
	char *value; /* owned */
};

struct config {
	size_t refs;
	size_t count;
	size_t size;           /* allocated items */
	struct setting *items; /* owned, sorted by name */
};

struct config *config_create(void);
struct config *config_copy(const struct config *config);
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/* Only while there is one reference. */
void config_set(struct config *config, const char *name, const char *value);
void config_unset(struct config *config, const char *name);

/* NULL if it is not set. Borrowed. */
const char *config_get(const struct config *config, const char *name);

/* A config of an object of strings; NULL if `object` is none or holds anything
 * else, with the names of those members, comma separated, in `wrong`. */
struct config *config_from_json(const cJSON *object, struct strbuf *wrong);
/* All of it as it is, secrets too. */
void config_to_json(const struct config *config, struct strbuf *out);

static inline void config_cleanup(struct config **config)
{
	config_unref(*config);
}

#endif
