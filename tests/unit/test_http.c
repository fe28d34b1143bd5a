/* One request at a time: what is sent, and what each kind of answer comes to. */
#include "tests/unit/http_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LONG_MS 10000

static void test_what_is_sent(void **state)
{
	static const struct reply script[] = { { OK("Content-Length: 2\r\n\r\n{}") } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/a/%2E%2E/b?c=d", LONG_MS, &answer), 0);
	const char *text = server_request(bench.server, 0);
	assert_ptr_equal(strstr(text, "GET /a/%2E%2E/b?c=d HTTP/1.1\r\n"), text);
	assert_non_null(strstr(text, "\r\nAuthorization: Basic a2V5OmEtc2VjcmV0\r\n"));
	assert_non_null(strstr(text, "\r\nAccept-Encoding: gzip\r\n"));
	assert_non_null(strstr(text, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(text, "\r\nUser-Agent: connectfs/" CONNECTFS_VERSION "\r\n"));
	assert_null(strcasestr(text, "Expect"));
	assert_null(strcasestr(text, "Content-Type"));
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.attempts, 1);
	assert_int_equal(answer.retry_after, -1);
	assert_true(answer.json);
	assert_false(answer.maybe_done);
	assert_string_equal(strbuf_str(&answer.body), "{}");

	/* Nothing is tidied up on the way. */
	cleanup(http_answer) struct http_answer dots = { 0 };
	assert_int_equal(bench_do(&bench, HTTP_GET, "/a/../b/./c", LONG_MS, &dots), 0);
	text = server_request(bench.server, 1);
	assert_ptr_equal(strstr(text, "GET /a/../b/./c HTTP/1.1\r\n"), text);
	bench_stop(&bench);
}

static void test_methods(void **state)
{
	static const struct reply script[] = { { OK("Content-Length: 2\r\n\r\n{}") } };
	static const struct {
		enum http_method method;
		const char *line;
		size_t body_len; /* of 'x' */
		const char *has;
		const char *lacks;
	} rows[] = {
		{ HTTP_POST, "POST /t ", 5, "\r\nContent-Type: application/json\r\n", "Expect" },
		{ HTTP_PUT, "PUT /t ", 5, "\r\nContent-Length: 5\r\n", "chunked" },
		{ HTTP_PATCH, "PATCH /t ", 5, "\r\nContent-Length: 5\r\n", "chunked" },
		{ HTTP_PUT, "PUT /t ", 0, "\r\nContent-Length: 0\r\n", "Content-Type" },
		{ HTTP_POST, "POST /t ", 0, "\r\nContent-Length: 0\r\n", "Content-Type" },
		{ HTTP_DELETE, "DELETE /t ", 0, "\r\nAuthorization: ", "Content-" },
		/* large enough that libcurl would ask "Expect: 100-continue" */
		{ HTTP_PUT, "PUT /t ", 1500000, "\r\nContent-Length: 1500000\r\n", "Expect" },
	};
	struct bench bench;
	char *body = malloc(1500001);

	assert_non_null(body);
	memset(body, 'x', 1500000);
	body[1500000] = '\0';
	bench_start(&bench, script, COUNT(script), NULL, 2);
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		struct http_request request = { .method = rows[i].method,
			.target = "/t",
			.body = rows[i].body_len ? body : NULL,
			.body_len = rows[i].body_len,
			.deadline = bench_deadline(LONG_MS) };
		assert_int_equal(http_perform(bench.http, &request, &answer), 0);
		const char *text = server_request(bench.server, i);
		assert_ptr_equal(strstr(text, rows[i].line), text);
		assert_non_null(strcasestr(text, rows[i].has));
		assert_null(strcasestr(text, rows[i].lacks));
		assert_int_equal(strlen(strstr(text, "\r\n\r\n") + 4), rows[i].body_len);
	}
	/* and all of that over one connection */
	assert_int_equal(server_connections(bench.server), 1);
	struct http_counters counters;
	http_counters(bench.http, &counters);
	assert_int_equal(counters.connections, 1);
	assert_int_equal(counters.requests, COUNT(rows));
	assert_int_equal(counters.bytes, 2 * COUNT(rows));
	assert_int_equal(counters.errors, 0);
	free(body);
	bench_stop(&bench);
}

#define EMPTY "Content-Length: 0\r\n\r\n"
#define JSON  "Content-Type: application/json; charset=utf-8\r\n"

