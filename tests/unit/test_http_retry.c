/* Attempts: which are repeated and when, deadlines, and what is known of a write. */
#include "tests/unit/http_bench.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LONG_MS 10000
#define EMPTY   "Content-Length: 0\r\n\r\n"
#define GOOD \
	{ \
		OK("Content-Length: 2\r\n\r\n{}"), 0, AFTER_KEEP \
	}
#define HANG \
	{ \
		OK(EMPTY), 0, AFTER_HOLD \
	}

static void test_transient_answers_are_repeated(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 500 I\r\n" EMPTY, 0, AFTER_KEEP },
		{ "HTTP/1.1 502 B\r\n" EMPTY, 0, AFTER_CLOSE },
		{ "HTTP/1.1 503 S\r\n" EMPTY, 0, AFTER_KEEP },
		{ "HTTP/1.1 504 G\r\n" EMPTY, 0, AFTER_KEEP },
		{ "HTTP/1.1 429 T\r\n" EMPTY, 0, AFTER_KEEP },
		GOOD,
	};
	struct bench bench;
	struct http_counters counters;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 20000, &answer), 0);
	assert_int_equal(answer.attempts, 6);
	assert_int_equal(answer.status, 200);
	http_counters(bench.http, &counters);
	assert_int_equal(counters.requests, 6);
	assert_int_equal(counters.retries, 5);
	assert_int_equal(counters.errors, 0);
	bench_stop(&bench);
}

static void test_dropped_connections_are_repeated(void **state)
{
	static const struct reply script[] = {
		{ "", 0, AFTER_CLOSE },
		{ "HTTP/1.1 20", 0, AFTER_CLOSE },
		{ "HTTP/1.1 200 OK\r\nContent-Le", 0, AFTER_CLOSE },
		{ "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le", 0, AFTER_CLOSE },
		GOOD,
	};
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), 0);
	assert_int_equal(answer.attempts, 5);
	bench_stop(&bench);
}

static void test_other_answers_are_final(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 408 T\r\n" EMPTY, 0, AFTER_KEEP } };
	static const struct reply strange[] = { { "SSH-2.0-OpenSSH_9.2\r\n", 0, AFTER_CLOSE } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), -EIO);
	assert_int_equal(answer.attempts, 1);
	bench_stop(&bench);

	cleanup(http_answer) struct http_answer other = { 0 };
	bench_start(&bench, strange, COUNT(strange), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &other), -EPROTO);
	assert_int_equal(other.attempts, 1);
	assert_int_equal(other.status, 0);
	assert_true(other.trouble[0] != '\0');
	bench_stop(&bench);
}

/* The first answer asks for a second in each of the ways there are. */
static void test_asked_delays(void **state)
{
	const struct {
		const char *text;
		int64_t least;
		int64_t asked; /* as the answer tells it to a write */
	} rows[] = {
		{ "HTTP/1.1 429 T\r\nRetry-After: 1\r\n" EMPTY, 1000, 1000 },
		{ "HTTP/1.1 503 S\r\nRetry-After:  0.5 \r\n" EMPTY, 500, 1000 },
		{ "HTTP/1.1 429 T\r\nX-RateLimit-Reset: 1\r\n" EMPTY, 1000, 1000 },
		{ "HTTP/1.1 429 T\r\nX-RateLimit-Reset: 9\r\nRetry-After: 1\r\n" EMPTY, 1000,
			1000 },
		/* the rest of a window that is not used up */
		{ "HTTP/1.1 503 S\r\nX-RateLimit-Reset: 9\r\n" EMPTY, 0, -1 },
		{ "HTTP/1.1 503 S\r\nRetry-After: soon\r\n" EMPTY, 0, -1 },
		{ "HTTP/1.1 503 S\r\nRetry-After: -5\r\n" EMPTY, 0, -1 },
		{ "HTTP/1.1 503 S\r\nRetry-After: Thu, 01 Jan 1998 00:00:00 GMT\r\n" EMPTY, 0, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply script[] = { { rows[i].text }, { rows[i].text }, GOOD };
		struct bench bench;
		cleanup(http_answer) struct http_answer write = { 0 };
		cleanup(http_answer) struct http_answer answer = { 0 };

		bench_start(&bench, script, COUNT(script), NULL, 2);
		assert_true(bench_do(&bench, HTTP_PUT, "/t", 5000, &write) < 0);
		if (write.retry_after != rows[i].asked) {
			fail_msg("row %zu: asked for %lld", i, (long long)write.retry_after);
		}
		assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 5000, &answer), 0);
		assert_int_equal(server_requests(bench.server), 3);
		int64_t waited =
			server_request_at(bench.server, 2) - server_request_at(bench.server, 1);
		if (waited < rows[i].least || waited > 3500) {
			fail_msg("row %zu: waited %lld", i, (long long)waited);
		}
		bench_stop(&bench);
	}
}

