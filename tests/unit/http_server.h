/*
 * A small HTTP/1.1 server on a port of its own, for tests: it answers the n-th request with the
 * n-th reply of a script (the last one again and again), or holds it back until it is told.
 *
 * server_start to server_stop; one thread. All functions are the test thread's.
 */
#ifndef TESTS_UNIT_HTTP_SERVER_H
#define TESTS_UNIT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum server_after {
	AFTER_KEEP,  /* the connection stays open */
	AFTER_CLOSE, /* it is closed behind the reply */
	AFTER_HOLD,  /* the reply is held back until server_release */
};

struct reply {
	const char *text;
	size_t len; /* 0: strlen */
	enum server_after after;
};

struct server;

/* `script` is borrowed. */
struct server *server_start(const struct reply *script, size_t count);
void server_stop(struct server *server);
unsigned server_port(const struct server *server);
/* Waits until `count` requests were read; false after ten seconds. */
bool server_wait(struct server *server, size_t count);
/* From now on whatever comes on a connection counts as a request: for what is no HTTP. */
void server_take_anything(struct server *server);
/* Sends what is held back. */
void server_release(struct server *server);
/* Closes every connection, with what is held back unsaid. */
void server_drop(struct server *server);
size_t server_requests(struct server *server);
size_t server_connections(struct server *server);
/* The whole text of a request, and when it was read (monotonic milliseconds). */
const char *server_request(struct server *server, size_t number);
int64_t server_request_at(struct server *server, size_t number);

#endif
