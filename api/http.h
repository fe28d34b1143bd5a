/*
 * The HTTP engine: the only one that sends anything (with libcurl).
 *
 * One thread drives libcurl's multi interface. Requests are handed to it from
 * any thread and end exactly once, in a call of `done` on the engine's thread
 * (which must not block) or in the return of http_perform.
 *
 * Every request has a deadline that counts from its submission, waiting and
 * retries included. Connections are kept and shared (HTTP/2 over TLS where the
 * server speaks it; HTTP/1.1 for a body with secrets),
 * answers are asked for with gzip and are bounded.
 *
 * Only the engine knows the credentials: it adds them to requests to its own
 * origin, never to another, and after a 401 has them read again, once.
 *
 * Uploads go to another host, which the API names. They take no credentials along, follow no
 * redirect, and have places of their own beside max_connections.
 */
#ifndef API_HTTP_H
#define API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/rate.h"
#include "base/strbuf.h"

struct auth;
struct http;
struct http_call;

struct http_options {
	const char *url;          /* origin and optional path prefix; copied */
	const char *cacert;       /* PEM file of an additional authority, or NULL */
	bool insecure_http;       /* plain http:// to other hosts than loopback */
	unsigned max_connections; /* at once, to the API's host */
	size_t max_answer;        /* bytes of one decoded body; more is -EFBIG */
	struct rate rate;         /* of attempts, but for uploads; burst 0: any */
	struct auth *auth;        /* borrowed; outlives the engine */
};

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

const char *http_method_name(enum http_method method);

/* Where a body goes while it arrives. Both run on the engine's thread. */
struct http_sink {
	/* Takes the next decoded bytes of a 2xx body; -errno ends the request with it. */
	int (*data)(void *arg, const char *bytes, size_t len);
	/* What came so far belongs to an attempt that failed: start over. */
	void (*restart)(void *arg);
};

/*
 * What a request came to. `err` is 0 for a 2xx answer, else the errno of the
 * contract's table, negative (error.h), or -ECANCELED.
 */
struct http_answer {
	int err;
	long status;     /* of the last answer; 0: none came */
	bool json;       /* its Content-Type, or lacking one its text, is JSON */
	bool maybe_done; /* it may have been carried out although no answer came */
	unsigned attempts;
	/* Milliseconds asked for by the last answer, in Retry-After or, for a 429, in
	 * X-RateLimit-Reset; at most a day; -1: none. */
	int64_t retry_after;
	char request_id[80]; /* the server's, printable, or "" */
	char trouble[256];   /* libcurl's words on the last attempt that got no answer, or "" */
	struct strbuf body;  /* empty for a 2xx answer that went into a sink; of an error, its
			      * first 64 KiB */
};

void http_answer_finish(struct http_answer *answer);
/* Of one that is no success: whether the trouble may pass, so that another attempt may do better:
 * that of a gateway, of a limit, or of the way there. */
bool http_answer_is_passing(const struct http_answer *answer);
/* Whether it is a 500 in the API's own words: what was asked for has failed. */
bool http_answer_is_failure(const struct http_answer *answer);

static inline void http_answer_cleanup(struct http_answer *answer)
{
	http_answer_finish(answer);
}

/* A field of a form. */
struct http_field {
	const char *name;
	const char *value;
};

/* A file that is streamed: the body of a PUT as it is, or the last field of a POST's form. */
struct http_upload {
	int fd;             /* read by position, from its start */
	uint64_t size;      /* bytes */
	const char *header; /* of a PUT: one more header line; NULL: none */
	/* Of a POST. */
	const struct http_field *fields; /* the form's, in this order, before the file's own */
	size_t field_count;
	const char *file_name;
};

struct http_request {
	enum http_method method;
	/* Path and query below the URL, encoded ("/connect/v1/…"); copied. Other than printable
	 * ASCII, or a fragment, is -EINVAL. Of an upload, the whole URL, which url_check_upload
	 * must take; what stands behind its "?" is never logged. */
	const char *target;
	/* Borrowed, with all that it points to, until the end; then there is no body. NULL: this is
	 * no upload. */
	const struct http_upload *upload;
	const char *body; /* JSON; copied, the copy is wiped; NULL: none */
	size_t body_len;
	const char *accept;           /* what may be answered, a constant; NULL: JSON */
	int64_t deadline;             /* monotonic milliseconds (clock.h) */
	bool once;                    /* never repeated, whatever the answer (but for a 401) */
	bool safe;                    /* changes nothing, whatever its method: repeated as a GET */
	bool secret;                  /* its body may hold one: sent where nothing of it stays */
	bool background;              /* nobody waits for it: goes last, and is given up with -EBUSY
				       * where the server's rate limit leaves no room for it */
	const struct http_sink *sink; /* NULL: the body is collected */
	/* Asynchronous only. Runs on the engine's thread; the answer is the
	 * engine's and ends with the call (steal its body to keep it). */
	void (*done)(struct http_answer *answer, void *arg);
	void *arg; /* for sink and done */
};

/* Starts no thread. -EINVAL for a URL that url_check_origin refuses or a cacert without a PEM
 * certificate, else -errno; the reason is logged. */
int http_create(const struct http_options *options, struct http **ret_http);
/* Starts the thread: not before a fork to the background. */
int http_start(struct http *http);
/* Ends what is under way with -ECANCELED and joins the thread. Not from a callback; nobody may
 * submit any more once it returns. */
void http_destroy(struct http *http);

/* GETs are repeated until the deadline (error.h: which answers; retry.h: when)
 * unless `once`, and so are `safe` requests; others are attempted once. Identical GETs without a
 * sink that are under way share one request. 0, or at once -ENOMEM, or
 * -ECANCELED after http_destroy has ended the rest: then `done` is not called. ret_call may be
 * NULL; it is set before `done` can run, and valid until `done` has returned. A GET never shares an
 * answer that was asked for before a request that may change something ended. */
int http_submit(struct http *http, const struct http_request *request, struct http_call **ret_call);
/* Somebody waits, until this deadline, for what was submitted as background: it is that no longer.
 * While `call` is valid. */
void http_urge(struct http *http, struct http_call *call, int64_t deadline);
/* `done` comes later, on the engine's thread: with -ECANCELED unless an end was already under
 * way. Others that share the request are not concerned. */
void http_cancel(struct http *http, struct http_call *call);

/* The same, waiting for the answer; not from the engine's thread. `request->done` is unused.
 * Returns ret_answer->err. The caller finishes ret_answer. */
int http_perform(
	struct http *http, const struct http_request *request, struct http_answer *ret_answer);

/* Follows the `next` link of a page, whatever origin it names: ret_next is the target of the same
 * collection with the link's page token (to be freed), NULL where there is no further page. 0,
 * -EBADMSG (there is one, and the link does not lead to it) or -ENOMEM. */
int http_next_target(const char *target, const char *next_link, char **ret_next);

/* Whether requests share a connection, so that one more needs none of its own. */
bool http_is_multiplexed(const struct http *http);

struct http_counters {
	uint64_t requests; /* attempts sent */
	uint64_t retries;
	uint64_t errors;      /* requests that ended in an error */
	uint64_t connections; /* opened */
	uint64_t bytes;       /* of bodies received, decoded */
};

void http_counters(struct http *http, struct http_counters *ret_counters);

#endif
