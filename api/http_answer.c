#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/error.h"
#include "api/http_priv.h"
#include "base/clock.h"

/* A server that asks for more than this is taken to have asked for this. */
#define ASKED_MAX_S 86400
/* One in so many of the server's limit is kept for those who wait. */
#define LIMIT_KEPT 4

static const char *header_of(CURL *easy, const char *name)
{
	struct curl_header *header;
	return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
		       ? header->value
		       : NULL;
}

/* Milliseconds of "12" or "12.5"; -1 where the text is no such number. */
static int64_t parse_seconds(const char *text)
{
	char *end;
	if (!isdigit((unsigned char)*text)) {
		return -1;
	}
	errno = 0;
	unsigned long long seconds = strtoull(text, &end, 10);
	bool fraction = *end == '.';
	if (fraction) {
		end++;
		end += strspn(end, "0123456789");
	}
	end += strspn(end, " \t");
	if (*end != '\0') {
		return -1;
	}
	if (errno == ERANGE || seconds > ASKED_MAX_S) {
		seconds = ASKED_MAX_S;
	}
	/* rounded up: never before what was asked */
	return (int64_t)(seconds + (fraction ? 1 : 0)) * 1000;
}

static int64_t parse_date(const char *text)
{
	time_t at = curl_getdate(text, NULL);
	if (at == -1) {
		return -1;
	}
	int64_t wait = (int64_t)at * 1000 - clock_wall_ms();
	if (wait < 0) {
		return 0;
	}
	return wait < ASKED_MAX_S * INT64_C(1000) ? wait : ASKED_MAX_S * INT64_C(1000);
}

static int64_t asked_delay(CURL *easy, long status)
{
	const char *text = header_of(easy, "Retry-After");
	int64_t asked = -1;
	if (text) {
		asked = parse_seconds(text);
		asked = asked < 0 ? parse_date(text) : asked;
	}
	/* The API tells on every answer when its count starts anew; that is a reason to wait only
	 * for who has used it up. */
	text = asked < 0 && status == 429 ? header_of(easy, "X-RateLimit-Reset") : NULL;
	return text ? parse_seconds(text) : asked;
}

static long number_of(CURL *easy, const char *name, long missing)
{
	const char *text = header_of(easy, name);
	return text && isdigit((unsigned char)*text) ? strtol(text, NULL, 10) : missing;
}

/* Notes how long the server's limit leaves no room for what nobody waits for. The other requests
 * under way may not be counted in it yet. */
static void note_limit(const struct http_flight *flight)
{
	struct http *http = flight->http;
	const char *reset = header_of(flight->easy, "X-RateLimit-Reset");
	long left = number_of(flight->easy, "X-RateLimit-Remaining", LONG_MAX);
	long kept = number_of(flight->easy, "X-RateLimit-Limit", 0) / LIMIT_KEPT;
	long others = (long)http->active - 1;
	int64_t wait = flight->last.retry_after;
	if (reset && left - others <= kept && parse_seconds(reset) > wait) {
		wait = parse_seconds(reset);
	}
	int64_t until = clock_now_ms() + wait;
	if (wait > 0 && until > http->scarce_until) {
		http->scarce_until = until;
	}
}

static bool is_json_type(const char *type)
{
	size_t len = strcspn(type, ";");
	for (size_t i = 0; i + 4 <= len; i++) {
		if (strncasecmp(type + i, "json", 4) == 0) {
			return true;
		}
	}
	return false;
}

static void take_request_id(CURL *easy, struct http_answer *answer)
{
	const char *id = header_of(easy, "X-Request-Id");
	size_t len = 0;
	for (; id && *id && len + 1 < sizeof(answer->request_id); id++) {
		if (*id > ' ' && *id <= '~') {
			answer->request_id[len++] = *id;
		}
	}
	answer->request_id[len] = '\0';
}

void http_answer_take(struct http_flight *flight, long status)
{
	struct http_answer *last = &flight->last;
	const char *type = header_of(flight->easy, "Content-Type");

	http_answer_finish(last);
	last->status = status;
	last->json = type && *type ? is_json_type(type)
				   : flight->in.first == '{' || flight->in.first == '[';
	last->retry_after = asked_delay(flight->easy, status);
	take_request_id(flight->easy, last);
	if (!flight->upload) {
		note_limit(flight);
	}
	last->body = flight->in.out;
	flight->in.out = (struct strbuf){ 0 };
}

bool http_answer_is_passing(const struct http_answer *answer)
{
	return answer->status ? error_is_transient(answer->status)
			      : answer->err != -EPROTO && answer->err != -ECANCELED &&
					answer->err != -EINVAL && answer->err != -ENOMEM;
}

bool http_answer_is_failure(const struct http_answer *answer)
{
	return answer->status == 500 &&
	       error_is_from_api(strbuf_str(&answer->body), answer->body.len);
}
