#include "fs/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/error.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "fs/blot.h"
#include "fs/secrets.h"

#define LINE_BYTES     4096
#define SETTINGS_BYTES 65536
#define BODY_BYTES     ((size_t)4 << 20)

struct deleted {
	char *name;
	char *place;
	char *text;
	size_t len;
};

/* The newest texts: the numbers from `first` to `next` are kept. */
struct ring {
	char **texts; /* owned; each is */
	unsigned size;
	size_t bytes, max_bytes;
	uint64_t first, next;
};

struct journal {
	const struct secrets *secrets; /* borrowed; NULL: no file */
	pthread_mutex_t lock;
	struct ring errors;                      /* lock */
	struct ring changes;                     /* lock */
	struct deleted deleted[JOURNAL_DELETED]; /* lock; the oldest first */
	unsigned deleted_count;                  /* lock */
};

static bool ring_init(struct ring *ring, unsigned size, size_t max_bytes)
{
	*ring = (struct ring){ calloc(size, sizeof(char *)), size, .max_bytes = max_bytes };
	return ring->texts != NULL;
}

static void ring_drop_oldest(struct ring *ring)
{
	char **slot = &ring->texts[ring->first++ % ring->size];
	ring->bytes -= strlen(*slot);
	free(steal(*slot));
}

static void ring_finish(struct ring *ring)
{
	while (ring->first < ring->next) {
		ring_drop_oldest(ring);
	}
	free(ring->texts);
}

/* Takes the text over; NULL: there was no memory for it. */
static void ring_add(struct ring *ring, char *text)
{
	if (!text) {
		return;
	}
	size_t len = strlen(text);
	while (ring->first < ring->next &&
		(ring->next - ring->first == ring->size || ring->bytes + len > ring->max_bytes)) {
		ring_drop_oldest(ring);
	}
	ring->texts[ring->next++ % ring->size] = text;
	ring->bytes += len;
}

static void ring_print(const struct ring *ring, struct strbuf *out)
{
	for (uint64_t at = ring->first; at < ring->next; at++) {
		strbuf_adds(out, ring->texts[at % ring->size]);
	}
}

struct journal *journal_create(void)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	if (!journal) {
		return NULL;
	}
	pthread_mutex_init(&journal->lock, NULL);
	if (!ring_init(&journal->errors, JOURNAL_ERRORS, SIZE_MAX) ||
		!ring_init(&journal->changes, JOURNAL_CHANGES, JOURNAL_CHANGES_BYTES)) {
		journal_destroy(journal);
		return NULL;
	}
	return journal;
}

static void deleted_finish(struct deleted *deleted)
{
	free(deleted->name);
	free(deleted->place);
	free(deleted->text);
}

void journal_hide(struct journal *journal, const struct secrets *secrets)
{
	journal->secrets = secrets;
}

void journal_destroy(struct journal *journal)
{
	if (!journal) {
		return;
	}
	ring_finish(&journal->errors);
	ring_finish(&journal->changes);
	for (unsigned i = 0; i < journal->deleted_count; i++) {
		deleted_finish(&journal->deleted[i]);
	}
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

/* With the time before it. */
static void keep(struct journal *journal, struct ring *ring, const char *text)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	struct strbuf kept = STRBUF_INIT(5 * LINE_BYTES + SETTINGS_BYTES);
	strbuf_addf(&kept, "%s %s\n", stamp, text);
	pthread_mutex_lock(&journal->lock);
	ring_add(ring, strbuf_detach(&kept, NULL));
	pthread_mutex_unlock(&journal->lock);
	strbuf_finish(&kept);
}

void journal_error(struct journal *journal, const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(LINE_BYTES);
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&line, fmt, ap);
	va_end(ap);
	if (line.err) {
		strbuf_reset(&line);
		strbuf_adds(&line, "(an error too long to show)");
	}
	for (size_t i = 0; i < line.len; i++) {
		if (line.buf[i] == '\n') {
			line.buf[i] = i + 1 < line.len ? ' ' : '\0';
		}
	}
	line.len = strlen(strbuf_str(&line));
	struct strbuf clean = STRBUF_INIT(4 * LINE_BYTES);
	log_clean(strbuf_str(&line), line.len, false, &clean);
	log_warn("%s", strbuf_str(&clean));
	keep(journal, &journal->errors, strbuf_str(&clean));
	strbuf_finish(&clean);
	strbuf_wipe(&line);
}

void journal_change(struct journal *journal, const char *what, enum http_method method,
	const char *target, const char *settings)
{
	struct strbuf text = STRBUF_INIT(4 * LINE_BYTES + SETTINGS_BYTES);
	log_clean(what, strlen(what), false, &text);
	log_info("%s", strbuf_str(&text));
	strbuf_addf(&text, "\n  %s %s", http_method_name(method), target);
	if (settings[0]) {
		/* Without the last line's end, which every entry gets. */
		strbuf_addf(&text, "\n%.*s", (int)strlen(settings) - 1, settings);
	}
	keep(journal, &journal->changes, strbuf_str(&text));
	strbuf_finish(&text);
}

static void blot_one(void *arg, const char *value)
{
	blot_value(arg, value);
}

static void blot(const struct journal *journal, const struct config *hidden, struct strbuf *text)
{
	for (size_t i = 0; hidden && i < hidden->count; i++) {
		blot_value(text, hidden->settings[i].value);
	}
	if (journal->secrets) {
		secrets_each(journal->secrets, blot_one, text);
	}
	blot_named(text, hidden);
}

void journal_clean(struct journal *journal, const char *text, size_t len,
	const struct config *hidden, struct strbuf *out)
{
	struct strbuf clean = STRBUF_INIT(BODY_BYTES);
	strbuf_add(&clean, text, len);
	blot(journal, hidden, &clean);
	log_clean(strbuf_str(&clean), clean.len, true, out);
	strbuf_wipe(&clean);
}

