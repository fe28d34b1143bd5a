/* An engine that may only make so many attempts in a time. */
#include "tests/unit/http_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/cleanup.h"

#define EVERY_MS 250
#define LONG_MS  20000
#define SHORT_MS 100

/* Attempts may start a little apart from the clock that they were allowed by. */
#define SLACK_MS 20

static void rated_start(struct bench *bench, const struct reply *script, size_t count)
{
	char url[64];
	struct http_options options = { .url = url,
		.max_connections = 8,
		.max_answer = BENCH_MAX_ANSWER,
		.rate = { .every = EVERY_MS, .burst = 2 } };
	bench->server = server_start(script, count);
	assert_int_equal(auth_create_fixed("key", "a-secret", &bench->auth), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server_port(bench->server));
	options.auth = bench->auth;
	assert_int_equal(http_create(&options, &bench->http), 0);
	assert_int_equal(http_start(bench->http), 0);
}

static void submit(struct bench *bench, const char *target, int64_t ms, struct arrival *arrival)
{
	struct http_request request = { .method = HTTP_GET,
		.target = target,
		.deadline = bench_deadline(ms),
		.done = arrival_done,
		.arg = arrival };
	arrival_init(arrival);
	assert_int_equal(http_submit(bench->http, &request, NULL), 0);
}

static void assert_apart(struct server *server, size_t count)
{
	int64_t first = server_request_at(server, 0);
	assert_true(server_request_at(server, 1) - first < EVERY_MS);
	for (size_t i = 2; i < count; i++) {
		assert_true(server_request_at(server, i) - first >=
			    (int64_t)(i - 1) * EVERY_MS - SLACK_MS);
	}
}

static void test_some_at_once_then_one_by_one(void **state)
{
	static const char *const targets[] = { "/a", "/b", "/c", "/d" };
	struct reply script[] = { { OK("Content-Length: 2\r\n\r\n{}") } };
	struct arrival arrivals[COUNT(targets)];
	struct bench bench;
	rated_start(&bench, script, COUNT(script));
	for (size_t i = 0; i < COUNT(targets); i++) {
		submit(&bench, targets[i], LONG_MS, &arrivals[i]);
	}
	for (size_t i = 0; i < COUNT(targets); i++) {
		assert_true(arrival_wait(&arrivals[i]));
		assert_int_equal(arrivals[i].answer.err, 0);
		arrival_finish(&arrivals[i]);
	}
	assert_int_equal(server_requests(bench.server), COUNT(targets));
	assert_apart(bench.server, COUNT(targets));
	bench_stop(&bench);
}

static void test_repeated_attempts_count(void **state)
{
	struct reply busy = { "HTTP/1.1 429 T\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" };
	struct reply script[] = { busy, busy, busy, { OK("Content-Length: 2\r\n\r\n{}") } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };
	rated_start(&bench, script, COUNT(script));
	assert_int_equal(bench_do(&bench, HTTP_GET, "/a", LONG_MS, &answer), 0);
	assert_int_equal(answer.attempts, 4);
	int64_t first = server_request_at(bench.server, 0);
	assert_true(server_request_at(bench.server, 3) - first >= 2 * EVERY_MS - SLACK_MS);
	bench_stop(&bench);
}

/* Who cannot wait that long was not sent. */
static void test_deadlines_hold(void **state)
{
	struct reply script[] = { { OK("Content-Length: 2\r\n\r\n{}") } };
	struct bench bench;
	rated_start(&bench, script, COUNT(script));
	for (unsigned i = 0; i < 3; i++) {
		char target[8];
		cleanup(http_answer) struct http_answer answer = { 0 };
		snprintf(target, sizeof(target), "/%u", i);
		assert_int_equal(bench_do(&bench, HTTP_GET, target, SHORT_MS, &answer),
			i < 2 ? 0 : -ETIMEDOUT);
	}
	assert_int_equal(server_requests(bench.server), 2);
	bench_stop(&bench);
}

static void test_another_answer_is_asked_for(void **state)
{
	struct reply script[] = { { "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				    "Content-Length: 4\r\n\r\na 1\n" } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };
	rated_start(&bench, script, COUNT(script));
	struct http_request request = { .method = HTTP_GET,
		.target = "/a",
		.accept = "text/plain;version=0.0.4",
		.deadline = bench_deadline(LONG_MS) };
	assert_int_equal(http_perform(bench.http, &request, &answer), 0);
	assert_string_equal(strbuf_str(&answer.body), "a 1\n");
	assert_non_null(strstr(
		server_request(bench.server, 0), "\r\nAccept: text/plain;version=0.0.4\r\n"));
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_some_at_once_then_one_by_one),
		cmocka_unit_test(test_repeated_attempts_count),
		cmocka_unit_test(test_deadlines_hold),
		cmocka_unit_test(test_another_answer_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
