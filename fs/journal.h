/*
 * What went wrong, and what was removed: one log line for each, and the last ones kept for
 * .connectfs/errors and .connectfs/deleted. Has its own lock; call it with or without the fs's.
 */
#ifndef FS_JOURNAL_H
#define FS_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "api/config.h"
#include "api/http.h"
#include "base/strbuf.h"

#define JOURNAL_ERRORS  100
#define JOURNAL_DELETED 100

struct journal;

struct journal *journal_create(void);
void journal_destroy(struct journal *journal);

/* One line, logged as a warning and kept. */
void journal_error(struct journal *journal, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for an answer that is an error: method, target, status, message, request id. The values
 * of `secrets` (NULL: none) that are secret are blotted out of the message. */
void journal_answer(struct journal *journal, const char *method, const char *target,
	const struct http_answer *answer, const struct config *secrets);

/* Appends the API's message of an answer, the secret values of `secrets` and the credentials
 * blotted out. */
void journal_message(
	const struct http_answer *answer, const struct config *secrets, struct strbuf *out);

/* Keeps the last shown configuration of what was removed. */
void journal_deleted(struct journal *journal, const char *name, const char *text, size_t len);

/* All errors, a line each, the newest last. */
void journal_errors(struct journal *journal, struct strbuf *out);
/* The newest error line, "" for none. */
void journal_last_error(struct journal *journal, struct strbuf *out);
uint64_t journal_error_count(struct journal *journal);
/* The n-th kept removal, the oldest first: its name (to be freed) and text; false: no more. The
 * name of an older one that bears the same name is no longer kept. */
int journal_deleted_at(
	struct journal *journal, unsigned n, char **ret_name, struct strbuf *ret_text);

#endif
