/*
 * One HTTP request: what was received, raw, and what the routes make of it.
 *
 * Lifecycle: request_create with the URI as received, then server.c adds the
 * rest; request_destroy frees all of it.
 *
 * Threads: belongs to the thread of its connection.
 */
#ifndef EMULATOR_REQUEST_H
#define EMULATOR_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

#define REQUEST_BODY_MAX   ((size_t)1 << 20)
#define REQUEST_PARAMS_MAX 4

struct MHD_Connection;
struct effect;
struct incoming;
struct record;

/* By the start of the path: each has its own way to say no. */
enum family {
	FAMILY_PLATFORM,
	FAMILY_CONNECT,
	FAMILY_METRICS,
	FAMILY_CONTROL,
	FAMILY_STORAGE, /* another origin */
};

struct request {
	struct MHD_Connection *connection; /* borrowed */
	bool begun;
	char *method;       /* owned */
	char *path;         /* owned, raw: as received, without the query */
	char *query;        /* owned, raw, without '?'; "" if there is none */
	const char *scheme; /* http or https */
	struct strbuf body; /* at most REQUEST_BODY_MAX */
	size_t body_len;    /* as received, may be more than was kept */
	char id[40];        /* of X-Request-Id */
	enum family family;
	char *params[REQUEST_PARAMS_MAX]; /* owned, decoded: the variable parts of the path */
	size_t param_count;
	struct record *record;     /* a reference, NULL for the control API */
	struct effect *effect;     /* owned: of the fault it met; NULL before it has arrived */
	struct incoming *incoming; /* owned: see storage.h; NULL for other origins */
};

/* `uri` is the target of the request line. */
struct request *request_create(struct MHD_Connection *connection, const char *uri);
void request_destroy(struct request *request);

/* Matches the path with a pattern such as "/a/{id}/b" and fills params. */
bool request_match(struct request *request, const char *pattern);
/* The decoded value of the first parameter of that name; NULL if there is none. The caller frees
 * it. */
char *request_query(const struct request *request, const char *name);
/* The same of the next one, and moves on behind it; `*at` is the request's query at first. */
char *request_query_next(const char **at, const char *name);
/* NULL if it was not sent. Borrowed. */
const char *request_header(const struct request *request, const char *name);
/* Whether the answer may be compressed. */
bool request_accepts_gzip(const struct request *request);
/* Whether the credentials sent are these. */
bool request_authorized(const struct request *request, const char *key, const char *secret);
/* Whether the client has gone away. */
bool request_gone(const struct request *request);

#endif