static void test_statuses(void **state)
{
	static const struct {
		const char *reply;
		enum http_method method;
		int err;
		long status;
		bool json;
	} rows[] = {
		{ "HTTP/1.1 204 No Content\r\n\r\n", HTTP_DELETE, 0, 204, false },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 A\r\n" EMPTY, HTTP_PUT, 0, 202,
			false },
		{ "HTTP/1.1 400 B\r\n" JSON "Content-Length: 2\r\n\r\n{}", HTTP_GET, -EINVAL, 400,
			true },
		{ "HTTP/1.1 401 U\r\n" EMPTY, HTTP_GET, -EACCES, 401, false },
		{ "HTTP/1.1 404 N\r\n" JSON "Content-Length: 2\r\n\r\n{}", HTTP_GET, -ENOENT, 404,
			true },
		{ "HTTP/1.1 404 N\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}",
			HTTP_GET, -EIO, 404, false },
		{ "HTTP/1.1 404 N\r\nContent-Length: 4\r\n\r\n \n{}", HTTP_GET, -ENOENT, 404,
			true },
		{ "HTTP/1.1 404 N\r\n" EMPTY, HTTP_GET, -EIO, 404, false },
		{ "HTTP/1.1 409 C\r\n" EMPTY, HTTP_POST, -EBUSY, 409, false },
		{ "HTTP/1.1 429 T\r\n" EMPTY, HTTP_POST, -EBUSY, 429, false },
		{ "HTTP/1.1 500 I\r\n" EMPTY, HTTP_PUT, -EIO, 500, false },
		{ "HTTP/1.1 501 N\r\n" EMPTY, HTTP_GET, -EIO, 501, false },
		{ "HTTP/1.1 304 N\r\n\r\n", HTTP_GET, -EPROTO, 304, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply script[] = { { rows[i].reply } };
		struct bench bench;
		cleanup(http_answer) struct http_answer answer = { 0 };
		bench_start(&bench, script, COUNT(script), NULL, 2);
		int err = bench_do(&bench, rows[i].method, "/t", LONG_MS, &answer);
		if (err != rows[i].err || answer.status != rows[i].status ||
			answer.json != rows[i].json || answer.attempts != 1 || answer.maybe_done) {
			fail_msg("row %zu: %d, status %ld, json %d, attempts %u", i, err,
				answer.status, answer.json, answer.attempts);
		}
		bench_stop(&bench);
	}
}

static void test_once_means_once(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 503 S\r\n" EMPTY } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };
	struct http_request request = { .target = "/t", .once = true };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	request.deadline = bench_deadline(LONG_MS);
	assert_int_equal(http_perform(bench.http, &request, &answer), -EIO);
	assert_int_equal(answer.attempts, 1);
	assert_int_equal(server_requests(bench.server), 1);
	bench_stop(&bench);
}

static void test_request_id(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 400 B\r\nX-Request-Id: abc-1\x01\t2 3\r\n" EMPTY },
		{ "HTTP/1.1 400 B\r\nx-request-id: "
		  "0123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456789\r\n" EMPTY },
	};
	struct bench bench;
	cleanup(http_answer) struct http_answer first = { 0 };
	cleanup(http_answer) struct http_answer second = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	bench_do(&bench, HTTP_GET, "/t", LONG_MS, &first);
	assert_string_equal(first.request_id, "abc-123");
	bench_do(&bench, HTTP_GET, "/t", LONG_MS, &second);
	assert_int_equal(strlen(second.request_id), sizeof(second.request_id) - 1);
	bench_stop(&bench);
}

static void test_targets_are_checked(void **state)
{
	static const struct reply script[] = { { OK(EMPTY) } };
	static const char *const targets[] = { "", "t", "//h@x b", "/a b", "/a\r\nX: y", "/a#b",
		"/\xc3\xa4", "@evil.example/", ".evil.example/" };
	struct bench bench;

	bench_start(&bench, script, COUNT(script), NULL, 2);
	for (size_t i = 0; i < COUNT(targets); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		if (bench_do(&bench, HTTP_GET, targets[i], LONG_MS, &answer) != -EINVAL) {
			fail_msg("%s", targets[i]);
		}
	}
	assert_int_equal(server_connections(bench.server), 0);
	bench_stop(&bench);
}

/* What one GET or write comes to whose first answer is this redirect. */
static int redirect_to(
	const char *status, const char *location, enum http_method method, size_t *ret_requests)
{
	static const struct reply end = { OK("Content-Length: 4\r\n\r\n\"ok\"") };
	char text[512];
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };
	struct reply script[] = { { text }, end };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	const char *port = strstr(location, "PORT");
	if (port) {
		snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nLocation: %.*s%u%s\r\n" EMPTY, status,
			(int)(port - location), location, server_port(bench.server), port + 4);
	} else {
		snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nLocation: %s\r\n" EMPTY, status,
			location);
	}
	int err = bench_do(&bench, method, "/first", LONG_MS, &answer);
	*ret_requests = server_requests(bench.server);
	assert_int_equal(answer.attempts, *ret_requests);
	if (!err) {
		const char *second = server_request(bench.server, 1);
		assert_ptr_equal(strstr(second, "GET /next?q=1 "), second);
		assert_non_null(strstr(second, "\r\nAuthorization: "));
		assert_string_equal(strbuf_str(&answer.body), "\"ok\"");
	}
	bench_stop(&bench);
	return err;
}

