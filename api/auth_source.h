/* Where credentials are read from: a file, a command, the environment. Private to auth. */
#ifndef API_AUTH_SOURCE_H
#define API_AUTH_SOURCE_H

#include "base/strbuf.h"

/* The most a file or a command's output may hold. */
#define AUTH_SOURCE_MAX_BYTES (size_t)(64 * 1024)

/* Appends the file's content to `out` (of AUTH_SOURCE_MAX_BYTES, reserved and wiped by the caller),
 * if it is a regular file that nobody else can read. Errors: -errno, with a line in ret_why. */
int auth_read_file(const char *path, struct strbuf *out, struct strbuf *ret_why);

/* Appends what `command` prints. Ends it, and what it started, after `limit_ms`, or with
 * -ECANCELED as soon as `cancel_fd` (-1: none) is readable. */
int auth_read_command(const char *command, int limit_ms, int cancel_fd, struct strbuf *out,
	struct strbuf *ret_why);

#endif
