/*
 * One line a message, to stderr (or, after log_to_syslog, to syslog).
 *
 * No secret ever reaches a log: log_hide() registers a string that every later
 * message shows as "***". Bytes that are no printable text are shown escaped,
 * so that a hostile answer cannot write lines of its own.
 *
 * Thread-safe.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* Messages start with "NAME: "; `name` must stay valid. */
void log_set_name(const char *name);
void log_to_syslog(void);

/* Registers a secret (copied; shorter than 4 bytes is ignored). log_unhide
 * forgets it and wipes the copy. Registrations count. */
void log_hide(const char *secret);
void log_unhide(const char *secret);

/* Appends text as a message would show it: secrets hidden, what is not printable escaped, but for
 * line ends where `lines` keeps them. */
void log_clean(const char *text, size_t len, bool lines, struct strbuf *out);

/* The same with nothing escaped. */
void log_blot(const char *text, size_t len, struct strbuf *out);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) \
	do { \
		if (log_enabled(LOG_LEVEL_DEBUG)) { \
			log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__); \
		} \
	} while (0)

#endif
