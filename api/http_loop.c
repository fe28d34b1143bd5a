#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "api/http_priv.h"
#include "base/clock.h"

#define POLL_MAX_MS 60000
/* Requests at once where one connection carries many. */
#define STREAMS_MAX (size_t)64
/* How long nothing may come over a connection that carries several requests before each is looked
 * at, with a libcurl that forgets some. */
#define SILENCE_MS 100

/* Whether a new call may be served by the answer to this flight. A flight from before a write
 * could bring what was true before it. */
static bool is_shareable(const struct http_flight *flight, const struct http_flight *wanted)
{
	return flight->state != HTTP_ENDED && flight->method == HTTP_GET && !flight->in.sink &&
	       flight->once == wanted->once && flight->writes == flight->http->writes &&
	       strcmp(flight->target, wanted->target) == 0;
}

static bool is_target(const char *target)
{
	for (const char *s = target; *s; s++) {
		if (*s <= ' ' || *s > '~' || *s == '#') {
			return false;
		}
	}
	return target[0] == '/';
}

static void adopt(struct http *http, struct http_call *call)
{
	struct http_flight *fresh = call->flight;
	struct http_flight *flight = NULL;

	fresh->writes = http->writes;
	if (fresh->method == HTTP_GET && !fresh->in.sink) {
		for (flight = http->flights; flight; flight = flight->next) {
			if (is_shareable(flight, fresh)) {
				break;
			}
		}
	}
	if (flight) {
		http_flight_free(fresh);
		call->flight = flight;
	} else {
		flight = fresh;
		DL_APPEND(http->flights, flight);
	}
	flight->background = flight->background && call->background;
	DL_APPEND(flight->calls, call);
	if (!flight->upload && !is_target(flight->target)) {
		http_flight_end(flight, -EINVAL);
	}
}

/* Takes what was submitted. False: the end has come. */
static bool take_inbox(struct http *http)
{
	struct http_call *call;
	struct http_call *next;

	pthread_mutex_lock(&http->lock);
	struct http_call *inbox = http->inbox;
	http->inbox = NULL;
	bool stop = http->stop;
	pthread_mutex_unlock(&http->lock);
	for (call = inbox; call; call = next) {
		next = call->next;
		DL_DELETE(inbox, call);
		adopt(http, call);
	}
	return !stop;
}

static bool is_over(const struct http_call *call, int64_t now)
{
	const struct http_flight *flight = call->flight;
	return now >= call->deadline ||
	       (flight->state == HTTP_WAITING && flight->due >= call->deadline);
}

static void sweep_calls(struct http_flight *flight, int64_t now)
{
	struct http_call *call;
	struct http_call *next;

	for (call = flight->calls; call; call = next) {
		next = call->next;
		int64_t urged = atomic_exchange(&call->urged, 0);
		if (urged) {
			flight->background = false;
			call->deadline = urged;
		}
		if (atomic_load(&call->cancelled)) {
			http_call_end(call, -ECANCELED);
		} else if (is_over(call, now)) {
			http_call_end(call, http_flight_expired(flight, now));
		}
	}
	if (flight->background && flight->state != HTTP_ACTIVE &&
		now < flight->http->scarce_until) {
		http_flight_end(flight, -EBUSY);
	} else if (!flight->calls) {
		http_flight_end(flight, 0);
	}
}

static void forget(struct http *http, struct http_flight *flight)
{
	DL_DELETE(http->flights, flight);
	http_flight_free(flight);
}

/* Ends what is over, frees what has ended, wakes what has waited long enough. */
static void sweep(struct http *http)
{
	struct http_flight *flight;
	struct http_flight *next;
	int64_t now = clock_now_ms();

	for (flight = http->flights; flight; flight = next) {
		next = flight->next;
		sweep_calls(flight, now);
		if (flight->state == HTTP_ENDED) {
			forget(http, flight);
		} else if (flight->state == HTTP_WAITING && flight->due <= now) {
			flight->state = HTTP_QUEUED;
			http->retries++;
		}
	}
}

/* Whether the next attempt may start; takes its token. */
static bool is_within_rate(struct http *http)
{
	int64_t now = clock_now_ms();
	int64_t wait = http->rate.burst > 0 ? rate_take(&http->rate, now) : 0;
	http->rated_until = wait > 0 ? now + wait : 0;
	return wait == 0;
}

/* Attempts at once, whatever the options say. */
#define ACTIVE_MAX 256

/* The attempts under way. */
struct busy {
	const struct http_flight *flights[ACTIVE_MAX];
	size_t count;
};

static bool is_of_same_place(const struct http_flight *a, const struct http_flight *b)
{
	return a->place == b->place && memcmp(a->target, b->target, a->place) == 0;
}