static void test_asked_date(void **state)
{
	char date[128];
	struct reply script[] = { { date }, GOOD };
	struct bench bench;
	struct tm tm;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	time_t at = (time_t)(clock_wall_ms() / 1000) + 2;
	strftime(date, sizeof(date),
		"HTTP/1.1 503 S\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT\r\n" EMPTY,
		gmtime_r(&at, &tm));
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 5000, &answer), 0);
	assert_int_equal(server_requests(bench.server), 2);
	assert_true(clock_wall_ms() >= (int64_t)at * 1000);
	assert_true(clock_wall_ms() < (int64_t)at * 1000 + 1500);
	bench_stop(&bench);
}

/* What is asked goes beyond the deadline: the answer is final, at once. */
static void test_asked_for_too_much(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t asked;
	} rows[] = {
		{ "HTTP/1.1 429 T\r\nRetry-After: 60\r\n" EMPTY, -EBUSY, 60000 },
		{ "HTTP/1.1 503 S\r\nRetry-After: 99999999999999999999999\r\n" EMPTY, -EIO,
			86400000 },
		{ "HTTP/1.1 503 S\r\nRetry-After: Fri, 31 Dec 2099 23:59:59 GMT\r\n" EMPTY, -EIO,
			86400000 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply script[] = { { rows[i].text } };
		struct bench bench;
		cleanup(http_answer) struct http_answer answer = { 0 };
		int64_t start = clock_now_ms();

		bench_start(&bench, script, COUNT(script), NULL, 2);
		assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 30000, &answer), rows[i].err);
		assert_int_equal(answer.attempts, 1);
		assert_int_equal(answer.retry_after, rows[i].asked);
		assert_true(clock_now_ms() - start < 5000);
		bench_stop(&bench);
	}
}

static void test_retries_that_run_out(void **state)
{
	static const struct {
		const char *text;
		enum server_after after;
		int err;
		long status;
	} rows[] = {
		{ "HTTP/1.1 503 S\r\n" EMPTY, AFTER_KEEP, -EIO, 503 },
		{ "HTTP/1.1 429 T\r\n" EMPTY, AFTER_KEEP, -EBUSY, 429 },
		{ "", AFTER_CLOSE, -EIO, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply script[] = { { rows[i].text, 0, rows[i].after } };
		struct bench bench;
		struct http_counters counters;
		cleanup(http_answer) struct http_answer answer = { 0 };
		int64_t start = clock_now_ms();

		bench_start(&bench, script, COUNT(script), NULL, 2);
		assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 600, &answer), rows[i].err);
		assert_true(clock_now_ms() - start < 5000);
		assert_int_equal(answer.status, rows[i].status);
		assert_true(answer.attempts > 1);
		http_counters(bench.http, &counters);
		assert_int_equal(counters.errors, 1);
		bench_stop(&bench);
	}
}

/* An answer says more than what became of the connection later. */
static void test_answer_then_drops(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 429 T\r\n" EMPTY, 0, AFTER_CLOSE },
		{ "", 0, AFTER_CLOSE } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 600, &answer), -EBUSY);
	assert_int_equal(answer.status, 429);
	assert_true(answer.attempts > 1);
	bench_stop(&bench);
}

