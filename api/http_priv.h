/*
 * The HTTP engine's inside, shared by the http_*.c files alone.
 *
 * A call is what a caller submitted. A flight is the request that serves it; calls for the same
 * thing share one. A flight makes one attempt or several, each a libcurl transfer.
 *
 * Threads: a field is the engine thread's unless it says otherwise; before http_start and after
 * the join, the one thread that starts or destroys stands in for it.
 */
#ifndef API_HTTP_PRIV_H
#define API_HTTP_PRIV_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <zlib.h>

#include "api/http.h"

/* The most that is kept of an answer that is no 2xx. */
#define HTTP_ERROR_MAX_BYTES (size_t)(64 * 1024)
#define HTTP_REDIRECTS_MAX   5

/* Uploads at once. */
#define HTTP_UPLOADS_MAX (size_t)2

/* The most of all headers of one answer. */
#define HTTP_HEADERS_MAX_BYTES (size_t)(256 * 1024)

/* One body while it arrives: bounded, unpacked where it is gzip that does not say so. */
struct http_body {
	bool begun;
	bool good;     /* of a 2xx answer */
	bool labelled; /* it had a Content-Encoding, which libcurl undid */
	bool full;     /* of an error: there was more than is kept */
	bool unpacks;
	bool unpacked; /* the gzip data is complete */
	int err;       /* what ended it */
	size_t max;
	size_t total; /* decoded */
	const struct http_sink *sink;
	void *arg;
	struct strbuf out;
	z_stream z;
	unsigned char held[2]; /* the first two bytes, until both are here */
	size_t held_len;
	bool decided;
	char first; /* the first byte that is not blank, or NUL */
};

void http_body_begin(struct http_body *body, bool good, bool labelled, size_t max);
/* 0, or -errno: no more is wanted. */
int http_body_add(struct http_body *body, const char *bytes, size_t len);
/* At the end of a complete answer: -EBADMSG where the gzip data is not. */
int http_body_end(struct http_body *body);
/* Ready for another attempt; also ends its life. Keeps sink and arg. */
void http_body_reset(struct http_body *body);

struct http_flight;

struct http_call {
	struct http_call *prev, *next; /* the inbox (http->lock), then flight->calls */
	struct http_flight *flight;
	int64_t deadline;
	bool background;
	_Atomic int64_t urged; /* the deadline of who waits for it now; 0: nobody came */
	atomic_bool cancelled;
	void (*done)(struct http_answer *answer, void *arg);
	void *arg;
};

enum http_state {
	HTTP_QUEUED,   /* wants an attempt */
	HTTP_ACTIVE,   /* an attempt is under way */
	HTTP_WAITING,  /* for `due` */
	HTTP_UNSIGNED, /* got a 401, waits for other credentials */
	HTTP_ENDED,    /* has no calls any more */
};

struct http_flight {
	struct http_flight *prev, *next; /* http->flights, in the order they came */
	struct http *http;               /* borrowed */
	struct http_call *calls;
	enum http_state state;
	bool background; /* all of its calls are */

	enum http_method method;
	char *target; /* owned; of an upload, without the query */
	size_t place; /* so many of its bytes say which cluster it is about, or else its path */
	char *body;   /* owned, wiped; NULL: none */
	size_t body_len;
	const char *accept; /* a constant */
	bool once, safe, secret;
	uint64_t writes; /* http->writes when it came: later ones must not share it */

	const struct http_upload *upload; /* borrowed; NULL: it is none */
	uint64_t uploaded;                /* bytes of the file that libcurl has taken */
	curl_mime *form;                  /* of the attempt under way, or NULL */

	CURL *easy;                 /* of the attempt under way, or NULL */
	struct curl_slist *headers; /* owned, wiped */
	char error[CURL_ERROR_SIZE];
	struct http_body in;
	size_t header_bytes;
	bool headed; /* the headers came to their end */
	char *url;   /* owned, wiped: of the next attempt, where it is not the target's */
	unsigned redirects;
	unsigned generation; /* of the credentials of the last attempt */
	bool renewed;        /* it was repeated with other credentials */
	bool issued;         /* the attempt got as far as sending */
	bool resent;         /* libcurl was kept from sending it a second time */
	bool uncertain;      /* it may have arrived, and no complete answer came */
	long sent_before;    /* bytes, of a proxy's CONNECT */
	int64_t created;
	int64_t started; /* the attempt */
	int64_t due;
	unsigned sent;     /* attempts, libcurl's own included */
	unsigned failures; /* in a row */