/* Whether a flight's place has its share of the room: one that hangs leaves some to the others. */
static bool is_crowded(const struct busy *busy, const struct http_flight *flight, size_t room)
{
	size_t share = room > 1 ? room - (room + 3) / 4 : 1, same = 0;
	for (size_t i = 0; i < busy->count; i++) {
		same += is_of_same_place(busy->flights[i], flight);
	}
	return same >= share;
}

static void find_busy(const struct http *http, struct busy *busy)
{
	const struct http_flight *flight;
	busy->count = 0;
	for (flight = http->flights; flight && busy->count < ACTIVE_MAX; flight = flight->next) {
		if (flight->state == HTTP_ACTIVE && !flight->upload) {
			busy->flights[busy->count++] = flight;
		}
	}
}

/* Starts the queued flights of one kind while there is room. True: none is left that could. */
static bool start_queued(struct http *http, struct busy *busy, bool background, size_t room)
{
	struct http_flight *flight;
	http->rated_until = 0;
	for (flight = http->flights; flight; flight = flight->next) {
		if (flight->state != HTTP_QUEUED || flight->background != background ||
			flight->upload) {
			continue;
		}
		if (http->active >= room || busy->count == ACTIVE_MAX) {
			return false;
		}
		if (is_crowded(busy, flight, room)) {
			continue;
		}
		if (!is_within_rate(http)) {
			return false;
		}
		http_attempt_start(flight);
		busy->flights[busy->count++] = flight;
	}
	return true;
}

static void start_uploads(struct http *http)
{
	struct http_flight *flight;
	for (flight = http->flights; flight; flight = flight->next) {
		if (flight->state == HTTP_QUEUED && flight->upload &&
			http->uploading < HTTP_UPLOADS_MAX) {
			http_attempt_start(flight);
		}
	}
}

static void schedule(struct http *http)
{
	size_t room = http->max_connections;
	if (http->multiplexed && room < STREAMS_MAX) {
		room = STREAMS_MAX;
	}
	struct busy busy;
	find_busy(http, &busy);
	/* One place stays free, so that who comes next need not wait for the background. Of streams
	 * it takes no more than of connections. */
	size_t most = http->max_connections;
	if (start_queued(http, &busy, false, room)) {
		start_queued(http, &busy, true, most > 1 ? most - 1 : 1);
	}
	start_uploads(http);
}

static bool collect(struct http *http)
{
	struct http_flight *flight;
	CURLMsg *message;
	int left;
	bool any = false;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg == CURLMSG_DONE) {
			char *private = NULL;
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
			flight = (struct http_flight *)(void *)private;
			http_attempt_end(flight, message->data.result);
			any = true;
		}
	}
	return any;
}

static int time_to_next(const struct http *http)
{
	const struct http_flight *flight;
	const struct http_call *call;
	int64_t now = clock_now_ms();
	int64_t at = now + POLL_MAX_MS;
	if (http->rated_until && http->rated_until < at) {
		at = http->rated_until;
	}
	for (flight = http->flights; flight; flight = flight->next) {
		if (flight->state == HTTP_WAITING && flight->due < at) {
			at = flight->due;
		}
		for (call = flight->calls; call; call = call->next) {
			at = call->deadline < at ? call->deadline : at;
		}
	}
	return at > now ? (int)(at - now) : 0;
}

/* Has each request look for what another one of its connection has read of its answer. */
static void nudge(const struct http *http)
{
	const struct http_flight *flight;
	for (flight = http->flights; flight; flight = flight->next) {
		if (flight->state == HTTP_ACTIVE && !flight->upload) {
			curl_easy_pause(flight->easy, CURLPAUSE_RECV);
			curl_easy_pause(flight->easy, CURLPAUSE_CONT);
		}
	}
}

static void wait_for_more(struct http *http)
{
	int ready = 0, ms = time_to_next(http);
	bool watched = http->forgets && http->multiplexed && http->active > 1;
	int most = watched && ms > SILENCE_MS ? SILENCE_MS : ms;
	curl_multi_poll(http->multi, NULL, 0, most, &ready);
	if (watched && ready == 0) {
		nudge(http);
	}
}

void *http_loop(void *arg)
{
	struct http *http = arg;
	int running;

	while (take_inbox(http)) {
		http_renew_step(http);
		sweep(http);
		schedule(http);
		curl_multi_perform(http->multi, &running);
		if (!collect(http)) {
			wait_for_more(http);
		}
	}
	http_end_all(http);
	return NULL;
}

void http_end_all(struct http *http)
{
	struct http_flight *flight;
	struct http_flight *next;
	bool empty = false;

	while (!empty) {
		take_inbox(http);
		for (flight = http->flights; flight; flight = next) {
			next = flight->next;
			http_flight_end(flight, -ECANCELED);
			forget(http, flight);
		}
		pthread_mutex_lock(&http->lock);
		empty = !http->inbox;
		http->closed = empty;
		pthread_mutex_unlock(&http->lock);
	}
}