/* A real answer, then an attempt that is cut off before it had much time: the answer counts. */
static void test_answer_then_a_short_attempt(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 429 S\r\n" EMPTY, 0, AFTER_KEEP },
		HANG };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 700, &answer), -EBUSY);
	bench_stop(&bench);
}

/* The same, but the attempt did hang. */
static void test_answer_then_a_hang(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 429 S\r\n" EMPTY, 0, AFTER_KEEP },
		HANG };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", 1500, &answer), -ETIMEDOUT);
	assert_int_equal(answer.status, 429);
	bench_stop(&bench);
}

static void test_hang(void **state)
{
	static const struct reply script[] = { HANG };
	static const enum http_method methods[] = { HTTP_GET, HTTP_POST };
	for (size_t i = 0; i < COUNT(methods); i++) {
		struct bench bench;
		cleanup(http_answer) struct http_answer answer = { 0 };
		bench_start(&bench, script, COUNT(script), NULL, 2);
		int64_t start = clock_now_ms();
		assert_int_equal(bench_do(&bench, methods[i], "/t", 200, &answer), -ETIMEDOUT);
		assert_true(clock_now_ms() - start >= 200);
		assert_true(clock_now_ms() - start < 5000);
		assert_int_equal(answer.attempts, 1);
		assert_int_equal(answer.status, 0);
		assert_int_equal(answer.maybe_done, methods[i] == HTTP_POST);
		bench_stop(&bench);
	}
}

/* The time in the queue counts. */
static void test_deadline_in_the_queue(void **state)
{
	static const struct reply script[] = { HANG };
	struct bench bench;
	struct arrival first;
	cleanup(http_answer) struct http_answer second = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 1);
	arrival_init(&first);
	struct http_request request = { .target = "/first",
		.deadline = bench_deadline(LONG_MS),
		.done = arrival_done,
		.arg = &first };
	http_submit(bench.http, &request, NULL);
	assert_true(server_wait(bench.server, 1));
	assert_int_equal(bench_do(&bench, HTTP_POST, "/second", 100, &second), -ETIMEDOUT);
	assert_int_equal(second.attempts, 0);
	assert_false(second.maybe_done);
	assert_int_equal(bench_do(&bench, HTTP_POST, "/third", -5, &second), -ETIMEDOUT);
	assert_int_equal(server_requests(bench.server), 1);
	server_release(bench.server);
	assert_true(arrival_wait(&first));
	assert_int_equal(first.answer.err, 0);
	arrival_finish(&first);
	bench_stop(&bench);
}

/* An engine that talks to `url`, without a server behind it. */
static int without_server(
	const char *url, enum http_method method, int64_t ms, struct http_answer *ret_answer)
{
	struct bench bench = { 0 };
	struct http_options options = { .url = url, .max_connections = 2, .max_answer = 100 };
	assert_int_equal(auth_create_fixed("key", "a-secret", &bench.auth), 0);
	options.auth = bench.auth;
	assert_int_equal(http_create(&options, &bench.http), 0);
	assert_int_equal(http_start(bench.http), 0);
	int err = bench_do(&bench, method, "/t", ms, ret_answer);
	http_destroy(bench.http);
	auth_destroy(bench.auth);
	return err;
}

static void test_refused(void **state)
{
	/* A bound socket that does not listen keeps its port from everybody else. */
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	char url[64];
	cleanup(http_answer) struct http_answer read = { 0 };
	cleanup(http_answer) struct http_answer write = { 0 };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cleanup(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(address.sin_port));

	assert_int_equal(without_server(url, HTTP_GET, 600, &read), -ECONNREFUSED);
	assert_true(read.attempts > 1);
	assert_int_equal(without_server(url, HTTP_POST, 600, &write), -ECONNREFUSED);
	assert_int_equal(write.attempts, 1);
	assert_false(write.maybe_done);
}

static void test_no_such_host(void **state)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	assert_int_equal(without_server("https://connectfs.invalid", HTTP_POST, LONG_MS, &answer),
		-EHOSTUNREACH);
	assert_int_equal(answer.attempts, 1);
	assert_false(answer.maybe_done);
}

