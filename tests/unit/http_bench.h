/* An engine with a server of its own to talk to, and a place where answers arrive. Includes
 * cmocka, in the order it wants. */
#ifndef TESTS_UNIT_HTTP_BENCH_H
#define TESTS_UNIT_HTTP_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "api/auth.h"
#include "api/http.h"
#include "base/clock.h"
#include "tests/unit/http_server.h"

#define BENCH_MAX_ANSWER 100000U
#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))
#define OK(body)         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" body

struct bench {
	struct server *server;
	struct auth *auth;
	struct http *http;
};

/* An asynchronous answer. */
struct arrival {
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned times;            /* lock */
	struct http_answer answer; /* lock */
};

/* `auth` may be NULL: a fixed one; else the bench takes it. */
void bench_start(struct bench *bench, const struct reply *script, size_t count, struct auth *auth,
	unsigned max_connections);
void bench_stop(struct bench *bench);
int64_t bench_deadline(int64_t ms);
/* One request without a body, answered before it returns. */
int bench_do(struct bench *bench, enum http_method method, const char *target, int64_t ms,
	struct http_answer *ret_answer);

void arrival_init(struct arrival *arrival);
void arrival_finish(struct arrival *arrival);
/* For http_request.done; the argument is the arrival. */
void arrival_done(struct http_answer *answer, void *arg);
/* Waits for it; false after ten seconds. */
bool arrival_wait(struct arrival *arrival);
unsigned arrival_times(struct arrival *arrival);
/* It comes, once, with that error; ends it. */
void assert_arrival(struct arrival *arrival, int err);

#endif
