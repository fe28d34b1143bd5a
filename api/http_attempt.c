#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "api/error.h"
#include "api/http_priv.h"
#include "api/retry.h"
#include "base/clock.h"
#include "base/log.h"

bool http_attempt_may_have_arrived(const struct http_flight *flight)
{
	long sent = 0;
	curl_easy_getinfo(flight->easy, CURLINFO_REQUEST_SIZE, &sent);
	return flight->issued && sent > flight->sent_before;
}

static size_t *under_way(const struct http_flight *flight)
{
	return flight->upload ? &flight->http->uploading : &flight->http->active;
}

void http_attempt_start(struct http_flight *flight)
{
	struct http *http = flight->http;
	struct http_body *in = &flight->in;

	if (in->begun && in->good && in->sink && in->total > 0) {
		in->sink->restart(in->arg);
	}
	http_body_reset(in);
	flight->header_bytes = 0;
	flight->headed = false;
	flight->issued = false;
	flight->resent = false;
	flight->uncertain = false;
	flight->sent_before = 0;
	flight->error[0] = '\0';
	int err = http_setup(flight);
	if (!err && curl_multi_add_handle(http->multi, flight->easy) != CURLM_OK) {
		http_setup_undo(flight);
		err = -ENOMEM;
	}
	if (err < 0) {
		http_flight_end(flight, err);
		return;
	}
	flight->state = HTTP_ACTIVE;
	flight->started = clock_now_ms();
	flight->sent++;
	(*under_way(flight))++;
}

void http_attempt_drop(struct http_flight *flight)
{
	struct http *http = flight->http;
	long connections = 0;

	if (!flight->easy) {
		return;
	}
	curl_easy_getinfo(flight->easy, CURLINFO_NUM_CONNECTS, &connections);
	http->connections += (uint64_t)connections;
	curl_multi_remove_handle(http->multi, flight->easy);
	http_setup_undo(flight);
	(*under_way(flight))--;
}

bool http_attempt_may_repeat(const struct http_flight *flight)
{
	return (flight->method == HTTP_GET || flight->safe) && !flight->once;
}

static void retry_or_end(struct http_flight *flight, int64_t asked, int err)
{
	uint32_t random = 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0) {
		random = (uint32_t)clock_wall_ms() * 2654435761U;
	}
	int64_t now = clock_now_ms();
	int64_t delay =
		retry_delay(++flight->failures, asked, now, http_flight_deadline(flight), random);
	if (delay < 0) {
		http_flight_end(flight, err);
		return;
	}
	free(flight->url);
	flight->url = NULL;
	flight->redirects = 0;
	flight->due = now + delay;
	flight->state = HTTP_WAITING;
	log_debug("%s %s: %s, again in %lld ms", http_method_name(flight->method), flight->target,
		strerror(-err), (long long)delay);
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart which)
{
	char *in_a = NULL;
	char *in_b = NULL;
	bool same = curl_url_get(a, which, &in_a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    curl_url_get(b, which, &in_b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    strcasecmp(in_a, in_b) == 0;
	curl_free(in_a);
	curl_free(in_b);
	return same;
}

static bool is_same_origin(const struct http *http, const char *url)
{
	CURLU *to = curl_url();
	bool same = to &&
		    curl_url_set(to, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) ==
			    CURLUE_OK &&
		    same_part(to, http->origin, CURLUPART_SCHEME) &&
		    same_part(to, http->origin, CURLUPART_HOST) &&
		    same_part(to, http->origin, CURLUPART_PORT);
	curl_url_cleanup(to);
	return same;
}

/* The URL to go to next, to be freed; NULL: this redirect is not followed. */
static char *redirect_of(const struct http_flight *flight, long status)
{
	static const long followed[] = { 301, 302, 303, 307, 308 };
	char *url = NULL;
	bool known = false;

	for (size_t i = 0; i < sizeof(followed) / sizeof(followed[0]); i++) {
		known = known || followed[i] == status;
	}
	if (!known || flight->method != HTTP_GET || flight->redirects == HTTP_REDIRECTS_MAX) {
		return NULL;
	}
	curl_easy_getinfo(flight->easy, CURLINFO_REDIRECT_URL, &url);
	return url && is_same_origin(flight->http, url) ? strdup(url) : NULL;
}

static void answered(struct http_flight *flight, long status)
{
	char *redirect = redirect_of(flight, status);
	http_answer_take(flight, status);
	http_attempt_drop(flight);
	int err = error_of_status(status, flight->last.json);

	if (redirect) {
		free(flight->url);
		flight->url = redirect;
		flight->redirects++;
		flight->state = HTTP_QUEUED;
		return;
	}
	flight->last_err = err;
	if (status == 401 && !flight->renewed && !flight->upload) {
		flight->state = HTTP_UNSIGNED;
	} else if (error_is_transient(status) && http_attempt_may_repeat(flight)) {
		retry_or_end(flight, flight->last.retry_after, err);
	} else {
		http_flight_end(flight, err);
	}
}

static bool is_connection_error(CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

/* There is no complete answer; what was that? */
static int error_of_attempt(const struct http_flight *flight, CURLcode code)
{
	long os_errno = 0;
	if (flight->in.err) {
		return flight->in.err;
	}
	if (flight->resent) {
		return -EIO;
	}
	bool cut = code == CURLE_OK || is_connection_error(code);
	if (flight->headed && cut && code != CURLE_OPERATION_TIMEDOUT) {
		return -EBADMSG;
	}
	curl_easy_getinfo(flight->easy, CURLINFO_OS_ERRNO, &os_errno);
	int err = error_of_curl((int)code, (int)os_errno);
	return err ? err : -EIO;
}

static void failed(struct http_flight *flight, CURLcode code, long status)
{
	int err = error_of_attempt(flight, code);
	bool repeat = is_connection_error(code) || code == CURLE_OK;
	repeat = repeat && !flight->in.err && http_attempt_may_repeat(flight);

	flight->uncertain = http_attempt_may_have_arrived(flight);
	http_attempt_drop(flight);
	flight->transport_err = err;
	if (flight->last.status == 0 && status >= 200) {
		flight->last.status = status;
	}
	snprintf(flight->last.trouble, sizeof(flight->last.trouble), "%s",
		flight->error[0] ? flight->error : curl_easy_strerror(code));
	if (repeat) {
		retry_or_end(flight, -1, flight->last_err ? flight->last_err : err);
	} else {
		http_flight_end(flight, err);
	}
}

void http_attempt_end(struct http_flight *flight, CURLcode code)
{
	long status = 0;
	long version = 0;

	curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(flight->easy, CURLINFO_HTTP_VERSION, &version);
	if (status > 0 && !flight->upload && !flight->secret) {
		flight->http->multiplexed = version >= CURL_HTTP_VERSION_2_0;
	}
	bool good = status >= 200 && status <= 299;
	int body_err = good && code != CURLE_OK ? 0 : http_body_end(&flight->in);
	flight->headed = flight->headed && status >= 200;
	/* A status other than 2xx says it all; its body may be cut off. */
	bool complete = flight->headed && (good ? code == CURLE_OK && !body_err : status >= 300);
	if (complete) {
		answered(flight, status);
	} else {
		failed(flight, code, status);
	}
}