/* TLS that fails is not worth a second try, and nothing was sent. */
static void test_no_tls(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 400 B\r\n" EMPTY, 0, AFTER_CLOSE } };
	static const enum http_method methods[] = { HTTP_GET, HTTP_POST };
	for (size_t i = 0; i < COUNT(methods); i++) {
		char url[64];
		struct server *server = server_start(script, COUNT(script));
		cleanup(http_answer) struct http_answer answer = { 0 };
		server_take_anything(server);
		snprintf(url, sizeof(url), "https://127.0.0.1:%u", server_port(server));
		assert_int_equal(without_server(url, methods[i], LONG_MS, &answer), -EPROTO);
		assert_int_equal(answer.attempts, 1);
		assert_false(answer.maybe_done);
		assert_int_equal(server_connections(server), 1);
		server_stop(server);
	}
}

static void test_writes_are_sent_once(void **state)
{
	static const enum http_method methods[] = { HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };
	static const struct reply drop[] = { GOOD, { "", 0, AFTER_CLOSE } };
	static const struct reply busy[] = { { "HTTP/1.1 503 S\r\n" EMPTY, 0, AFTER_KEEP } };

	for (size_t i = 0; i < COUNT(methods); i++) {
		struct bench bench;
		cleanup(http_answer) struct http_answer first = { 0 };
		cleanup(http_answer) struct http_answer answer = { 0 };
		cleanup(http_answer) struct http_answer refused = { 0 };

		/* On a connection that was used before, libcurl itself would send it again. */
		bench_start(&bench, drop, COUNT(drop), NULL, 2);
		assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &first), 0);
		assert_int_equal(bench_do(&bench, methods[i], "/t", LONG_MS, &answer), -EIO);
		assert_int_equal(answer.attempts, 1);
		assert_int_equal(answer.status, 0);
		assert_true(answer.maybe_done);
		assert_int_equal(server_requests(bench.server), 2);
		bench_stop(&bench);

		bench_start(&bench, busy, COUNT(busy), NULL, 2);
		assert_int_equal(bench_do(&bench, methods[i], "/t", LONG_MS, &refused), -EIO);
		assert_int_equal(refused.status, 503);
		assert_false(refused.maybe_done);
		assert_int_equal(server_requests(bench.server), 1);
		bench_stop(&bench);
	}
}

static void test_safe_requests_are_repeated(void **state)
{
	static const struct reply script[] = { GOOD, { "", 0, AFTER_CLOSE },
		{ "HTTP/1.1 503 S\r\n" EMPTY, 0, AFTER_KEEP }, GOOD };
	struct http_request request = { .method = HTTP_PUT,
		.target = "/question",
		.body = "{\"a\":1}",
		.body_len = 7,
		.safe = true };
	struct bench bench;
	cleanup(http_answer) struct http_answer first = { 0 };
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &first), 0);
	request.deadline = bench_deadline(LONG_MS);
	assert_int_equal(http_perform(bench.http, &request, &answer), 0);
	assert_int_equal(server_requests(bench.server), 4);
	for (unsigned i = 1; i < 4; i++) {
		assert_non_null(strstr(server_request(bench.server, i), "PUT /question "));
		assert_non_null(strstr(server_request(bench.server, i), "\r\n\r\n{\"a\":1}"));
	}
	assert_false(answer.maybe_done);
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transient_answers_are_repeated),
		cmocka_unit_test(test_dropped_connections_are_repeated),
		cmocka_unit_test(test_other_answers_are_final),
		cmocka_unit_test(test_asked_delays),
		cmocka_unit_test(test_asked_date),
		cmocka_unit_test(test_asked_for_too_much),
		cmocka_unit_test(test_retries_that_run_out),
		cmocka_unit_test(test_answer_then_drops),
		cmocka_unit_test(test_answer_then_a_short_attempt),
		cmocka_unit_test(test_answer_then_a_hang),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_deadline_in_the_queue),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_such_host),
		cmocka_unit_test(test_no_tls),
		cmocka_unit_test(test_writes_are_sent_once),
		cmocka_unit_test(test_safe_requests_are_repeated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
