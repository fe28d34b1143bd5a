#include "tests/unit/http_bench.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 10000

void bench_start(struct bench *bench, const struct reply *script, size_t count, struct auth *auth,
	unsigned max_connections)
{
	char url[64];
	struct http_options options = {
		.url = url, .max_connections = max_connections, .max_answer = BENCH_MAX_ANSWER
	};

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	bench->server = server_start(script, count);
	bench->auth = auth;
	if (!auth) {
		assert_int_equal(auth_create_fixed("key", "a-secret", &bench->auth), 0);
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server_port(bench->server));
	options.auth = bench->auth;
	assert_int_equal(http_create(&options, &bench->http), 0);
	assert_int_equal(http_start(bench->http), 0);
}

void bench_stop(struct bench *bench)
{
	http_destroy(bench->http);
	auth_destroy(bench->auth);
	server_stop(bench->server);
}

int64_t bench_deadline(int64_t ms)
{
	return clock_now_ms() + ms;
}

int bench_do(struct bench *bench, enum http_method method, const char *target, int64_t ms,
	struct http_answer *ret_answer)
{
	struct http_request request = {
		.method = method, .target = target, .deadline = bench_deadline(ms)
	};
	return http_perform(bench->http, &request, ret_answer);
}

void arrival_init(struct arrival *arrival)
{
	pthread_condattr_t monotonic;
	memset(arrival, 0, sizeof(*arrival));
	pthread_mutex_init(&arrival->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&arrival->change, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void arrival_finish(struct arrival *arrival)
{
	http_answer_finish(&arrival->answer);
	pthread_cond_destroy(&arrival->change);
	pthread_mutex_destroy(&arrival->lock);
}

void arrival_done(struct http_answer *answer, void *arg)
{
	struct arrival *arrival = arg;
	pthread_mutex_lock(&arrival->lock);
	http_answer_finish(&arrival->answer);
	arrival->answer = *answer;
	answer->body = (struct strbuf){ 0 };
	arrival->times++;
	pthread_cond_broadcast(&arrival->change);
	pthread_mutex_unlock(&arrival->lock);
}

bool arrival_wait(struct arrival *arrival)
{
	int64_t until = clock_now_ms() + WAIT_MS;
	struct timespec ts = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
	int err = 0;

	pthread_mutex_lock(&arrival->lock);
	while (arrival->times == 0 && !err) {
		err = pthread_cond_timedwait(&arrival->change, &arrival->lock, &ts);
	}
	bool came = arrival->times > 0;
	pthread_mutex_unlock(&arrival->lock);
	return came;
}

unsigned arrival_times(struct arrival *arrival)
{
	pthread_mutex_lock(&arrival->lock);
	unsigned times = arrival->times;
	pthread_mutex_unlock(&arrival->lock);
	return times;
}

void assert_arrival(struct arrival *arrival, int err)
{
	assert_true(arrival_wait(arrival));
	assert_int_equal(arrival_times(arrival), 1);
	assert_int_equal(arrival->answer.err, err);
	arrival_finish(arrival);
}