	struct http_answer last; /* the last real answer */
	int last_err;            /* of that; 0: none */
	int transport_err;       /* of the last attempt without an answer; 0: none */
};

/* The thread that has the credentials read again. */
struct http_renewal {
	pthread_t thread;
	bool running;
	int cancel_fd;       /* an eventfd; readable: give up */
	unsigned generation; /* set before the thread starts */
	int result;          /* of the thread; read after `finished` */
	atomic_bool finished;
};

struct http {
	char *url;
	CURLU *origin;
	struct curl_blob authorities; /* owned; .data is NULL for the system's alone */
	bool tls;
	size_t max_connections;
	size_t max_answer;
	struct rate rate;
	int64_t rated_until;  /* no attempt may start before; 0: they may */
	int64_t scarce_until; /* nor one in the background, for the server's limit */
	struct auth *auth;    /* borrowed */
	CURLM *multi;
	CURLSH *share; /* TLS sessions */
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	struct http_call *inbox; /* lock */
	bool stop;               /* lock */
	bool closed;             /* lock: nobody looks into the inbox any more */

	struct http_flight *flights;
	struct http_renewal renewal;
	size_t active;           /* attempts under way, without the uploads */
	size_t uploading;        /* uploads under way */
	atomic_bool multiplexed; /* the last answer came over HTTP/2 */
	/* libcurl before 8.0: an answer that it reads while it serves another request of the same
	 * connection may wait for ever. */
	bool forgets;
	uint64_t writes; /* requests that may have changed something and have ended */

	_Atomic uint64_t requests, retries, errors, connections, bytes;
};

/* http_loop.c */
void *http_loop(void *arg);
/* Ends everything with -ECANCELED and takes no more. */
void http_end_all(struct http *http);

/* http_flight.c */
struct http_flight *http_flight_new(struct http *http, const struct http_request *request);
void http_flight_free(struct http_flight *flight);
/* Ends one call with `err` and what the last answer said. A flight without calls is for
 * http_flight_end. */
void http_call_end(struct http_call *call, int err);
/* Ends the attempt and all calls. The loop frees the flight. */
void http_flight_end(struct http_flight *flight, int err);
/* When the last of its calls gives up. */
int64_t http_flight_deadline(const struct http_flight *flight);
/* What a call comes to whose time is over. */
int http_flight_expired(const struct http_flight *flight, int64_t now);

/* http_attempt.c */
bool http_attempt_may_repeat(const struct http_flight *flight);
/* Hands a queued flight to libcurl, or ends it. */
void http_attempt_start(struct http_flight *flight);
/* Takes it back, if libcurl has it. */
void http_attempt_drop(struct http_flight *flight);
/* Whether the server may have seen it. */
bool http_attempt_may_have_arrived(const struct http_flight *flight);
/* libcurl has come to an end with it. */
void http_attempt_end(struct http_flight *flight, CURLcode code);

/* http_setup.c */
/* Makes the transfer of the next attempt: flight->easy, with its headers. */
int http_setup(struct http_flight *flight);
void http_setup_undo(struct http_flight *flight);
/* False: no memory. */
bool http_add_header(struct http_flight *flight, const char *line);

/* http_upload.c */
/* Makes the transfer of the next attempt send the file. 0, -EINVAL, -EPROTO or -ENOMEM. */
int http_upload_setup(struct http_flight *flight);
void http_upload_undo(struct http_flight *flight);

/* http_answer.c */
/* Fills flight->last from the attempt: status, headers, and its body, which is taken over. */
void http_answer_take(struct http_flight *flight, long status);

/* http_renew.c */
int http_renew_init(struct http_renewal *renewal);
/* Gives up what is under way and waits for the thread. */
void http_renew_finish(struct http_renewal *renewal);
/* Starts the thread if a flight needs it, and settles those whose answer is there. */
void http_renew_step(struct http *http);

/* http_trust.c */
/* The system's authorities and those of `path`, as one PEM text. */
int http_trust_read(const char *path, struct curl_blob *ret_blob);

#endif