void journal_message(struct journal *journal, const struct http_answer *answer,
	const struct config *hidden, struct strbuf *out)
{
	struct strbuf body = STRBUF_INIT(BODY_BYTES);
	struct strbuf message = STRBUF_INIT(BODY_BYTES);
	/* Before the message is taken out of it, which may cut through a secret. */
	log_blot(strbuf_str(&answer->body), answer->body.len, &body);
	blot(journal, hidden, &body);
	error_message(strbuf_str(&body), body.len, &message);
	journal_clean(journal, strbuf_str(&message), message.len, hidden, out);
	strbuf_wipe(&message);
	strbuf_wipe(&body);
}

void journal_explain(struct journal *journal, const struct http_answer *answer, const char *what,
	const struct config *hidden, struct strbuf *out)
{
	if (answer->status) {
		strbuf_addf(out, "%s: the API answered %ld.\n", what, answer->status);
	} else {
		strbuf_addf(out, "%s: the API did not answer (%s%s%s).\n", what,
			strerror(-answer->err), answer->trouble[0] ? ": " : "", answer->trouble);
	}
	journal_message(journal, answer, hidden, out);
	if (out->len > 0 && out->buf[out->len - 1] != '\n') {
		strbuf_addc(out, '\n');
	}
	if (answer->request_id[0]) {
		strbuf_addf(out, "request id: %s\n", answer->request_id);
	}
}

void journal_answer(struct journal *journal, const char *method, const char *target,
	const struct http_answer *answer, const struct config *hidden)
{
	struct strbuf message = STRBUF_INIT(BODY_BYTES);
	struct strbuf status = STRBUF_INIT(1024);
	journal_message(journal, answer, hidden, &message);
	if (message.len > 1024) {
		message.len = 1024;
		message.buf[1024] = '\0';
	}
	if (answer->status) {
		strbuf_addf(&status, "status %ld", answer->status);
	} else {
		strbuf_addf(
			&status, "no answer%s%s", answer->trouble[0] ? ": " : "", answer->trouble);
	}
	journal_error(journal, "%s %s: %s%s%s%s%s%s (%s)", method, target, strbuf_str(&status),
		message.len ? ": " : "", strbuf_str(&message),
		answer->request_id[0] ? " [request " : "", answer->request_id,
		answer->request_id[0] ? "]" : "", strerror(-answer->err));
	strbuf_wipe(&message);
	strbuf_finish(&status);
}

/* Whether two bear one name, in places of their own. */
static bool shares_name(const struct journal *journal, const struct deleted *deleted)
{
	for (unsigned i = 0; i < journal->deleted_count; i++) {
		if (&journal->deleted[i] != deleted &&
			strcmp(journal->deleted[i].name, deleted->name) == 0) {
			return true;
		}
	}
	return false;
}

void journal_deleted(
	struct journal *journal, const char *name, const char *place, const char *text, size_t len)
{
	struct deleted fresh = { strdup(name), strdup(place), malloc(len + 1), len };
	if (!fresh.name || !fresh.place || !fresh.text) {
		deleted_finish(&fresh);
		return;
	}
	memcpy(fresh.text, text, len);
	pthread_mutex_lock(&journal->lock);
	unsigned at = 0;
	while (at < journal->deleted_count &&
		(strcmp(journal->deleted[at].name, name) != 0 ||
			strcmp(journal->deleted[at].place, place) != 0)) {
		at++;
	}
	if (at == journal->deleted_count && at == JOURNAL_DELETED) {
		at = 0;
	}
	if (at < journal->deleted_count) {
		deleted_finish(&journal->deleted[at]);
		journal->deleted_count--;
		memmove(journal->deleted + at, journal->deleted + at + 1,
			(journal->deleted_count - at) * sizeof(journal->deleted[0]));
	}
	journal->deleted[journal->deleted_count++] = fresh;
	pthread_mutex_unlock(&journal->lock);
}

int journal_deleted_at(
	struct journal *journal, unsigned n, struct strbuf *ret_name, struct strbuf *ret_text)
{
	int err = -ENOENT;
	pthread_mutex_lock(&journal->lock);
	if (n < journal->deleted_count) {
		const struct deleted *deleted = &journal->deleted[n];
		bool shared = shares_name(journal, deleted);
		strbuf_adds(ret_name, deleted->name);
		if (shared) {
			strbuf_addf(ret_name, " (%s)", deleted->place);
		}
		strbuf_add(ret_text, deleted->text, deleted->len);
		err = 0;
	}
	pthread_mutex_unlock(&journal->lock);
	return err;
}

void journal_errors(struct journal *journal, struct strbuf *out)
{
	pthread_mutex_lock(&journal->lock);
	ring_print(&journal->errors, out);
	pthread_mutex_unlock(&journal->lock);
}

void journal_changes(struct journal *journal, struct strbuf *out)
{
	pthread_mutex_lock(&journal->lock);
	ring_print(&journal->changes, out);
	pthread_mutex_unlock(&journal->lock);
}

void journal_last_error(struct journal *journal, struct strbuf *out)
{
	pthread_mutex_lock(&journal->lock);
	const struct ring *errors = &journal->errors;
	if (errors->first < errors->next) {
		const char *line = errors->texts[(errors->next - 1) % errors->size];
		strbuf_add(out, line, strlen(line) - 1);
	}
	pthread_mutex_unlock(&journal->lock);
}

uint64_t journal_error_count(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	uint64_t count = journal->errors.next;
	pthread_mutex_unlock(&journal->lock);
	return count;
}
