/*
 * What went wrong, what was changed, and what was removed: one log line for each, and the last ones
 * kept for .connectfs/errors, .connectfs/changes and .connectfs/deleted. Has its own lock; call it
 * with or without the fs's.
 */
#ifndef FS_JOURNAL_H
#define FS_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "api/config.h"
#include "api/http.h"
#include "base/strbuf.h"

#define JOURNAL_ERRORS        100
#define JOURNAL_DELETED       100
#define JOURNAL_CHANGES       1000
#define JOURNAL_CHANGES_BYTES ((size_t)1 << 20)

struct journal;
struct secrets;

struct journal *journal_create(void);
void journal_destroy(struct journal *journal);
/* Before any other thread uses it: what no text of the API may repeat. Borrowed. */
void journal_hide(struct journal *journal, const struct secrets *secrets);

/* One line, logged as a warning and kept. */
void journal_error(struct journal *journal, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for an answer that is an error: method, target, status, message, request id. For
 * `hidden` see journal_clean. */
void journal_answer(struct journal *journal, const char *method, const char *target,
	const struct http_answer *answer, const struct config *hidden);

/* Appends a text of the API as it may be repeated: without the values of `hidden` (NULL: none), of
 * the secrets file and of the credentials, and whatever stands behind the names of `hidden` or
 * behind those that sound like a secret's; what is not printable is escaped. */
void journal_clean(struct journal *journal, const char *text, size_t len,
	const struct config *hidden, struct strbuf *out);

/* The same for the API's message of an answer. */
void journal_message(struct journal *journal, const struct http_answer *answer,
	const struct config *hidden, struct strbuf *out);

/* Appends, for a person, what became of a request: `what` says which one. */
void journal_explain(struct journal *journal, const struct http_answer *answer, const char *what,
	const struct config *hidden, struct strbuf *out);

/* What was changed, or in a dry run would have been: one log line, kept with the request and a line
 * for each setting. None of these may hold a secret. */
void journal_change(struct journal *journal, const char *what, enum http_method method,
	const char *target, const char *settings);

/* Keeps the last shown configuration of what was removed; names are unique in a place. */
void journal_deleted(
	struct journal *journal, const char *name, const char *place, const char *text, size_t len);

/* All errors, a line each, the newest last. */
void journal_errors(struct journal *journal, struct strbuf *out);
/* All changes that are kept, the newest last. */
void journal_changes(struct journal *journal, struct strbuf *out);
/* The newest error line, "" for none. */
void journal_last_error(struct journal *journal, struct strbuf *out);
uint64_t journal_error_count(struct journal *journal);
/* The n-th kept removal, the oldest first: appends its name, with the place behind it where others
 * bear the name, and its text. -ENOENT: no more. */
int journal_deleted_at(
	struct journal *journal, unsigned n, struct strbuf *ret_name, struct strbuf *ret_text);

#endif
