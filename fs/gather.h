/*
 * Gatherings: documents about all connectors of a cluster that take several requests of the
 * telemetry API, one after the other. Their fetch (document.h) is a gathering's start.
 */
#ifndef FS_GATHER_H
#define FS_GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "fs/document.h"

struct gather;

struct gather_kind {
	enum http_method method;
	const char *accept; /* NULL: JSON */
	/* Makes the next request, of ids from `at` on, which it moves, or of the next page. */
	int (*make)(struct gather *gather);
	/* Takes an answer in, without the lock. 0 or -errno. */
	int (*take)(struct gather *gather, const struct http_answer *answer);
	/* Stages what was kept for the end; NULL: nothing. 0 or -errno. */
	int (*end)(struct gather *gather);
	void (*release)(void *kept); /* NULL: nothing is kept */
};

struct gather {
	const struct gather_kind *kind;
	struct document *document;
	struct stage *stage;
	int64_t deadline;
	char **ids; /* of all connectors that have one */
	size_t count, at;
	struct strbuf target, body; /* of the request under way; an empty body: none */
	char *next;                 /* by take: the target of the next page; NULL: there is none */
	unsigned pages;
	void *kept; /* the kind's; NULL: nothing */
};

/* As a document kind's fetch. */
int gather_start(const struct gather_kind *kind, struct document *document, struct stage *stage,
	int64_t deadline);

/* As a document kind's merge: what the stage lacks has no data now. */
void gather_merge(struct document *document, struct stage *stage);

#endif
