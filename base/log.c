#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/strbuf.h"

#define LINE_MAX_BYTES   8192
#define SECRET_MIN_BYTES 4

struct hidden {
	struct hidden *next;
	unsigned count;
	size_t len;
	char secret[];
};

static struct {
	pthread_mutex_t lock;
	enum log_level level;
	const char *name;
	bool syslog;
	struct hidden *hidden; /* lock */
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_LEVEL_INFO, .name = "connectfs" };

void log_set_level(enum log_level level)
{
	logger.level = level;
}

bool log_enabled(enum log_level level)
{
	return level <= logger.level;
}

void log_set_name(const char *name)
{
	logger.name = name;
}

void log_to_syslog(void)
{
	openlog(logger.name, LOG_PID, LOG_DAEMON);
	logger.syslog = true;
}

static struct hidden **hidden_find(const char *secret)
{
	struct hidden **at = &logger.hidden;
	while (*at && strcmp((*at)->secret, secret) != 0) {
		at = &(*at)->next;
	}
	return at;
}

void log_hide(const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	if (len < SECRET_MIN_BYTES) {
		return;
	}
	pthread_mutex_lock(&logger.lock);
	struct hidden **at = hidden_find(secret);
	if (!*at) {
		*at = calloc(1, sizeof(**at) + len + 1);
		if (*at) {
			(*at)->len = len;
			memcpy((*at)->secret, secret, len);
		}
	}
	if (*at) {
		(*at)->count++;
	}
	pthread_mutex_unlock(&logger.lock);
}

void log_unhide(const char *secret)
{
	if (!secret) {
		return;
	}
	pthread_mutex_lock(&logger.lock);
	struct hidden **at = hidden_find(secret);
	struct hidden *found = *at;
	if (found && --found->count == 0) {
		*at = found->next;
		explicit_bzero(found->secret, found->len);
		free(found);
	}
	pthread_mutex_unlock(&logger.lock);
}

/* The longest registered secret that starts at `s`, or NULL. Takes the lock as held. */
static const struct hidden *hidden_at(const char *s, size_t len)
{
	const struct hidden *longest = NULL;
	for (const struct hidden *h = logger.hidden; h; h = h->next) {
		if (h->len <= len && memcmp(s, h->secret, h->len) == 0 &&
			(!longest || h->len > longest->len)) {
			longest = h;
		}
	}
	return longest;
}

enum form { FORM_LINE, FORM_LINES, FORM_RAW };

static bool is_escaped(char c, enum form form)
{
	bool control = (unsigned char)c < 0x20 || c == 0x7f;
	return control && form != FORM_RAW && !(c == '\n' && form == FORM_LINES);
}

static void add_clean(struct strbuf *line, const char *s, size_t len, enum form form)
{
	for (size_t i = 0; i < len;) {
		const struct hidden *h = hidden_at(s + i, len - i);
		if (h) {
			strbuf_adds(line, "***");
			i += h->len;
			continue;
		}
		char c = s[i++];
		if (is_escaped(c, form)) {
			strbuf_addf(line, "\\x%02x", (unsigned char)c);
		} else {
			strbuf_addc(line, c);
		}
	}
}

void log_clean(const char *text, size_t len, bool lines, struct strbuf *out)
{
	pthread_mutex_lock(&logger.lock);
	add_clean(out, text, len, lines ? FORM_LINES : FORM_LINE);
	pthread_mutex_unlock(&logger.lock);
}

void log_blot(const char *text, size_t len, struct strbuf *out)
{
	pthread_mutex_lock(&logger.lock);
	add_clean(out, text, len, FORM_RAW);
	pthread_mutex_unlock(&logger.lock);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	static const char *const words[] = { "error: ", "warning: ", "", "debug: " };

	if (!log_enabled(level)) {
		return;
	}
	struct strbuf text = STRBUF_INIT(LINE_MAX_BYTES);
	struct strbuf line = STRBUF_INIT(4 * LINE_MAX_BYTES);
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (text.err) {
		strbuf_reset(&text);
		strbuf_adds(&text, "(a message too long to show)");
	}
	pthread_mutex_lock(&logger.lock);
	add_clean(&line, strbuf_str(&text), text.len, FORM_LINE);
	if (logger.syslog) {
		syslog(priorities[level], "%s%s", words[level], strbuf_str(&line));
	} else {
		fprintf(stderr, "%s: %s%s\n", logger.name, words[level], strbuf_str(&line));
	}
	pthread_mutex_unlock(&logger.lock);
	strbuf_wipe(&text);
	strbuf_wipe(&line);
}
