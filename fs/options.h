/*
 * The command line: what is asked for, checked, with the defaults filled in.
 *
 * It owns all its strings. Relative paths are made absolute. Not thread-safe (getopt).
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"

enum ttl_class {
	TTL_CONNECTORS,
	TTL_STATUS,
	TTL_TOPOLOGY,
	TTL_PLUGINS,
	TTL_NEGATIVE,
	TTL_METRICS,
	TTL_CLASSES
};

/* What is listed, and what only where show= has its word. */
enum show {
	SHOW_ALWAYS,
	SHOW_TASKS,
	SHOW_OFFSETS,
	SHOW_METRICS,
	SHOW_TEMPLATE,
	SHOW_VALIDATE,
	SHOW_NEVER
};

struct options {
	char *mountpoint;
	char *url;
	char *telemetry_url; /* where metrics are */
	bool demo, foreground, debug, version, help;

	int64_t ttl[TTL_CLASSES]; /* all times in milliseconds */
	int64_t stale, settle;
	int64_t timeout, timeout_write, upload_timeout;
	int64_t delete_delay;
	int64_t metrics_interval;
	const char *metrics_granularity; /* a constant: an ISO 8601 duration, or ALL */
	unsigned max_connections, max_delete;
	size_t max_answer;
	bool no_delete, ro, dry_run, validate, insecure_http;
	char *credentials, *credential_command, *secrets, *cacert;

	unsigned show; /* a bit for each enum show that is listed */

	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool allow_other;
	/* All that libfuse is to be told with one -o: what was given for it, and fsname, subtype,
	 * allow_other and default_permissions as they follow from the rest. NULL after -h or
	 * -V. */
	char *fuse_options;
};

/* Reads argv, which getopt may reorder; stops at -h or -V. 0, -ENOMEM, or -EINVAL with the reason,
 * one line, in ret_why. Finish it also after a failure. */
int options_parse(struct options *options, int argc, char **argv, struct strbuf *ret_why);
void options_finish(struct options *options);
/* The text of --help. */
const char *options_help(void);

#endif
