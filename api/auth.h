/*
 * Credentials: where they come from, and the Authorization header they make.
 *
 * Sources, the first that is given: a file (JSON, mode 0600 or stricter, owned by the caller;
 * a systemd credential directory's 0400 or 0440 file is fine), a command (run without a shell,
 * split at blanks with "double" and 'single' quotes; its standard output is the JSON; ended
 * after 10 seconds), the environment (CONFLUENT_CLOUD_API_KEY and _SECRET).
 * JSON is {"key": …, "secret": …} or {"token": …}.
 *
 * Every copy is wiped when it is freed, and is registered with log_hide. Thread-safe.
 */
#ifndef API_AUTH_H
#define API_AUTH_H

#include "base/strbuf.h"

struct auth;

struct auth_options {
	const char *file;     /* or NULL */
	const char *command;  /* or NULL; looked at only without a file */
	int command_limit_ms; /* 0: 10 seconds */
};

/* Reads them a first time. On failure ret_why says why in one line a user can act on. */
int auth_create(const struct auth_options *options, struct auth **ret_auth, struct strbuf *ret_why);
/* Fixed ones, for a built-in sample account and for tests. */
int auth_create_fixed(const char *key, const char *secret, struct auth **ret_auth);
void auth_destroy(struct auth *auth);

/* Appends "Authorization: …" to out, which the caller wipes; returns their generation. */
unsigned auth_header(struct auth *auth, struct strbuf *out);
unsigned auth_generation(struct auth *auth);
/* Reads them again unless that has happened since `generation`. 0: there are other ones now;
 * -EALREADY: they are the same; else -errno, the old ones stay, and a warning says why. May block
 * for as long as the command runs. */
int auth_reload(struct auth *auth, unsigned generation);
/* The same, and ends the command with -ECANCELED as soon as `cancel_fd` is readable. */
int auth_reload_until(struct auth *auth, unsigned generation, int cancel_fd);
/* A hash of who this is (the key or the token, and nothing else), stable over runs, for the names
 * of state files; it cannot be turned back. 32 hex digits and a NUL. */
void auth_identity(struct auth *auth, char ret_hex[33]);

#endif
