#include "api/http.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

#include "api/http_priv.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/wipe.h"

const char *http_method_name(enum http_method method)
{
	static const char *const names[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
	return names[method];
}

void http_answer_finish(struct http_answer *answer)
{
	strbuf_wipe(&answer->body);
}

static int set_url(struct http *http, const struct http_options *options)
{
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	int err = url_check_origin(options->url, options->insecure_http, &http->url, &why);
	if (err < 0) {
		log_error("%s", err == -EINVAL ? strbuf_str(&why) : strerror(-err));
		return err;
	}
	http->tls = strncasecmp(http->url, "https:", 6) == 0;
	http->origin = curl_url();
	if (!http->origin || curl_url_set(http->origin, CURLUPART_URL, http->url,
				     CURLU_PATH_AS_IS) != CURLUE_OK) {
		return -ENOMEM;
	}
	return 0;
}

static int set_trust(struct http *http, const struct http_options *options)
{
	int err = options->cacert ? http_trust_read(options->cacert, &http->authorities) : 0;
	if (err < 0) {
		log_error("the certificate authority %s: %s", options->cacert,
			err == -EINVAL ? "it holds no PEM certificate" : strerror(-err));
	}
	return err;
}

static int set_multi(struct http *http)
{
	http->multi = curl_multi_init();
	http->share = curl_share_init();
	if (!http->multi || !http->share) {
		return -ENOMEM;
	}
	long most = (long)http->max_connections;
	long all = most + (long)HTTP_UPLOADS_MAX;
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
	curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, all);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, all);
	curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return 0;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

static void *crypto_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return wipe_realloc(ptr, size);
}

static void crypto_free(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	wipe_free(ptr);
}

/* Bodies and credentials pass through the libraries' own buffers. */
static int init_libraries(void)
{
	/* Too late after the first engine of a process, and needless then. */
	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
	cJSON_Hooks hooks = { malloc, wipe_free };
	cJSON_InitHooks(&hooks);
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, strdup,
		       calloc) == CURLE_OK
		       ? 0
		       : -ENOMEM;
}

int http_create(const struct http_options *options, struct http **ret_http)
{
	if (init_libraries() < 0) {
		return -ENOMEM;
	}
	struct http *http = calloc(1, sizeof(*http));
	if (!http) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	pthread_mutex_init(&http->lock, NULL);
	http->renewal.cancel_fd = -1;
	http->auth = options->auth;
	http->max_connections = options->max_connections > 0 ? options->max_connections : 1;
	http->max_answer = options->max_answer;
	http->rate = options->rate;
	http->forgets = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
	int err = set_url(http, options);
	if (!err) {
		err = set_trust(http, options);
	}
	if (!err) {
		err = set_multi(http);
	}
	if (!err) {
		err = http_renew_init(&http->renewal);
	}
	if (err < 0) {
		http_destroy(http);
		return err;
	}
	*ret_http = http;
	return 0;
}

int http_start(struct http *http)
{
	sigset_t all;
	sigset_t old;
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int err = pthread_create(&http->thread, NULL, http_loop, http);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	http->started = !err;
	return -err;
}

void http_destroy(struct http *http)
{
	if (!http) {
		return;
	}
	if (http->started) {
		pthread_mutex_lock(&http->lock);
		http->stop = true;
		pthread_mutex_unlock(&http->lock);
		curl_multi_wakeup(http->multi);
		pthread_join(http->thread, NULL);
	} else {
		http_end_all(http);
	}
	http_renew_finish(&http->renewal);
	curl_multi_cleanup(http->multi);
	curl_share_cleanup(http->share);
	curl_url_cleanup(http->origin);
	free(http->authorities.data);
	free(http->url);
	pthread_mutex_destroy(&http->lock);
	free(http);
	curl_global_cleanup();
}

static struct http_call *call_new(struct http *http, const struct http_request *request)
{
	struct http_call *call = calloc(1, sizeof(*call));
	if (!call) {
		return NULL;
	}
	call->flight = http_flight_new(http, request);
	if (!call->flight) {
		free(call);
		return NULL;
	}
	call->deadline = request->deadline;
	call->background = request->background;
	call->done = request->done;
	call->arg = request->arg;
	return call;
}

int http_submit(struct http *http, const struct http_request *request, struct http_call **ret_call)
{
	struct http_call *call = call_new(http, request);
	if (!call) {
		return -ENOMEM;
	}
	pthread_mutex_lock(&http->lock);
	bool closed = http->closed;
	if (!closed) {
		DL_APPEND(http->inbox, call);
		if (ret_call) {
			*ret_call = call;
		}
	}
	pthread_mutex_unlock(&http->lock);
	if (closed) {
		http_flight_free(call->flight);
		free(call);
		return -ECANCELED;
	}
	curl_multi_wakeup(http->multi);
	return 0;
}

void http_urge(struct http *http, struct http_call *call, int64_t deadline)
{
	atomic_store(&call->urged, deadline);
	curl_multi_wakeup(http->multi);
}

void http_cancel(struct http *http, struct http_call *call)
{
	atomic_store(&call->cancelled, true);
	curl_multi_wakeup(http->multi);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool has_ended;             /* lock */
	struct http_answer *answer; /* lock */
	const struct http_request *request;
	struct http_sink sink;
};

static void on_done(struct http_answer *answer, void *arg)
{
	struct waiter *waiter = arg;
	pthread_mutex_lock(&waiter->lock);
	*waiter->answer = *answer;
	answer->body = (struct strbuf){ 0 };
	waiter->has_ended = true;
	pthread_cond_signal(&waiter->ended);
	pthread_mutex_unlock(&waiter->lock);
}

/* The sink's argument is the request's, but `arg` is taken by the waiter. */
static int on_data(void *arg, const char *bytes, size_t len)
{
	const struct waiter *waiter = arg;
	return waiter->request->sink->data(waiter->request->arg, bytes, len);
}

static void on_restart(void *arg)
{
	const struct waiter *waiter = arg;
	waiter->request->sink->restart(waiter->request->arg);
}

int http_perform(
	struct http *http, const struct http_request *request, struct http_answer *ret_answer)
{
	struct waiter waiter = { .answer = ret_answer,
		.request = request,
		.sink = { .data = on_data, .restart = on_restart } };
	struct http_request waited = *request;

	assert(!http->started || !pthread_equal(http->thread, pthread_self()));
	pthread_mutex_init(&waiter.lock, NULL);
	pthread_cond_init(&waiter.ended, NULL);
	waited.done = on_done;
	waited.arg = &waiter;
	waited.sink = request->sink ? &waiter.sink : NULL;
	int err = http_submit(http, &waited, NULL);
	if (err < 0) {
		*ret_answer = (struct http_answer){ .err = err, .retry_after = -1 };
		waiter.has_ended = true;
	}
	pthread_mutex_lock(&waiter.lock);
	while (!waiter.has_ended) {
		pthread_cond_wait(&waiter.ended, &waiter.lock);
	}
	pthread_mutex_unlock(&waiter.lock);
	pthread_cond_destroy(&waiter.ended);
	pthread_mutex_destroy(&waiter.lock);
	return ret_answer->err;
}

bool http_is_multiplexed(const struct http *http)
{
	return http->multiplexed;
}

void http_counters(struct http *http, struct http_counters *ret_counters)
{
	ret_counters->requests = http->requests;
	ret_counters->retries = http->retries;
	ret_counters->errors = http->errors;
	ret_counters->connections = http->connections;
	ret_counters->bytes = http->bytes;
}
