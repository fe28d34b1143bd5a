/*
 * A connector's configuration: settings by name, every value a string.
 *
 * Values may be secrets: config_finish wipes them. Not thread-safe; no shared state.
 */
#ifndef API_CONFIG_H
#define API_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "api/json.h"

struct setting {
	char *name;  /* owned */
	char *value; /* owned; wiped on free */
};

struct config {
	struct setting *settings; /* sorted by name, no name twice */
	size_t count;
};

void config_finish(struct config *config);

static inline void config_cleanup(struct config *config)
{
	config_finish(config);
}

/* What somebody wrote, as an object. -EINVAL with the reason: not JSON, no object, a name twice,
 * text that is none; -ENOMEM. The slice points into text. */
int config_object(
	const char *text, size_t len, struct json_slice *ret_object, struct strbuf *ret_why);

/*
 * What somebody wrote, read strictly: an object of settings (numbers and booleans become strings,
 * digit by digit), or {"name": …, "config": {…}, "offsets": […]}. -EINVAL with the reason in
 * ret_why: not JSON, no object, a name twice, null or a nested value; -ENOMEM.
 * ret_offsets (may be NULL) points into text, no value where there are none. Where the outer name
 * and the inner differ, that is -EINVAL too.
 */
int config_parse(const char *text, size_t len, struct config *ret_config,
	struct json_slice *ret_offsets, struct strbuf *ret_why);

/* What the API answered: an object whose scalars are taken as they are. -EBADMSG where it is no
 * object or a value is nested (null is taken as absent). */
int config_of_answer(struct json_slice object, struct config *ret_config);

/* NULL where it is not set. Borrowed. */
const char *config_get(const struct config *config, const char *name);
/* Sets or, with NULL, removes one; copies value. 0 or -ENOMEM. */
int config_set(struct config *config, const char *name, const char *value);

/* A copy; 0 or -ENOMEM. */
int config_copy(const struct config *config, struct config *ret_copy);

/* Whether a value is the API's mask of a secret: two or more asterisks and nothing else. */
bool config_is_mask(const char *value);
/* Whether a name sounds like a secret's: password, passphrase, secret, token, credential, key,
 * jaas, user.info. */
bool config_names_secret(const char *name);
/* Whether two values are the same to a user: masks of any length are. */
bool config_same_value(const char *a, const char *b);
/* Equal as settings, whatever the order and the length of masks. */
bool config_equal(const struct config *a, const struct config *b);

/* Whether a live configuration has all settings of a wanted one; a secret that is masked live is
 * taken for the wanted one. */
bool config_covers(const struct config *live, const struct config *wanted);

/* Calls back for every setting that differs, in order; a or b is NULL where it is not set. */
void config_diff(const struct config *before, const struct config *after,
	void (*differs)(void *arg, const char *name, const char *before, const char *after),
	void *arg);

/* Appends it as one line of JSON: the body of a request. */
void config_encode(const struct config *config, struct strbuf *out);

#endif