static void test_redirects(void **state)
{
	static const struct {
		const char *status;
		const char *location; /* PORT: the server's */
		enum http_method method;
		int err;
	} rows[] = {
		{ "301 M", "/next?q=1", HTTP_GET, 0 },
		{ "302 F", "next?q=1", HTTP_GET, 0 },
		{ "303 S", "http://127.0.0.1:PORT/next?q=1", HTTP_GET, 0 },
		{ "307 T", "//127.0.0.1:PORT/next?q=1", HTTP_GET, 0 },
		{ "308 P", "HTTP://127.0.0.1:PORT/next?q=1", HTTP_GET, 0 },
		{ "300 C", "/next?q=1", HTTP_GET, -EPROTO },
		{ "305 P", "/next?q=1", HTTP_GET, -EPROTO },
		{ "307 T", "/next?q=1", HTTP_POST, -EPROTO },
		{ "303 S", "/next?q=1", HTTP_PUT, -EPROTO },
		{ "302 F", "/next?q=1", HTTP_DELETE, -EPROTO },
		{ "302 F", "https://127.0.0.1:PORT/next?q=1", HTTP_GET, -EPROTO },
		{ "302 F", "http://localhost:PORT/next?q=1", HTTP_GET, -EPROTO },
		{ "302 F", "http://127.0.0.1/next?q=1", HTTP_GET, -EPROTO },
		{ "302 F", "http://user@127.0.0.1:PORT/next?q=1", HTTP_GET, -EPROTO },
		{ "302 F", "file:///etc/passwd", HTTP_GET, -EPROTO },
		{ "302 F", "", HTTP_GET, -EPROTO },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t requests;
		int err = redirect_to(rows[i].status, rows[i].location, rows[i].method, &requests);
		if (err != rows[i].err || requests != (err ? 1 : 2)) {
			fail_msg("row %zu: %d, %zu requests", i, err, requests);
		}
	}
}

static void test_foreign_redirect_gets_no_connection(void **state)
{
	static const struct reply end[] = { { OK(EMPTY) } };
	char text[256];
	struct reply script[] = { { text } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };
	struct server *foreign = server_start(end, COUNT(end));

	snprintf(text, sizeof(text), "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:%u/\r\n" EMPTY,
		server_port(foreign));
	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), -EPROTO);
	assert_int_equal(answer.status, 302);
	bench_stop(&bench);
	assert_int_equal(server_connections(foreign), 0);
	server_stop(foreign);
}

static void test_redirects_end(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 302 F\r\nLocation: /again\r\n" EMPTY } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), -EPROTO);
	assert_int_equal(server_requests(bench.server), 6);
	bench_stop(&bench);
}

/* Credentials in a file that the test rewrites. */
static void put_token(const char *path, const char *token)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"token\":\"%s\"}", token);
	fclose(file);
}

static void renew(const char *token, enum http_method method, int wanted, size_t requests)
{
	static const struct reply script[] = { { "HTTP/1.1 401 U\r\n" EMPTY },
		{ OK("Content-Length: 2\r\n\r\n{}") } };
	char path[] = "/tmp/connectfs-http-XXXXXX";
	int fd = mkstemp(path);
	struct auth_options options = { .file = path };
	struct auth *auth = NULL;
	struct bench bench;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	cleanup(http_answer) struct http_answer answer = { 0 };

	assert_true(fd >= 0);
	close(fd);
	put_token(path, "old-token");
	assert_int_equal(auth_create(&options, &auth, &why), 0);
	put_token(path, token);
	bench_start(&bench, script, COUNT(script), auth, 2);
	assert_int_equal(bench_do(&bench, method, "/t", LONG_MS, &answer), wanted);
	assert_int_equal(server_requests(bench.server), requests);
	assert_non_null(strstr(server_request(bench.server, 0), "Bearer old-token\r\n"));
	if (requests > 1) {
		assert_non_null(strstr(server_request(bench.server, 1), "Bearer new-token\r\n"));
		assert_int_equal(answer.attempts, 2);
	}
	bench_stop(&bench);
	unlink(path);
}

static void test_other_credentials_after_401(void **state)
{
	renew("new-token", HTTP_GET, 0, 2);
	renew("new-token", HTTP_POST, 0, 2);
	renew("old-token", HTTP_GET, -EACCES, 1);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_sent),
		TEST(test_methods),
		TEST(test_statuses),
		TEST(test_once_means_once),
		TEST(test_request_id),
		TEST(test_targets_are_checked),
		TEST(test_redirects),
		TEST(test_foreign_redirect_gets_no_connection),
		TEST(test_redirects_end),
		TEST(test_other_credentials_after_401),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
