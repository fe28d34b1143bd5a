/* Shared by the files that read the command line. */
#ifndef FS_OPTIONS_PRIV_H
#define FS_OPTIONS_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/options.h"

#define DEFAULT_URL           "https://api.confluent.cloud"
#define DEFAULT_TELEMETRY_URL "https://api.telemetry.confluent.cloud"
#define FUSE_BYTES            65536

#define SECOND      1000
#define MINUTE      (60 * SECOND)
#define DAY         (INT64_C(86400) * SECOND)
#define SECONDS_MAX (INT64_C(1000000000) * SECOND)
#define KIB         INT64_C(1024)
#define GIB         (KIB * KIB * KIB)

/* What the walk over the words gathers beside struct options. */
struct reading {
	struct options *options;
	struct strbuf *why;
	struct strbuf fuse;   /* passed on, in the order given */
	const char *fsname;   /* borrowed from argv; NULL: none given */
	bool named, subtyped; /* fsname= or subtype= is in `fuse` */
	bool permissions;     /* default_permissions */
	bool url_given;
	bool showing; /* a word may follow of what show= names */
};

/* Takes over `copy`, which is NULL where there was no memory. */
int options_replace(char **text, char *copy, struct strbuf *why);
/* A path that holds wherever the program works; to be freed, NULL: no memory. */
char *options_absolute(const char *path);

/* The argument of one -o. */
int options_take_list(struct reading *reading, const char *list);
/* Puts everything that libfuse is to know into one list. */
int options_gather_fuse(struct reading *reading);

#endif
