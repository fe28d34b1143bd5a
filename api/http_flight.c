#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api/http_priv.h"
#include "base/clock.h"
#include "base/log.h"

/* An attempt that the deadline cuts off after less than this did not hang: it just began late. */
#define HUNG_MS 1000

/* The target as it may be logged: what stands behind an upload's "?" is as good as a password. */
static bool copy_target(struct http_flight *flight, const struct http_request *request)
{
	const char *target = request->target;
	if (!request->upload) {
		flight->target = strdup(target);
		return flight->target;
	}
	flight->target = strndup(target, strcspn(target, "?"));
	flight->url = strdup(target);
	return flight->target && flight->url;
}

/* How much of a target says who answers it: one cluster may hang while the others do not. */
static size_t place_of(const char *target)
{
	static const char clusters[] = "/clusters/";
	const char *found = strstr(target, clusters);
	const char *end = found ? found + strlen(clusters) : target;
	return (size_t)(end - target) + strcspn(end, found ? "/?" : "?");
}

struct http_flight *http_flight_new(struct http *http, const struct http_request *request)
{
	struct http_flight *flight = calloc(1, sizeof(*flight));
	if (!flight) {
		return NULL;
	}
	flight->http = http;
	flight->method = request->method;
	flight->background = request->background;
	flight->accept = request->accept ? request->accept : "application/json";
	flight->once = request->once;
	flight->safe = request->safe;
	flight->secret = request->secret;
	flight->created = clock_now_ms();
	flight->last.retry_after = -1;
	flight->in.sink = request->sink;
	flight->in.arg = request->arg;
	flight->upload = request->upload;
	bool copied = copy_target(flight, request);
	if (request->body && copied) {
		flight->body = malloc(request->body_len + 1);
		flight->body_len = request->body_len;
	}
	if (!copied || (request->body && !flight->body)) {
		free(flight->url);
		free(flight->target);
		free(flight);
		return NULL;
	}
	flight->place = place_of(flight->target);
	if (flight->body) {
		memcpy(flight->body, request->body, request->body_len);
		flight->body[request->body_len] = '\0';
	}
	return flight;
}

void http_flight_free(struct http_flight *flight)
{
	http_body_reset(&flight->in);
	http_answer_finish(&flight->last);
	if (flight->body) {
		explicit_bzero(flight->body, flight->body_len);
		free(flight->body);
	}
	if (flight->url) {
		explicit_bzero(flight->url, strlen(flight->url));
		free(flight->url);
	}
	free(flight->target);
	free(flight);
}

static void fill_answer(const struct http_flight *flight, int err, struct http_answer *answer)
{
	*answer = flight->last;
	answer->body = (struct strbuf){ 0 };
	answer->err = err;
	answer->attempts = flight->sent;
	answer->maybe_done =
		flight->method != HTTP_GET && !flight->safe && err < 0 &&
		(flight->easy ? http_attempt_may_have_arrived(flight) : flight->uncertain);
}

static void copy_body(const struct http_flight *flight, struct http_answer *answer)
{
	const struct strbuf *body = &flight->last.body;
	strbuf_init(&answer->body, body->len);
	strbuf_reserve(&answer->body, body->len);
	strbuf_add(&answer->body, strbuf_str(body), body->len);
	if (answer->body.err) {
		answer->err = answer->body.err;
	}
}

void http_call_end(struct http_call *call, int err)
{
	struct http_flight *flight = call->flight;
	struct http *http = flight->http;
	struct http_answer answer;

	fill_answer(flight, err, &answer);
	DL_DELETE(flight->calls, call);
	if (flight->calls) {
		copy_body(flight, &answer);
	} else {
		answer.body = flight->last.body;
		flight->last.body = (struct strbuf){ 0 };
	}
	if (flight->method != HTTP_GET && !flight->safe) {
		http->writes++;
	}
	if (answer.err < 0 && answer.err != -ECANCELED) {
		http->errors++;
	}
	log_debug("%s %s: status %ld, %s, attempts %u, %lld ms", http_method_name(flight->method),
		flight->target, answer.status, answer.err ? strerror(-answer.err) : "ok",
		answer.attempts, (long long)(clock_now_ms() - flight->created));
	call->done(&answer, call->arg);
	http_answer_finish(&answer);
	free(call);
}

void http_flight_end(struct http_flight *flight, int err)
{
	struct http_call *call;
	struct http_call *next;

	for (call = flight->calls; call; call = next) {
		next = call->next;
		http_call_end(call, err);
	}
	http_attempt_drop(flight);
	flight->state = HTTP_ENDED;
}

int64_t http_flight_deadline(const struct http_flight *flight)
{
	int64_t latest = INT64_MIN;
	const struct http_call *call;
	for (call = flight->calls; call; call = call->next) {
		latest = call->deadline > latest ? call->deadline : latest;
	}
	return latest;
}

int http_flight_expired(const struct http_flight *flight, int64_t now)
{
	if (flight->state == HTTP_ACTIVE && now - flight->started >= HUNG_MS) {
		return -ETIMEDOUT;
	}
	if (flight->last_err) {
		return flight->last_err;
	}
	return flight->transport_err ? flight->transport_err : -ETIMEDOUT;
}
